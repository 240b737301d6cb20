package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/storage"
	"github.com/openseas/crm/team"
)

// step is one call on one customer, as the child that made it saw it. The clock of the machine is that of both processes.
type step struct {
	Customer     int64
	By           kernel.UserID
	Do           string
	Answer       string // "done", a reason, or the owner and its last follow-up
	To           kernel.UserID
	Request      string
	At           int64 // of a follow-up; of what gave an owner, says the log, when the ownership began
	Call, Return int64
}

// ownership is what a customer is to those who deal with it.
type ownership struct {
	Owner       kernel.UserID
	Since, Last int64 // when it began, and the last follow-up in it, in microseconds
}

func (o ownership) String() string { return fmt.Sprintf("%s/%d", o.Owner, o.Last) }

// oneOwner says how calls change an ownership (rules.md, Public pool). All answers count, also no.
var oneOwner = porcupine.Model{
	Init: func() any { return ownership{} },
	Step: func(state, in, _ any) (bool, any) {
		is, s := state.(ownership), in.(step)
		switch s.Do + " " + s.Answer {
		case "claim done":
			return is.Owner == "", ownership{Owner: s.By, Since: s.At}
		case "claim taken":
			return is.Owner != "", is
		case "claim protected": // a call's clock stands at its begin: to one that began before the release, that is to come
			return is.Owner == "", is
		case "give done": // out of the pool, or from its owner
			return is.Owner != s.To, ownership{Owner: s.To, Since: s.At}
		case "give same_owner":
			return is.Owner == s.To, is
		case "release done", "recycle done":
			return is.Owner == s.By, ownership{Last: is.Last}
		case "release not_owned":
			return is.Owner == "", is
		case "release not_found": // somebody else's, whom a seller does not see
			return is.Owner != "" && is.Owner != s.By, is
		case "follow done":
			if is.Owner != "" && s.At >= is.Since {
				is.Last = max(is.Last, s.At)
			}
			return true, is
		case "look " + is.String():
			return true, is
		}
		return false, is
	},
	DescribeOperation: func(in, _ any) string { return fmt.Sprint(in) },
}

// linearizable looks for an order of the steps of each customer that one owner at a time explains.
func linearizable(t *testing.T, steps []step) bool {
	t.Helper()
	of := map[int64][]porcupine.Operation{}
	clients := map[kernel.UserID]int{}
	for _, s := range steps {
		if _, ok := clients[s.By]; !ok {
			clients[s.By] = len(clients)
		}
		of[s.Customer] = append(of[s.Customer], porcupine.Operation{ClientId: clients[s.By], Input: s, Call: s.Call, Return: s.Return})
	}
	for _, history := range of {
		switch porcupine.CheckOperationsTimeout(oneOwner, history, 30*time.Second) {
		case porcupine.Illegal:
			return false
		case porcupine.Unknown:
			t.Fatal("too hard to tell in half a minute")
		}
	}
	return true
}

// worker is one member who claims, releases and looks in a process of its own clock and memory.
type worker struct {
	*crm.CRM
	by    crm.Actor
	r     *rand.Rand
	out   *told
	order order
}

// claimChild runs the workers of one process. The first one also recycles: its rule takes everything from everybody.
func claimChild(o order, out *told) error {
	db, err := o.Place.open()
	if err != nil {
		return err
	}
	defer db.Close()
	store := o.Place.store(db)
	if o.Naive {
		store = naiveStore{store}
	}
	c, err := crm.New(context.Background(), store, &crm.Options{Clock: o.clock})
	if err != nil {
		return err
	}
	errs := make([]error, o.Workers)
	var wg sync.WaitGroup
	for i := range o.Workers {
		w := &worker{c, crm.Actor{Tenant: "acme", User: kernel.UserID(fmt.Sprint(o.Tag, i))}, rand.New(rand.NewPCG(o.Seed, uint64(i))), out, o}
		wg.Go(func() {
			for n := 0; n < o.Steps && errs[i] == nil; n++ {
				if i == 0 && n%20 == 10 {
					errs[i] = w.recycle(n)
					continue
				}
				errs[i] = w.step(n)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (o order) clock() time.Time { return time.Now().Add(o.Offset) }

func (w *worker) step(n int) error {
	what := []string{"claim", "claim", "release", "release", "look"}
	if !w.order.Naive {
		what = append(what, "give", "follow", "look")
	}
	s := step{Customer: pick(w.r, w.order.IDs...), By: w.by.User, Do: pick(w.r, what...), Call: time.Now().UnixNano()}
	err := w.do(&s, n)
	s.Return = time.Now().UnixNano()
	var no *pool.Refusal
	switch {
	case errors.Is(err, crm.ErrRetry), w.order.Naive && errors.Is(err, crm.ErrConflict):
		return nil // nothing was written, so there is nothing to explain
	case errors.As(err, &no):
		s.Answer = string(no.Reason)
	case err != nil:
		return fmt.Errorf("%s: %w", s.Do, err)
	case s.Do != "look":
		s.Answer = "done"
	}
	w.out.say(s)
	return nil
}

// do makes the call of a step.
func (w *worker) do(s *step, n int) error {
	ctx, id := context.Background(), customer.ID(s.Customer)
	switch s.Do {
	case "claim":
		return w.Pool.Claim(ctx, w.by, id)
	case "release":
		return w.Pool.Release(ctx, w.by, id, nil)
	case "give":
		s.To, s.Request = kernel.UserID(fmt.Sprint(pick(w.r, "a", "b"), w.r.IntN(w.order.Workers))), fmt.Sprint("give ", w.by.User, " ", n)
		return w.Pool.Assign(ctx, as(boss, s.Request), id, s.To, nil)
	case "follow":
		i := &customer.Interaction{CustomerID: id, Type: customer.Call, Subject: "x", Staff: w.by.User, Followup: true}
		err := w.Customers.Interactions.Add(ctx, boss, i)
		s.At = i.At.UnixMicro()
		return err
	}
	c, err := w.Customers.Get(ctx, boss, id)
	if err == nil {
		is := ownership{Owner: c.OwnerID}
		if !c.LastFollowupAt.IsZero() {
			is.Last = c.LastFollowupAt.UnixMicro()
		}
		s.Answer = is.String()
	}
	return err
}

// recycle tells of a run without saying whom it released: that stands in the operation log, under its request.
func (w *worker) recycle(n int) error {
	run := boss
	run.Request = fmt.Sprint(w.order.Tag, " run ", n)
	s := step{Do: "recycle", Answer: run.Request, Call: time.Now().UnixNano()}
	_, err := w.Pool.Recycle(context.Background(), run, &pool.RecycleOptions{MaxShare: 100, Batch: 2})
	s.Return = time.Now().UnixNano()
	if err != nil && !errors.Is(err, crm.ErrRetry) {
		return fmt.Errorf("recycle: %w", err)
	}
	w.out.say(s)
	return nil
}

// crowd makes a house where two processes can let their members loose on some customers.
func crowd(t *testing.T, p place, customers, members int, o order) (*house, [2]*process) {
	t.Helper()
	h := build(t, p)
	h.free()
	var ms []team.Member
	for _, tag := range []string{"a", "b"} {
		for i := range members {
			ms = append(ms, team.Member{User: kernel.UserID(fmt.Sprint(tag, i)), Role: team.Seller})
		}
	}
	_, err := h.Team.Members.AddMany(t.Context(), boss, ms)
	require.NoError(t, err)
	o.Place, o.Offset = p, time.Until(noon)
	for _, id := range h.create(customers, "") {
		o.IDs = append(o.IDs, int64(id))
	}
	var both [2]*process
	for i, tag := range []string{"a", "b"} {
		o.Tag, o.Seed = tag, *seed+uint64(i)
		both[i] = spawn(t, o)
	}
	return h, both
}

// history lets both processes run, and returns everything that happened.
func history(t *testing.T, p place, naive bool) (*house, []step) {
	t.Helper()
	h, both := crowd(t, p, 3, 3, order{Role: "claim", Workers: 3, Steps: choose(100, 1000), Naive: naive})
	require.NoError(t, h.Pool.Pools.PutRule(t.Context(), boss, &pool.Rule{Name: "all", Condition: "owned_days >= 0", Action: pool.Release, Enabled: true}))
	for _, c := range both {
		c.begin()
	}
	var steps []step
	for _, c := range both {
		for _, s := range all[step](c) {
			if s.Do != "recycle" {
				steps = append(steps, s)
				continue
			}
			for _, op := range operations(h, "request = '"+s.Answer+"'") {
				steps = append(steps, step{Customer: op.Record, By: op.From, Do: "recycle", Answer: "done", Call: s.Call, Return: s.Return})
			}
		}
	}
	dated(t, h, steps)
	return h, steps
}

// dated tells the steps that gave an owner when the ownership began: a member makes one call after the other, so a claim is
// the line of the log in its time, and what somebody gave is known by its request.
func dated(t *testing.T, h *house, steps []step) {
	t.Helper()
	type key struct {
		customer int64
		by       kernel.UserID
	}
	claims, gifts := map[key][]int64{}, map[string]int64{}
	for _, op := range operations(h, "action IN ('claim', 'assign', 'transfer')") {
		if op.Action == customer.Claimed {
			k := key{op.Record, op.To}
			claims[k] = append(claims[k], op.At.UnixMicro())
		} else {
			gifts[op.Request] = op.At.UnixMicro()
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.Call, b.Call) })
	for i := range steps {
		s := &steps[i]
		switch k := (key{s.Customer, s.By}); s.Do + s.Answer {
		case "claimdone":
			require.NotEmpty(t, claims[k], "a claim that the log does not have: %v", *s)
			s.At, claims[k] = claims[k][0], claims[k][1:]
		case "givedone":
			require.NotZero(t, gifts[s.Request], "a gift that the log does not have: %v", *s)
			s.At = gifts[s.Request]
		}
	}
}

// Claims, releases, gifts, transfers, follow-ups and runs of the rules, by six members in two processes at once.
func TestClaimsOfTwoProcessesAreLinearizable(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(t *testing.T) place) {
		h, steps := history(t, fresh(t), false)
		require.True(t, linearizable(t, steps), "no order of the steps explains their answers")
		h.agree()
		h.sound()
		seen := map[string]int{}
		for _, s := range steps {
			if s.Do == "look" {
				s.Answer = "done"
			}
			seen[s.Do+" "+s.Answer]++
		}
		for _, kind := range []string{"claim done", "claim taken", "release done", "release not_owned", "release not_found", "recycle done", "give done", "give same_owner", "follow done"} {
			require.Positive(t, seen[kind], kind)
		}
		t.Logf("%d steps checked: %v", len(steps), seen)
	})
}

// A claim that checks and then writes passes many tests, but not the one above.
func TestTheCheckSeesANaiveClaim(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(t *testing.T) place) {
		for range 5 { // it may have been lucky
			if _, steps := history(t, fresh(t), true); !linearizable(t, steps) {
				return
			}
		}
		require.Fail(t, "the check finds nothing wrong with a claim that is")
	})
}

type (
	naiveStore struct{ storage.Store }
	naiveTx    struct {
		storage.Tx
		store storage.Store
	}
	naiveRecords struct {
		pool.Repository
		store storage.Store
		kind  pool.Kind
	}
)

func (s naiveStore) Do(ctx context.Context, m kernel.Mode, fn func(context.Context, storage.Tx) error) error {
	if m == kernel.OneCall { // the claim: as a read here, so that its parts are transactions of their own
		return s.Store.Do(ctx, kernel.Read, func(ctx context.Context, tx storage.Tx) error { return fn(ctx, naiveTx{tx, s.Store}) })
	}
	return s.Store.Do(ctx, m, fn)
}

func (t naiveTx) Pool(k pool.Kind) pool.Repository { return naiveRecords{t.Tx.Pool(k), t.store, k} }

func (r naiveRecords) Claim(ctx context.Context, o pool.Order, id int64) error {
	seen, err := r.Look(ctx, o.By.Tenant, id)
	if err != nil {
		return err
	}
	if len(seen) == 0 || seen[0].OwnerID != "" {
		return pool.Lost()
	}
	time.Sleep(time.Millisecond)
	return r.store.Do(ctx, kernel.Write, func(ctx context.Context, tx storage.Tx) error {
		now, err := tx.Pool(r.kind).Lock(ctx, o.By.Tenant, id)
		if err != nil {
			return err
		}
		return tx.Pool(r.kind).Move(ctx, pool.Move{Action: customer.Claimed, By: o.By, Now: o.Now, Day: o.Day, To: o.By.User, Records: now})
	})
}

// operation is a line of the operation log.
type operation struct {
	ID, Record int64
	Action     customer.Action
	From, To   kernel.UserID
	Request    string
	At         time.Time
}

func operations(h *house, where string) (ops []operation) {
	h.t.Helper()
	log, err := h.db.QueryContext(context.Background(), `SELECT id, record_id, action, coalesce(from_owner, ''), coalesce(to_owner, ''), coalesce(request, ''), at
		FROM crm_operations WHERE `+where+` ORDER BY id`)
	require.NoError(h.t, err)
	defer log.Close()
	for log.Next() {
		var op operation
		var at any
		require.NoError(h.t, log.Scan(&op.ID, &op.Record, &op.Action, &op.From, &op.To, &op.Request, &at))
		switch at := at.(type) {
		case int64:
			op.At = time.UnixMicro(at)
		case time.Time:
			op.At = at
		}
		ops = append(ops, op)
	}
	require.NoError(h.t, log.Err())
	return ops
}

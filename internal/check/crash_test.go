package check

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/internal/testpostgres"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

// ack is a write that the CRM has acknowledged, or the code of an error after which it was asked for again.
type ack struct {
	Request string // empty for a claim without one
	Again   string
}

// ackChild claims and releases for ever, each worker a customer of its own, and tells of every write that it was told to
// be done. It asks until it gets an answer.
func ackChild(o order, out *told) error {
	db, err := o.Place.open()
	if err != nil {
		return err
	}
	defer db.Close()
	c, err := crm.New(context.Background(), o.Place.store(db), nil)
	if err != nil {
		return err
	}
	errs := make([]error, len(o.IDs))
	var wg sync.WaitGroup
	for i, id := range o.IDs {
		by := []crm.Actor{li, wang, head}[i%3] // a counter of its own, too, for all but the fourth
		wg.Go(func() { errs[i] = ackWorker(c, by, customer.ID(id), fmt.Sprint(o.Tag, " ", i, " "), out) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// ackWorker claims now with a request and now without, when after an unknown outcome only a look tells. What it is told
// to try again it must be able to: nobody else wants its customer.
func ackWorker(c *crm.CRM, by crm.Actor, id customer.ID, tag string, out *told) error {
	x, err := c.Customers.Get(context.Background(), boss, id)
	if err != nil {
		return err
	}
	for n, owned := 0, x.OwnerID != ""; ; n, owned = n+1, !owned {
		a := ack{Request: fmt.Sprint(tag, n)}
		call := func() error { return c.Pool.Claim(context.Background(), as(by, a.Request), id) }
		switch {
		case owned:
			call = func() error { return c.Pool.Release(context.Background(), as(by, a.Request), id, nil) }
		case n%4 < 2:
			a.Request = ""
		}
		if err := ackOne(c, a, id, by.User, call, out); err != nil {
			return fmt.Errorf("request %q: %w", a.Request, err)
		}
		out.say(a)
	}
}

// ackOne returns when the call has been done.
func ackOne(c *crm.CRM, a ack, id customer.ID, by kernel.UserID, call func() error, out *told) error {
	for unsure := false; ; time.Sleep(time.Millisecond) {
		err := call()
		if unsure && errors.Is(err, pool.Taken) {
			x, lookErr := c.Customers.Get(context.Background(), boss, id)
			if err = lookErr; err == nil && x.OwnerID == by {
				return nil
			}
		}
		if err == nil {
			return nil
		}
		unknown := errors.Is(err, crm.ErrUnknownOutcome)
		if !unknown && !errors.Is(err, crm.ErrRetry) {
			return err
		}
		unsure = unsure || unknown && a.Request == ""
		code, _ := errors.AsType[kernel.Code](err)
		out.say(ack{a.Request, string(code)})
	}
}

// listener collects what an ackChild tells.
type listener struct {
	*process
	mu    sync.Mutex
	acks  []string
	codes map[string]int
	over  chan struct{}
}

func listen(p *process) *listener {
	l := &listener{process: p, codes: map[string]int{}, over: make(chan struct{})}
	go func() {
		defer close(l.over)
		for {
			var a ack
			if !p.next(&a) {
				return
			}
			l.mu.Lock()
			if l.codes[a.Again]++; a.Again == "" && a.Request != "" {
				l.acks = append(l.acks, a.Request)
			}
			l.mu.Unlock()
		}
	}()
	return l
}

// wait returns when so many writes more were acknowledged, or fails the test when the child has ended.
func (l *listener) wait(more int) {
	l.t.Helper()
	until := l.count() + more
	for deadline := time.Now().Add(30 * time.Second); l.count() < until; time.Sleep(time.Millisecond) {
		select {
		case <-l.over:
			require.Fail(l.t, "the child has ended")
		default:
			require.True(l.t, time.Now().Before(deadline), "the child does nothing any more")
		}
	}
}

func (l *listener) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acks)
}

// stop kills the child and returns everything that it told.
func (l *listener) stop() []string {
	l.kill()
	<-l.over
	l.end() //nolint:errcheck // it was killed
	return l.acks
}

// requireOnce demands every acknowledged write, once, and none of the others twice.
func requireOnce(t *testing.T, h *house, acks []string) {
	t.Helper()
	lines := map[string]int{}
	for _, request := range texts(t, h.db, "SELECT request FROM crm_operations WHERE request IS NOT NULL") {
		lines[request]++
		require.Equal(t, 1, lines[request], "twice: %s", request)
	}
	for _, request := range acks {
		require.Equal(t, 1, lines[request], "acknowledged and gone: %s", request)
	}
	require.LessOrEqual(t, len(acks), len(lines))
	h.agree()
	h.sound()
}

func (h *house) ackOrder(p place, tag string, ids []customer.ID) order {
	o := order{Role: "ack", Place: p, Tag: tag}
	for _, id := range ids {
		o.IDs = append(o.IDs, int64(id))
	}
	return o
}

func TestAcknowledgedWritesSurviveTheProcess(t *testing.T) {
	t.Parallel()
	p := onFile(t)
	h := build(t, p)
	h.free()
	ids, r := h.create(3, ""), chance(t)
	var acks []string
	for round := range choose(5, 100) {
		l := listen(spawn(t, h.ackOrder(p, fmt.Sprint("round ", round), ids)))
		l.begin()
		l.wait(1 + r.IntN(20))
		time.Sleep(time.Duration(r.Int64N(int64(20 * time.Millisecond))))
		acks = append(acks, l.stop()...)
		require.Equal(t, []string{"ok"}, texts(t, h.db, "PRAGMA integrity_check"))
		requireOnce(t, h, acks)
	}
	t.Logf("%d writes acknowledged", len(acks))
}

// ownServer is a server that loses nothing, as in production, and recovers as quickly as it can.
func ownServer(t *testing.T, settings map[string]string) *testpostgres.Server {
	if runtime.GOOS == "linux" {
		settings["recovery_init_sync_method"] = "syncfs"
	}
	return testpostgres.Own(t, &testpostgres.Options{Settings: settings})
}

// The host lives on when the server dies: it is told what it knows, asks again, and everything is there once.
func TestAcknowledgedWritesSurviveTheServer(t *testing.T) {
	t.Parallel()
	// Commits take most of the time, so that most deaths meet one.
	server := ownServer(t, map[string]string{"commit_delay": "10000", "commit_siblings": "0"})
	p := onServer(server.DSN())
	h := build(t, p)
	h.free()
	ids, r := h.create(4, ""), chance(t)
	l := listen(spawn(t, h.ackOrder(p, "a", ids)))
	l.begin()
	for round := range choose(4, 50) {
		l.wait(1 + r.IntN(40))
		time.Sleep(time.Duration(r.Int64N(int64(5 * time.Millisecond))))
		if round%2 == 0 {
			require.NoError(t, server.Kill())
		} else { // it says good-bye to every connection
			require.NoError(t, server.Stop())
		}
		require.NoError(t, server.Start())
	}
	l.wait(20)
	acks := l.stop()
	h.db = opened(t, p) // the connections of the other one are broken
	requireOnce(t, h, acks)
	require.Positive(t, l.codes[string(crm.ErrUnknownOutcome)], "no commit was cut off")
	t.Logf("%d writes acknowledged, errors on the way: %v", len(acks), l.codes)
}

// sweepChild runs the rules, and tells after every batch how many it has released.
func sweepChild(o order, out *told) error {
	db, err := o.Place.open()
	if err != nil {
		return err
	}
	defer db.Close()
	c, err := crm.New(context.Background(), o.Place.store(db), &crm.Options{Clock: o.clock})
	if err != nil {
		return err
	}
	return insist(func() error {
		_, err := c.Pool.Recycle(context.Background(), boss, &pool.RecycleOptions{MaxShare: 100, Batch: 10, Progress: func(r pool.Report) { out.say(r.Released) }})
		return err
	})
}

// neglect makes customers that are due for those who come two days later.
func neglect(h *house, n int) {
	h.micros.Store(noon.UnixMicro())
	h.create(n/2, "li")
	h.create(n-n/2, "wang")
	h.wait(2 * day)
}

// requireSwept runs the rules once more, and demands that everybody was released, nobody twice.
func requireSwept(t *testing.T, h *house, all int) {
	t.Helper()
	for left := 1; left > 0; { // the rows that a killed process held may still be locked for a moment
		report, err := h.Pool.Recycle(t.Context(), boss, &pool.RecycleOptions{MaxShare: 100})
		require.NoError(t, err)
		left = report.Left
	}
	require.Equal(t, all, h.count("SELECT count(*) FROM crm_operations WHERE action = 'recycle'"))
	require.Equal(t, all, h.count("SELECT count(DISTINCT record_id) FROM crm_operations WHERE action = 'recycle'"))
	require.Zero(t, h.count("SELECT count(*) FROM crm_customers WHERE owner_id IS NOT NULL"))
	h.agree()
	h.sound()
}

func TestSweepsAreKilledAndGoOn(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(t *testing.T) place) {
		p := fresh(t)
		h := build(t, p)
		h.free()
		require.NoError(t, h.Pool.Pools.PutRule(t.Context(), boss, &pool.Rule{Name: "idle", Condition: "owned_days > 1", Action: pool.Release, Enabled: true}))
		run := order{Role: "sweep", Place: p, Offset: time.Until(noon.Add(2 * day))}
		round := 0
		interruptions(t, 6, 20*time.Millisecond, func(wait time.Duration) (interrupted bool) {
			neglect(h, 200)
			first := spawn(t, run)
			var second *process
			if round++; round%2 == 0 { // two at once
				second = spawn(t, run)
				second.begin()
			}
			first.begin()
			seen := 0
			first.next(&seen) // one batch is done
			time.Sleep(wait)
			first.kill()
			interrupted = first.end() != nil
			if round%4 == 0 { // it is restarted while the other one goes on
				again := spawn(t, run)
				again.begin()
				all[int](again)
			}
			if second != nil {
				all[int](second)
			}
			requireSwept(t, h, 200*round)
			return interrupted
		})
	})
}

// The server dies in the middle of a sweep. What the sweep has been told to be done is done, and the next one goes on.
func TestSweepsSurviveTheServer(t *testing.T) {
	t.Parallel()
	server := ownServer(t, map[string]string{})
	p := onServer(server.DSN())
	h := build(t, p)
	h.free()
	require.NoError(t, h.Pool.Pools.PutRule(t.Context(), boss, &pool.Rule{Name: "idle", Condition: "owned_days > 1", Action: pool.Release, Enabled: true}))
	r := chance(t)
	for round := range choose(2, 20) {
		neglect(h, 200)
		sweep := spawn(t, order{Role: "sweep", Place: p, Offset: time.Until(noon.Add(2 * day))})
		sweep.begin()
		told := 0
		for range 1 + r.IntN(5) {
			sweep.next(&told)
		}
		require.NoError(t, server.Kill())
		for last := 0; sweep.next(&last); { // what it was told before it knew
			told = max(told, last)
		}
		sweep.end() //nolint:errcheck // nobody answers it any more, unless it had come to its end
		require.NoError(t, server.Start())
		h = reopened(t, h, p)
		released := h.count("SELECT count(*) FROM crm_operations WHERE action = 'recycle'") - 200*round
		require.GreaterOrEqual(t, released, told, "told to be released, and gone")
		requireSwept(t, h, 200*(round+1))
	}
}

// reopened is a house on new connections: those of the other one are broken.
func reopened(t *testing.T, h *house, p place) *house {
	t.Helper()
	again := &house{t: h.t, db: opened(t, p)}
	again.micros.Store(h.micros.Load())
	again.store = p.store(again.db)
	var err error
	again.CRM, err = crm.New(t.Context(), again.store, &crm.Options{Clock: again.now, KeepRights: -1})
	require.NoError(t, err)
	return again
}

package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/sales"
)

// undertaking is one use case that writes. prepare makes what it needs; what it returns is called with a CRM that may be
// joined, as often as need be.
type undertaking struct {
	name    string
	prepare func(h *house) func(ctx context.Context, c *crm.CRM, request string) error
	alone   bool // it commits by itself, and is refused inside a host's transaction
	apart   bool // its transactions are several, and what one has committed before another fails stays
	once    bool // it has no request: after an unknown outcome only a look tells
	draws   bool // it draws a number first, in a transaction of its own: what is lost there is a gap
	asks    bool // it asks for the actor's rights every time; they are asked for in one way, whatever the task
}

func as(a crm.Actor, request string) crm.Actor {
	a.Request = request
	return a
}

var undertakings = []undertaking{
	{name: "Claim", prepare: func(h *house) func(context.Context, *crm.CRM, string) error {
		id := h.create(1, "")[0]
		return func(ctx context.Context, c *crm.CRM, request string) error {
			return c.Pool.Claim(ctx, as(li, request), id)
		}
	}},
	{name: "Claim without a request", once: true, asks: true, prepare: func(h *house) func(context.Context, *crm.CRM, string) error {
		id := h.create(1, "")[0]
		return func(ctx context.Context, c *crm.CRM, _ string) error { return c.Pool.Claim(ctx, li, id) }
	}},
	{name: "ClaimMany", prepare: func(h *house) func(context.Context, *crm.CRM, string) error {
		ids := h.create(3, "")
		return func(ctx context.Context, c *crm.CRM, request string) error {
			_, err := c.Pool.ClaimMany(ctx, as(li, request), ids, pool.AllOrNothing)
			return err
		}
	}},
	{name: "Release", prepare: func(h *house) func(context.Context, *crm.CRM, string) error {
		id := h.create(1, "li")[0]
		return func(ctx context.Context, c *crm.CRM, request string) error {
			return c.Pool.Release(ctx, as(li, request), id, nil)
		}
	}},
	{name: "Open", prepare: func(h *house) func(context.Context, *crm.CRM, string) error {
		id := h.create(1, "")[0]
		return func(ctx context.Context, c *crm.CRM, request string) error {
			_, err := c.Pool.Open(ctx, as(li, request), id)
			return err
		}
	}},
	{name: "Create", prepare: func(*house) func(context.Context, *crm.CRM, string) error {
		return func(ctx context.Context, c *crm.CRM, request string) error {
			return c.Customers.Create(ctx, as(li, request), &customer.Customer{Name: "x", Ownership: customer.Ownership{OwnerID: "li"}})
		}
	}},
	{name: "Update", asks: true, prepare: func(h *house) func(context.Context, *crm.CRM, string) error {
		x, err := h.Customers.Get(context.Background(), boss, h.create(1, "li")[0])
		require.NoError(h.t, err)
		x.Name = "renamed"
		return func(ctx context.Context, c *crm.CRM, request string) error {
			given := *x
			return c.Customers.Update(ctx, as(li, request), &given)
		}
	}},
	{name: "follow-up", prepare: func(h *house) func(context.Context, *crm.CRM, string) error {
		id := h.create(1, "li")[0]
		return func(ctx context.Context, c *crm.CRM, request string) error {
			return c.Customers.Interactions.Add(ctx, as(li, request), &customer.Interaction{CustomerID: id, Type: customer.Call, Subject: "x", Followup: true})
		}
	}},
	{name: "Assign", prepare: func(h *house) func(context.Context, *crm.CRM, string) error {
		ids := []customer.ID{h.create(1, "")[0], h.create(1, "li")[0]} // one is assigned, the other transferred
		return func(ctx context.Context, c *crm.CRM, request string) error {
			_, err := c.Pool.AssignMany(ctx, as(boss, request), ids, "wang", pool.AllOrNothing, nil)
			return err
		}
	}},
	{name: "Lock", prepare: func(h *house) func(context.Context, *crm.CRM, string) error {
		id, until := h.create(1, "li")[0], h.now().Add(day)
		h.policy(func(p *pool.Policy) { p.LockLimit = 1_000_000 })
		return func(ctx context.Context, c *crm.CRM, request string) error {
			return c.Pool.Lock(ctx, as(li, request), id, until, "contract")
		}
	}},
	{name: "RecordDeal", prepare: func(h *house) func(context.Context, *crm.CRM, string) error {
		id := h.create(1, "li")[0]
		deal := customer.Deal{CustomerID: id, Number: fmt.Sprint(id), At: h.now(), Amount: decimal.NewFromInt(1)}
		return func(ctx context.Context, c *crm.CRM, request string) error {
			_, err := c.Customers.RecordDeal(ctx, as(li, request), deal)
			return err
		}
	}},
	{name: "Orders.Record", prepare: func(h *house) func(context.Context, *crm.CRM, string) error {
		id := h.create(1, "li")[0]
		order := reported(id, fmt.Sprint(id), h.now())
		order.Status = sales.OrderPaid
		return func(ctx context.Context, c *crm.CRM, request string) error {
			_, err := c.Sales.Orders.Record(ctx, as(boss, request), order)
			return err
		}
	}},
	{name: "Sync", prepare: func(h *house) func(context.Context, *crm.CRM, string) error {
		key := fmt.Sprint(h.count("SELECT count(*) FROM crm_customers"))
		items := []*customer.Customer{
			{Name: "old", ExternalSystem: "erp", ExternalID: key + "a", Ownership: customer.Ownership{OwnerID: "li"}},
			{Name: "new", ExternalSystem: "erp", ExternalID: key + "b", Ownership: customer.Ownership{OwnerID: "wang"}},
		}
		_, err := h.Customers.Sync(context.Background(), boss, items[:1], nil)
		require.NoError(h.t, err)
		items[0].Name = "older"
		return func(ctx context.Context, c *crm.CRM, request string) error {
			_, err := c.Customers.Sync(ctx, as(boss, request), items, nil)
			return err
		}
	}},
	{name: "Recycle", alone: true, prepare: func(h *house) func(context.Context, *crm.CRM, string) error {
		for _, id := range h.create(3, "li") {
			x, err := h.Customers.Get(context.Background(), boss, id)
			require.NoError(h.t, err)
			x.Level = customer.LevelD
			require.NoError(h.t, h.Customers.Update(context.Background(), boss, x))
		}
		return func(ctx context.Context, c *crm.CRM, request string) error {
			for {
				report, err := c.Pool.Recycle(ctx, as(boss, request), &pool.RecycleOptions{MaxShare: 100})
				if err != nil || report.Left == 0 {
					return err
				}
				time.Sleep(time.Millisecond) // a server that has not seen yet that a connection is gone still holds its rows
			}
		}
	}},
	handOverOfOne,
	{name: "Warn", alone: true, prepare: func(h *house) func(context.Context, *crm.CRM, string) error {
		for _, id := range h.create(3, "li") {
			x, err := h.Customers.Get(context.Background(), boss, id)
			require.NoError(h.t, err)
			x.Level = customer.LevelC
			require.NoError(h.t, h.Customers.Update(context.Background(), boss, x))
		}
		return func(ctx context.Context, c *crm.CRM, request string) error {
			for {
				report, err := c.Pool.Warn(ctx, as(boss, request), nil)
				if err != nil || report.Left == 0 {
					return err
				}
				time.Sleep(time.Millisecond)
			}
		}
	}},
}

// disposal is the rule by which the undertaking Recycle releases.
func disposal() *pool.Rule {
	return &pool.Rule{Name: "D", Condition: `level == "D"`, Action: pool.Release, Enabled: true}
}

// rulesOfTrials are those by which the undertakings Recycle and Warn find something to do.
func rulesOfTrials() []*pool.Rule {
	return []*pool.Rule{disposal(), {Name: "C", Condition: `level == "C"`, Action: pool.Warn, Enabled: true}}
}

// trial is a house whose statements can go wrong.
type trial struct {
	*house
	i     *injector
	task  undertaking
	want  int // lines of the audit trail that the task leaves
	steps int // statements that it takes
	last  int // request

	everything string // the query of contents
}

// onTrial runs a test for every undertaking on both engines, each on a database of its own.
func onTrial(t *testing.T, test func(t *testing.T, x *trial)) {
	onBoth(t, func(t *testing.T, fresh func(t *testing.T) place) {
		for _, task := range slices.Concat(undertakings, byTerritory, ofSales) {
			t.Run(task.name, func(t *testing.T) {
				t.Parallel()
				p := fresh(t)
				db, i := faulty(t, p)
				x := &trial{house: furnish(t, db, p.store(db)), i: i, task: task}
				if !task.asks {
					var err error
					x.CRM, err = crm.New(t.Context(), x.store, &crm.Options{Clock: x.now, KeepRights: time.Minute})
					require.NoError(t, err)
				}
				x.free()
				for _, r := range rulesOfTrials() {
					require.NoError(t, x.Pool.Pools.PutRule(t.Context(), boss, r))
				}
				x.exec("CREATE TABLE erp_orders (id TEXT PRIMARY KEY)")
				call, request := x.ready()
				require.NoError(t, call(t.Context(), x.CRM, request)) // from now on it knows what it keeps
				call, request = x.ready()
				x.i.arm(busy, -1, nil) // nothing goes wrong, but it is counted
				require.NoError(t, call(t.Context(), x.CRM, request))
				_, x.steps = x.i.disarm()
				x.want = x.left(request)
				require.Positive(t, x.want)
				test(t, x)
				x.agree()
			})
		}
	})
}

// ready is the task on fresh customers, with a request of its own.
func (x *trial) ready() (call func(ctx context.Context, c *crm.CRM, request string) error, request string) {
	x.last++
	return x.task.prepare(x.house), fmt.Sprint("request ", x.last)
}

// left counts what a request has written to the audit trail. Without a request it is known by the customer.
func (x *trial) left(request string) int {
	if x.task.once {
		return x.count("SELECT count(*) FROM crm_audit WHERE type = 'customer.claimed' AND record_id = (SELECT max(id) FROM crm_customers)")
	}
	return x.count("SELECT count(*) FROM crm_audit WHERE request = '" + request + "'")
}

// contents is everything that is in the tables, but for how far the ids have got, a row a line.
func (x *trial) contents() string {
	if x.everything == "" {
		var parts []string
		for _, table := range []string{
			"crm_customers", "crm_customer_facts", "crm_counters", "crm_operations", "crm_audit", "crm_outbox", "crm_requests", "crm_subjects",
			"crm_interactions", "crm_tasks", "crm_orders", "crm_opens", "crm_due", "erp_orders",
			"crm_opportunities", "crm_quotes", "crm_quote_lines", "crm_contracts", "crm_contract_lines", "crm_plans",
			"crm_order_lines", "crm_order_refunds", "crm_order_reports", "crm_payments", "crm_payment_allocations", "crm_invoices", "crm_invoice_rates",
		} {
			row := "t::text"
			if !x.i.pg {
				row = "concat_ws('|', " + strings.Join(texts(x.t, x.db, "SELECT name FROM pragma_table_info('"+table+"')"), ", ") + ")"
			}
			parts = append(parts, "SELECT '"+table+" ' || "+row+" FROM "+table+" t")
		}
		x.everything = strings.Join(parts, " UNION ALL ") + " ORDER BY 1"
	}
	return strings.Join(texts(x.t, x.db, x.everything), "\n")
}

// points are the statements at which a fault is tried: all for some faults; for the others the first, the last ones, where
// commits are, and one between.
func (x *trial) points(f fault, everywhere ...fault) (list []int) {
	if *long || slices.Contains(everywhere, f) {
		for n := range x.steps {
			list = append(list, n+1)
		}
		return list
	}
	list = []int{1, 1 + int(*seed%uint64(x.steps)), x.steps - 1, x.steps}
	slices.Sort(list)
	return slices.Compact(list)
}

var faults = []fault{busy, full, down, unsent, unreachable, cutBefore, cutAfter, cancelled, cancelAfter}

// Whatever goes wrong at whichever statement: the operation is done or not begun, its error says which, and with the same
// request it can be asked for again and is done once.
func TestEveryStatementMayFail(t *testing.T) {
	onTrial(t, func(t *testing.T, x *trial) {
		for _, f := range faults {
			for _, n := range x.points(f, busy, cancelled, cutAfter) {
				x.fail(t, f, n)
			}
		}
	})
}

// fail runs the task with a fault at the n-th statement, and then once more.
func (x *trial) fail(t *testing.T, f fault, n int) {
	call, request := x.ready()
	before := x.contents()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	x.i.arm(f, n, cancel)
	err := call(ctx, x.CRM, request)
	hit, _ := x.i.disarm()
	about := fmt.Sprintf("%s, at statement %d of %d (%.100s): %v", f, n, x.steps, hit, err)
	require.NotEmpty(t, hit, about)
	done := x.left(request)
	if err == nil { // the fault did no harm
		require.Equal(t, x.want, done, about)
		return
	}
	if !x.task.apart {
		require.Contains(t, []int{0, x.want}, done, about)
	}
	if done == 0 && !x.task.apart {
		require.Equal(t, before, x.contents(), "half written: %s", about)
	}
	x.requireCode(t, f, hit, x.task.draws && n < x.steps, err, done, about)
	if x.task.once && done > 0 { // a look tells, and there is nothing left to ask for
		return
	}
	require.NoError(t, call(t.Context(), x.CRM, request), "asking again: %s", about)
	require.Equal(t, x.want, x.left(request), "asked again: %s", about)
}

// requireCode demands the code that says what is known; early is before the transaction in which the task is done, or in it.
func (x *trial) requireCode(t *testing.T, f fault, hit string, early bool, err error, done int, about string) {
	t.Helper()
	unknown := errors.Is(err, crm.ErrUnknownOutcome)
	if x.task.alone { // several transactions: what was committed before the fault stands in the report
		require.True(t, unknown && hit == "COMMIT" || errors.Is(err, crm.ErrRetry), about)
		return
	}
	require.False(t, done > 0 && !unknown, "it happened, and the error does not say that it may have: %s", about)
	commit := hit == "COMMIT" && !early || x.i.pg && x.task.once && strings.HasPrefix(hit, "WITH c AS") // the claim is its own commit
	switch {
	case commit && (f == cutBefore || f == cutAfter || f == down):
		require.True(t, unknown, "a commit without an answer: %s", about)
		require.Equal(t, f == cutAfter, done > 0, about)
	case commit && f == cancelled: // while it is under way: either may be
	case hit == "COMMIT" && (f == unsent || f == unreachable): // no driver says so reliably: pgx calls also a commit that was cut off safe to retry
	default:
		require.False(t, unknown, "no commit was sent: %s", about)
		require.ErrorIs(t, err, crm.ErrRetry, about)
	}
}

package storagetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/sales"
)

// papers are a document of each kind, of one customer.
type papers struct {
	opportunity sales.OpportunityID
	quote       sales.QuoteID
	contract    sales.ContractID
}

// papers makes documents of li's, which nobody has touched.
func (b *bundle) papers(of customer.ID) papers {
	b.t.Helper()
	x := &sales.Opportunity{CustomerID: of, Name: "x", Amount: dec("1"), ExpectedClose: "2026-06-30", OwnerID: "li"}
	require.NoError(b.t, b.Sales.Opportunities.Create(b.t.Context(), boss, x))
	q := b.quote(boss, of, func(q *sales.Quote) { q.OwnerID = "li" })
	c := &sales.Contract{CustomerID: of, Name: "two pumps", OwnerID: "li", Body: sales.Body{
		Lines: []sales.Line{{Name: "pump", Quantity: dec("2"), UnitPrice: null("500")}},
	}}
	require.NoError(b.t, b.Sales.Contracts.Create(b.t.Context(), boss, c))
	return papers{x.ID, q.ID, c.ID}
}

// holders are the owners of the documents: of the opportunity, the quote and the contract.
func (b *bundle) holders(x papers) []kernel.UserID {
	b.t.Helper()
	o, err := b.Sales.Opportunities.Get(b.t.Context(), boss, x.opportunity)
	require.NoError(b.t, err)
	return []kernel.UserID{o.OwnerID, b.getQuote(x.quote).OwnerID, b.getContract(x.contract).OwnerID}
}

func allOf(user kernel.UserID) []kernel.UserID { return []kernel.UserID{user, user, user} }

// documents are the items of a report for opportunities, quotes and contracts, of which as many were found.
func documents(of kernel.Handed) (items []kernel.Handed) {
	for _, kind := range []string{sales.OpportunityKind, sales.QuoteKind, sales.ContractKind} {
		of.Kind = kind
		items = append(items, of)
	}
	return items
}

func testHandOverSales(t *testing.T, open Open) {
	testHeirs(t, open)
	testEnded(t, open)
	testHandOverSalesStops(t, open)
	testHandOverSalesRaces(t, open)
}

func testHeirs(t *testing.T, open Open) {
	t.Run("to whoever has the customer by then, else to the superior; one event each, and the version is raised", func(t *testing.T) {
		b := setup(t, open)
		b.pipeline()
		b.policy(func(p *pool.Policy) { p.Cap = 10 })
		b.member("left")
		ids := append(b.create(3, "li"), b.create(1, "wang")[0], b.create(1, "")[0], b.create(1, "left")[0])
		b.create(9, "wang") // no place left
		require.NoError(t, b.Pool.Pools.SetLimits(t.Context(), boss, "head", pool.Limits{Cap: new(2)}))
		require.NoError(t, b.Team.Members.Deactivate(t.Context(), boss, "left"))
		var xs []papers
		for _, id := range ids {
			xs = append(xs, b.papers(id))
		}
		b.wait(time.Hour)
		by := admin
		by.Request = "r1"
		opts := &crm.HandOverOptions{Successors: []crm.UserID{"wang", "head"}, Superior: "admin", Batch: 2}
		plan := b.planned(opts)
		report, err := b.HandOver.Run(t.Context(), by, "li", opts)
		require.NoError(t, err)
		requirePlanned(t, plan, report)
		require.Equal(t, documents(kernel.Handed{Found: 6, To: map[crm.UserID]int{"head": 2, "wang": 1, "admin": 3}}), report.Items[3:])
		for i, want := range []kernel.UserID{"head", "head", "admin", "wang", "admin", "admin"} {
			require.Equal(t, allOf(want), b.holders(xs[i]), "customer %d", i)
		}
		q := b.getQuote(xs[0].quote)
		require.Equal(t, []any{int64(2), b.now().UTC(), kernel.UserID("admin"), 1}, []any{q.Version, q.UpdatedAt, q.UpdatedBy, len(q.Lines)})
		for kind, id := range map[string]int64{
			"opportunity": int64(xs[3].opportunity), "quote": int64(xs[3].quote), "contract": int64(xs[3].contract),
		} {
			of := " WHERE kind = '" + kind + "' AND type = '" + kind + ".updated' AND subject_kind = 'customer' AND subject_id = $1 AND request = 'r1'"
			require.Equal(t, 1, b.count(`SELECT count(*) FROM crm_audit`+of+` AND record_id = $2 AND before = '{"owner_id":"li"}' AND after = '{"owner_id":"wang"}'`,
				int64(ids[3]), id), kind)
			require.Equal(t, 1, b.count("SELECT count(*) FROM crm_outbox"+of+" AND record_id = $2", int64(ids[3]), id), kind)
		}
		b.agree()
		again := b.handOver(opts)
		require.Equal(t, documents(kernel.Handed{}), again.Items[3:])
	})
	t.Run("without successors all go to the superior, and stay if there is nobody", func(t *testing.T) {
		b := setup(t, open)
		b.pipeline()
		ids := append(b.create(2, "li"), b.create(1, "")[0])
		var xs []papers
		for _, id := range ids {
			xs = append(xs, b.papers(id))
		}
		mine := b.papers(b.create(1, "wang")[0])
		require.NoError(t, b.Customers.Delete(t.Context(), boss, ids[1], b.get(ids[1]).Version))
		m, err := b.Team.Members.Get(t.Context(), boss, "li")
		require.NoError(t, err)
		m.Department, m.Superior = 0, ""
		_, err = b.Team.Members.Update(t.Context(), boss, *m)
		require.NoError(t, err)
		plan, err := b.HandOver.Plan(t.Context(), boss, "li", &crm.HandOverOptions{Batch: 2})
		require.NoError(t, err)
		report, err := b.HandOver.Run(t.Context(), boss, "li", &crm.HandOverOptions{Batch: 2})
		require.NoError(t, err)
		requirePlanned(t, plan, report)
		require.Equal(t, documents(kernel.Handed{Found: 4, Kept: 3, To: map[crm.UserID]int{"wang": 1}}), report.Items[3:])
		require.Equal(t, allOf("wang"), b.holders(mine))
		for _, x := range xs {
			require.Equal(t, allOf("li"), b.holders(x))
		}
		report = b.handOver(&crm.HandOverOptions{Superior: "head"})
		require.Equal(t, documents(kernel.Handed{Found: 3, To: map[crm.UserID]int{"head": 3}}), report.Items[3:])
		for _, x := range xs {
			require.Equal(t, allOf("head"), b.holders(x))
		}
		b.agree()
	})
	t.Run("other members' and other tenants' documents are left alone", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		b.pipeline()
		theirs := sales.DefaultPipeline()
		require.NoError(t, b.Sales.Pipelines.Put(ctx, otherBoss, &theirs))
		require.NoError(t, b.Sales.Opportunities.Create(ctx, wang, &sales.Opportunity{CustomerID: b.create(1, "wang")[0], Name: "x", Amount: dec("1")}))
		of := &customer.Customer{Name: "x", Ownership: customer.Ownership{OwnerID: "li"}}
		require.NoError(t, b.Customers.Create(ctx, otherBoss, of))
		require.NoError(t, b.Sales.Opportunities.Create(ctx, otherLi, &sales.Opportunity{CustomerID: of.ID, Name: "x", Amount: dec("1")}))
		report := b.handOver(nil)
		require.Equal(t, documents(kernel.Handed{}), report.Items[3:])
		require.Equal(t, []int{1, 1}, []int{
			b.count("SELECT count(*) FROM crm_opportunities WHERE owner_id = 'wang' AND version = 1"),
			b.count("SELECT count(*) FROM crm_opportunities WHERE owner_id = 'li' AND version = 1"),
		})
	})
}

func testEnded(t *testing.T, open Open) {
	t.Run("what has ended keeps its owner", func(t *testing.T) {
		b := setup(t, open)
		b.CRM = b.open(func(o *crm.Options) { o.Sales.NoContract = true })
		ctx := t.Context()
		_, stage := b.pipeline()
		of := b.create(1, "li")[0]
		ended, living := map[string]int{}, map[string]int{"opportunity": 1, "quote": 2, "contract": 3}
		lost, gone := b.opportunity(li, of, "1"), b.opportunity(li, of, "1")
		require.NoError(t, b.Sales.Opportunities.Move(ctx, li, lost.ID, stage["Lost"], &sales.MoveOptions{LostReason: "price"}))
		require.NoError(t, b.Sales.Opportunities.Delete(ctx, li, gone.ID, gone.Version))
		b.opportunity(li, of, "1")
		ended["opportunity"] = 2
		for _, actions := range [][]string{{}, {"send"}, {"send", "reject"}, {"send", "accept"}, {"cancel"}, {"delete"}} {
			q := b.quote(li, of, nil)
			for _, action := range actions {
				require.NoError(t, b.act(li, action, q.ID))
			}
		}
		ended["quote"] = 4
		for _, actions := range [][]string{
			{}, {"plan", "approve"}, {"plan", "approve", "sign"}, {"void"}, {"plan", "approve", "sign", "terminate"}, {"plan", "approve", "sign", "complete"},
		} {
			x := b.contract(li, of)
			for _, action := range actions {
				require.NoError(t, b.actOn(x.ID, action))
			}
		}
		ended["contract"] = 3
		opts := &crm.HandOverOptions{Superior: "head"}
		plan := b.planned(opts)
		report := b.handOver(opts)
		requirePlanned(t, plan, report)
		for _, item := range report.Items[3:] {
			require.Equal(t, kernel.Handed{Kind: item.Kind, Found: living[item.Kind], To: map[crm.UserID]int{"head": living[item.Kind]}}, item)
		}
		for kind, table := range map[string]string{"opportunity": "crm_opportunities", "quote": "crm_quotes", "contract": "crm_contracts"} {
			require.Equal(t, ended[kind], b.count("SELECT count(*) FROM "+table+" WHERE owner_id = 'li'"), kind)
			require.Equal(t, living[kind], b.count("SELECT count(*) FROM "+table+" WHERE owner_id = 'head'"), kind)
		}
		b.agree()
	})
}

func testHandOverSalesStops(t *testing.T, open Open) {
	t.Run("cancelled after any batch it goes on when it is called again, and nothing is given twice", func(t *testing.T) {
		b := setup(t, open)
		b.pipeline()
		for _, id := range b.create(5, "wang") {
			b.papers(id)
		}
		for runs := 1; ; runs++ {
			ctx, cancel := context.WithCancel(t.Context())
			_, err := b.HandOver.Run(ctx, admin, "li", &crm.HandOverOptions{Batch: 2, Progress: func(crm.HandOverReport) { cancel() }})
			cancel()
			if err == nil {
				require.Equal(t, 10, runs, "3 batches of each of 3 kinds, and one that finds nothing")
				break
			}
			require.ErrorIs(t, err, context.Canceled)
		}
		for _, table := range []string{"crm_opportunities", "crm_quotes", "crm_contracts"} {
			require.Equal(t, 5, b.count("SELECT count(*) FROM "+table+" WHERE owner_id = 'wang' AND version = 2"), table)
		}
		require.Equal(t, 15, b.count(`SELECT count(*) FROM crm_audit WHERE after = '{"owner_id":"wang"}' AND type LIKE '%.updated'`))
		b.agree()
	})
	t.Run("who is made active during the run keeps what is left", func(t *testing.T) {
		b := setup(t, open)
		b.pipeline()
		for _, id := range b.create(3, "wang") {
			b.papers(id)
		}
		_, err := b.HandOver.Run(t.Context(), admin, "li", &crm.HandOverOptions{Batch: 2, Progress: func(crm.HandOverReport) {
			require.NoError(t, b.Team.Members.Activate(t.Context(), boss, "li"))
		}})
		requireError(t, err, crm.ErrConflict, kernel.StillActive, "user")
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_opportunities WHERE owner_id = 'li'"))
		require.Equal(t, 3, b.count("SELECT count(*) FROM crm_quotes WHERE owner_id = 'li'"))
	})
	t.Run("a superior and an owner that leave during the run get no more", func(t *testing.T) {
		b := setup(t, open)
		b.pipeline()
		for _, id := range append(b.create(2, "wang"), b.create(2, "")...) {
			b.papers(id)
		}
		report := b.handOver(&crm.HandOverOptions{Superior: "head", Progress: func(r crm.HandOverReport) {
			for _, user := range []kernel.UserID{"wang", "head"}[:min(len(r.Items)-3, 2)] {
				require.NoError(t, b.Team.Members.Deactivate(t.Context(), boss, user))
			}
		}})
		require.Equal(t, []kernel.Handed{
			{Kind: "opportunity", Found: 4, To: map[crm.UserID]int{"wang": 2, "head": 2}},
			{Kind: "quote", Found: 4, To: map[crm.UserID]int{"head": 4}},
			{Kind: "contract", Found: 4, Kept: 4},
		}, report.Items[3:])
		b.agree()
	})
}

func testHandOverSalesRaces(t *testing.T, open Open) {
	t.Run("two at once, and writers of the documents beside them: each goes once, and no word is lost", func(t *testing.T) {
		b := setup(t, open)
		b.pipeline()
		var xs []papers
		for _, id := range slices.Concat(b.create(6, "wang"), b.create(6, "")) {
			xs = append(xs, b.papers(id))
		}
		written := make([]int, len(xs)) // by the one writer
		together(3, func(i int) {
			if i < 2 {
				if _, err := b.HandOver.Run(t.Context(), admin, "li", &crm.HandOverOptions{Superior: "head", Batch: 2 + i}); err != nil {
					t.Error(err)
				}
				return
			}
			for k, x := range xs {
				err := insist(func() error { return b.remark(x) })
				switch {
				case err == nil:
					written[k]++
				case !errors.Is(err, crm.ErrConflict): // what it read had been given away
					t.Error(err)
				}
			}
		})
		for k, x := range xs {
			want := kernel.UserID("wang")
			if k >= 6 {
				want = "head"
			}
			require.Equal(t, allOf(want), b.holders(x))
			o, err := b.Sales.Opportunities.Get(t.Context(), boss, x.opportunity)
			require.NoError(t, err)
			require.EqualValues(t, 2+written[k], o.Version)
			require.Equal(t, written[k] == 1, o.Remarks == "y")
		}
		require.Equal(t, 36, b.count(`SELECT count(*) FROM crm_audit WHERE before = '{"owner_id":"li"}'`), "each once")
		b.agree()
	})
	t.Run("a change that holds the customer is waited for, and judged as it is then", func(t *testing.T) {
		b := setup(t, open)
		if !b.postgres() {
			t.Skip("one writer at a time")
		}
		_, stage := b.pipeline()
		x, y := b.papers(b.create(1, "wang")[0]), b.papers(b.create(1, "")[0])
		got, tx := make(chan error, 1), b.begin()
		lost := &sales.MoveOptions{LostReason: "price"}
		require.NoError(t, b.In(tx).Sales.Opportunities.Move(t.Context(), boss, x.opportunity, stage["Lost"], lost))
		q := b.getQuote(y.quote)
		q.OwnerID = "wang"
		require.NoError(t, b.In(tx).Sales.Quotes.Update(t.Context(), boss, q))
		go func() {
			_, err := b.HandOver.Run(t.Context(), admin, "li", &crm.HandOverOptions{Superior: "head"})
			got <- err
		}()
		b.waiting(1)
		require.NoError(t, tx.Commit())
		require.NoError(t, <-got)
		require.Equal(t, []kernel.UserID{"li", "wang", "wang"}, b.holders(x))
		require.Equal(t, []kernel.UserID{"head", "wang", "head"}, b.holders(y))
		b.agree()
	})
	t.Run("a document that is being given to the leaver is waited for, and goes on", func(t *testing.T) {
		b := setup(t, open)
		if !b.postgres() {
			t.Skip("one writer at a time")
		}
		b.pipeline()
		x := &sales.Opportunity{CustomerID: b.create(1, "wang")[0], Name: "x", Amount: dec("1"), ExpectedClose: "2026-06-30", OwnerID: "li"}
		got, tx := make(chan error, 1), b.begin()
		require.NoError(t, b.In(tx).Sales.Opportunities.Create(t.Context(), boss, x))
		go func() {
			_, err := b.HandOver.Run(t.Context(), admin, "li", nil)
			got <- err
		}()
		b.waiting(1)
		require.NoError(t, tx.Commit())
		require.NoError(t, <-got)
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_opportunities WHERE owner_id = 'wang'"))
		b.agree()
	})
}

// remark writes a word into an opportunity, as one who has just read it.
func (b *bundle) remark(x papers) error {
	o, err := b.Sales.Opportunities.Get(b.t.Context(), boss, x.opportunity)
	if err != nil {
		return err
	}
	o.Remarks = "y"
	return b.Sales.Opportunities.Update(b.t.Context(), boss, o)
}

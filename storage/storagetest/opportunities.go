package storagetest

import (
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales"
)

// pipeline makes the default pipeline, and returns its stages by name.
func (b *bundle) pipeline() (p *sales.Pipeline, stage map[string]sales.StageID) {
	b.t.Helper()
	x := sales.DefaultPipeline()
	require.NoError(b.t, b.Sales.Pipelines.Put(b.t.Context(), admin, &x))
	return &x, stagesOf(&x)
}

func stagesOf(p *sales.Pipeline) map[string]sales.StageID {
	stage := map[string]sales.StageID{}
	for _, s := range p.Stages {
		stage[s.Name] = s.ID
	}
	return stage
}

func (b *bundle) opportunity(who crm.Actor, of customer.ID, amount string) *sales.Opportunity {
	b.t.Helper()
	x := &sales.Opportunity{CustomerID: of, Name: "a line of packing machines", Amount: decimal.RequireFromString(amount), ExpectedClose: "2026-06-30"}
	require.NoError(b.t, b.Sales.Opportunities.Create(b.t.Context(), who, x))
	return x
}

func (b *bundle) openOpportunities(id customer.ID) int64 {
	b.t.Helper()
	f, err := b.Customers.Facts(b.t.Context(), boss, id)
	require.NoError(b.t, err)
	return f.OpenOpportunities
}

func (b *bundle) opportunities(who crm.Actor, f sales.OpportunityFilter) (ids []sales.OpportunityID) {
	b.t.Helper()
	for x, err := range crm.All(func(p crm.Page) (crm.List[*sales.Opportunity], error) {
		p.Limit = 2
		return b.Sales.Opportunities.List(b.t.Context(), who, f, p)
	}) {
		require.NoError(b.t, err)
		ids = append(ids, x.ID)
	}
	return ids
}

func testPipelines(t *testing.T, open Open) {
	t.Run("written with its stages, of which none that was used goes", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		p, stage := b.pipeline()
		got, err := b.Sales.Pipelines.Get(ctx, li, 0)
		require.NoError(t, err)
		requireSame(t, p, got)
		require.Equal(t, "100", got.Stages[4].Probability.String(), "won is certain")
		x := b.opportunity(li, b.create(1, "li")[0], "1000")
		require.NoError(t, b.Sales.Opportunities.Move(ctx, li, x.ID, stage["Needs"], nil))
		with := *got
		with.Stages = append(with.Stages[:1:1], with.Stages[2:]...) // without Needs
		requireError(t, b.Sales.Pipelines.Put(ctx, admin, &with), crm.ErrRefused, kernel.InUse, "stages")
		with = *got
		with.Stages = append([]sales.Stage{}, got.Stages[1:]...) // it was in First contact before
		requireError(t, b.Sales.Pipelines.Put(ctx, admin, &with), crm.ErrRefused, kernel.InUse, "stages")
		with.Stages = append(append([]sales.Stage{}, got.Stages[:3]...), got.Stages[4:]...) // Negotiation was never used
		with.Stages = append(with.Stages, sales.Stage{Name: "Given up", Kind: sales.Lost})
		require.NoError(t, b.Sales.Pipelines.Put(ctx, admin, &with))
		require.EqualValues(t, 2, with.Version)
		require.NotZero(t, with.Stages[5].ID)
		requireError(t, b.Sales.Pipelines.Put(ctx, admin, got), crm.ErrConflict, kernel.Stale, "version")
		b.agree()
	})
	t.Run("one is the default; bad ones are refused", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		first, _ := b.pipeline()
		second := sales.DefaultPipeline()
		requireError(t, b.Sales.Pipelines.Put(ctx, admin, &second), crm.ErrConflict, kernel.Duplicate, "name")
		second.Name = "Dealers"
		require.NoError(t, b.Sales.Pipelines.Put(ctx, admin, &second))
		got, err := b.Sales.Pipelines.Get(ctx, li, 0)
		require.NoError(t, err)
		require.Equal(t, second.ID, got.ID)
		all, err := b.Sales.Pipelines.List(ctx, li)
		require.NoError(t, err)
		require.Len(t, all, 2)
		require.False(t, all[0].Default)
		requireError(t, b.Sales.Pipelines.Put(ctx, head, &second), crm.ErrDenied, "", string(kernel.PipelineManage))
		for field, change := range map[string]func(p *sales.Pipeline){
			"name":               func(p *sales.Pipeline) { p.Name = "" },
			"stages":             func(p *sales.Pipeline) { p.Stages = p.Stages[:5] },
			"stages.name":        func(p *sales.Pipeline) { p.Stages[1].Name = p.Stages[0].Name },
			"stages.kind":        func(p *sales.Pipeline) { p.Stages[1].Kind = "maybe" },
			"stages.probability": func(p *sales.Pipeline) { p.Stages[1].Probability = decimal.RequireFromString("100.01") },
			"stages.moves":       func(p *sales.Pipeline) { p.Stages[1].Moves = []string{"nowhere"} },
			"stages.requires":    func(p *sales.Pipeline) { p.Stages[1].Requires = []sales.Field{"luck"} },
			"stages.stale_days":  func(p *sales.Pipeline) { p.Stages[1].StaleDays = -1 },
			"stages.id":          func(p *sales.Pipeline) { p.Stages[1].ID = first.Stages[1].ID },
		} {
			p := sales.DefaultPipeline()
			p.Name = "x"
			change(&p)
			err := b.Sales.Pipelines.Put(ctx, admin, &p)
			var e *crm.Error
			require.ErrorAs(t, err, &e, field)
			require.Equal(t, field, e.Field)
			require.ErrorIs(t, err, crm.ErrInvalid)
		}
	})
}

func testOpportunities(t *testing.T, open Open) {
	t.Run("made with what is empty filled in, read, changed, deleted", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		p, stage := b.pipeline()
		of := b.create(1, "li")[0]
		x := b.opportunity(li, of, "1000.01")
		require.Equal(t, p.ID, x.PipelineID)
		require.Equal(t, stage["First contact"], x.StageID)
		require.Equal(t, sales.Open, x.Status)
		require.Equal(t, "CNY", x.Currency)
		require.EqualValues(t, "li", x.OwnerID)
		require.EqualValues(t, 1, b.openOpportunities(of))
		got, err := b.Sales.Opportunities.Get(ctx, li, x.ID)
		require.NoError(t, err)
		requireSame(t, x, got)
		stale := *got
		product := b.product("x", "1", 0)
		got.Products, got.Amount, got.OwnerID = []sales.ProductID{product.ID, product.ID}, decimal.RequireFromString("2"), "wang"
		got.Probability = decimal.NewNullDecimal(decimal.RequireFromString("33.33"))
		require.NoError(t, b.Sales.Opportunities.Update(ctx, li, got))
		require.Equal(t, []sales.ProductID{product.ID}, got.Products)
		requireError(t, b.Sales.Opportunities.Update(ctx, li, &stale), crm.ErrConflict, kernel.Stale, "version")
		require.NoError(t, b.Sales.Opportunities.Delete(ctx, li, x.ID, 2), "it is wang's, but of li's customer")
		require.Zero(t, b.openOpportunities(of))
		_, err = b.Sales.Opportunities.Get(ctx, li, x.ID)
		require.ErrorIs(t, err, crm.ErrNotFound)
		require.Empty(t, b.opportunities(boss, sales.OpportunityFilter{}))
		b.agree()
	})
	t.Run("its status follows from its stage, and each stage it came into is on record", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		_, stage := b.pipeline()
		of := b.create(1, "li")[0]
		x := b.opportunity(li, of, "500")
		move := func(to, reason string) error {
			b.wait(day)
			return b.Sales.Opportunities.Move(ctx, li, x.ID, stage[to], &sales.MoveOptions{LostReason: reason})
		}
		require.NoError(t, move("Needs", ""))
		require.NoError(t, move("Needs", ""), "it is there")
		requireError(t, move("Lost", ""), crm.ErrInvalid, kernel.Empty, "lost_reason")
		requireError(t, move("Won", "too dear"), crm.ErrInvalid, kernel.ReadOnly, "lost_reason")
		require.NoError(t, move("Lost", "too dear"))
		require.Zero(t, b.openOpportunities(of))
		require.NoError(t, move("Negotiation", ""))
		require.EqualValues(t, 1, b.openOpportunities(of))
		require.NoError(t, move("Won", ""))
		require.Zero(t, b.openOpportunities(of))
		got, err := b.Sales.Opportunities.Get(ctx, li, x.ID)
		require.NoError(t, err)
		require.Equal(t, sales.Won, got.Status)
		require.Empty(t, got.LostReason)
		require.True(t, b.now().Equal(got.ClosedAt))
		require.EqualValues(t, 5, got.Version)
		h, err := b.Sales.Opportunities.History(ctx, li, x.ID, crm.Page{})
		require.NoError(t, err)
		require.Len(t, h.Items, 5)
		var chances, reasons []string
		for _, m := range h.Items {
			chances, reasons = append(chances, m.Probability.String()), append(reasons, m.LostReason)
		}
		require.Equal(t, []string{"10", "30", "0", "70", "100"}, chances)
		require.Equal(t, []string{"", "", "too dear", "", ""}, reasons)
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_outbox WHERE type = 'opportunity.won'"))
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_outbox WHERE type = 'opportunity.reopened'"))
		b.agree()
	})
	t.Run("a stage says what it needs and where it leads", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		p := sales.DefaultPipeline()
		p.Stages[0].Moves = []string{"Needs", "Lost"}
		require.NoError(t, b.Sales.Pipelines.Put(ctx, admin, &p))
		stage := stagesOf(&p)
		x := b.opportunity(li, b.create(1, "li")[0], "0")
		requireError(t, b.Sales.Opportunities.Move(ctx, li, x.ID, stage["Won"], nil), crm.ErrRefused, sales.StageMove, "stage_id")
		require.NoError(t, b.Sales.Opportunities.Move(ctx, li, x.ID, stage["Needs"], nil))
		requireError(t, b.Sales.Opportunities.Move(ctx, li, x.ID, stage["Quoted"], nil), crm.ErrRefused, sales.StageRequires, "amount")
		x, err := b.Sales.Opportunities.Get(ctx, li, x.ID)
		require.NoError(t, err)
		x.Amount = decimal.RequireFromString("0.0001")
		require.NoError(t, b.Sales.Opportunities.Update(ctx, li, x))
		require.NoError(t, b.Sales.Opportunities.Move(ctx, li, x.ID, stage["Quoted"], &sales.MoveOptions{Version: x.Version}))
		requireError(t, b.Sales.Opportunities.Move(ctx, li, x.ID, stage["Needs"], &sales.MoveOptions{Version: x.Version}), crm.ErrConflict, kernel.Stale, "version")
		x, err = b.Sales.Opportunities.Get(ctx, li, x.ID)
		require.NoError(t, err)
		x.Amount = decimal.Zero
		requireError(t, b.Sales.Opportunities.Update(ctx, li, x), crm.ErrRefused, sales.StageRequires, "amount")
		requireError(t, b.Sales.Opportunities.Move(ctx, li, x.ID, 1<<40, nil), crm.ErrInvalid, kernel.Unknown, "stage_id")
		b.agree()
	})
	t.Run("bad input is refused with its field, and nothing is written", func(t *testing.T) {
		b := setup(t, open)
		of := b.create(2, "li")
		none := &sales.Opportunity{CustomerID: of[0], Name: "x"}
		requireError(t, b.Sales.Opportunities.Create(t.Context(), li, none), crm.ErrInvalid, kernel.Empty, "pipeline_id")
		b.pipeline()
		for field, x := range map[string]sales.Opportunity{
			"name": {}, "amount": {Name: "x", Amount: decimal.RequireFromString("-1")}, "currency": {Name: "x", Currency: "cny"},
			"expected_close": {Name: "x", ExpectedClose: "30 June"}, "pipeline_id": {Name: "x", PipelineID: 1 << 40}, "stage_id": {Name: "x", StageID: 1 << 40},
			"owner_id": {Name: "x", OwnerID: "nobody"}, "contact_id": {Name: "x", ContactID: 1 << 40}, "products": {Name: "x", Products: []sales.ProductID{1 << 40}},
			"probability": {Name: "x", Probability: decimal.NewNullDecimal(decimal.RequireFromString("100.01"))},
		} {
			x.CustomerID = of[0]
			err := b.Sales.Opportunities.Create(t.Context(), li, &x)
			var e *crm.Error
			require.ErrorAs(t, err, &e, field)
			require.Equal(t, field, e.Field)
			require.ErrorIs(t, err, crm.ErrInvalid, field)
		}
		require.NoError(t, b.Customers.Blacklist(t.Context(), boss, of[1], "pays nobody"))
		requireError(t, b.Sales.Opportunities.Create(t.Context(), li, &sales.Opportunity{CustomerID: of[1], Name: "x"}), crm.ErrRefused, sales.Blacklisted, "customer_id")
		require.Zero(t, b.count("SELECT count(*) FROM crm_opportunities"))
		b.agree()
	})
	t.Run("the history is in its order, whichever block an id comes from", func(t *testing.T) {
		b := setup(t, open)
		_, stage := b.pipeline()
		of := b.create(1, "li")[0]
		for range 70 { // more ids than a block has
			x := b.opportunity(li, of, "1")
			require.NoError(t, b.Sales.Opportunities.Move(t.Context(), li, x.ID, stage["Needs"], nil))
			h, err := b.Sales.Opportunities.History(t.Context(), li, x.ID, crm.Page{})
			require.NoError(t, err)
			require.Equal(t, stage["Needs"], h.Items[1].To)
		}
		b.agree()
	})
	t.Run("within reach by its owner or by its customer", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		_, stage := b.pipeline()
		mine, theirs := b.create(1, "li")[0], b.create(1, "wang")[0]
		x := b.opportunity(li, mine, "1")
		y := &sales.Opportunity{CustomerID: theirs, Name: "with help", OwnerID: "li"}
		require.NoError(t, b.Sales.Opportunities.Create(ctx, wang, y))
		require.Equal(t, []sales.OpportunityID{x.ID, y.ID}, b.opportunities(li, sales.OpportunityFilter{}))
		require.Empty(t, b.opportunities(wang, sales.OpportunityFilter{}), "none is wang's own")
		require.Equal(t, []sales.OpportunityID{y.ID}, b.opportunities(wang, sales.OpportunityFilter{Customer: theirs}))
		require.Empty(t, b.opportunities(wang, sales.OpportunityFilter{Customer: mine}))
		require.Len(t, b.opportunities(head, sales.OpportunityFilter{}), 2)
		require.Empty(t, b.opportunities(otherLi, sales.OpportunityFilter{}))
		for _, who := range []crm.Actor{wang, otherLi} {
			_, err := b.Sales.Opportunities.Get(ctx, who, x.ID)
			require.ErrorIs(t, err, crm.ErrNotFound)
			_, err = b.Sales.Opportunities.History(ctx, who, x.ID, crm.Page{})
			require.ErrorIs(t, err, crm.ErrNotFound)
			require.ErrorIs(t, b.Sales.Opportunities.Move(ctx, who, x.ID, stage["Needs"], nil), crm.ErrNotFound)
			require.ErrorIs(t, b.Sales.Opportunities.Create(ctx, who, &sales.Opportunity{CustomerID: mine, Name: "x", PipelineID: x.PipelineID}), crm.ErrNotFound)
		}
		require.NoError(t, b.Pool.Release(ctx, li, mine, nil))
		require.Equal(t, []sales.OpportunityID{x.ID, y.ID}, b.opportunities(li, sales.OpportunityFilter{}), "releasing leaves them where they are")
	})
	t.Run("filtered: by stage, status and day, and what stagnates", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		p := sales.DefaultPipeline()
		p.Stages[0].StaleDays = 3
		require.NoError(t, b.Sales.Pipelines.Put(ctx, admin, &p))
		stage := stagesOf(&p)
		of := b.create(1, "li")[0]
		x, y := b.opportunity(li, of, "1"), b.opportunity(li, of, "1")
		require.NoError(t, b.Sales.Opportunities.Move(ctx, li, y.ID, stage["Needs"], nil))
		b.wait(3 * day)
		require.Empty(t, b.opportunities(li, sales.OpportunityFilter{Stagnant: true}), "three days to the microsecond are not longer")
		b.wait(1000)
		require.Equal(t, []sales.OpportunityID{x.ID}, b.opportunities(li, sales.OpportunityFilter{Stagnant: true}))
		require.Equal(t, []sales.OpportunityID{y.ID}, b.opportunities(li, sales.OpportunityFilter{Stages: []sales.StageID{stage["Needs"]}}))
		require.Len(t, b.opportunities(li, sales.OpportunityFilter{Statuses: []sales.Status{sales.Open}, Owners: []kernel.UserID{"li"}}), 2)
		require.Empty(t, b.opportunities(li, sales.OpportunityFilter{Statuses: []sales.Status{sales.Won, sales.Lost}}))
		require.Len(t, b.opportunities(li, sales.OpportunityFilter{CloseFrom: "2026-06-30", CloseTo: "2026-06-30"}), 2)
		require.Empty(t, b.opportunities(li, sales.OpportunityFilter{CloseFrom: "2026-07-01"}))
		require.Empty(t, b.opportunities(li, sales.OpportunityFilter{CloseTo: "2026-06-29"}))
	})
	t.Run("moves at once of one opportunity count once", func(t *testing.T) {
		b := setup(t, open)
		_, stage := b.pipeline()
		of := b.create(1, "li")[0]
		x := b.opportunity(li, of, "1")
		together(8, func(int) {
			err := insist(func() error {
				return b.Sales.Opportunities.Move(t.Context(), li, x.ID, stage["Lost"], &sales.MoveOptions{LostReason: "x"})
			})
			if err != nil {
				t.Error(err)
			}
		})
		require.Zero(t, b.openOpportunities(of))
		require.Equal(t, 2, b.count("SELECT count(*) FROM crm_opportunity_stages"))
		b.agree()
	})
}

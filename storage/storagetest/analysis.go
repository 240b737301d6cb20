package storagetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales"
)

// reached is the funnel's counts, in the order of the stages.
func reached(f sales.Funnel) (n []int64) {
	for _, s := range f.Steps {
		n = append(n, s.Reached)
	}
	return n
}

func testAnalysis(t *testing.T, open Open) {
	t.Run("a stage entered twice counts once, and the lost stay in the denominators", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		_, stage := b.pipeline()
		of := b.create(1, "li")[0]
		move := func(x *sales.Opportunity, to ...string) {
			t.Helper()
			for _, name := range to {
				b.wait(day)
				var o sales.MoveOptions
				if name == "Lost" {
					o.LostReason = "price"
				}
				require.NoError(t, b.Sales.Opportunities.Move(ctx, li, x.ID, stage[name], &o))
			}
		}
		from := b.now()
		lost, won, fresh := b.opportunity(li, of, "100"), b.opportunity(li, of, "200"), b.opportunity(li, of, "300")
		move(lost, "Needs", "First contact", "Needs", "Lost")
		move(won, "Won") // over the heads of the stages between
		to := b.now()
		late := b.opportunity(li, of, "400")
		move(late, "Quoted", "Lost")
		f, err := b.Sales.Analysis.Funnel(ctx, li, sales.AnalysisFilter{From: from, To: to})
		require.NoError(t, err)
		require.Equal(t, []int64{3, 2, 1, 1, 1}, reached(f))
		require.Equal(t, []any{int64(3), int64(1)}, []any{f.Cohort, f.Lost})
		require.Equal(t, "66.67", f.Steps[1].Conversion.String())
		require.Equal(t, stage["Won"], f.Steps[4].Stage)
		f, err = b.Sales.Analysis.Funnel(ctx, li, sales.AnalysisFilter{})
		require.NoError(t, err)
		require.Equal(t, []int64{4, 3, 2, 1, 1}, reached(f))
		require.NoError(t, b.Sales.Opportunities.Delete(ctx, li, fresh.ID, fresh.Version))
		f, err = b.Sales.Analysis.Funnel(ctx, li, sales.AnalysisFilter{})
		require.NoError(t, err)
		require.Equal(t, []int64{3, 3, 2, 1, 1}, reached(f), "a deleted one is not counted")
	})
	t.Run("results: win rate, mean and median of what was closed in the period", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		_, stage := b.pipeline()
		of := b.create(1, "li")[0]
		from := b.now()
		x := []*sales.Opportunity{b.opportunity(li, of, "1"), b.opportunity(li, of, "2"), b.opportunity(li, of, "3"), b.opportunity(li, of, "4")}
		b.opportunity(li, of, "5")            // open
		for i, days := range []int{1, 1, 8} { // won after 1, 2 and 10 days
			b.wait(time.Duration(days) * day)
			require.NoError(t, b.Sales.Opportunities.Move(ctx, li, x[i].ID, stage["Won"], nil))
			if i == 1 {
				got, err := b.Sales.Analysis.Results(ctx, li, sales.AnalysisFilter{From: from})
				require.NoError(t, err)
				require.Equal(t, "1.5", got.MedianDays.String(), "between two")
			}
		}
		require.NoError(t, b.Sales.Opportunities.Move(ctx, li, x[3].ID, stage["Lost"], &sales.MoveOptions{LostReason: "price"}))
		got, err := b.Sales.Analysis.Results(ctx, li, sales.AnalysisFilter{From: from})
		require.NoError(t, err)
		require.Equal(t, []any{int64(3), int64(1)}, []any{got.Won, got.Lost})
		require.Equal(t, []string{"75", "4.33", "2"}, []string{got.WinRate.String(), got.MeanDays.String(), got.MedianDays.String()})
		got, err = b.Sales.Analysis.Results(ctx, li, sales.AnalysisFilter{From: from, To: from.Add(2 * day)})
		require.NoError(t, err)
		require.Equal(t, []any{int64(1), int64(0)}, []any{got.Won, got.Lost}, "the end is not in the period")
	})
	t.Run("only what lies in the scope and the tenant is counted; what cannot be is refused", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		p, stage := b.pipeline()
		x := b.opportunity(li, b.create(1, "li")[0], "100")
		b.opportunity(wang, b.create(1, "wang")[0], "100")
		require.NoError(t, b.Sales.Opportunities.Move(ctx, li, x.ID, stage["Won"], nil))
		for _, c := range []struct {
			who    crm.Actor
			owners []kernel.UserID
			cohort int64
			won    int64
		}{{li, nil, 1, 1}, {wang, nil, 1, 0}, {admin, nil, 2, 1}, {admin, []kernel.UserID{"wang"}, 1, 0}, {wang, []kernel.UserID{"li"}, 0, 0}} {
			f, err := b.Sales.Analysis.Funnel(ctx, c.who, sales.AnalysisFilter{Pipeline: p.ID, Owners: c.owners})
			require.NoError(t, err)
			require.Equal(t, c.cohort, f.Cohort, "%s %v", c.who.User, c.owners)
			got, err := b.Sales.Analysis.Results(ctx, c.who, sales.AnalysisFilter{Owners: c.owners})
			require.NoError(t, err)
			require.Equal(t, c.won, got.Won, "%s %v", c.who.User, c.owners)
		}
		_, err := b.Sales.Analysis.Funnel(ctx, li, sales.AnalysisFilter{From: b.now(), To: b.now()})
		requireError(t, err, crm.ErrInvalid, kernel.OutOfRange, "to")
		_, err = b.Sales.Analysis.Results(ctx, li, sales.AnalysisFilter{Pipeline: p.ID + 1_000_000})
		require.ErrorIs(t, err, crm.ErrNotFound)
	})
}

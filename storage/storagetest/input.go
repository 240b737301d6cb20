package storagetest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/sales"
	"github.com/openseas/crm/team"
)

// What internal/check found: texts that reached the database, or came back with the error at their full length.
func testTexts(t *testing.T, open Open) {
	t.Run("what no user or action is called is refused before it is looked for", func(t *testing.T) {
		b := setup(t, open)
		const zero = "a\x00b"
		_, err := b.Team.Members.Get(t.Context(), boss, zero)
		requireError(t, err, crm.ErrInvalid, kernel.BadText, "user")
		requireError(t, b.Team.Members.Deactivate(t.Context(), boss, zero), crm.ErrInvalid, kernel.BadText, "user")
		requireError(t, b.Team.Members.Activate(t.Context(), boss, zero), crm.ErrInvalid, kernel.BadText, "user")
		_, err = b.Pool.Log(t.Context(), boss, customer.OperationFilter{Actions: []customer.Action{customer.Claimed, zero}}, crm.Page{})
		requireError(t, err, crm.ErrInvalid, kernel.BadText, "actions")
		for _, list := range []func(pool.PrivateFilter) error{
			func(f pool.PrivateFilter) error {
				_, err := b.Pool.Private(t.Context(), boss, f, crm.Page{})
				return err
			},
			func(f pool.PrivateFilter) error {
				_, err := b.Pool.DueList(t.Context(), boss, f, crm.Page{})
				return err
			},
		} {
			requireError(t, list(pool.PrivateFilter{Owners: []kernel.UserID{"li", zero}}), crm.ErrInvalid, kernel.BadText, "owners")
			requireError(t, list(pool.PrivateFilter{Levels: []customer.Level{customer.LevelA, zero}}), crm.ErrInvalid, kernel.Unknown, "levels")
			requireError(t, list(pool.PrivateFilter{Levels: []customer.Level{""}}), crm.ErrInvalid, kernel.Unknown, "levels")
			requireError(t, list(pool.PrivateFilter{Stages: []customer.Stage{customer.Won, zero}}), crm.ErrInvalid, kernel.Unknown, "stages")
			require.NoError(t, list(pool.PrivateFilter{Owners: []kernel.UserID{"nobody"}, Levels: []customer.Level{customer.LevelD}, Stages: []customer.Stage{customer.Lost}}))
		}
	})
	t.Run("what no user is called owns no opportunity, quote or contract, and is refused before it is looked for", func(t *testing.T) {
		b := setup(t, open)
		owners := []kernel.UserID{"li", "a\x00b"}
		_, err := b.Sales.Opportunities.List(t.Context(), boss, sales.OpportunityFilter{Owners: owners}, crm.Page{})
		requireError(t, err, crm.ErrInvalid, kernel.BadText, "owners")
		_, err = b.Sales.Quotes.List(t.Context(), boss, sales.QuoteFilter{Owners: owners}, crm.Page{})
		requireError(t, err, crm.ErrInvalid, kernel.BadText, "owners")
		_, err = b.Sales.Contracts.List(t.Context(), boss, sales.ContractFilter{Owners: owners}, crm.Page{})
		requireError(t, err, crm.ErrInvalid, kernel.BadText, "owners")
	})
	t.Run("an error about a long text is short", func(t *testing.T) {
		b := setup(t, open)
		err := b.Team.Members.Add(t.Context(), boss, team.Member{User: "new", Role: team.Seller, JoinedOn: kernel.Date(strings.Repeat("x", 1<<20))})
		requireError(t, err, crm.ErrInvalid, kernel.Malformed, "joined_on")
		require.Less(t, len(err.Error()), 200)
	})
}

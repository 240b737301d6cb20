package storagetest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
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
	})
	t.Run("an error about a long text is short", func(t *testing.T) {
		b := setup(t, open)
		err := b.Team.Members.Add(t.Context(), boss, team.Member{User: "new", Role: team.Seller, JoinedOn: kernel.Date(strings.Repeat("x", 1<<20))})
		requireError(t, err, crm.ErrInvalid, kernel.Malformed, "joined_on")
		require.Less(t, len(err.Error()), 200)
	})
}

package storagetest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team"
)

func testReport(t *testing.T, open Open) {
	t.Run("what the host reports stands on the trail, in the order of the customer", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		subject := kernel.Ref{Kind: "customer", ID: int64(id)}
		require.NoError(t, b.Team.Trail.Report(t.Context(), li, team.Report{Type: "host.list_printed", Subject: subject, Data: map[string]int{"pages": 3}}))
		require.NoError(t, b.Team.Trail.Report(t.Context(), li, team.Report{Type: "host.logged_in"}))
		require.NoError(t, b.Team.Trail.Report(t.Context(), boss, team.Report{Type: "host.paid", Subject: kernel.Ref{Kind: "host.invoice", ID: 7}}))
		l, err := b.Team.Trail.Events(t.Context(), boss, team.TrailFilter{Subject: subject}, crm.Page{})
		require.NoError(t, err)
		require.Len(t, l.Items, 2)
		require.Equal(t, []any{"host.list_printed", int64(2), `{"pages":3}`}, []any{l.Items[1].Type, l.Items[1].Seq, string(l.Items[1].Data)})
		a, err := b.Team.Trail.Audit(t.Context(), boss, team.TrailFilter{Types: []string{"host.logged_in", "host.paid"}}, crm.Page{})
		require.NoError(t, err)
		require.Len(t, a.Items, 2)
		b.agree()
	})
	t.Run("twice with one request it is there once", func(t *testing.T) {
		b := setup(t, open)
		who := li
		who.Request = "r"
		for range 2 {
			require.NoError(t, b.Team.Trail.Report(t.Context(), who, team.Report{Type: "host.x"}))
		}
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_audit WHERE type = 'host.x'"))
	})
	t.Run("nobody reports in our name, about what he may not see, or without being a member", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		for field, r := range map[string]team.Report{
			"type":    {Type: "customer.claimed"},
			"subject": {Type: "host.x", Subject: kernel.Ref{Kind: "pool", ID: 1}},
			"data":    {Type: "host.x", Data: strings.Repeat("x", 10_001)},
		} {
			err := b.Team.Trail.Report(t.Context(), li, r)
			require.ErrorIs(t, err, crm.ErrInvalid)
			var e *crm.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, field, e.Field)
		}
		about := team.Report{Type: "host.x", Subject: kernel.Ref{Kind: "customer", ID: int64(id)}}
		require.ErrorIs(t, b.Team.Trail.Report(t.Context(), wang, about), crm.ErrNotFound)
		require.ErrorIs(t, b.Team.Trail.Report(t.Context(), otherBoss, about), crm.ErrNotFound)
		require.ErrorIs(t, b.Team.Trail.Report(t.Context(), crm.Actor{Tenant: "acme", User: "stranger"}, team.Report{Type: "host.x"}), crm.ErrDenied)
		require.ErrorIs(t, b.Team.Trail.Report(t.Context(), li, team.Report{Type: "host.x", Data: func() {}}), crm.ErrInvalid)
		require.Zero(t, b.count("SELECT count(*) FROM crm_audit WHERE type LIKE 'host.%'"))
		b.agree()
	})
}

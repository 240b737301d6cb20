package storagetest

import (
	"context"
	"errors"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
	"github.com/openseas/crm/team/calendar"
)

// verify demands that the host's own recount finds what the suite's does: nothing.
func (b *bundle) verify() {
	b.t.Helper()
	report, err := b.Verify(context.Background(), boss, nil)
	if errors.Is(err, crm.ErrNotFound) { // the test has dropped the tenant
		return
	}
	require.NoError(b.t, err)
	require.Empty(b.t, report.Findings)
	require.True(b.t, report.Done)
}

// exec runs SQL of the test's own.
func (b *bundle) exec(query string) {
	b.t.Helper()
	_, err := b.db.ExecContext(b.t.Context(), query)
	require.NoError(b.t, err, query)
}

// life leaves rows in every table that Verify walks.
func (b *bundle) life() {
	b.t.Helper()
	ctx := b.t.Context()
	ids := b.create(4, "li")
	require.NoError(b.t, b.Customers.Contacts.Add(ctx, li, &customer.Contact{CustomerID: ids[0], FullName: "陈一", Phone: "13800138000", IsPrimary: true}))
	require.NoError(b.t, b.Customers.Addresses.Add(ctx, li, &customer.Address{CustomerID: ids[0], Type: customer.Billing, Region: "330106", Province: "浙江", City: "杭州", Street: "文三路 1 号", IsDefault: true}))
	tag := &customer.Tag{Name: "VIP", Colour: "#ff0000"}
	require.NoError(b.t, b.Customers.Tags.Create(ctx, boss, tag))
	_, err := b.Customers.Tags.Put(ctx, li, ids[:1], "VIP")
	require.NoError(b.t, err)
	b.wait(day)
	require.NoError(b.t, b.Customers.Interactions.Add(ctx, li, &customer.Interaction{CustomerID: ids[0], Type: customer.Call, Subject: "x", Followup: true}))
	_, err = b.Customers.RecordDeal(ctx, li, customer.Deal{CustomerID: ids[1], Number: "1", At: b.now(), Amount: decimal.NewFromInt(1)})
	require.NoError(b.t, err)
	require.NoError(b.t, b.Pool.Release(ctx, li, ids[2], nil))
	b.wait(8 * day)
	require.NoError(b.t, b.Pool.Claim(ctx, wang, ids[2]))
	require.NoError(b.t, b.Pool.Lock(ctx, li, ids[3], b.now().Add(day), "contract"))
	_, err = b.Team.Departments.Create(ctx, boss, team.Department{Name: "North", Parent: b.sales})
	require.NoError(b.t, err)
	require.NoError(b.t, b.Team.Calendars.Put(ctx, boss, &team.Calendar{Name: "office", Spec: calendar.Spec{Week: calendar.MondayToFriday(calendar.Window{From: calendar.At(9, 0), To: calendar.At(18, 0)})}}))
}

func testVerify(t *testing.T, open Open) {
	t.Run("of a sound database says nothing, and looks at every row once however small the pages", func(t *testing.T) {
		b := setup(t, open)
		b.life()
		whole, err := b.Verify(t.Context(), boss, nil)
		require.NoError(t, err)
		require.Empty(t, whole.Findings)
		require.Zero(t, whole.Total)
		require.True(t, whole.Done)
		for _, page := range []int{1, 2, 3, 10_000} {
			told := 0
			report, err := b.Verify(t.Context(), boss, &crm.VerifyOptions{Page: page, Progress: func(r crm.VerifyReport) {
				require.Greater(t, r.Rows, told)
				told = r.Rows
			}})
			require.NoError(t, err)
			require.Equal(t, whole, report)
			require.Equal(t, whole.Rows, told)
		}
	})
	t.Run("names at most so many, and counts all", func(t *testing.T) {
		b := setup(t, open)
		b.create(5, "li")
		b.exec("UPDATE crm_counters SET places = places + 1")
		b.exec("UPDATE crm_customer_facts SET orders = 1")
		report, err := b.Verify(t.Context(), boss, &crm.VerifyOptions{Page: 2, Most: 3})
		require.NoError(t, err)
		require.Len(t, report.Findings, 3)
		require.Equal(t, 6, report.Total)
		require.Equal(t, map[string]int{"places": 1, "orders": 5}, report.ByCheck)
		require.Equal(t, crm.Finding{Check: "places", Ref: report.Findings[0].Ref, Key: "li", Expected: "5", Found: "6"}, report.Findings[0])
		require.Equal(t, "member", report.Findings[0].Ref.Kind)
	})
	t.Run("is for those who read the whole trail", func(t *testing.T) {
		b := setup(t, open)
		require.NoError(t, b.Team.Members.Add(t.Context(), boss, team.Member{User: "auditor", Role: team.Auditor}))
		for _, who := range []crm.Actor{li, head, {Tenant: "acme", User: "nobody"}} {
			_, err := b.Verify(t.Context(), who, nil)
			require.ErrorIs(t, err, crm.ErrDenied, who)
		}
		_, err := b.Verify(t.Context(), crm.Actor{Tenant: "acme", User: "auditor"}, nil)
		require.NoError(t, err)
		_, err = b.Verify(t.Context(), crm.System("nowhere", "x"), nil)
		requireError(t, err, crm.ErrNotFound, "", "actor.tenant")
		for field, o := range map[string]crm.VerifyOptions{"page": {Page: -1}, "most": {Most: 10_001}} {
			_, err := b.Verify(t.Context(), boss, &o)
			requireError(t, err, crm.ErrInvalid, kernel.OutOfRange, field)
		}
	})
	t.Run("looks at one tenant only", func(t *testing.T) {
		b := setup(t, open)
		b.create(1, "li")
		b.exec("UPDATE crm_customer_facts SET orders = 1")
		report, err := b.Verify(t.Context(), otherBoss, nil)
		require.NoError(t, err)
		require.Zero(t, report.Total)
	})
	t.Run("cancelled, it tells what it found until then", func(t *testing.T) {
		b := setup(t, open)
		b.create(5, "li")
		b.exec("UPDATE crm_counters SET places = places + 1")
		ctx, cancel := context.WithCancel(t.Context())
		report, err := b.Verify(ctx, boss, &crm.VerifyOptions{Page: 1, Progress: func(r crm.VerifyReport) {
			if r.Total > 0 {
				cancel()
			}
		}})
		require.Error(t, err)
		require.False(t, report.Done)
		require.Equal(t, 1, report.Total)
	})
	t.Run("inside a host's transaction it sees what the host has written", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "")[0]
		tx, err := b.db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		defer tx.Rollback()
		require.NoError(t, b.In(tx).Pool.Claim(t.Context(), li, id))
		report, err := b.In(tx).Verify(t.Context(), boss, nil)
		require.NoError(t, err)
		require.Empty(t, report.Findings)
		require.NoError(t, tx.Commit())
	})
	t.Run("while everybody works it finds nothing", func(t *testing.T) {
		b := setup(t, open)
		b.settings(func(p *pool.Pool) { p.Protection, p.CoolDown = 0, 0 })
		ids := b.create(20, "")
		actors := []crm.Actor{li, wang}
		together(3, func(i int) {
			if i == 2 {
				for range 5 {
					if report, err := b.Verify(t.Context(), boss, &crm.VerifyOptions{Page: 3}); err != nil || report.Total > 0 {
						t.Error(err, report.Findings)
					}
				}
				return
			}
			for n := range 40 {
				id := ids[(n*7+i)%len(ids)]
				for _, call := range []func() error{
					func() error { return b.Pool.Claim(t.Context(), actors[i], id) },
					func() error {
						return b.Customers.Interactions.Add(t.Context(), actors[i], &customer.Interaction{CustomerID: id, Type: customer.Call, Subject: "x", Followup: true})
					},
					func() error { return b.Pool.Release(t.Context(), actors[i], id, nil) },
				} {
					if err := insist(call); err != nil && !errors.Is(err, crm.ErrRefused) && !errors.Is(err, crm.ErrNotFound) && !errors.Is(err, crm.ErrRetry) {
						t.Error(err)
					}
				}
			}
		})
		b.agree()
	})
}

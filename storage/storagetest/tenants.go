package storagetest

import (
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
)

func testTenants(t *testing.T, open Open) {
	t.Run("ids of another tenant: nothing is returned, counted, changed or betrayed", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		require.NoError(t, b.Customers.Interactions.Add(t.Context(), li, &customer.Interaction{CustomerID: id, Type: customer.Call, Subject: "x"}))
		c := b.get(id)
		before := b.count("SELECT count(*) FROM crm_audit")
		for _, who := range []crm.Actor{otherLi, otherBoss} {
			calls := map[string]error{
				"update": b.Customers.Update(t.Context(), who, c), "delete": b.Customers.Delete(t.Context(), who, id, c.Version),
				"stage": b.Customers.SetStage(t.Context(), who, id, customer.Won, ""), "release": b.Pool.Release(t.Context(), who, id, nil),
				"interaction": b.Customers.Interactions.Add(t.Context(), who, &customer.Interaction{CustomerID: id, Type: customer.Call, Subject: "x"}),
			}
			_, calls["get"] = b.Customers.Get(t.Context(), who, id)
			_, calls["facts"] = b.Customers.Facts(t.Context(), who, id)
			_, calls["timeline"] = b.Customers.Timeline(t.Context(), who, id, crm.Page{})
			_, calls["deal"] = b.Customers.RecordDeal(t.Context(), who, customer.Deal{CustomerID: id, Number: "1", At: b.now(), Amount: decimal.Zero})
			_, calls["department"] = b.Team.Departments.Update(t.Context(), who, team.Department{ID: b.sales, Name: "x", Version: 1})
			for name, err := range calls {
				if name == "department" || name == "delete" { // a seller lacks the permission anyway
					require.Error(t, err, name)
					continue
				}
				require.ErrorIs(t, err, crm.ErrNotFound, name)
			}
			l, err := b.Customers.List(t.Context(), who, customer.Filter{}, crm.Page{})
			require.NoError(t, err)
			require.Empty(t, l.Items)
			n, _, err := b.Customers.Count(t.Context(), who, customer.Filter{Owners: []kernel.UserID{"li"}})
			require.NoError(t, err)
			require.Zero(t, n)
			log, err := b.Pool.Log(t.Context(), who, customer.OperationFilter{}, crm.Page{})
			require.NoError(t, err)
			require.Empty(t, log.Items)
		}
		requireRefusal(t, b.Pool.Claim(t.Context(), otherLi, id), pool.NotFound)
		require.Equal(t, c, b.get(id))
		require.Equal(t, before, b.count("SELECT count(*) FROM crm_audit"))
	})
	t.Run("a department, pool or member of another tenant cannot be referred to", func(t *testing.T) {
		b := setup(t, open)
		mine := b.pool("mine", 0)
		err := b.Customers.Create(t.Context(), otherBoss, &customer.Customer{Name: "x", Ownership: customer.Ownership{PoolID: mine}})
		requireError(t, err, crm.ErrInvalid, kernel.Unknown, "pool_id")
		err = b.Team.Members.Add(t.Context(), otherBoss, team.Member{User: "x", Role: team.Seller, Department: b.sales})
		requireError(t, err, crm.ErrInvalid, kernel.Unknown, "department")
		err = b.Customers.Create(t.Context(), otherBoss, &customer.Customer{Name: "x", Ownership: customer.Ownership{OwnerID: "wang"}})
		requireError(t, err, crm.ErrInvalid, kernel.Unknown, "owner_id")
	})
	t.Run("a run of one tenant touches no other", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		theirs := &customer.Customer{Name: "x", Ownership: customer.Ownership{OwnerID: "li"}}
		require.NoError(t, b.Customers.Create(t.Context(), otherLi, theirs))
		require.NoError(t, b.Pool.UseDefaults(t.Context(), otherBoss, 0))
		b.wait(4 * day)
		report, err := b.Pool.Recycle(t.Context(), otherBoss, all)
		require.NoError(t, err)
		require.Equal(t, 1, report.Released)
		require.EqualValues(t, "li", b.owner(id))
		b.agree()
	})
}

package storagetest

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

// free checks that another transaction may refer to a row: that no lock of ours is on its key.
func (b *bundle) free(table string, id int64, why string) {
	b.t.Helper()
	_, err := b.db.ExecContext(b.t.Context(), "SELECT 1 FROM "+table+" WHERE id = $1 FOR KEY SHARE NOWAIT", id)
	require.NoError(b.t, err, "%s: a host's foreign key waits", why)
}

func testKeyLocks(t *testing.T, open Open) {
	t.Run("a host may refer to what a unit of work of ours has locked and changed", func(t *testing.T) {
		b := setup(t, open)
		if !b.postgres() {
			t.Skip("SQLite has one writer at a time")
		}
		ctx := t.Context()
		p := b.pool("east", 0, pool.Member{User: "li"}, pool.Member{User: "wang"})
		ids := b.create(1, "li")
		id := ids[0]
		k, a := &customer.Contact{CustomerID: id, FullName: "王"}, &customer.Address{CustomerID: id, Type: customer.Office, Province: "上海", City: "上海", Street: "1"}
		require.NoError(t, b.Customers.Contacts.Add(ctx, boss, k))
		require.NoError(t, b.Customers.Addresses.Add(ctx, boss, a))
		x := &customer.Interaction{CustomerID: id, Type: customer.Call, Subject: "x"}
		require.NoError(t, b.Customers.Interactions.Add(ctx, li, x))
		tag := &customer.Tag{Name: "VIP", Colour: "#ff0000"}
		require.NoError(t, b.Customers.Tags.Create(ctx, boss, tag))
		m, err := b.Team.Members.Get(ctx, boss, "li")
		require.NoError(t, err)
		for _, c := range []struct {
			name  string
			table string // of the row that is changed
			id    int64
			call  func(c *crm.CRM) error
		}{
			{"update", "crm_customers", 0, func(c *crm.CRM) error {
				cur, err := c.Customers.Get(ctx, boss, id)
				require.NoError(t, err)
				cur.Remarks += "."
				return c.Customers.Update(ctx, boss, cur)
			}},
			{"stage", "crm_customers", 0, func(c *crm.CRM) error { return c.Customers.SetStage(ctx, boss, id, customer.Lost, "x") }},
			{"follow-up", "crm_customers", 0, func(c *crm.CRM) error {
				return c.Customers.Interactions.Add(ctx, li, &customer.Interaction{CustomerID: id, Type: customer.Call, Subject: "x", Followup: true})
			}},
			{"tag", "crm_customers", 0, func(c *crm.CRM) error { _, err := c.Customers.Tags.Put(ctx, boss, ids, "VIP"); return err }},
			{"move", "crm_customers", 0, func(c *crm.CRM) error {
				_, err := c.Pool.MoveToPool(ctx, boss, ids, p, pool.AllOrNothing, nil)
				return err
			}},
			{"transfer", "crm_customers", 0, func(c *crm.CRM) error { return c.Pool.Assign(ctx, boss, id, "wang", nil) }},
			{"release", "crm_customers", 0, func(c *crm.CRM) error { return c.Pool.Release(ctx, boss, id, nil) }},
			{"a refusal, which locks too", "crm_customers", 0, func(c *crm.CRM) error {
				if err := c.Pool.Release(ctx, boss, id, nil); !errors.Is(err, pool.NotOwned) {
					return errors.Join(errors.New("not refused"), err)
				}
				return nil
			}},
			{"delete", "crm_customers", 0, func(c *crm.CRM) error {
				cur, err := c.Customers.Get(ctx, boss, id)
				require.NoError(t, err)
				return c.Customers.Delete(ctx, boss, id, cur.Version)
			}},
			{"restore", "crm_customers", 0, func(c *crm.CRM) error { _, err := c.Customers.Restore(ctx, boss, id); return err }},
			{"contact", "crm_contacts", int64(k.ID), func(c *crm.CRM) error { k.Title = "x"; return c.Customers.Contacts.Update(ctx, boss, k) }},
			{"address", "crm_addresses", int64(a.ID), func(c *crm.CRM) error { a.Street = "2"; return c.Customers.Addresses.Update(ctx, boss, a) }},
			{"interaction", "crm_interactions", int64(x.ID), func(c *crm.CRM) error { x.Subject = "y"; return c.Customers.Interactions.Update(ctx, boss, x) }},
			{"tag itself", "crm_tags", int64(tag.ID), func(c *crm.CRM) error { tag.Colour = "#00ff00"; return c.Customers.Tags.Update(ctx, boss, tag) }},
			{"member", "crm_members", int64(m.ID), func(c *crm.CRM) error { m.Name = "x"; _, err := c.Team.Members.Update(ctx, boss, *m); return err }},
		} {
			tx := b.begin()
			require.NoError(t, c.call(b.In(tx)), c.name)
			if c.id != 0 {
				b.free(c.table, c.id, c.name)
			}
			b.free("crm_customers", int64(id), c.name)
			require.NoError(t, tx.Commit())
		}
		b.agree()
	})
	t.Run("and a run releases what a host refers to in a transaction under way", func(t *testing.T) {
		b := setup(t, open)
		if !b.postgres() {
			t.Skip("SQLite has one writer at a time")
		}
		_, err := b.db.Exec("CREATE TABLE erp_orders (crm_tenant bigint, crm_customer bigint, FOREIGN KEY (crm_tenant, crm_customer) REFERENCES crm_customers (tenant_id, id))")
		require.NoError(t, err)
		ids := b.create(3, "li")
		b.rule(pool.Rule{Condition: "followup_days > 1", Action: pool.Release})
		b.wait(2 * day)
		tx := b.begin()
		_, err = tx.Exec("INSERT INTO erp_orders SELECT tenant_id, id FROM crm_customers")
		require.NoError(t, err)
		report, err := b.Pool.Recycle(t.Context(), boss, all)
		require.NoError(t, err)
		require.Equal(t, len(ids), report.Released)
		require.NoError(t, tx.Commit())
		b.agree()
	})
	t.Run("two units of work still wait for each other", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		together(8, func(int) {
			for range 3 {
				err := insist(func() error {
					c, err := b.Customers.Get(t.Context(), boss, id)
					if err != nil {
						return err
					}
					c.Remarks += "."
					if err = b.Customers.Update(t.Context(), boss, c); errors.Is(err, kernel.Stale) {
						err = nil
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
		c := b.get(id)
		require.EqualValues(t, len(c.Remarks)+1, c.Version, "no update is lost")
		b.agree()
	})
}

package check

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/sales"
)

const openLimit = 9

// openChild lets all workers of both processes open customers for one member at a time, beside claims and releases.
func openChild(o order, _ *told) error {
	db, err := o.Place.open()
	if err != nil {
		return err
	}
	defer db.Close()
	c, err := crm.New(context.Background(), o.Place.store(db), &crm.Options{Clock: o.clock})
	if err != nil {
		return err
	}
	errs := make([]error, o.Workers)
	var wg sync.WaitGroup
	for i := range o.Workers {
		r := rand.New(rand.NewPCG(o.Seed, uint64(i)))
		wg.Go(func() {
			for n := range o.Steps {
				by := crm.Actor{Tenant: "acme", User: memberOf(n * 2 * hammerMembers / o.Steps)}
				id := customer.ID(pick(r, o.IDs...))
				err := openOrTake(c, r, by, id)
				if err != nil && !errors.Is(err, crm.ErrRefused) && !errors.Is(err, crm.ErrRetry) {
					errs[i] = err
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func openOrTake(c *crm.CRM, r *rand.Rand, by crm.Actor, id customer.ID) error {
	ctx := context.Background()
	if r.IntN(8) > 0 {
		_, err := c.Pool.Open(ctx, by, id)
		return err
	}
	if err := c.Pool.Claim(ctx, by, id); err != nil {
		return err
	}
	return c.Pool.Release(ctx, by, id, nil)
}

// Whether a customer lies in a pool is read from rows that are read anyway: masking costs no statement.
func TestMaskingCostsNoStatement(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(t *testing.T) place) {
		p, ctx := fresh(t), t.Context()
		db, counted := faulty(t, p)
		h := furnish(t, db, p.store(db))
		both := []customer.ID{h.create(1, "li")[0], h.create(1, "")[0]}
		var contacts [2]customer.ContactID
		var addresses [2]customer.AddressID
		var interactions [2]customer.InteractionID
		var contracts [2]sales.ContractID
		for i, id := range both {
			x := &customer.Contact{CustomerID: id, FullName: "x", Phone: "13800138000"}
			require.NoError(t, h.Customers.Contacts.Add(ctx, boss, x))
			a := &customer.Address{CustomerID: id, Type: customer.Office, Province: "x", City: "x", Street: "x"}
			require.NoError(t, h.Customers.Addresses.Add(ctx, boss, a))
			n := &customer.Interaction{CustomerID: id, Type: customer.Call, Subject: "x", Staff: "li"}
			require.NoError(t, h.Customers.Interactions.Add(ctx, boss, n))
			d := &sales.Contract{CustomerID: id, Name: "x", Remark: "x", OwnerID: "li"}
			require.NoError(t, h.Sales.Contracts.Create(ctx, boss, d))
			contacts[i], addresses[i], interactions[i], contracts[i] = x.ID, a.ID, n.ID, d.ID
		}
		for name, read := range map[string]func(i int) error{
			"get":      func(i int) error { _, err := h.Customers.Get(ctx, li, both[i]); return err },
			"get many": func(i int) error { _, err := h.Customers.GetMany(ctx, li, both[i:]); return err },
			"list": func(i int) error {
				_, err := h.Customers.List(ctx, li, customer.Filter{InPool: i == 1}, crm.Page{})
				return err
			},
			"timeline":     func(i int) error { _, err := h.Customers.Timeline(ctx, li, both[i], crm.Page{}); return err },
			"contact":      func(i int) error { _, err := h.Customers.Contacts.Get(ctx, li, contacts[i]); return err },
			"contacts":     func(i int) error { _, err := h.Customers.Contacts.List(ctx, li, both[i], crm.Page{}); return err },
			"address":      func(i int) error { _, err := h.Customers.Addresses.Get(ctx, li, addresses[i]); return err },
			"addresses":    func(i int) error { _, err := h.Customers.Addresses.List(ctx, li, both[i], crm.Page{}); return err },
			"interaction":  func(i int) error { _, err := h.Customers.Interactions.Get(ctx, li, interactions[i]); return err },
			"interactions": func(i int) error { _, err := h.Customers.Interactions.List(ctx, li, both[i], crm.Page{}); return err },
			"contract":     func(i int) error { _, err := h.Sales.Contracts.Get(ctx, li, contracts[i]); return err },
			"contracts": func(i int) error {
				_, err := h.Sales.Contracts.List(ctx, li, sales.ContractFilter{Customer: both[i]}, crm.Page{})
				return err
			},
		} {
			var steps [2]int
			for i := range both {
				counted.arm(busy, -1, nil) // nothing goes wrong, but it is counted
				require.NoError(t, read(i), name)
				_, steps[i] = counted.disarm()
			}
			require.Positive(t, steps[0], name)
			require.Equal(t, steps[0], steps[1], name)
		}
	})
}

// Two processes that open for the same members at once never get above the limit, and what they counted is what is on rows,
// trail and outbox.
func TestOpenLimitHoldsUnderLoad(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(t *testing.T) place) {
		h, both := crowd(t, fresh(t), 30, hammerMembers, order{Role: "open", Workers: 3, Steps: choose(400, 4000)})
		h.policy(func(p *pool.Policy) { p.Cap, p.DailyQuota, p.OpenLimit = 100, 10_000, openLimit })
		for _, c := range both {
			c.begin()
		}
		for _, c := range both {
			require.Empty(t, all[string](c))
		}
		h.agree()
		for n := range 2 * hammerMembers {
			user := string(memberOf(n))
			require.Equal(t, openLimit, h.count("SELECT count(*) FROM crm_opens WHERE user_id = '"+user+"'"), "%s had more than enough time", user)
			require.Equal(t, openLimit, h.count("SELECT opens_used FROM crm_counters WHERE user_id = '"+user+"'"), user)
			for _, table := range []string{"crm_audit", "crm_outbox"} {
				require.Equal(t, openLimit, h.count("SELECT count(*) FROM "+table+" WHERE type = 'customer.opened' AND actor = '"+user+"'"), user)
			}
		}
	})
}

package check

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/storage"
	"github.com/openseas/crm/team"
)

// town is a house that the people live in: through the use cases, and by SQL where there is none yet.
type town struct {
	*house
	place  place
	people []*person
	ids    []int64 // of the people, in their order
	pools  []*pool.Pool
}

// settle makes the people, in two pools: all members belong to the first one, li and gone to the second, and gone leaves.
func settle(h *house, p place, people []*person) *town {
	h.t.Helper()
	s := &town{house: h, place: p, people: people, ids: make([]int64, len(people))}
	ctx, require := context.Background(), require.New(h.t)
	h.free()
	require.NoError(h.Team.Members.Add(ctx, boss, team.Member{User: "gone", Role: team.Seller}))
	own := &pool.Pool{Name: "own", Priority: -1}
	require.NoError(h.Pool.Pools.Create(ctx, boss, own))
	require.NoError(h.Pool.Pools.SetMembers(ctx, boss, own.ID, []pool.Member{{User: "li"}, {User: "gone"}}))
	base, err := h.Pool.Pools.Get(ctx, boss, 0)
	require.NoError(err)
	s.pools = []*pool.Pool{base, own}
	s.create()
	s.tag()
	for i, x := range people {
		s.live(customer.ID(s.ids[i]), x)
	}
	require.NoError(h.Team.Members.Deactivate(ctx, boss, "gone"))
	s.micros.Store(lately.UnixMicro())
	h.agree()
	return s
}

// create makes the people, some by a sync that states their clocks, the others at the instant from which they are owned.
func (s *town) create() {
	ctx, require := context.Background(), require.New(s.t)
	var synced []*customer.Customer
	var at []int
	for i, x := range s.people {
		c := x.Customer
		c.PoolID = s.poolOf(x.Second).ID
		if x.Clocked {
			c.ExternalSystem, c.ExternalID = "erp", fmt.Sprint(i)
			synced, at = append(synced, &c), append(at, i)
			continue
		}
		s.micros.Store(noon.UnixMicro())
		if !x.OwnedSince.IsZero() {
			s.micros.Store(x.OwnedSince.UnixMicro())
		}
		c.Stage = customer.Potential
		require.NoError(s.Customers.Create(ctx, boss, &c))
		s.ids[i] = int64(c.ID)
		if x.Stage != customer.Potential {
			require.NoError(s.Customers.SetStage(ctx, boss, c.ID, x.Stage, map[customer.Stage]string{customer.Lost: "price"}[x.Stage]))
		}
	}
	s.micros.Store(lately.UnixMicro())
	outcomes, err := s.Customers.Sync(ctx, boss, synced, nil)
	require.NoError(err)
	for i, o := range outcomes {
		require.Equal(customer.WasCreated, o.Did, "%v", o.Err)
		s.ids[at[i]] = int64(o.ID)
	}
}

func (s *town) tag() {
	ctx, require := context.Background(), require.New(s.t)
	for _, name := range tagNames {
		require.NoError(s.Customers.Tags.Create(ctx, boss, &customer.Tag{Name: name}))
		var carry []customer.ID
		for i, x := range s.people {
			if slices.Contains(x.Tags, name) {
				carry = append(carry, customer.ID(s.ids[i]))
			}
		}
		_, err := s.Customers.Tags.Put(ctx, boss, carry, name)
		require.NoError(err)
	}
	gone := &customer.Tag{Name: deadTag}
	require.NoError(s.Customers.Tags.Create(ctx, boss, gone))
	everybody := make([]customer.ID, len(s.ids))
	for i, id := range s.ids {
		everybody[i] = customer.ID(id)
	}
	_, err := s.Customers.Tags.Put(ctx, boss, everybody, gone.Name)
	require.NoError(err)
	require.NoError(s.Customers.Tags.Delete(ctx, boss, gone.ID, gone.Version))
}

// live lets one person do what it does.
func (s *town) live(id customer.ID, x *person) {
	ctx, require := context.Background(), require.New(s.t)
	for _, at := range x.Followups {
		require.NoError(s.Customers.Interactions.Add(ctx, boss, &customer.Interaction{CustomerID: id, Type: customer.Call, Subject: "x", At: at, Staff: "li", Followup: true}))
	}
	for _, at := range x.Others {
		require.NoError(s.Customers.Interactions.Add(ctx, boss, &customer.Interaction{CustomerID: id, Type: customer.Other, Subject: "x", At: at, Automatic: true}))
	}
	for i, o := range x.Orders {
		number := fmt.Sprint(id, "-", i)
		_, err := s.Customers.RecordDeal(ctx, boss, customer.Deal{CustomerID: id, Number: number, At: o.At, Amount: o.Amount.Abs()})
		require.NoError(err)
		s.exec(fmt.Sprintf("UPDATE crm_orders SET status = '%s', amount = %s WHERE number = '%s'", o.Status, s.amount(o.Amount), number))
	}
	if x.Blacklist {
		require.NoError(s.Customers.Blacklist(ctx, boss, id, "x"))
	}
	f := x.facts(lately)
	s.exec(fmt.Sprintf("UPDATE crm_customer_facts SET open_opportunities = %d, active_contracts = %d, open_cases = %d, orders = %d, last_order_at = %s WHERE customer_id = %d",
		f.OpenOpportunities, f.ActiveContracts, f.OpenCases, f.Orders, s.instant(f.LastOrderAt), id))
	if x.Deleted {
		c, err := s.Customers.Get(ctx, boss, id)
		require.NoError(err)
		require.NoError(s.Customers.Delete(ctx, boss, id, c.Version))
	}
}

// instant and amount are values as the engine's columns take them.
func (s *town) instant(t time.Time) string {
	switch {
	case t.IsZero():
		return "NULL"
	case s.place.postgres():
		return "'" + t.UTC().Format(time.RFC3339Nano) + "'"
	}
	return fmt.Sprint(t.UnixMicro())
}

func (s *town) amount(d decimal.Decimal) string {
	if s.place.postgres() {
		return d.String()
	}
	return d.Shift(4).String()
}

func (s *town) poolOf(second bool) *pool.Pool {
	if second {
		return s.pools[1]
	}
	return s.pools[0]
}

// mayLose tells whether a run over the pool may take the person from its owner at all.
func (s *town) mayLose(x *person, p *pool.Pool) bool {
	belongs := x.OwnerID == "li" || p == s.pools[0] && (x.OwnerID == "wang" || x.OwnerID == "head")
	return belongs && p == s.poolOf(x.Second) && !x.Deleted
}

// sweep is a run over a pool at an instant, by rules in the order in which they win.
func (s *town) sweep(p *pool.Pool, now time.Time, rules ...pool.SweepRule) pool.Sweep {
	from, until := year(now)
	return pool.Sweep{By: boss, Now: now, Pool: p, Rules: rules, Days: condition.Elapsed{}, SpendFrom: from, SpendUntil: until}
}

// due asks the store whom a sweep would release, by their place among the people: in pages, and counted besides.
func (s *town) due(sweep pool.Sweep, page int) map[int]bool {
	s.t.Helper()
	found, n := map[int]bool{}, 0
	err := s.store.Do(context.Background(), kernel.Read, func(ctx context.Context, tx storage.Tx) (err error) {
		records := tx.Pool(pool.Customers)
		if n, err = records.Due(ctx, sweep); err != nil {
			return err
		}
		for after := int64(0); ; {
			ids, err := records.Candidates(ctx, sweep, after, page)
			if err != nil || len(ids) == 0 {
				return err
			}
			for _, id := range ids {
				require.Greater(s.t, id, after, "in the order of the ids")
				after = id
				found[slices.Index(s.ids, id)] = true
			}
			if len(ids) < page {
				return nil
			}
		}
	})
	require.NoError(s.t, err)
	require.Len(s.t, found, n, "Due counts what Candidates lists")
	return found
}

// facts reads from the store what rules read of the people at an instant.
func (s *town) facts(now time.Time) []condition.Facts {
	s.t.Helper()
	from, until := year(now)
	all := make([]condition.Facts, len(s.ids))
	err := s.store.Do(context.Background(), kernel.Read, func(ctx context.Context, tx storage.Tx) error {
		found, err := tx.Pool(pool.Customers).Facts(ctx, boss.Tenant, from, until, s.ids...)
		for i, id := range s.ids {
			all[i] = found[id]
		}
		return err
	})
	require.NoError(s.t, err)
	return all
}

package storagetest

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

func testCustomers(t *testing.T, open Open) {
	t.Run("comes back as written, to the microsecond, in UTC", func(t *testing.T) {
		b := setup(t, open)
		b.wait(time.Microsecond)
		c := &customer.Customer{
			Name: "O'Neil \\ ? 蓝鲸 'x'", Code: "K-1", Type: customer.Individual, Level: customer.LevelB, Standing: customer.Inactive,
			Industry: "C35", Size: customer.Large, CreditRating: customer.CreditBBB, Source: "website", Region: "330102",
			AnnualRevenue:   decimal.NewNullDecimal(decimal.RequireFromString("99999999999999.9999")),
			AnnualPotential: decimal.NewNullDecimal(decimal.RequireFromString("0.0001")),
			Province:        "浙江省", City: "杭州市", District: "上城区", AcquiredOn: "2024-02-29", ServiceAgent: "admin", SourceLead: 7, Brand: "blue",
			Remarks: "first line\nsecond\tline", ExternalSystem: "erp", ExternalID: "E-1", Ownership: customer.Ownership{OwnerID: "li"},
		}
		require.NoError(t, b.Customers.Create(t.Context(), li, c))
		require.NotZero(t, c.ID)
		require.EqualValues(t, 1, c.Version)
		require.Equal(t, b.now().UTC(), c.OwnedSince)
		got, err := b.Customers.Get(t.Context(), li, c.ID)
		require.NoError(t, err)
		require.True(t, c.AnnualRevenue.Decimal.Equal(got.AnnualRevenue.Decimal))
		require.Equal(t, "0.0001", got.AnnualPotential.Decimal.String())
		got.AnnualRevenue, got.AnnualPotential = c.AnnualRevenue, c.AnnualPotential
		require.Equal(t, c, got)
		require.Equal(t, time.UTC, got.OwnedSince.Location())
		b.agree()
	})
	t.Run("an empty code is made, a code in use names the field and leaves nothing", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(2, "")
		require.NotEmpty(t, b.get(ids[0]).Code)
		require.NotEqual(t, b.get(ids[0]).Code, b.get(ids[1]).Code)
		require.NoError(t, b.Customers.Create(t.Context(), li, &customer.Customer{Name: "x", Code: "K-1"}))
		again := &customer.Customer{Name: "x", Code: "K-1"}
		requireError(t, b.Customers.Create(t.Context(), li, again), crm.ErrConflict, kernel.Duplicate, "code")
		require.Zero(t, again.ID, "a refused struct stays as it was")
		require.NoError(t, b.Customers.Create(t.Context(), otherLi, &customer.Customer{Name: "x", Code: "K-1"}), "another tenant has codes of its own")
		n, more, err := b.Customers.Count(t.Context(), boss, customer.Filter{})
		require.NoError(t, err)
		require.Equal(t, 3, n)
		require.False(t, more)
	})
	t.Run("a made code that somebody has typed by hand gives way", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "")[0]
		for i := range 200 { // the next ids, whatever block they come from
			c := &customer.Customer{Name: "x", Code: "C" + decimal.NewFromInt(int64(id)+int64(i)+1).String()}
			require.NoError(t, b.Customers.Create(t.Context(), boss, c))
		}
		ids := b.create(30, "")
		codes := map[string]bool{}
		for _, id := range ids {
			codes[b.get(id).Code] = true
		}
		require.Len(t, codes, 30)
	})
	t.Run("an owner without a free place is refused, and so is one who is no active member", func(t *testing.T) {
		b := setup(t, open)
		b.create(200, "li")
		mine := customer.Ownership{OwnerID: "li"}
		err := b.Customers.Create(t.Context(), li, &customer.Customer{Name: "x", Ownership: mine})
		requireError(t, err, crm.ErrRefused, customer.NoPlace, "owner_id")
		for _, owner := range []crm.UserID{"nobody", "zhao"} {
			err = b.Customers.Create(t.Context(), boss, &customer.Customer{Name: "x", Ownership: customer.Ownership{OwnerID: owner}})
			requireError(t, err, crm.ErrInvalid, kernel.Unknown, "owner_id")
		}
		require.NoError(t, b.Team.Members.Deactivate(t.Context(), boss, "wang"))
		err = b.Customers.Create(t.Context(), boss, &customer.Customer{Name: "x", Ownership: customer.Ownership{OwnerID: "wang"}})
		requireError(t, err, crm.ErrInvalid, kernel.Unknown, "owner_id")
		b.agree()
	})
	t.Run("a seller gives customers to nobody else, a head to its people", func(t *testing.T) {
		b := setup(t, open)
		wangs := customer.Ownership{OwnerID: "wang"}
		require.ErrorIs(t, b.Customers.Create(t.Context(), li, &customer.Customer{Name: "x", Ownership: wangs}), crm.ErrDenied)
		require.NoError(t, b.Customers.Create(t.Context(), head, &customer.Customer{Name: "x", Ownership: wangs}))
		err := b.Customers.Create(t.Context(), head, &customer.Customer{Name: "x", Ownership: customer.Ownership{OwnerID: "admin"}})
		requireError(t, err, crm.ErrInvalid, kernel.Unknown, "owner_id")
	})
	t.Run("many: what can be had, each refusal at its item; all or nothing: nothing", func(t *testing.T) {
		b := setup(t, open)
		b.policy(func(p *pool.Policy) { p.Cap = 2 })
		batch := func() []*customer.Customer {
			own := customer.Ownership{OwnerID: "li"}
			return []*customer.Customer{
				{Name: "a", Code: "A", Ownership: own}, {Name: "b", Code: "A"}, {Name: "c", Ownership: own}, {Name: "d", Ownership: own}, {Name: "e"},
			}
		}
		_, err := b.Customers.CreateMany(t.Context(), li, batch(), kernel.AllOrNothing)
		e := requireError(t, err, crm.ErrConflict, kernel.Duplicate, "code")
		i, ok := e.Item()
		require.True(t, ok)
		require.Equal(t, 1, i)
		require.Zero(t, b.count("SELECT count(*) FROM crm_customers"))
		cs := batch()
		got, err := b.Customers.CreateMany(t.Context(), li, cs, kernel.WhatCanBeHad)
		require.NoError(t, err)
		require.Nil(t, got[0].Err)
		require.Equal(t, "code", got[1].Err.Field)
		require.Nil(t, got[2].Err)
		require.Equal(t, customer.NoPlace, got[3].Err.Reason)
		require.Nil(t, got[4].Err)
		require.Equal(t, cs[4].ID, got[4].ID)
		require.Zero(t, cs[3].ID)
		require.Equal(t, 3, b.count("SELECT count(*) FROM crm_customers"))
		b.agree()
	})
	t.Run("update names the version that was read, and a stale one both", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		mine, theirs := b.get(id), b.get(id)
		mine.Industry, mine.Level = "C35", customer.LevelA
		b.wait(time.Hour)
		require.NoError(t, b.Customers.Update(t.Context(), li, mine))
		require.EqualValues(t, 2, mine.Version)
		require.Equal(t, b.get(id), mine)
		require.Equal(t, b.now().UTC(), mine.UpdatedAt)
		require.EqualValues(t, "li", mine.UpdatedBy)
		theirs.Name = "late"
		err := b.Customers.Update(t.Context(), head, theirs)
		requireError(t, err, crm.ErrConflict, kernel.Stale, "version")
		var stale *kernel.StaleError
		require.ErrorAs(t, err, &stale)
		require.Equal(t, kernel.StaleError{Given: 1, Current: 2}, *stale)
		require.NoError(t, b.Customers.Update(t.Context(), li, mine))
		require.EqualValues(t, 2, mine.Version, "nothing differs, nothing rises")
		b.agree()
	})
	t.Run("update does not move what has a use case of its own", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		for field, change := range map[string]func(c *customer.Customer){
			"owner_id":         func(c *customer.Customer) { c.OwnerID = "wang" },
			"pool_id":          func(c *customer.Customer) { c.PoolID++ },
			"stage":            func(c *customer.Customer) { c.Stage = customer.Won },
			"standing":         func(c *customer.Customer) { c.Standing = customer.Blacklisted },
			"blacklist_reason": func(c *customer.Customer) { c.BlacklistReason = "x" },
			"lost_reason":      func(c *customer.Customer) { c.LostReason = "x" },
		} {
			c := b.get(id)
			change(c)
			requireError(t, b.Customers.Update(t.Context(), li, c), crm.ErrInvalid, kernel.ReadOnly, field)
		}
	})
	t.Run("update to a code or host key that is taken is a conflict", func(t *testing.T) {
		b := setup(t, open)
		a := &customer.Customer{Name: "a", Code: "A", ExternalSystem: "erp", ExternalID: "1"}
		c := &customer.Customer{Name: "c", Code: "C", ExternalSystem: "erp", ExternalID: "2"}
		require.NoError(t, b.Customers.Create(t.Context(), boss, a))
		require.NoError(t, b.Customers.Create(t.Context(), boss, c))
		x := *c
		x.Code = "A"
		requireError(t, b.Customers.Update(t.Context(), boss, &x), crm.ErrConflict, kernel.Duplicate, "code")
		x = *c
		x.ExternalID = "1"
		requireError(t, b.Customers.Update(t.Context(), boss, &x), crm.ErrConflict, kernel.Duplicate, "external_id")
		x.ExternalSystem = "shop"
		require.NoError(t, b.Customers.Update(t.Context(), boss, &x))
	})
	t.Run("a deleted customer is nowhere, blocks no unique value, frees its place, and comes back", func(t *testing.T) {
		b := setup(t, open)
		b.policy(func(p *pool.Policy) { p.Cap = 1 })
		c := &customer.Customer{Name: "x", Code: "K", ExternalSystem: "erp", ExternalID: "1", Ownership: customer.Ownership{OwnerID: "li"}}
		require.NoError(t, b.Customers.Create(t.Context(), li, c))
		require.ErrorIs(t, b.Customers.Delete(t.Context(), li, c.ID, c.Version), crm.ErrDenied, "a seller does not delete")
		requireError(t, b.Customers.Delete(t.Context(), head, c.ID, 9), crm.ErrConflict, kernel.Stale, "version")
		require.NoError(t, b.Customers.Delete(t.Context(), head, c.ID, c.Version))
		_, err := b.Customers.Get(t.Context(), li, c.ID)
		require.ErrorIs(t, err, crm.ErrNotFound)
		require.ErrorIs(t, b.Customers.Delete(t.Context(), head, c.ID, 2), crm.ErrNotFound)
		require.ErrorIs(t, b.Pool.Claim(t.Context(), wang, c.ID), crm.ErrNotFound)
		gone, err := b.Customers.List(t.Context(), li, customer.Filter{Deleted: true}, crm.Page{})
		require.NoError(t, err)
		require.Len(t, gone.Items, 1)
		again := &customer.Customer{Name: "x", Code: "K", ExternalSystem: "erp", ExternalID: "1", Ownership: customer.Ownership{OwnerID: "li"}}
		require.NoError(t, b.Customers.Create(t.Context(), li, again), "code, host key and place are free")
		b.agree()

		_, err = b.Customers.Restore(t.Context(), head, c.ID)
		require.ErrorIs(t, err, crm.ErrConflict)
		again.Code, again.ExternalID, again.ExternalSystem = "K2", "", ""
		require.NoError(t, b.Customers.Update(t.Context(), li, again))
		back, err := b.Customers.Restore(t.Context(), head, c.ID)
		require.NoError(t, err)
		require.Empty(t, back.OwnerID, "its owner has no place left: it falls back to the pool")
		require.EqualValues(t, "li", back.LastOwner)
		shown, err := b.Customers.Get(t.Context(), head, c.ID)
		require.NoError(t, err)
		require.Equal(t, shown, back)
		b.agree()
	})
	t.Run("restore gives a customer back to its owner while there is a place", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		since := b.get(id).OwnedSince
		b.wait(day)
		require.NoError(t, b.Customers.Delete(t.Context(), head, id, 1))
		back, err := b.Customers.Restore(t.Context(), head, id)
		require.NoError(t, err)
		require.EqualValues(t, "li", back.OwnerID)
		require.Equal(t, since, back.OwnedSince)
		b.agree()
		require.NoError(t, b.Customers.Delete(t.Context(), boss, id, back.Version))
		require.NoError(t, b.Team.Members.Deactivate(t.Context(), boss, "li"))
		back, err = b.Customers.Restore(t.Context(), boss, id)
		require.NoError(t, err)
		require.Empty(t, back.OwnerID, "its owner left meanwhile")
		b.agree()
	})
	t.Run("blacklist needs a reason, moves nobody, and ends", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		requireError(t, b.Customers.Blacklist(t.Context(), head, id, " "), crm.ErrInvalid, kernel.Empty, "reason")
		require.NoError(t, b.Customers.Blacklist(t.Context(), head, id, "does not pay"))
		c := b.get(id)
		require.Equal(t, customer.Blacklisted, c.Standing)
		require.Equal(t, "does not pay", c.BlacklistReason)
		require.EqualValues(t, "li", c.OwnerID)
		c.Industry = "C35"
		require.NoError(t, b.Customers.Update(t.Context(), li, c), "its fields can still be edited")
		require.NoError(t, b.Customers.Unblacklist(t.Context(), head, id))
		require.Equal(t, customer.Active, b.get(id).Standing)
		require.NoError(t, b.Customers.Unblacklist(t.Context(), head, id), "twice is once")
		b.agree()
	})
	t.Run("a won customer takes no place, and takes one again even above the cap", func(t *testing.T) {
		b := setup(t, open)
		b.policy(func(p *pool.Policy) { p.Cap = 1 })
		ids := b.create(1, "li")
		require.NoError(t, b.Customers.SetStage(t.Context(), li, ids[0], customer.Won, ""))
		ids = append(ids, b.create(1, "li")...)
		b.agree()
		requireError(t, b.Customers.SetStage(t.Context(), li, ids[0], customer.Lost, ""), crm.ErrInvalid, kernel.Empty, "reason")
		require.NoError(t, b.Customers.SetStage(t.Context(), li, ids[0], customer.Lost, "went bankrupt"))
		require.Equal(t, "went bankrupt", b.get(ids[0]).LostReason)
		require.Equal(t, 2, b.count("SELECT places FROM crm_counters WHERE user_id = 'li'"))
		err := b.Customers.Create(t.Context(), li, &customer.Customer{Name: "x", Ownership: customer.Ownership{OwnerID: "li"}})
		require.ErrorIs(t, err, crm.ErrRefused)
		b.agree()
	})
	t.Run("the home pool is the named one, else the owner's first by priority, else the default", func(t *testing.T) {
		b := setup(t, open)
		base, err := b.Pool.Pools.Get(t.Context(), boss, 0)
		require.NoError(t, err)
		low, high := b.pool("low", 1, pool.Member{User: "li"}), b.pool("high", 2, pool.Member{Department: b.sales})
		for owner, want := range map[crm.UserID]customer.PoolID{"": base.ID, "li": high, "wang": high, "admin": base.ID} {
			require.Equal(t, want, b.get(b.create(1, owner)[0]).PoolID, owner)
		}
		c := &customer.Customer{Name: "x", Ownership: customer.Ownership{OwnerID: "li", PoolID: low}}
		require.NoError(t, b.Customers.Create(t.Context(), li, c))
		require.Equal(t, low, b.get(c.ID).PoolID)
		c.PoolID = 1 << 40
		requireError(t, b.Customers.Create(t.Context(), li, c), crm.ErrInvalid, kernel.Unknown, "pool_id")
	})
	testCustomerLists(t, open)
}

func testCustomerLists(t *testing.T, open Open) {
	t.Run("pages neither repeat nor skip, whatever is made and deleted meanwhile", func(t *testing.T) {
		b := setup(t, open)
		for _, newest := range []bool{false, true} {
			want := b.create(7, "li")
			f := customer.Filter{Owners: []kernel.UserID{"li"}, Newest: newest, CreatedFrom: b.now()}
			seen := map[customer.ID]int{}
			for p := (crm.Page{Limit: 2}); ; {
				l, err := b.Customers.List(t.Context(), li, f, p)
				require.NoError(t, err)
				for _, c := range l.Items {
					seen[c.ID]++
				}
				b.create(1, "wang")
				if p.After = l.Next; l.Next == "" {
					break
				}
			}
			require.Len(t, seen, len(want))
			for _, id := range want {
				require.Equal(t, 1, seen[id])
			}
			b.wait(time.Second)
		}
		_, err := b.Customers.List(t.Context(), li, customer.Filter{}, crm.Page{After: "no cursor of ours"})
		requireError(t, err, crm.ErrInvalid, kernel.Malformed, "after")
		l, err := b.Customers.List(t.Context(), li, customer.Filter{}, crm.Page{Limit: 1})
		require.NoError(t, err)
		_, err = b.Customers.List(t.Context(), li, customer.Filter{Newest: true}, crm.Page{After: l.Next})
		requireError(t, err, crm.ErrInvalid, kernel.Malformed, "after")
	})
	t.Run("each condition of a filter leaves what it names", func(t *testing.T) {
		b := setup(t, open)
		want := &customer.Customer{
			Name: "it", Type: customer.Individual, Level: customer.LevelA, Standing: customer.Inactive, Industry: "C35", Source: "event", Brand: "blue",
			Region: "330102", ServiceAgent: "admin", Ownership: customer.Ownership{OwnerID: "li"},
		}
		b.wait(time.Second)
		require.NoError(t, b.Customers.Create(t.Context(), li, want))
		require.NoError(t, b.Customers.SetStage(t.Context(), li, want.ID, customer.Lost, "x"))
		b.wait(time.Second)
		b.create(3, "wang")
		b.create(2, "")
		for name, f := range map[string]customer.Filter{
			"owner": {Owners: []kernel.UserID{"li"}}, "owners": {Owners: []kernel.UserID{"li", "nobody"}}, "level": {Levels: []customer.Level{customer.LevelA}},
			"standing": {Standings: []customer.Standing{customer.Inactive}}, "stage": {Stages: []customer.Stage{customer.Lost, customer.Won}},
			"type": {Types: []customer.Type{customer.Individual}}, "industry": {Industries: []string{"C35"}}, "source": {Sources: []string{"event", "web"}},
			"brand": {Brands: []string{"blue"}}, "region": {Regions: []string{"44", "3301"}}, "agent": {Agents: []kernel.UserID{"admin"}},
			"created": {CreatedFrom: b.now().Add(-time.Second), CreatedTo: b.now()},
		} {
			l, err := b.Customers.List(t.Context(), boss, f, crm.Page{})
			require.NoError(t, err, name)
			require.Len(t, l.Items, 1, name)
			require.Equal(t, want.ID, l.Items[0].ID, name)
			n, _, err := b.Customers.Count(t.Context(), boss, f)
			require.NoError(t, err)
			require.Equal(t, 1, n, name)
		}
		for name, f := range map[string]customer.Filter{
			"in pool": {InPool: true}, "another region": {Regions: []string{"3302"}, InPool: true}, "both": {InPool: true, Owners: []kernel.UserID{"li"}},
		} {
			l, err := b.Customers.List(t.Context(), boss, f, crm.Page{})
			require.NoError(t, err, name)
			require.Len(t, l.Items, map[string]int{"in pool": 2}[name], name)
		}
		base, err := b.Pool.Pools.Get(t.Context(), boss, 0)
		require.NoError(t, err)
		l, err := b.Customers.List(t.Context(), boss, customer.Filter{Pools: []customer.PoolID{base.ID}}, crm.Page{})
		require.NoError(t, err)
		require.Len(t, l.Items, 6)
	})
	t.Run("the host's key finds a customer within the scope, and no deleted one", func(t *testing.T) {
		b := setup(t, open)
		c := &customer.Customer{Name: "x", ExternalSystem: "erp", ExternalID: "4711", Ownership: customer.Ownership{OwnerID: "li"}}
		require.NoError(t, b.Customers.Create(t.Context(), li, c))
		got, err := b.Customers.GetByKey(t.Context(), li, "erp", "4711")
		require.NoError(t, err)
		require.Equal(t, c, got)
		for _, miss := range []struct {
			who        crm.Actor
			system, id string
		}{{wang, "erp", "4711"}, {otherLi, "erp", "4711"}, {li, "shop", "4711"}, {li, "erp", "4712"}} {
			_, err = b.Customers.GetByKey(t.Context(), miss.who, miss.system, miss.id)
			require.ErrorIs(t, err, crm.ErrNotFound, miss)
		}
		many, err := b.Customers.GetManyByKey(t.Context(), li, "erp", []string{"1", "4711", "2"})
		require.NoError(t, err)
		require.Equal(t, []*customer.Customer{c}, many)
		_, err = b.Customers.GetByKey(t.Context(), li, "erp", "")
		requireError(t, err, crm.ErrInvalid, kernel.Empty, "external_id")
		require.NoError(t, b.Customers.Delete(t.Context(), boss, c.ID, 1))
		_, err = b.Customers.GetByKey(t.Context(), boss, "erp", "4711")
		require.ErrorIs(t, err, crm.ErrNotFound)
	})
	t.Run("all pages of a list are walked, until the caller has enough", func(t *testing.T) {
		b := setup(t, open)
		b.create(1100, "")
		n := 0
		for c, err := range crm.All(func(p crm.Page) (crm.List[*customer.Customer], error) {
			return b.Customers.List(t.Context(), li, customer.Filter{InPool: true}, p)
		}) {
			require.NoError(t, err)
			require.NotZero(t, c.ID)
			n++
		}
		require.Equal(t, 1100, n)
		for _, err := range crm.All(func(p crm.Page) (crm.List[*customer.Customer], error) {
			return b.Customers.List(t.Context(), crm.Actor{}, customer.Filter{}, p)
		}) {
			require.ErrorIs(t, err, crm.ErrInvalid)
		}
	})
	t.Run("many come in the order asked, without those that are not there", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(3, "li")
		foreign := b.create(1, "wang")[0]
		got, err := b.Customers.GetMany(t.Context(), li, []customer.ID{ids[2], foreign, 1 << 40, ids[0]})
		require.NoError(t, err)
		require.Len(t, got, 2)
		require.Equal(t, ids[2], got[0].ID)
		require.Equal(t, ids[0], got[1].ID)
		got, err = b.Customers.GetMany(t.Context(), li, nil)
		require.NoError(t, err)
		require.Empty(t, got)
	})
}

// pool makes a pool with a list of members.
func (b *bundle) pool(name string, priority int, members ...pool.Member) customer.PoolID {
	b.t.Helper()
	p := &pool.Pool{Name: name, Settings: pool.DefaultSettings()}
	p.Priority = priority
	require.NoError(b.t, b.Pool.Pools.Create(b.t.Context(), boss, p))
	require.NoError(b.t, b.Pool.Pools.SetMembers(b.t.Context(), boss, p.ID, members))
	return p.ID
}

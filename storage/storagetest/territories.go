package storagetest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
)

// territory writes an enabled territory; its name is its number.
func (b *bundle) territory(x pool.Territory) pool.TerritoryID {
	b.t.Helper()
	if x.Name == "" {
		x.Name = "t" + string(rune('a'+b.count("SELECT count(*) FROM crm_territories")))
	}
	x.Enabled = true
	require.NoError(b.t, b.Pool.Territories.Put(b.t.Context(), boss, &x))
	return x.ID
}

// assignNew says whether new customers of the default pool are assigned.
func assignNew(ctx context.Context, t *testing.T, c *crm.CRM, on bool) {
	t.Helper()
	p, err := c.Pool.Pools.Get(ctx, boss, 0)
	require.NoError(t, err)
	p.AssignNew = on
	require.NoError(t, c.Pool.Pools.Update(ctx, boss, p))
}

func testTerritories(t *testing.T, open Open) {
	t.Run("written, read, changed and deleted, with audit and events", func(t *testing.T) {
		b := setup(t, open)
		x := &pool.Territory{
			Name: "华东", Regions: []string{"33", "3101"}, Industries: []string{"C13", "机械"}, VIP: true, Department: b.sales, Priority: -5, Enabled: true,
		}
		require.NoError(t, b.Pool.Territories.Put(t.Context(), admin, x))
		got, err := b.Pool.Territories.Get(t.Context(), li, x.ID)
		require.NoError(t, err)
		require.Equal(t, x, got)
		require.Equal(t, []any{int64(1), b.now().UTC(), b.now().UTC()}, []any{got.Version, got.CreatedAt, got.UpdatedAt})
		b.wait(day)
		next := *got
		next.Department, next.Members, next.Regions, next.VIP, next.Enabled = 0, []kernel.UserID{"wang", "li"}, nil, false, false
		require.NoError(t, b.Pool.Territories.Put(t.Context(), admin, &next))
		require.Equal(t, []any{int64(2), x.CreatedAt, b.now().UTC()}, []any{next.Version, next.CreatedAt, next.UpdatedAt})
		got, err = b.Pool.Territories.Get(t.Context(), li, x.ID)
		require.NoError(t, err)
		require.Equal(t, &next, got)
		require.ErrorIs(t, b.Pool.Territories.Put(t.Context(), admin, x), kernel.Stale)
		require.NoError(t, b.Pool.Territories.Delete(t.Context(), admin, x.ID))
		require.ErrorIs(t, b.Pool.Territories.Delete(t.Context(), admin, x.ID), crm.ErrNotFound)
		_, err = b.Pool.Territories.Get(t.Context(), li, x.ID)
		require.ErrorIs(t, err, crm.ErrNotFound)
		require.ErrorIs(t, b.Pool.Territories.Put(t.Context(), admin, &next), crm.ErrNotFound)
		require.Equal(t, []string{"territory.put", "territory.put", "territory.deleted"}, b.types(x.Ref()))
		b.agree()
	})
	t.Run("a list in pages, of one tenant only", func(t *testing.T) {
		b := setup(t, open)
		var want, got []pool.TerritoryID
		for range 5 {
			want = append(want, b.territory(pool.Territory{Members: []kernel.UserID{"li"}}))
		}
		for p := (crm.Page{Limit: 2}); ; {
			l, err := b.Pool.Territories.List(t.Context(), li, p)
			require.NoError(t, err)
			for _, x := range l.Items {
				got = append(got, x.ID)
			}
			if p.After = l.Next; l.Next == "" {
				break
			}
		}
		require.Equal(t, want, got)
		l, err := b.Pool.Territories.List(t.Context(), otherBoss, crm.Page{})
		require.NoError(t, err)
		require.Empty(t, l.Items)
		_, err = b.Pool.Territories.Get(t.Context(), otherBoss, want[0])
		require.ErrorIs(t, err, crm.ErrNotFound)
		require.ErrorIs(t, b.Pool.Territories.Delete(t.Context(), otherBoss, want[0]), crm.ErrNotFound)
		_, err = b.Pool.Territories.List(t.Context(), li, crm.Page{After: "x"})
		requireError(t, err, crm.ErrInvalid, kernel.Malformed, "after")
	})
	t.Run("what can never be meant is refused, and nothing written", func(t *testing.T) {
		b := setup(t, open)
		b.territory(pool.Territory{Name: "taken", Members: []kernel.UserID{"li"}})
		require.NoError(t, b.Team.Members.Add(t.Context(), otherBoss, team.Member{User: "there", Role: team.Seller}))
		for name, c := range map[string]struct {
			x      pool.Territory
			code   kernel.Code
			reason kernel.Reason
			field  string
		}{
			"a name that is taken":          {pool.Territory{Name: "taken", Members: []kernel.UserID{"li"}}, crm.ErrConflict, kernel.Duplicate, "name"},
			"an unknown member":             {pool.Territory{Name: "x", Members: []kernel.UserID{"li", "nobody"}}, crm.ErrInvalid, kernel.Unknown, "members"},
			"another tenant's member":       {pool.Territory{Name: "x", Members: []kernel.UserID{"there"}}, crm.ErrInvalid, kernel.Unknown, "members"},
			"an unknown department":         {pool.Territory{Name: "x", Department: 1 << 40}, crm.ErrInvalid, kernel.Unknown, "department"},
			"a region with letters":         {pool.Territory{Name: "x", Department: b.sales, Regions: []string{"33x"}}, crm.ErrInvalid, kernel.Malformed, "regions"},
			"the zeros of a province":       {pool.Territory{Name: "x", Department: b.sales, Regions: []string{"330000"}}, crm.ErrInvalid, kernel.Malformed, "regions"},
			"neither team nor members":      {pool.Territory{Name: "x"}, crm.ErrInvalid, kernel.Malformed, "members"},
			"a territory that is not there": {pool.Territory{ID: 1 << 40, Name: "x", Department: b.sales}, crm.ErrNotFound, "", ""},
		} {
			requireError(t, b.Pool.Territories.Put(t.Context(), boss, &c.x), c.code, c.reason, c.field)
			require.Equal(t, 1, b.count("SELECT count(*) FROM crm_territories"), name)
		}
		for name, text := range badTexts {
			require.ErrorIs(t, b.Pool.Territories.Put(t.Context(), boss, &pool.Territory{Name: text, Department: b.sales}), crm.ErrInvalid, name)
			x := &pool.Territory{Name: "x", Department: b.sales, Industries: []string{text}}
			require.ErrorIs(t, b.Pool.Territories.Put(t.Context(), boss, x), crm.ErrInvalid, name)
		}
		requireError(t, b.Pool.Territories.Put(t.Context(), head, &pool.Territory{Name: "x", Department: b.sales}), crm.ErrDenied, "", "pool.manage")
		requireError(t, b.Pool.Territories.Delete(t.Context(), li, 1), crm.ErrDenied, "", "pool.manage")
		require.NoError(t, b.Team.Members.Deactivate(t.Context(), boss, "wang"))
		b.territory(pool.Territory{Name: "who left may stay on the list", Members: []kernel.UserID{"wang"}})
	})
	t.Run("its department cannot be deleted", func(t *testing.T) {
		b := setup(t, open)
		d := b.department(team.Department{Name: "East"})
		id := b.territory(pool.Territory{Department: d})
		require.ErrorIs(t, b.Team.Departments.Delete(t.Context(), boss, d), kernel.InUse)
		require.NoError(t, b.Pool.Territories.Delete(t.Context(), boss, id))
		require.NoError(t, b.Team.Departments.Delete(t.Context(), boss, d))
	})
	t.Run("of many who write the same name or version at once, one wins", func(t *testing.T) {
		b := setup(t, open)
		var won atomic.Int32
		together(8, func(i int) {
			err := insist(func() error {
				return b.Pool.Territories.Put(t.Context(), boss, &pool.Territory{Name: "same", Department: b.sales, Priority: i})
			})
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, kernel.Duplicate) {
				t.Error(err)
			}
		})
		require.EqualValues(t, 1, won.Load())
		l, err := b.Pool.Territories.List(t.Context(), boss, crm.Page{})
		require.NoError(t, err)
		together(8, func(i int) {
			x := *l.Items[0]
			x.Priority = 100 + i
			err := insist(func() error { return b.Pool.Territories.Put(t.Context(), boss, &x) })
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, kernel.Stale) {
				t.Error(err)
			}
		})
		require.EqualValues(t, 2, won.Load())
	})
	t.Run("the same request again changes nothing", func(t *testing.T) {
		b := setup(t, open)
		by := admin
		by.Request = "r1"
		x, again := pool.Territory{Name: "east", Department: b.sales}, pool.Territory{Name: "east", Department: b.sales}
		require.NoError(t, b.Pool.Territories.Put(t.Context(), by, &x))
		require.NoError(t, b.Pool.Territories.Put(t.Context(), by, &again))
		require.Equal(t, x.ID, again.ID)
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_territories"))
	})
}

package storagetest

import (
	"database/sql"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
)

func (b *bundle) department(d team.Department) team.DepartmentID {
	b.t.Helper()
	made, err := b.Team.Departments.Create(b.t.Context(), boss, d)
	require.NoError(b.t, err)
	return made.ID
}

// move puts a department below another.
func (b *bundle) move(id, parent team.DepartmentID) error {
	d, err := b.oneDepartment(id)
	if err != nil {
		return err
	}
	d.Parent = parent
	_, err = b.Team.Departments.Update(b.t.Context(), boss, *d)
	return err
}

func (b *bundle) oneDepartment(id team.DepartmentID) (*team.Department, error) {
	l, err := b.Team.Departments.List(b.t.Context(), boss, crm.Page{Limit: 500})
	if err != nil {
		return nil, err
	}
	for _, d := range l.Items {
		if d.ID == id {
			return d, nil
		}
	}
	return nil, crm.ErrNotFound
}

// treeAgrees climbs from every department to its root, and compares with the tree in the database.
func (b *bundle) treeAgrees() {
	b.t.Helper()
	parents, want := map[int64]int64{}, map[[3]int64]bool{}
	rows, err := b.db.QueryContext(b.t.Context(), "SELECT id, coalesce(parent_id, 0) FROM crm_departments")
	require.NoError(b.t, err)
	defer rows.Close()
	for rows.Next() {
		var id, parent int64
		require.NoError(b.t, rows.Scan(&id, &parent))
		parents[id] = parent
	}
	require.NoError(b.t, rows.Err())
	for id := range parents {
		depth := int64(0)
		for at := id; at != 0; at = parents[at] {
			want[[3]int64{id, at, depth}] = true
			depth++
			require.Less(b.t, depth, int64(len(parents)+1), "a circle")
		}
	}
	got := map[[3]int64]bool{}
	tree, err := b.db.QueryContext(b.t.Context(), "SELECT department_id, ancestor_id, depth FROM crm_department_tree")
	require.NoError(b.t, err)
	defer tree.Close()
	for tree.Next() {
		var line [3]int64
		require.NoError(b.t, tree.Scan(&line[0], &line[1], &line[2]))
		got[line] = true
	}
	require.NoError(b.t, tree.Err())
	require.Equal(b.t, want, got)
}

func testDepartments(t *testing.T, open Open) {
	t.Run("a department comes back as written", func(t *testing.T) {
		b := setup(t, open)
		made, err := b.Team.Departments.Create(t.Context(), admin, team.Department{Key: "k'?", Name: "华东 ' ?", Parent: b.sales, Head: "li", Sort: -3})
		require.NoError(t, err)
		got, err := b.oneDepartment(made.ID)
		require.NoError(t, err)
		require.Equal(t, made, got)
		require.Equal(t, &team.Department{
			ID: made.ID, Key: "k'?", Name: "华东 ' ?", Parent: b.sales, Head: "li", Sort: -3, Version: 1, CreatedAt: start, UpdatedAt: start,
		}, got)
	})
	t.Run("a move takes all below along, and there is no way below oneself", func(t *testing.T) {
		b := setup(t, open)
		east := b.department(team.Department{Name: "East", Parent: b.sales})
		shanghai := b.department(team.Department{Name: "Shanghai", Parent: east})
		pudong := b.department(team.Department{Name: "Pudong", Parent: shanghai})
		west := b.department(team.Department{Name: "West"})
		b.treeAgrees()
		require.NoError(t, b.move(shanghai, west))
		b.treeAgrees()
		require.NoError(t, b.move(shanghai, 0))
		b.treeAgrees()
		require.NoError(t, b.move(shanghai, east))
		b.treeAgrees()
		before := b.count("SELECT count(*) FROM crm_audit")
		for _, to := range []team.DepartmentID{b.sales, east, shanghai, pudong} {
			requireError(t, b.move(b.sales, to), crm.ErrInvalid, kernel.Cycle, "parent")
		}
		requireError(t, b.move(b.sales, 1<<40), crm.ErrInvalid, kernel.Unknown, "parent")
		require.Equal(t, before, b.count("SELECT count(*) FROM crm_audit"))
		b.treeAgrees()
	})
	t.Run("32 departments above another pass, 33 do not", func(t *testing.T) {
		b := setup(t, open)
		at := b.department(team.Department{Name: "root"})
		root := at
		for range team.MaxDepth {
			at = b.department(team.Department{Name: "x", Parent: at})
		}
		_, err := b.Team.Departments.Create(t.Context(), boss, team.Department{Name: "x", Parent: at})
		requireError(t, err, crm.ErrInvalid, kernel.TooMany, "parent")
		requireError(t, b.move(root, b.sales), crm.ErrInvalid, kernel.TooMany, "parent")
		requireError(t, b.move(root, at), crm.ErrInvalid, kernel.Cycle, "parent")
		b.treeAgrees()
	})
	t.Run("a key that another has is a conflict, an empty one is none", func(t *testing.T) {
		b := setup(t, open)
		first := b.department(team.Department{Name: "A", Key: "a"})
		b.department(team.Department{Name: "none"})
		second := b.department(team.Department{Name: "none too"})
		_, err := b.Team.Departments.Create(t.Context(), boss, team.Department{Name: "B", Key: "a"})
		requireError(t, err, crm.ErrConflict, kernel.Duplicate, "key")
		d, err := b.oneDepartment(second)
		require.NoError(t, err)
		d.Key = "a"
		_, err = b.Team.Departments.Update(t.Context(), boss, *d)
		requireError(t, err, crm.ErrConflict, kernel.Duplicate, "key")
		require.NoError(t, b.Team.Departments.Delete(t.Context(), boss, first))
		_, err = b.Team.Departments.Update(t.Context(), boss, *d)
		require.NoError(t, err)
		_, err = b.Team.Departments.Update(t.Context(), boss, *d)
		requireError(t, err, crm.ErrConflict, kernel.Stale, "version")
		d.ID = 1 << 40
		_, err = b.Team.Departments.Update(t.Context(), boss, *d)
		require.ErrorIs(t, err, crm.ErrNotFound)
	})
	t.Run("one with members, departments below or a place in a pool's list is in use; an empty one goes with its tree", func(t *testing.T) {
		b := setup(t, open)
		requireError(t, b.Team.Departments.Delete(t.Context(), boss, b.sales), crm.ErrRefused, kernel.InUse, "department")
		top := b.department(team.Department{Name: "top"})
		below := b.department(team.Department{Name: "below", Parent: top})
		requireError(t, b.Team.Departments.Delete(t.Context(), boss, top), crm.ErrRefused, kernel.InUse, "department")
		id := b.pool("east", 0, pool.Member{Department: below})
		requireError(t, b.Team.Departments.Delete(t.Context(), boss, below), crm.ErrRefused, kernel.InUse, "department")
		require.NoError(t, b.Pool.Pools.SetMembers(t.Context(), boss, id, nil))
		require.NoError(t, b.Team.Members.Add(t.Context(), boss, team.Member{User: "x", Role: team.Seller, Department: below}))
		require.NoError(t, b.Team.Members.Deactivate(t.Context(), boss, "x"))
		requireError(t, b.Team.Departments.Delete(t.Context(), boss, below), crm.ErrRefused, kernel.InUse, "department")
		m, err := b.Team.Members.Get(t.Context(), boss, "x")
		require.NoError(t, err)
		m.Department = 0
		_, err = b.Team.Members.Update(t.Context(), boss, *m)
		require.NoError(t, err)
		require.NoError(t, b.Team.Departments.Delete(t.Context(), boss, below))
		require.NoError(t, b.Team.Departments.Delete(t.Context(), boss, top))
		require.ErrorIs(t, b.Team.Departments.Delete(t.Context(), boss, top), crm.ErrNotFound)
		require.ErrorIs(t, b.Team.Departments.Delete(t.Context(), otherBoss, b.sales), crm.ErrNotFound)
		b.treeAgrees()
	})
	t.Run("two moves that would make a circle together: one succeeds", func(t *testing.T) {
		b := setup(t, open)
		for range 8 {
			x, y := b.department(team.Department{Name: "x"}), b.department(team.Department{Name: "y"})
			var done, cycles atomic.Int32
			together(2, func(i int) {
				err := insist(func() error { return b.move([]team.DepartmentID{x, y}[i], []team.DepartmentID{y, x}[i]) })
				switch {
				case err == nil:
					done.Add(1)
				case errors.Is(err, kernel.Cycle):
					cycles.Add(1)
				default:
					t.Error(err)
				}
			})
			require.EqualValues(t, 1, done.Load())
			require.EqualValues(t, 1, cycles.Load())
			b.treeAgrees()
		}
	})
	t.Run("a host's repeatable transaction that began before another move: retry, and no circle", func(t *testing.T) {
		b := setup(t, open)
		if !b.postgres() {
			t.Skip("SQLite has one writer at a time")
		}
		x, y := b.department(team.Department{Name: "x"}), b.department(team.Department{Name: "y"})
		tx, err := b.db.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
		require.NoError(t, err)
		defer tx.Rollback()
		below, err := b.oneDepartment(y)
		require.NoError(t, err)
		_, err = b.In(tx).Team.Tenant(t.Context(), boss) // from here on it sees nothing new
		require.NoError(t, err)
		require.NoError(t, b.move(x, y))
		below.Parent = x
		_, err = b.In(tx).Team.Departments.Update(t.Context(), boss, *below)
		require.ErrorIs(t, err, crm.ErrRetry)
		require.NoError(t, tx.Rollback())
		b.treeAgrees()
	})
	t.Run("made and moved by many at once, the tree is that of the parents", func(t *testing.T) {
		b := setup(t, open)
		together(8, func(i int) {
			var at team.DepartmentID
			for j := range 4 {
				err := insist(func() error {
					d, err := b.Team.Departments.Create(t.Context(), boss, team.Department{Name: "x", Parent: at})
					if err == nil {
						at = d.ID
					}
					return err
				})
				if err == nil && j == i%4 {
					err = insist(func() error { return b.move(at, b.sales) })
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
		require.Equal(t, 33, b.count("SELECT count(*) FROM crm_departments"))
		b.treeAgrees()
		b.agree()
	})
}

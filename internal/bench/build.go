package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/openseas/crm"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
)

// load returns the data that the database has, and builds it first where there is none.
func load(ctx context.Context, e engine, want shape, say func(format string, args ...any)) (*data, error) {
	db, err := e.open()
	if err != nil {
		return nil, err
	}
	defer db.Close()
	if err := e.store(db).Migrate(ctx); err != nil {
		return nil, err
	}
	if _, err := db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS bench_data (rows BIGINT, tenants BIGINT, sellers BIGINT, first BIGINT)"); err != nil {
		return nil, err
	}
	d := &data{}
	err = db.QueryRowContext(ctx, "SELECT rows, tenants, sellers, first FROM bench_data").Scan(&d.rows, &d.tenants, &d.sellers, &d.first)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		d = &data{shape: want}
		return d, d.build(ctx, e, db, say)
	case err != nil:
		return nil, err
	case d.shape != want:
		return nil, fmt.Errorf("the database has %+v, and %+v is asked for: give -fresh, or another database", d.shape, want)
	}
	return d, d.find(ctx, db)
}

func (d *data) build(ctx context.Context, e engine, db *sql.DB, say func(format string, args ...any)) error {
	if d.rows < 100*d.tenants || d.tenants < 1 || d.sellers < 2 {
		return errors.New("at least a hundred customers and two sellers a tenant")
	}
	begin := time.Now()
	if err := d.found(ctx, e, db); err != nil {
		return err
	}
	say("%d tenants with %d sellers each: %.1f s", d.tenants, d.sellers, time.Since(begin).Seconds())
	if err := d.fill(ctx, e, db, say); err != nil {
		return err
	}
	_, err := db.ExecContext(ctx, fmt.Sprintf("INSERT INTO bench_data VALUES (%d, %d, %d, %d)", d.rows, d.tenants, d.sellers, d.first))
	say("%d customers on %s: %.1f s in all", d.rows, e, time.Since(begin).Seconds())
	return err
}

// found makes the tenants, without a customer.
func (d *data) found(ctx context.Context, e engine, db *sql.DB) error {
	var inUse int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM crm_tenants").Scan(&inUse); err != nil {
		return err
	}
	if inUse > 0 {
		return errors.New("the database has tenants, but no data of the bench: give an empty one")
	}
	c, err := crm.New(ctx, e.store(db), &crm.Options{Clock: clock})
	if err != nil {
		return err
	}
	for t := range d.tenants {
		if err := d.settle(ctx, c, t); err != nil {
			return fmt.Errorf("tenant %d: %w", t, err)
		}
	}
	return d.find(ctx, db)
}

// settle makes a tenant as a host does: departments, heads, sellers, pools, and rules that are switched on.
func (d *data) settle(ctx context.Context, c *crm.CRM, t int) error {
	a := boss(t)
	if err := c.Team.CreateTenant(ctx, a, team.Tenant{Name: "House " + string(tenantKey(t))}); err != nil {
		return err
	}
	// What is measured is the work, not refusals.
	if err := c.Pool.Pools.SetPolicy(ctx, a, pool.Policy{Cap: 1_000_000, DailyQuota: 1_000_000, OpenLimit: 1_000_000}); err != nil {
		return err
	}
	root, err := c.Team.Departments.Create(ctx, a, team.Department{Name: "Sales", Head: "director"})
	if err != nil {
		return err
	}
	members := []team.Member{{User: "director", Role: team.Head, Department: root.ID}, {User: "admin", Role: team.Admin}}
	for n := range d.departments() {
		dep, err := c.Team.Departments.Create(ctx, a, team.Department{Name: fmt.Sprintf("Sales %d", n), Parent: root.ID, Head: head(n)})
		if err != nil {
			return err
		}
		members = append(members, team.Member{User: head(n), Role: team.Head, Department: dep.ID})
		for s := range d.sellers {
			if d.departmentOf(s) == n {
				members = append(members, team.Member{User: seller(s), Role: team.Seller, Department: dep.ID})
			}
		}
		p := pool.Pool{Name: dep.Name, Settings: pool.DefaultSettings()}
		if err := c.Pool.Pools.Create(ctx, a, &p); err != nil {
			return err
		}
		if err := c.Pool.Pools.SetMembers(ctx, a, p.ID, []pool.Member{{Department: dep.ID}}); err != nil {
			return err
		}
	}
	if _, err := c.Team.Members.AddMany(ctx, a, members); err != nil {
		return err
	}
	return c.Pool.UseDefaults(ctx, a, 0)
}

// find reads the numbers of tenants and pools, which the database gave.
func (d *data) find(ctx context.Context, db *sql.DB) error {
	d.houses = make([]house, d.tenants)
	rows, err := db.QueryContext(ctx, `SELECT n.key, n.id, p.id FROM crm_tenants n JOIN crm_pools p ON p.tenant_id = n.id WHERE p.kind = 'customer' ORDER BY p.is_default DESC, p.id`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		var number, id int64
		if err := rows.Scan(&key, &number, &id); err != nil {
			return err
		}
		for t := range d.houses {
			if string(tenantKey(t)) == key {
				d.houses[t].number, d.houses[t].pools = number, append(d.houses[t].pools, id)
			}
		}
	}
	for t, h := range d.houses {
		if len(h.pools) != 1+d.departments() {
			return fmt.Errorf("tenant %s is not as it was built: give -fresh", tenantKey(t))
		}
	}
	return rows.Err()
}

// fill writes the customers with what hangs on them, in SQL: a million rows need not travel.
func (d *data) fill(ctx context.Context, e engine, db *sql.DB, say func(format string, args ...any)) error {
	if err := d.firstID(ctx, e, db); err != nil {
		return err
	}
	db.SetMaxIdleConns(0) // SQLite leaves the WAL mode only when nobody else is there
	defer db.SetMaxIdleConns(most)
	conn, err := loader(ctx, e)
	if err != nil {
		return err
	}
	defer conn.Close()
	indexes, err := conn.indexes(ctx)
	if err != nil {
		return err
	}
	words := d.words(e)
	steps := make([]string, 0, 30)
	for name := range indexes {
		steps = append(steps, "DROP INDEX "+name)
	}
	for _, text := range fillSQL {
		steps = append(steps, words.Replace(text))
	}
	for _, definition := range indexes {
		steps = append(steps, definition)
	}
	for _, text := range append(steps, conn.after...) {
		begin := time.Now()
		if err := conn.exec(ctx, text); err != nil {
			return fmt.Errorf("%.100s: %w", text, err)
		}
		if spent := time.Since(begin); spent > time.Second {
			say("  %5.1f s  %.90s", spent.Seconds(), strings.Join(strings.Fields(text), " "))
		}
	}
	return nil
}

// firstID takes the ids of the whole data at once.
func (d *data) firstID(ctx context.Context, e engine, db *sql.DB) error {
	need := 3*d.rows + 2*d.tenants*d.hot() // customers, their interactions, their orders
	if !e.pg {
		return db.QueryRowContext(ctx, fmt.Sprintf("UPDATE crm_ids SET next = next + %d RETURNING next - %d", need, need)).Scan(&d.first)
	}
	const block = 64
	if err := db.QueryRowContext(ctx, "SELECT nextval('crm_ids')").Scan(&d.first); err != nil {
		return err
	}
	var last int64
	return db.QueryRowContext(ctx, fmt.Sprintf("SELECT setval('crm_ids', %d)", d.first+int64(need/block+1)*block)).Scan(&last)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
)

// cases are all kinds of work, reads before writes.
func cases() []benchCase {
	return slices.Concat(readCases(), listCases(), warningCases(), writeCases(), loadCases(), manyCases())
}

func readCases() []benchCase {
	get := func(b *bench, c *contestant) operation {
		if c.get == nil {
			return nil
		}
		return func(ctx context.Context, worker, i int) error {
			x := b.own.look(worker*7919 + i)
			_, err := c.get(ctx, x.who, x.id)
			return err
		}
	}
	return []benchCase{
		{name: "get", workers: 1, ops: 1_000, rounds: 15, of: get},
		{name: "get, 16 workers", workers: 16, ops: 200, rounds: 10, of: get},
		{name: "get, rights read anew", workers: 1, ops: 200, rounds: 10, of: func(b *bench, c *contestant) operation {
			if c.anew == nil {
				return nil
			}
			return func(ctx context.Context, _, i int) error {
				x := b.own.look(i)
				_, err := c.anew.Customers.Get(ctx, x.actor(), customer.ID(x.id))
				return err
			}
		}},
		{name: "timeline, 100 of 1,000", workers: 1, ops: 100, rounds: 10, of: func(b *bench, c *contestant) operation {
			if c.kept == nil {
				return nil
			}
			return func(ctx context.Context, _, i int) error {
				t := i % b.d.tenants
				_, err := c.kept.Customers.Timeline(ctx, who{t, "admin"}.actor(), customer.ID(b.d.id(t, i/b.d.tenants%2)), crm.Page{Limit: 100})
				return err
			}
		}},
	}
}

// asked is a page that somebody asks for.
type asked struct {
	who
	query
}

const pageSize = 100

// list is a kind of page: whose the first one is, and whose the deep one.
type list struct {
	name        string
	first, deep func(b *bench, i int) asked
}

func lists() []list {
	return []list{
		{"own list", own, tenth},
		{"pool list", inPool, inPool},
		{"all a seller sees", sees, sees},
		{"all a head of 20 sees", headSees, headSees},
		{"the 20 of a head", department, department},
	}
}

// own is the list of a seller, any but the one who has a tenth of the house.
func own(b *bench, i int) asked {
	w := who{i % b.d.tenants, seller(1 + i%(b.d.sellers-1))}
	return asked{w, query{filter: customer.Filter{Owners: []crm.UserID{w.user}}, owners: []crm.UserID{w.user}}}
}

// tenth is the list of that one.
func tenth(b *bench, i int) asked {
	w := who{i % b.d.tenants, seller(0)}
	return asked{w, query{filter: customer.Filter{Owners: []crm.UserID{w.user}}, owners: []crm.UserID{w.user}}}
}

func inPool(b *bench, i int) asked {
	a := sees(b, i)
	a.filter, a.owners = customer.Filter{InPool: true}, nil
	return a
}

func sees(b *bench, i int) asked {
	a := own(b, i)
	a.filter, a.pools = customer.Filter{}, b.d.poolsOf(a.who)
	return a
}

func headSees(b *bench, i int) asked {
	a := asked{who{i % b.d.tenants, head(0)}, query{owners: []crm.UserID{head(0)}}}
	a.pools = b.d.poolsOf(a.who)
	for s := range b.d.sellers {
		if b.d.departmentOf(s) == 0 {
			a.owners = append(a.owners, seller(s))
		}
	}
	return a
}

func department(b *bench, i int) asked {
	a := headSees(b, i)
	a.owners, a.pools = a.owners[1:], nil
	a.filter.Owners = a.owners
	return a
}

// listCases are pages of a hundred: the first one, and the thousandth, or the last full one where there are fewer.
func listCases() (all []benchCase) {
	for _, l := range lists() {
		all = append(all,
			benchCase{name: l.name + ", first page", workers: 1, ops: 50, rounds: 10, of: listing(l.first, false)},
			benchCase{name: l.name + ", deep page", workers: 1, ops: 50, rounds: 10, of: listing(l.deep, true)},
			benchCase{name: "count: " + l.name, workers: 1, ops: 20, rounds: 5, of: counting(l.first)})
	}
	return all
}

func listing(of func(b *bench, i int) asked, deep bool) func(b *bench, c *contestant) operation {
	return func(b *bench, c *contestant) operation {
		if c.list == nil {
			return nil
		}
		var pages []asked
		return func(ctx context.Context, _, i int) (err error) {
			if pages == nil { // once, while it warms up
				if pages, err = b.pages(ctx, of, deep); err != nil {
					return err
				}
			}
			a := pages[i%len(pages)]
			found, err := c.list(ctx, a.who, a.query)
			if err == nil && len(found) == 0 {
				err = fmt.Errorf("%v sees nothing", a.who)
			}
			return err
		}
	}
}

func (b *bench) pages(ctx context.Context, of func(b *bench, i int) asked, deep bool) (pages []asked, err error) {
	pages = make([]asked, 3*b.d.tenants)
	for i := range pages {
		pages[i] = of(b, i)
		pages[i].limit = pageSize
		if deep {
			var page int
			if pages[i].after, page, err = b.deep(ctx, pages[i]); err != nil {
				return nil, err
			}
			if i == 0 {
				b.say("  page %d", page)
			}
		}
	}
	return pages, nil
}

func counting(of func(b *bench, i int) asked) func(b *bench, c *contestant) operation {
	return func(b *bench, c *contestant) operation {
		if c.kept == nil {
			return nil
		}
		return func(ctx context.Context, _, i int) error {
			a := of(b, i)
			n, _, err := c.kept.Customers.Count(ctx, a.actor(), a.filter)
			if err == nil && n == 0 {
				err = fmt.Errorf("%v counts nothing", a.who)
			}
			return err
		}
	}
}

// operation is the i-th of a worker.
type operation = func(ctx context.Context, worker, i int) error

func writeCases() []benchCase {
	claim := func(b *bench, c *contestant) operation {
		if c.claim == nil {
			return nil
		}
		return func(ctx context.Context, _, _ int) error {
			x, err := b.pool.take()
			if err != nil {
				return err
			}
			return c.claim(ctx, x.who, x.id)
		}
	}
	follow := func(b *bench, c *contestant) operation {
		if c.followUp == nil {
			return nil
		}
		return func(ctx context.Context, _, _ int) error {
			x, err := b.own.take()
			if err != nil {
				return err
			}
			return c.followUp(ctx, x.who, followUpOf(customer.ID(x.id)))
		}
	}
	update := func(b *bench, c *contestant) operation {
		if c.kept == nil {
			return nil
		}
		return func(ctx context.Context, _, i int) error {
			x := b.own.look(i)
			found, err := c.kept.Customers.Get(ctx, x.actor(), customer.ID(x.id))
			if err != nil {
				return err
			}
			found.Remarks += "."
			return c.kept.Customers.Update(ctx, x.actor(), found)
		}
	}
	return []benchCase{
		{name: "get and update", workers: 1, ops: 20, rounds: 5, of: update},
		{name: "claim", workers: 1, ops: 150, rounds: 10, of: claim},
		{name: "claim, 16 workers", workers: 16, ops: 20, rounds: 10, of: claim},
		{name: "follow-up", workers: 1, ops: 100, rounds: 10, of: follow},
		{name: "follow-up, 16 workers", workers: 16, ops: 12, rounds: 10, of: follow},
	}
}

// manyCases are calls that work on many.
func manyCases() []benchCase {
	const items = 5_000
	zero := func() int64 { return 0 }
	sync := func(beyond func() int64, remark func() string) func(b *bench, c *contestant) operation {
		return func(b *bench, c *contestant) operation {
			if c.sync == nil {
				return nil
			}
			return func(ctx context.Context, _, i int) error {
				t := i % b.d.tenants
				all := b.d.items(t, min(items, b.d.perTenant()), beyond())
				text := remark()
				for _, x := range all {
					x.Remarks = text
				}
				return c.sync(ctx, t, all)
			}
		}
	}
	return []benchCase{
		{name: "recycle a tenant", workers: 1, ops: 1, rounds: 4, heap: true, after: (*bench).restore, of: func(b *bench, c *contestant) operation {
			if c.recycle == nil {
				return nil
			}
			return func(ctx context.Context, _, i int) error {
				n, err := c.recycle(ctx, i%b.d.tenants)
				if err == nil && n == 0 {
					err = errors.New("nothing was due")
				}
				return err
			}
		}},
		{name: "sync 5,000, unchanged", workers: 1, ops: 1, rounds: 4, of: sync(zero, func() string { return "" })},
		{name: "sync 5,000, changed", workers: 1, ops: 1, rounds: 2, of: sync(zero, func() string { return "called " + time.Now().String() })},
		{name: "sync 5,000, new", workers: 1, ops: 1, rounds: 4, after: (*bench).restore, of: sync(func() int64 { return time.Now().UnixMicro() }, func() string { return "" })},
	}
}

// items are customers of the host, spread over a tenant; their keys are known here when beyond is 0.
func (d *data) items(t, n int, beyond int64) []*customer.Customer {
	all := make([]*customer.Customer, n)
	for k := range all {
		all[k] = d.item(t, k*(d.perTenant()/n), beyond)
		all[k].OwnerID = seller(k % d.sellers)
	}
	return all
}

// item is the k-th customer of a tenant, as its host has it.
func (d *data) item(t, k int, beyond int64) *customer.Customer {
	id := d.id(t, k)
	return &customer.Customer{
		Name: fmt.Sprintf("蓝鲸机械有限公司 %d", id-d.first), ExternalSystem: "erp", ExternalID: fmt.Sprintf("K%d", id+beyond),
		Ownership: customer.Ownership{OwnerID: seller(k % d.sellers)},
	}
}

func followUpOf(id customer.ID) *customer.Interaction {
	return &customer.Interaction{CustomerID: id, Type: customer.Call, Subject: "asked for a quotation", Minutes: 12, Outcome: customer.Successful, Followup: true}
}

// deep is the id before the thousandth page, or before the last full one, and which page that is.
func (b *bench) deep(ctx context.Context, a asked) (after int64, page int, err error) {
	var in []string
	for _, o := range a.owners {
		in = append(in, "owner_id = '"+string(o)+"'")
	}
	for _, p := range a.pools {
		in = append(in, fmt.Sprintf("owner_id IS NULL AND pool_id = %d", p))
	}
	where := fmt.Sprintf("FROM crm_customers WHERE tenant_id = %d AND deleted_at IS NULL AND (%s)", b.d.houses[a.tenant].number, strings.Join(in, " OR "))
	var n int
	if err := b.db.QueryRowContext(ctx, "SELECT count(*) "+where).Scan(&n); err != nil {
		return 0, 0, err
	}
	page = min(1_000, n/pageSize)
	if page > 1 {
		err = b.db.QueryRowContext(ctx, fmt.Sprintf("SELECT id %s ORDER BY id LIMIT 1 OFFSET %d", where, (page-1)*pageSize-1)).Scan(&after)
	}
	return after, page, err
}

// restore takes back what a case did to whole tenants: what was recycled has its owner again, what was created is gone.
func (b *bench) restore(ctx context.Context) (err error) {
	conn, err := b.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	off, on := "PRAGMA foreign_keys = OFF", "PRAGMA foreign_keys = ON" // they would be looked up for every row that goes
	if b.e.pg {
		off, on = "SET session_replication_role = replica", "RESET session_replication_role"
	}
	if _, err := conn.ExecContext(ctx, off); err != nil {
		return err
	}
	defer func() {
		_, e := conn.ExecContext(context.WithoutCancel(ctx), on)
		err = errors.Join(err, e)
	}()
	for _, h := range b.d.houses {
		for _, text := range restoreSQL {
			text = strings.NewReplacer("{tenant}", strconv.FormatInt(h.number, 10), "{pool}", strconv.FormatInt(h.pools[0], 10), "{instant}", "{at} ({now})").Replace(text)
			if _, err := conn.ExecContext(ctx, b.d.words(b.e).Replace(text)); err != nil {
				return err
			}
		}
	}
	return nil
}

var restoreSQL = []string{
	`DELETE FROM crm_customer_facts WHERE tenant_id = {tenant} AND customer_id IN (SELECT id FROM crm_customers WHERE tenant_id = {tenant} AND created_at = {instant})`,
	`DELETE FROM crm_customers WHERE tenant_id = {tenant} AND created_at = {instant}`,
	`UPDATE crm_customers SET owner_id = last_owner, last_owner = NULL, pool_entered_at = NULL,
		owned_since = {at} ({now} - (30 + (id - {first}) / {tenants} / 10 % 50) * {day})
	WHERE tenant_id = {tenant} AND pool_id = {pool} AND owner_id IS NULL AND deleted_at IS NULL AND pool_entered_at = {instant} AND updated_by = '$system'`,
	`UPDATE crm_counters SET places = (SELECT count(*) FROM crm_customers AS c WHERE c.tenant_id = {tenant} AND c.owner_id = crm_counters.user_id
		AND c.deleted_at IS NULL AND c.owner_id IS NOT NULL AND c.stage <> 'won') WHERE tenant_id = {tenant}`,
}

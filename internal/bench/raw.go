package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/customer"
)

// rawSQL is database/sql with the best SQL that we know, prepared once: what one would write by hand for exactly this. On
// SQLite all writes go over one connection, with prepared BEGIN and COMMIT; on PostgreSQL each is one statement.
type rawSQL struct {
	e    engine
	d    *data
	db   *sql.DB
	conn *sql.Conn // that writes on SQLite

	mu    sync.Mutex
	stmts map[string]*sql.Stmt // of db

	writing sync.Mutex           // holds conn and what follows
	writes  map[string]*sql.Stmt // of conn
	ids     [2]int64             // of interactions: the next one, and the end of the block
}

func openRaw(ctx context.Context, e engine, d *data) (*contestant, error) {
	db, err := e.open()
	if err != nil {
		return nil, err
	}
	r := &rawSQL{e: e, d: d, db: db, stmts: map[string]*sql.Stmt{}, writes: map[string]*sql.Stmt{}}
	if !e.pg {
		if r.conn, err = db.Conn(ctx); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	return &contestant{
		name: raw, get: r.get, list: r.list, claim: r.claim, claimMany: r.claimMany, followUp: r.followUp, recycle: r.recycle, rows: r.recycleRows, sweep: r.sweep,
		sync: r.sync, load: r.load,
		close: func() error {
			if r.conn != nil {
				return errors.Join(r.conn.Close(), db.Close())
			}
			return db.Close()
		},
	}, nil
}

// prepare makes a statement once. Its arguments are $1, $2, …
func (r *rawSQL) prepare(ctx context.Context, all map[string]*sql.Stmt, text string, on interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
},
) error {
	if all[text] != nil {
		return nil
	}
	mine := text
	if !r.e.pg {
		mine = argument.ReplaceAllString(text, "+?$1") // as the library: a bare one is planned anew for every value
	}
	st, err := on.PrepareContext(ctx, mine)
	if err != nil {
		return fmt.Errorf("%.60s: %w", text, err)
	}
	all[text] = st
	return nil
}

var argument = regexp.MustCompile(`\$(\d)`)

// query runs a statement on any connection.
func (r *rawSQL) query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	r.mu.Lock()
	err := r.prepare(ctx, r.stmts, text, r.db)
	st := r.stmts[text]
	r.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return st.QueryContext(ctx, args...)
}

// one runs a statement that returns one number, or errLost where it returns nothing.
func (r *rawSQL) one(ctx context.Context, text string, args ...any) (n int64, err error) {
	rows, err := r.query(ctx, text, args...)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	if !rows.Next() {
		return 0, cmp.Or(rows.Err(), errLost)
	}
	err = rows.Scan(&n)
	return n, err
}

// errLost is that nothing was there to work on.
var errLost = errors.New("raw: nothing there")

// writeTx is a write transaction on SQLite's one connection.
type writeTx struct {
	ctx context.Context //nolint:containedctx // it lives as long as the call
	r   *rawSQL
}

func (t writeTx) exec(text string, args ...any) error {
	if err := t.r.prepare(t.ctx, t.r.writes, text, t.r.conn); err != nil {
		return err
	}
	_, err := t.r.writes[text].ExecContext(t.ctx, args...)
	return err
}

// row scans the only row of a statement into dest.
func (t writeTx) row(text string, args []any, dest ...any) error {
	if err := t.r.prepare(t.ctx, t.r.writes, text, t.r.conn); err != nil {
		return err
	}
	err := t.r.writes[text].QueryRowContext(t.ctx, args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		err = errLost
	}
	return err
}

func (r *rawSQL) write(ctx context.Context, fn func(t writeTx) error) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	t := writeTx{ctx, r}
	if err := t.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err := fn(t); err != nil {
		return errors.Join(err, t.exec("ROLLBACK"))
	}
	return t.exec("COMMIT")
}

// at is an instant as the engine keeps it.
func (r *rawSQL) at(t time.Time) any {
	if r.e.pg {
		return t
	}
	return t.UnixMicro()
}

const customerColumns = `id, code, name, type, level, standing, blacklist_reason, stage, lost_reason, industry, size, annual_revenue, annual_potential,
	credit_rating, source, referred_by, region, province, city, district, acquired_on, service_agent, source_lead, brand, remarks, external_system,
	external_id, owner_id, owned_since, pool_id, pool_entered_at, last_owner, first_followup_at, last_followup_at, lock_until, lock_reason,
	version, seq, created_at, created_by, updated_at, updated_by, deleted_at`

// get reads one, and leaves out what the member may not see.
func (r *rawSQL) get(ctx context.Context, w who, id int64) (*customer.Customer, error) {
	found, err := scanCustomers(r.query(ctx, "SELECT "+customerColumns+" FROM crm_customers WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL",
		r.d.houses[w.tenant].number, id))
	if err != nil || len(found) == 0 {
		return nil, cmp.Or(err, errLost)
	}
	if c := found[0]; c.OwnerID != w.user && (c.OwnerID != "" || !slices.Contains(r.d.poolsOf(w), int64(c.PoolID))) {
		return nil, errLost
	}
	return found[0], nil
}

// list merges branches, an owner or a pool, each in the order of its own index. PostgreSQL does that only where each branch
// has the limit, SQLite only where none has.
func (r *rawSQL) list(ctx context.Context, w who, q query) ([]*customer.Customer, error) {
	args := []any{r.d.houses[w.tenant].number, q.after, q.limit}
	form := "SELECT " + customerColumns + " FROM crm_customers WHERE tenant_id = $1 AND id > $2 AND deleted_at IS NULL AND %s"
	if r.e.pg && len(q.owners)+len(q.pools) > 1 {
		form = "(" + form + " ORDER BY id LIMIT $3)"
	}
	var branches []string
	branch := func(condition string, value any) {
		args = append(args, value)
		branches = append(branches, fmt.Sprintf(form, condition+strconv.Itoa(len(args))))
	}
	for _, owner := range q.owners {
		branch("owner_id = $", string(owner))
	}
	for _, pool := range q.pools {
		branch("owner_id IS NULL AND pool_id = $", pool)
	}
	return scanCustomers(r.query(ctx, strings.Join(branches, " UNION ALL ")+" ORDER BY id LIMIT $3", args...))
}

func scanCustomers(rows *sql.Rows, err error) ([]*customer.Customer, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []*customer.Customer
	for rows.Next() {
		var c customer.Customer
		if err := rows.Scan(&c.ID, &c.Code, &c.Name, &c.Type, (*word)(&c.Level), &c.Standing, &c.BlacklistReason, &c.Stage, &c.LostReason,
			(*word)(&c.Industry), &c.Size, (*money)(&c.AnnualRevenue), (*money)(&c.AnnualPotential), &c.CreditRating, (*word)(&c.Source),
			&c.ReferredBy, (*word)(&c.Region), &c.Province, &c.City, &c.District, &c.AcquiredOn, (*word)(&c.ServiceAgent), &c.SourceLead,
			&c.Brand, &c.Remarks, (*word)(&c.ExternalSystem), (*word)(&c.ExternalID), (*word)(&c.OwnerID), (*instant)(&c.OwnedSince),
			&c.PoolID, (*instant)(&c.PoolEnteredAt), (*word)(&c.LastOwner), (*instant)(&c.FirstFollowupAt), (*instant)(&c.LastFollowupAt),
			(*instant)(&c.LockUntil), &c.LockReason, &c.Version, &c.Seq, (*instant)(&c.CreatedAt), &c.CreatedBy, (*instant)(&c.UpdatedAt), &c.UpdatedBy, (*instant)(&c.DeletedAt)); err != nil {
			return nil, err
		}
		if c.OwnerID == "" { // whoever shows customers to people masks what lies in a pool (rules.md, While in the pool)
			c.Mask()
		}
		all = append(all, &c)
	}
	return all, rows.Err()
}

// word scans text that may be NULL.
type word string

func (w *word) Scan(v any) error {
	switch v := v.(type) {
	case nil:
	case string:
		*w = word(v)
	case []byte:
		*w = word(v)
	default:
		return fmt.Errorf("%T is no text", v)
	}
	return nil
}

// instant scans a time of either engine.
type instant time.Time

func (i *instant) Scan(v any) error {
	switch v := v.(type) {
	case nil:
	case int64:
		*i = instant(time.UnixMicro(v).UTC())
	case time.Time:
		*i = instant(v.UTC())
	default:
		return fmt.Errorf("%T is no time", v)
	}
	return nil
}

// money scans an amount of either engine.
type money decimal.NullDecimal

func (m *money) Scan(v any) error {
	if n, ok := v.(int64); ok {
		*m = money{Decimal: decimal.New(n, -4), Valid: true}
		return nil
	}
	return (*decimal.NullDecimal)(m).Scan(v)
}

package main

import (
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
	e  engine
	d  *data
	db *sql.DB

	mu    sync.Mutex // of writing on SQLite, and of the fields below
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
	ids   [2]int64 // of interactions: the next one, and the end of the block
}

func openRaw(ctx context.Context, e engine, d *data) (*contestant, error) {
	db, err := e.open()
	if err != nil {
		return nil, err
	}
	r := &rawSQL{e: e, d: d, db: db, stmts: map[string]*sql.Stmt{}}
	if !e.pg {
		if r.conn, err = db.Conn(ctx); err != nil {
			return nil, err
		}
	}
	return &contestant{
		name: raw, get: r.get, list: r.list, claim: r.claim, followUp: r.followUp, recycle: r.recycle,
		close: func() error {
			if r.conn != nil {
				return errors.Join(r.conn.Close(), db.Close())
			}
			return db.Close()
		},
	}, nil
}

// stmt is a prepared statement for any connection. Its arguments are $1, $2, …
func (r *rawSQL) stmt(ctx context.Context, text string) (*sql.Stmt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.prepare(ctx, r.db, text)
}

func (r *rawSQL) prepare(ctx context.Context, on interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}, text string,
) (*sql.Stmt, error) {
	if st, ok := r.stmts[text]; ok {
		return st, nil
	}
	st, err := on.PrepareContext(ctx, r.marks(text))
	if err != nil {
		return nil, fmt.Errorf("%.60s: %w", text, err)
	}
	r.stmts[text] = st
	return st, nil
}

func (r *rawSQL) marks(text string) string {
	if r.e.pg {
		return text
	}
	return argument.ReplaceAllString(text, "?$1")
}

var argument = regexp.MustCompile(`\$(\d)`)

// write runs fn in a write transaction on SQLite's one connection.
func (r *rawSQL) write(ctx context.Context, fn func(exec func(text string, args ...any) error, row func(text string, args ...any) *sql.Row) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	exec := func(text string, args ...any) error {
		st, err := r.prepare(ctx, r.conn, text)
		if err == nil {
			_, err = st.ExecContext(ctx, args...)
		}
		return err
	}
	var broken error
	row := func(text string, args ...any) *sql.Row {
		st, err := r.prepare(ctx, r.conn, text)
		if err != nil {
			broken = err
			return r.conn.QueryRowContext(ctx, "SELECT 1 WHERE 1 = 0")
		}
		return st.QueryRowContext(ctx, args...)
	}
	if err := exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err := errors.Join(fn(exec, row), broken); err != nil {
		return errors.Join(err, exec("ROLLBACK"))
	}
	return exec("COMMIT")
}

// at is an instant as the engine keeps it.
func (r *rawSQL) at(t time.Time) any {
	if r.e.pg {
		return t
	}
	return t.UnixMicro()
}

// errLost is that nothing was there to write on.
var errLost = errors.New("raw: lost")

const customerColumns = `id, code, name, type, level, standing, blacklist_reason, stage, lost_reason, industry, size, annual_revenue, annual_potential,
	credit_rating, source, referred_by, region, province, city, district, acquired_on, service_agent, source_lead, brand, remarks, external_system,
	external_id, owner_id, owned_since, pool_id, pool_entered_at, last_owner, first_followup_at, last_followup_at, lock_until, lock_reason,
	version, seq, created_at, created_by, updated_at, updated_by, deleted_at`

// get reads one, and leaves out what the member may not see.
func (r *rawSQL) get(ctx context.Context, w who, id int64) (*customer.Customer, error) {
	st, err := r.stmt(ctx, "SELECT "+customerColumns+" FROM crm_customers WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL")
	if err != nil {
		return nil, err
	}
	rows, err := st.QueryContext(ctx, r.d.houses[w.tenant].number, id)
	found, err := scanCustomers(rows, err)
	if err != nil || len(found) == 0 {
		return nil, errors.Join(err, errLost)
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
	st, err := r.stmt(ctx, strings.Join(branches, " UNION ALL ")+" ORDER BY id LIMIT $3")
	if err != nil {
		return nil, err
	}
	rows, err := st.QueryContext(ctx, args...)
	return scanCustomers(rows, err)
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

package bunstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/sales"
	"github.com/openseas/crm/storage"
	"github.com/openseas/crm/team"
)

// Engine is what an adapter tells about its database.
type Engine struct {
	Dialect    schema.Dialect
	Names      Names
	Migrations fs.FS
	Reader     *sql.DB // a second handle for reads outside transactions; nil: the first one
	NoPrepare  bool    // behind a proxy that pools transactions
	// Enter waits until a write transaction may begin.
	Enter func(ctx context.Context) (leave func(), err error)
	Group bool // callers that wait for the writer share a transaction
	// Check refuses a database that cannot serve, with a sentence that says what to do.
	Check func(ctx context.Context, db *sql.DB) error
	// Translate reads an error of the driver. answered is false when the database did not say anything.
	Translate func(err error) (code kernel.Code, field string, answered bool)
	// LockMigrations makes a second migrator wait until the end of the transaction.
	LockMigrations string
}

// Store is one database; a joined Store shares everything with it but the connection.
type Store struct {
	eng   Engine
	db    *bun.DB // builds and scans; all queries name their connection
	pg    bool
	write *handle
	read  *handle
	hot   map[string]hotQuery
	// pageHead begins the text of every prepared list of customers.
	pageHead string
	places   *sync.Pool // of *place[customerRow]
	tenants  *sync.Map  // TenantID to number, committed ones only
	ids      *blocks
	group    *group // nil: every caller has a transaction of its own
	joined   storage.Conn
	invalid  error // of the options; Check tells it
}

var _ storage.Store = (*Store)(nil)

// New neither opens nor asks anything.
func New(db *sql.DB, eng Engine) *Store {
	s := &Store{
		eng: eng, db: bun.NewDB(db, eng.Dialect), pg: eng.Dialect.Name() == dialect.PG,
		write: &handle{db: db}, tenants: &sync.Map{}, ids: &blocks{}, invalid: eng.Names.Check(),
	}
	if s.invalid == nil {
		eng.Names.apply(s.db)
	}
	if eng.Group {
		s.group = &group{}
	}
	if s.read = s.write; eng.Reader != nil {
		s.read = &handle{db: eng.Reader}
	}
	s.hot = s.compile()
	s.places = &sync.Pool{New: func() any { return newPlace[customerRow](s) }}
	s.pageHead = eng.Names.SQL("SELECT " + s.columnsOf((*customerRow)(nil), "t.") + " FROM crm_customers AS t WHERE ")
	return s
}

// Join see [storage.Store].
func (s *Store) Join(conn storage.Conn) storage.Store {
	j := *s
	if t, ok := conn.(bun.Tx); ok { // it would take the ?1 of a hot statement for a placeholder of its own
		conn = t.Tx
	}
	j.joined = conn
	return &j
}

// Joined see [storage.Store].
func (s *Store) Joined() bool { return s.joined != nil }

// tx is all repositories, bound to the connection of one unit of work.
type tx struct {
	*Store
	conn  storage.Conn
	h     *handle
	known map[kernel.TenantID]int64 // nil until there is one; may not be committed yet, so it is kept here only
	spare []span                    // ids to keep if this commits
	// shared is a transaction that other callers have written in: what they wrote may never be committed.
	shared bool
}

func (t *tx) Customers() customer.Repository               { return (*customers)(t) }
func (t *tx) Contacts() customer.ContactRepository         { return (*contacts)(t) }
func (t *tx) Addresses() customer.AddressRepository        { return (*addresses)(t) }
func (t *tx) Tags() customer.TagRepository                 { return (*tags)(t) }
func (t *tx) Interactions() customer.InteractionRepository { return (*interactions)(t) }
func (t *tx) Tasks() customer.TaskRepository               { return (*tasks)(t) }
func (t *tx) Deals() customer.DealRepository               { return (*deals)(t) }
func (t *tx) Tenants() team.TenantRepository               { return (*tenants)(t) }
func (t *tx) Members() team.MemberRepository               { return (*members)(t) }
func (t *tx) Departments() team.DepartmentRepository       { return (*departments)(t) }
func (t *tx) Roles() team.RoleRepository                   { return (*roles)(t) }
func (t *tx) Calendars() team.CalendarRepository           { return (*calendars)(t) }
func (t *tx) Trail() team.TrailRepository                  { return (*trail)(t) }
func (t *tx) Relay() team.RelayRepository                  { return (*relay)(t) }
func (t *tx) Categories() sales.CategoryRepository         { return (*categories)(t) }
func (t *tx) Products() sales.ProductRepository            { return (*products)(t) }
func (t *tx) PriceLists() sales.PriceListRepository        { return (*priceLists)(t) }
func (t *tx) Pipelines() sales.PipelineRepository          { return (*pipelines)(t) }
func (t *tx) Opportunities() sales.OpportunityRepository   { return (*opportunities)(t) }
func (t *tx) Analysis() sales.AnalysisRepository           { return (*analysis)(t) }
func (t *tx) Quotes() sales.QuoteRepository                { return (*quotes)(t) }
func (t *tx) Numbers() sales.NumberRepository              { return (*docNumbers)(t) }
func (t *tx) Contracts() sales.ContractRepository          { return (*contracts)(t) }
func (t *tx) Payments() sales.PaymentRepository            { return (*payments)(t) }
func (t *tx) Invoices() sales.InvoiceRepository            { return (*invoices)(t) }
func (t *tx) Receivables() sales.ReceivableRepository      { return (*receivables)(t) }
func (t *tx) Leads() sales.LeadRepository                  { return (*leads)(t) }
func (t *tx) Orders() sales.OrderRepository                { return (*orders)(t) }
func (t *tx) Held() sales.HeldRepository                   { return (*held)(t) }
func (t *tx) Journal() kernel.Journal                      { return (*journal)(t) }
func (t *tx) Requests() kernel.Requests                    { return (*requests)(t) }
func (t *tx) Verify() storage.VerifyRepository             { return (*verify)(t) }
func (t *tx) Pool(k pool.Kind) pool.Repository             { return &records{t, k, recordTables[k]} }
func (t *tx) Pools(k pool.Kind) pool.PoolRepository        { return &pools{t, k} }
func (t *tx) Histories(k pool.Kind) pool.HistoryRepository { return &histories{t, k, recordTables[k]} }
func (t *tx) Patterns(k pool.Kind) pool.PatternRepository  { return &patterns{t, k} }

func (t *tx) Policies(k pool.Kind) pool.PolicyRepository       { return &pools{t, k} }
func (t *tx) Territories(k pool.Kind) pool.TerritoryRepository { return &territories{t, k} }

func (t *tx) Counters(kind string) customer.CounterRepository     { return &counters{t, kind} }
func (t *tx) Operations(kind string) customer.OperationRepository { return &operations{t, kind} }

func (s *Store) tx(c storage.Conn, h *handle) *tx {
	return &tx{Store: s, conn: c, h: h}
}

// Do see [storage.Store].
func (s *Store) Do(ctx context.Context, m kernel.Mode, fn func(context.Context, storage.Tx) error) error {
	switch {
	case s.joined != nil && m == kernel.OwnCommit:
		return &kernel.Error{
			Code: kernel.ErrInvalid, Reason: kernel.OwnCommits,
			Err: errors.New("this call commits in batches and cannot run inside a host's transaction"),
		}
	case s.joined != nil:
		return s.translate(s.savepoint(ctx, fn), false)
	case m == kernel.Read:
		return s.translate(fn(ctx, s.tx(s.read.db, s.read)), false)
	case m == kernel.OneCall && s.pg: // the statement is its own transaction, and its own commit
		if err := ctx.Err(); err != nil { // nothing is sent, so the outcome is known
			return s.translate(err, false)
		}
		return s.translate(fn(ctx, s.tx(s.write.db, s.write)), true)
	}
	if s.group != nil && m != kernel.OwnCommit {
		return s.together(ctx, fn)
	}
	leave, err := s.eng.Enter(ctx)
	if err != nil {
		return s.translate(err, false)
	}
	defer leave()
	return s.transact(ctx, fn)
}

func (s *Store) transact(ctx context.Context, fn func(context.Context, storage.Tx) error) error {
	own, err := s.write.db.BeginTx(ctx, nil)
	if err != nil {
		return s.translate(err, false)
	}
	defer own.Rollback() // does nothing after a commit; after an error that error is what counts
	t := s.tx(own, s.write)
	if err := fn(ctx, t); err != nil {
		return s.translate(err, false)
	}
	if err := ctx.Err(); err != nil { // no commit is sent, so its outcome is known
		return s.translate(err, false)
	}
	if err := own.Commit(); err != nil {
		return s.translate(err, true)
	}
	s.ids.give(t.spare...)
	return nil
}

// savepoint keeps the host's transaction usable whatever happens in fn: an error, a panic, a cancelled context.
func (s *Store) savepoint(ctx context.Context, fn func(context.Context, storage.Tx) error) (err error) {
	if _, err := s.joined.ExecContext(ctx, "SAVEPOINT crm"); err != nil {
		return err
	}
	released := false
	defer func() {
		if released {
			return
		}
		for _, undo := range []string{"ROLLBACK TO SAVEPOINT crm", "RELEASE SAVEPOINT crm"} {
			if _, uerr := s.joined.ExecContext(context.WithoutCancel(ctx), undo); uerr != nil {
				err = s.lost(err, uerr)
				return
			}
		}
	}()
	if err := fn(ctx, s.tx(s.joined, s.write)); err != nil {
		return err
	}
	_, err = s.joined.ExecContext(ctx, "RELEASE SAVEPOINT crm")
	released = err == nil
	return err
}

// lost is the error of a call after which the host's transaction is gone, whatever we do: the context was cancelled, the
// connection broke, or the transaction could not be serialized. Nothing of it will be committed: retry it whole.
func (s *Store) lost(err, undo error) error {
	both := errors.Join(err, fmt.Errorf("the host's transaction is lost: %w", undo))
	return &kernel.Error{Code: kernel.ErrRetry, Err: both}
}

// Check also prepares the hot statements: later, inside a host's transaction, a pool of one connection would have none left.
func (s *Store) Check(ctx context.Context) error {
	if s.invalid != nil {
		return s.invalid
	}
	if err := s.eng.Check(ctx, s.write.db); err != nil {
		return err
	}
	if s.read != s.write {
		if err := s.eng.Check(ctx, s.read.db); err != nil {
			return fmt.Errorf("the handle for reads: %w", err)
		}
	}
	if err := s.checkVersion(ctx); err != nil {
		return err
	}
	if s.eng.NoPrepare {
		return nil
	}
	return errors.Join(s.write.prepare(ctx, s.hot), s.read.prepare(ctx, s.hot))
}

// raw is a query in our own words, on the unit's connection. The text is constant; values are arguments.
func (t *tx) raw(text string, args ...any) *bun.RawQuery {
	return t.db.NewRaw(t.eng.Names.SQL(text), args...).Conn(t.conn)
}

// exec runs raw for its effect and returns how many rows it touched.
func (t *tx) exec(ctx context.Context, text string, args ...any) (int, error) {
	res, err := t.raw(text, args...).Exec(ctx)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return int(n), err
}

// table is the host's name of one of our tables.
func (s *Store) table(name string) safeName { return safeName(s.eng.Names.rename("crm_" + name)) }

// at is a time as an argument of a hot statement; bun's columns do the same by themselves.
func (s *Store) at(t time.Time) any {
	switch {
	case t.IsZero():
		return nil
	case s.pg:
		return t
	}
	return t.UnixMicro()
}

// batch is how many rows go in one multi-row statement: beyond it SQLite slows down, and Postgres gains nothing.
func (s *Store) batch() int {
	if s.pg {
		return 1_000
	}
	return 100
}

// insert writes rows, a batch per statement; it is no statement for none.
func insert[R any](ctx context.Context, t *tx, rows []R) error {
	if len(rows) == 1 {
		if done, err := t.single(ctx, insertName(reflect.TypeFor[R]()), &rows[0]); done {
			return err
		}
	}
	for len(rows) > 0 {
		n := min(len(rows), t.batch())
		part := rows[:n]
		rows = rows[n:]
		if done, err := bulkDo(ctx, t, insertName(reflect.TypeFor[R]()), part); err != nil {
			return err
		} else if done {
			continue
		}
		if _, err := t.db.NewInsert().Model(&part).Conn(t.conn).Returning("NULL").Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// insertFree writes rows but those whose unique values are taken, and returns the ids that were written. The conflict is
// expected, so it is no SQL error: that would cost a host's transaction its savepoint.
func insertFree[R any](ctx context.Context, t *tx, rows []R) (map[int64]bool, error) {
	written := make(map[int64]bool, len(rows))
	for len(rows) > 0 {
		n := min(len(rows), t.batch())
		part := rows[:n]
		rows = rows[n:]
		ids, err := insertFreeBatch(ctx, t, part)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			written[id] = true
		}
	}
	return written, nil
}

func insertFreeBatch[R any](ctx context.Context, t *tx, rows []R) (ids []int64, err error) {
	found, done, err := bulk(ctx, t, freeName(reflect.TypeFor[R]()), rows) //nolint:rowserrcheck // ScanRows checks and closes
	if done {
		if err == nil {
			err = t.db.ScanRows(ctx, found, &ids)
		}
		return ids, err
	}
	_, err = t.db.NewInsert().Model(&rows).Conn(t.conn).On("CONFLICT DO NOTHING").Returning("id").Exec(ctx, &ids)
	return ids, err
}

// put writes all columns of rows that exist and are locked, but those of keys: an upsert on the key types its values by the
// columns, which a join with VALUES does not, and is one statement for many.
func put[R any](ctx context.Context, t *tx, rows []R) error {
	if len(rows) == 1 {
		if done, err := t.single(ctx, putName(reflect.TypeFor[R]()), &rows[0]); done {
			return err
		}
	}
	key, set := "CONFLICT (id) DO UPDATE", t.overwrite(reflect.TypeFor[R](), "tenant_id", "id", "user_id")
	if t.pg {
		key = "CONFLICT (tenant_id, id) DO UPDATE"
	}
	for len(rows) > 0 {
		n := min(len(rows), t.batch())
		part := rows[:n]
		rows = rows[n:]
		if done, err := bulkDo(ctx, t, putName(reflect.TypeFor[R]()), part); err != nil {
			return err
		} else if done {
			continue
		}
		if _, err := t.db.NewInsert().Model(&part).Conn(t.conn).On(key).Set(set).Returning("NULL").Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// overwrite is what an upsert of a model sets: all but its key. A key that is written, even as it was, makes SQLite look
// for rows that refer to it in every table that may have some, and Postgres lock the row against foreign keys that refer to
// it, those of hosts among them.
func (s *Store) overwrite(model reflect.Type, key ...string) string {
	var set []string
	for _, f := range s.db.Table(model).Fields {
		if !slices.Contains(key, f.Name) {
			set = append(set, string(f.SQLName)+" = excluded."+string(f.SQLName))
		}
	}
	return strings.Join(set, ", ")
}

// tenant is the number of a tenant that exists and is not being dropped; otherwise it is not found: nothing defaults to
// all, and no row is ever written for a tenant that nobody made.
func (t *tx) tenant(ctx context.Context, id kernel.TenantID) (int64, error) {
	if id == "" {
		return 0, kernel.Invalid("tenant", kernel.Empty)
	}
	if n, ok := t.known[id]; ok {
		return n, nil
	}
	if kept, ok := t.tenants.Load(id); ok {
		if n, ok := kept.(int64); ok {
			return n, nil
		}
	}
	var n int64
	err := t.raw("SELECT id FROM crm_tenants WHERE key = ? AND dropped_at IS NULL", string(id)).Scan(ctx, &n)
	if err != nil {
		return 0, sinceFirstDay(err)
	}
	if t.joined == nil && !t.shared { // who shares a transaction may have inserted it, so what is read there is not kept
		t.tenants.Store(id, n)
	}
	t.know(id, n)
	return n, nil
}

// know keeps the number of a tenant for this unit of work.
func (t *tx) know(id kernel.TenantID, n int64) {
	if t.known == nil {
		t.known = map[kernel.TenantID]int64{}
	}
	t.known[id] = n
}

// within adds tenant, life and scope; every query on records that have an owner goes through it.
func within[Q interface {
	Where(query string, args ...any) Q
}](q Q, tenant int64, sc kernel.Scope) Q {
	text, args := scopeSQL(sc)
	return q.Where("t.tenant_id = ?", tenant).Where("t.deleted_at IS NULL").Where(text, args...)
}

// scopeSQL is [kernel.Scope.Sees] in SQL, over the alias t. A scope of nothing is false.
func scopeSQL(sc kernel.Scope) (text string, args []any) {
	if sc.All {
		return "1 = 1", nil
	}
	text = "1 = 0"
	if len(sc.Owners) == 1 {
		text, args = "t.owner_id = ?", append(args, sc.Owners[0])
	} else if len(sc.Owners) > 1 {
		text, args = "t.owner_id IN (?)", append(args, manyOf(sc.Owners))
	}
	if len(sc.Pools) > 0 {
		text, args = text+" OR (t.owner_id IS NULL AND t.pool_id IN (?))", append(args, manyOf(sc.Pools))
	}
	for _, prefix := range sc.Regions {
		text, args = text+" OR (t.region >= ? AND t.region < ?)", append(args, prefix, prefix+":")
	}
	return text, args
}

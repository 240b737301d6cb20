package bunstore

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// Most use cases write one row here and one there: those go by hot statements. Many rows at once are a multi-row statement
// of bun, which costs less for each.

// hotRows are the models whose single rows are hot, with their tables; those with a key are also put.
var hotRows = []struct {
	model      any
	table, key string
}{
	{(*interactionRow)(nil), "crm_interactions", ""},
	{(*operationRow)(nil), "crm_operations", ""},
	{(*customerRow)(nil), "crm_customers", "id"},
	{(*factsRow)(nil), "crm_customer_facts", "customer_id"},
	{(*orderRow)(nil), "crm_orders", "id"},
	{(*orderLineRow)(nil), "crm_order_lines", ""},
	{(*orderReportRow)(nil), "crm_order_reports", ""},
}

func insertName(model reflect.Type) string { return "insert." + model.Name() }

func putName(model reflect.Type) string { return "put." + model.Name() }

func freeName(model reflect.Type) string { return "free." + model.Name() }

// compileBulk makes the statement for many rows, where the engine has use for it.
func (s *Store) compileBulk(hot map[string]hotQuery, name string, model any, table, end string) {
	if s.pg {
		hot[bulkName(name)] = s.number(s.unnestSQL(model, table) + end)
	}
}

// compileRows makes insert and put of single rows, and the two rows of a change.
func (s *Store) compileRows(hot map[string]hotQuery) {
	for _, r := range hotRows {
		model := reflect.TypeOf(r.model).Elem()
		text := s.insertSQL(r.model, r.table)
		hot[insertName(model)] = s.number(text)
		s.compileBulk(hot, insertName(model), r.model, r.table, "")
		if r.key == "" {
			continue
		}
		key := "tenant_id, " + r.key
		if r.key == "id" && !s.pg {
			key = r.key
		}
		over := " ON CONFLICT (" + key + ") DO UPDATE SET " + s.overwrite(model, "tenant_id", r.key, "user_id")
		hot[putName(model)] = s.number(text + over)
		s.compileBulk(hot, putName(model), r.model, r.table, over)
		if r.key == "id" {
			s.compileBulk(hot, freeName(model), r.model, r.table, " ON CONFLICT DO NOTHING RETURNING id")
		}
	}
	s.compileBulk(hot, insertName(reflect.TypeFor[auditRow]()), (*auditRow)(nil), "crm_audit", "")
	s.compileBulk(hot, insertName(reflect.TypeFor[eventRow]()), (*eventRow)(nil), "crm_outbox", "")
	audit, event := s.insertSQL((*auditRow)(nil), "crm_audit"), s.insertSQL((*eventRow)(nil), "crm_outbox")
	if s.pg { // one statement, and one way to the server
		hot["journal"] = s.number("WITH a AS (" + audit + ") " + event)
		return
	}
	hot["journal"], hot["journal.event"] = s.number(audit), s.number(event)
}

// insertSQL writes one row of a model, whose columns are the names of the arguments.
func (s *Store) insertSQL(model any, table string) string {
	var marks []string
	for _, f := range s.db.Table(reflect.TypeOf(model).Elem()).Fields {
		mark := ":" + argumentOf(f.Name)
		if s.pg && f.IndirectType == reflect.TypeFor[amount]() { // it is bound as text
			mark += "::numeric"
		}
		marks = append(marks, mark)
	}
	return "INSERT INTO " + table + " (" + s.columnsOf(model, "") + ") VALUES (" + strings.Join(marks, ", ") + ")"
}

func argumentOf(column string) string {
	if column == "tenant_id" {
		return "tenant"
	}
	return column
}

// rowArgs adds the columns of a row to the arguments of a hot statement.
func (t *tx) rowArgs(args named, row any) error {
	v := reflect.ValueOf(row).Elem()
	for _, f := range t.db.Table(v.Type()).Fields {
		x, err := t.bound(f.Value(v).Interface())
		if err != nil {
			return err
		}
		args[argumentOf(f.Name)] = x
	}
	return nil
}

// bound is a value as an argument of a hot statement: what AppendQuery would have written.
func (t *tx) bound(v any) (any, error) {
	switch v := v.(type) {
	case moment:
		return t.at(time.Time(v).UTC()), nil
	case nullText:
		return nullable(string(v)), nil
	case amount:
		return t.money(v)
	case nullID:
		if v == 0 {
			return nil, nil
		}
		return int64(v), nil
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.String:
		return r.String(), nil
	case reflect.Bool:
		return r.Bool(), nil
	case reflect.Int, reflect.Int16, reflect.Int32, reflect.Int64:
		return r.Int(), nil
	default:
		return nil, fmt.Errorf("a value of %T in a hot statement", v)
	}
}

// money is an amount as the engine keeps it.
func (t *tx) money(a amount) (any, error) {
	if !a.Valid {
		return nil, nil
	}
	n, err := scaled(a.Decimal)
	if err != nil || !t.pg {
		return n, err
	}
	return a.Decimal.StringFixed(4), nil
}

// single writes a row by the hot statement of that name, if there is one.
func (t *tx) single(ctx context.Context, name string, row any) (done bool, err error) {
	if _, hot := t.hot[name]; !hot {
		return false, nil
	}
	args := named{}
	if err := t.rowArgs(args, row); err != nil {
		return true, err
	}
	_, err = t.do(ctx, name, args)
	return true, err
}

// place is where rows of a model are read into, column by column in the order of columnsOf: a scan that looks every column
// of every row up by its name takes twice as long.
type place[R any] struct {
	row  R
	into []any
}

func newPlace[R any](s *Store) *place[R] {
	p := &place[R]{}
	v := reflect.ValueOf(&p.row).Elem()
	for _, f := range s.db.Table(v.Type()).Fields {
		p.into = append(p.into, f.Value(v).Addr().Interface())
	}
	return p
}

// customersOf are the customers in rows that lie within a scope.
func (t *tx) customersOf(sc kernel.Scope, rows *sql.Rows, err error) (cs []*customer.Customer, _ error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	p, ok := t.places.Get().(*place[customerRow])
	if !ok {
		return nil, bug("no place for customers")
	}
	defer t.places.Put(p)
	for rows.Next() {
		if err := rows.Scan(p.into...); err != nil {
			return nil, err
		}
		if r := &p.row; sc.Sees(kernel.UserID(r.OwnerID), string(r.Region), int64(r.PoolID)) {
			cs = append(cs, r.domain())
		}
	}
	return cs, rows.Err()
}

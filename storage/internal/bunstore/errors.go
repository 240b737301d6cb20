package bunstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strings"

	"github.com/openseas/crm/kernel"
)

// PostgresError reads the SQLSTATE, which every driver offers by method. answered is false when the server did not say
// anything: at a commit, the outcome is then unknown.
func PostgresError(err error) (code kernel.Code, field string, answered bool) {
	state := sqlState(err)
	switch {
	case state == "":
		return "", "", false
	case hasPrefix(state, "40", "53", "55", "57014", "58"):
		// a transaction that lost against another, no room, a lock that was not to be had, a cancelled statement, the
		// system below: nothing was written
		return kernel.ErrRetry, "", true
	case state == foreignKey && refersToTenant(constraint(err)): // it was dropped since this process read it
		return kernel.ErrNotFound, "actor.tenant", true
	case state == foreignKey: // what it refers to was there a moment ago: a pool that is being deleted, a customer
		return kernel.ErrRetry, "", true
	case strings.HasPrefix(state, "23"):
		return kernel.ErrConflict, fieldOf(constraint(err)), true
	case hasPrefix(state, "57P", "08"): // the server is going down, or the connection is: at a commit, that is no answer
		return kernel.ErrRetry, "", false
	}
	return "", "", true
}

const foreignKey = "23503"

// refersToTenant tells a foreign key from one of our tables to the tenants, whatever prefix they have. The names are those
// that Postgres gives to keys of one column.
func refersToTenant(constraint string) bool {
	return slices.ContainsFunc(ofTenant, func(of struct{ table, key string }) bool {
		return strings.HasSuffix(constraint, strings.TrimPrefix(of.table, "crm_")+"_tenant_id_fkey")
	})
}

// sqlState is empty where the server did not answer, and on SQLite.
func sqlState(err error) string {
	if e, ok := errors.AsType[interface {
		error
		SQLState() string
	}](err); ok {
		return e.SQLState()
	}
	return ""
}

// constraint is the constraint's name. pgdriver has a method for it; pgx and pq have only a struct field.
func constraint(err error) string {
	if e, ok := errors.AsType[interface {
		error
		Field(k byte) string
	}](err); ok {
		return e.Field('n')
	}
	e, _ := errors.AsType[interface {
		error
		SQLState() string
	}](err)
	if v := reflect.Indirect(reflect.ValueOf(e)); v.Kind() == reflect.Struct {
		for _, name := range []string{"ConstraintName", "Constraint"} {
			if f := v.FieldByName(name); f.IsValid() && f.Kind() == reflect.String {
				return f.String()
			}
		}
	}
	return ""
}

// fieldOf maps the names of unique indexes to the words of the API, whatever prefix they have.
func fieldOf(constraint string) string {
	for index, field := range map[string]string{
		"uq_customers_code": "code", "uq_customers_external": "external_id", "uq_contacts_phone": "phone", "uq_contacts_primary": "is_primary",
		"uq_addresses_default": "is_default", "uq_tags_name": "name", "uq_orders_number": "number", "uq_members_user": "user",
		"uq_product_categories_name": "name", "uq_products_code": "code", "uq_products_external": "external_id", "uq_price_lists_name": "name",
		"uq_pipelines_name": "name", "uq_quotes_number": "number", "uq_quotes_revision": "revision", "uq_contracts_number": "number",
		"uq_departments_key": "key", "uq_roles_name": "name", "uq_pools_name": "name", "uq_pool_rules_name": "name",
		"uq_territories_name": "name", "uq_payments_number": "number", "uq_payments_external": "external_id",
		"uq_invoices_number": "number", "uq_invoices_invoice_no": "invoice_no",
	} {
		if strings.HasSuffix(constraint, index) {
			return field
		}
	}
	return ""
}

// SQLiteError reads the extended result code. SQLite has no structured constraint name: a use case that wants to name the
// field asks with ON CONFLICT or reads before.
func SQLiteError(err error) (code kernel.Code, field string, answered bool) {
	result, ok := sqliteCode(err)
	if !ok {
		return "", "", false
	}
	if result == 787 { // a foreign key: what it refers to was there a moment ago
		return kernel.ErrRetry, "", true
	}
	switch result & 0xff {
	case 5, 6, 7, 9, 13: // busy, locked, no memory, interrupted, disk full: nothing was written
		return kernel.ErrRetry, "", true
	case 19:
		return kernel.ErrConflict, "", true
	case 10: // disk I/O: whether the commit is on disk, nobody knows
		return kernel.ErrRetry, "", false
	}
	return "", "", true
}

// sqliteCode reads the code by method (modernc.org/sqlite) or by field (github.com/mattn/go-sqlite3).
func sqliteCode(err error) (int, bool) {
	if e, ok := errors.AsType[interface {
		error
		Code() int
	}](err); ok {
		return e.Code(), true
	}
	for ; err != nil; err = errors.Unwrap(err) {
		v := reflect.Indirect(reflect.ValueOf(err))
		if v.Kind() != reflect.Struct {
			continue
		}
		if f := v.FieldByName("ExtendedCode"); f.IsValid() && f.CanInt() {
			return int(f.Int()), true
		}
	}
	return 0, false
}

// translate gives an error its code, once, where it leaves the store. A commit that was sent and not answered has an
// unknown outcome; everything else that was not answered did not happen, and may be tried again.
func (s *Store) translate(err error, committing bool) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[kernel.Code](err); ok {
		return err
	}
	code, field, answered := s.eng.Translate(err)
	broken := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || isConnection(err)
	switch {
	case answered:
	case committing && !errors.Is(err, sql.ErrTxDone) && !isDial(err): // ErrTxDone: rolled back before the commit was sent
		code = kernel.ErrUnknownOutcome
	case broken, errors.Is(err, sql.ErrTxDone):
		code = kernel.ErrRetry
	}
	if code == "" {
		return err
	}
	e := &kernel.Error{Code: code, Field: field, Err: err}
	if code == kernel.ErrConflict && field != "" {
		e.Reason = kernel.Duplicate
	}
	return e
}

// isDial tells that no connection could be had: nothing was sent.
func isDial(err error) bool {
	dial, ok := errors.AsType[*net.OpError](err)
	return ok && dial.Op == "dial"
}

// isConnection tells errors of a connection that broke, by what the standard library offers: drivers have no common word.
func isConnection(err error) bool {
	if _, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err); ok {
		return true
	}
	if e, ok := errors.AsType[interface { // pgx, of a connection that it found closed: nothing was sent
		error
		SafeToRetry() bool
	}](err); ok && e.SafeToRetry() {
		return true
	}
	return errors.Is(err, sql.ErrConnDone) || isDriverBad(err)
}

// debug is for errors that can only be our own bug, such as a row that vanished under its lock.
func bug(format string, args ...any) error { return fmt.Errorf("crm: a bug: "+format, args...) }

func hasPrefix(s string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}

package bunstore

import (
	"context"
	"database/sql"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/uptrace/bun/schema"
)

// Many rows go to Postgres as one array for each column, in a statement that does not depend on their number: it is parsed
// once, and the values are no SQL. The arrays are bound as text, which every driver can. bun's VALUES lists are three times
// as slow there; on SQLite they are as fast as rows one by one.

func bulkName(name string) string { return "bulk." + name }

// unnestSQL writes rows of a model from an array for each column, whose name is that of the argument.
func (s *Store) unnestSQL(model any, table string) string {
	var arrays []string
	for _, f := range s.db.Table(reflect.TypeOf(model).Elem()).Fields {
		arrays = append(arrays, ":"+argumentOf(f.Name)+"::text::"+arrayOf(f.IndirectType))
	}
	return "INSERT INTO " + table + " (" + s.columnsOf(model, "") + ") SELECT * FROM unnest(" + strings.Join(arrays, ", ") + ")"
}

// arrayOf is the type of an array of a column.
func arrayOf(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[moment]():
		return "timestamptz[]"
	case reflect.TypeFor[amount]():
		return "numeric[]"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "boolean[]"
	case reflect.Int, reflect.Int16, reflect.Int32, reflect.Int64:
		return "bigint[]"
	default:
		return "text[]"
	}
}

// bulk writes rows by the hot statement of that name, if there is one; the caller reads what it returns.
func bulk[R any](ctx context.Context, t *tx, name string, rows []R) (found *sql.Rows, done bool, err error) {
	if _, hot := t.hot[bulkName(name)]; !hot || len(rows) < 2 {
		return nil, false, nil
	}
	args, err := arrays(t, rows)
	if err != nil {
		return nil, true, err
	}
	found, err = t.open(ctx, bulkName(name), args)
	return found, true, err
}

// bulkDo is bulk for statements that return nothing.
func bulkDo[R any](ctx context.Context, t *tx, name string, rows []R) (done bool, err error) {
	if _, hot := t.hot[bulkName(name)]; !hot || len(rows) < 2 {
		return false, nil
	}
	args, err := arrays(t, rows)
	if err != nil {
		return true, err
	}
	_, err = t.do(ctx, bulkName(name), args)
	return true, err
}

// arrays are the columns of rows as array literals.
func arrays[R any](t *tx, rows []R) (named, error) {
	return arraysOf(t, t.db.Table(reflect.TypeFor[R]()).Fields, rows)
}

// arraysOf is arrays for some columns.
func arraysOf[R any](t *tx, fields []*schema.Field, rows []R) (named, error) {
	args := make(named, len(fields))
	var b []byte
	for _, f := range fields {
		b = append(b[:0], '{')
		for i := range rows {
			if i > 0 {
				b = append(b, ',')
			}
			v, err := t.bound(f.Value(reflect.ValueOf(&rows[i]).Elem()).Interface())
			if err != nil {
				return nil, err
			}
			b = appendElement(b, v)
		}
		args[argumentOf(f.Name)] = string(append(b, '}'))
	}
	return args, nil
}

// appendElement writes one element of an array literal.
func appendElement(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "NULL"...)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case bool:
		return strconv.AppendBool(b, v)
	case time.Time: // UTC, to the microsecond that the column keeps
		return append(v.UTC().AppendFormat(append(b, '"'), "2006-01-02 15:04:05.999999-07"), '"')
	case string:
		b = append(b, '"')
		for i := range len(v) {
			if v[i] == '"' || v[i] == '\\' {
				b = append(b, '\\')
			}
			b = append(b, v[i])
		}
		return append(b, '"')
	}
	return append(b, "NULL"...) // bound knows no other types
}

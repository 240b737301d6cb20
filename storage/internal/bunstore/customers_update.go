package bunstore

import (
	"context"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/uptrace/bun/schema"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// Update see [customer.Repository]. The look before it spares nearly all conflicts an SQL error; the unique index is the
// last fence.
func (c *customers) Update(ctx context.Context, tenant kernel.TenantID, cs ...*customer.Customer) ([]customer.Taken, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(cs) == 0 {
		return nil, err
	}
	taken, err := t.collisions(ctx, n, cs)
	if err != nil {
		return nil, err
	}
	return taken, put(ctx, t, customerRowsOf(n, cs, taken))
}

// customerRowsOf are the rows of customers, but of those whose unique values are taken.
func customerRowsOf(n int64, cs []*customer.Customer, taken []customer.Taken) []customerRow {
	rows := make([]customerRow, 0, len(cs))
	for i, x := range cs {
		if !slices.ContainsFunc(taken, func(k customer.Taken) bool { return k.Index == i }) {
			rows = append(rows, customerRowOf(n, x))
		}
	}
	return rows
}

// UpdateFields see [customer.Repository]. SQLite writes every index anew that has a column of those that a statement sets,
// also where its value stays.
func (c *customers) UpdateFields(
	ctx context.Context, tenant kernel.TenantID, names []customer.Field, cs ...*customer.Customer,
) (taken []customer.Taken, err error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(cs) == 0 {
		return nil, err
	}
	if slices.ContainsFunc(names, func(f customer.Field) bool { return f == "code" || f == "external_system" || f == "external_id" }) {
		if taken, err = t.collisions(ctx, n, cs); err != nil {
			return nil, err
		}
	}
	var fields []*schema.Field
	for _, f := range t.db.Table(reflect.TypeFor[customerRow]()).Fields {
		if slices.Contains(names, customer.Field(f.Name)) || slices.Contains([]string{"version", "seq", "updated_at", "updated_by"}, f.Name) {
			fields = append(fields, f)
		}
	}
	update := t.updateValues
	if t.pg {
		update = t.updateArrays
	}
	for part := range slices.Chunk(customerRowsOf(n, cs, taken), t.batch()) {
		if err := update(ctx, n, fields, part); err != nil {
			return nil, err
		}
	}
	return taken, nil
}

// updateValues sets columns of customers by a list of values.
func (t *tx) updateValues(ctx context.Context, n int64, fields []*schema.Field, rows []customerRow) error {
	var set []string
	for i, f := range fields {
		set = append(set, string(f.SQLName)+" = v.column"+strconv.Itoa(i+2))
	}
	values := make(tuples, len(rows))
	for i := range rows {
		row := reflect.ValueOf(&rows[i]).Elem()
		values[i] = append(values[i], rows[i].ID)
		for _, f := range fields {
			values[i] = append(values[i], f.Value(row).Interface())
		}
	}
	_, err := t.exec(ctx, "UPDATE crm_customers AS t SET "+strings.Join(set, ", ")+" FROM (VALUES ?) AS v WHERE t.tenant_id = ? AND t.id = v.column1", values, n)
	return err
}

// updateArrays does the same by an array for each column.
func (t *tx) updateArrays(ctx context.Context, n int64, fields []*schema.Field, rows []customerRow) error {
	id := t.db.Table(reflect.TypeFor[customerRow]()).FieldMap["id"]
	args, err := arraysOf(t, append(slices.Clone(fields), id), rows)
	if err != nil {
		return err
	}
	args["tenant"] = n
	set, arrays, columns := []string{}, []string{":id::text::bigint[]"}, []string{"id"}
	for _, f := range fields {
		set = append(set, string(f.SQLName)+" = v."+string(f.SQLName))
		arrays = append(arrays, ":"+f.Name+"::text::"+arrayOf(f.IndirectType))
		columns = append(columns, string(f.SQLName))
	}
	q := t.number("UPDATE crm_customers AS t SET " + strings.Join(set, ", ") + " FROM unnest(" + strings.Join(arrays, ", ") + ") AS v (" +
		strings.Join(columns, ", ") + ") WHERE t.tenant_id = :tenant AND t.id = v.id")
	values := make([]any, len(q.args))
	for i, name := range q.args {
		values[i] = args[name]
	}
	_, err = t.conn.ExecContext(ctx, q.text, values...)
	return err
}

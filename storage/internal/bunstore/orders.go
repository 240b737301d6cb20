package bunstore

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales"
)

type orders tx

// boughtSQL is the states of orders that count as spend.
const boughtSQL = "('paid', 'shipped', 'completed')"

// ByNumber see [sales.OrderRepository].
func (r *orders) ByNumber(ctx context.Context, tenant kernel.TenantID, system string, numbers ...string) ([]*sales.Order, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(numbers) == 0 {
		return nil, err
	}
	var rows []orderRow
	err = oneOf(t.db.NewSelect().Model(&rows).Where("o.tenant_id = ?", n).Where("o.system = ?", system), "o.number", numbers).Conn(t.conn).Scan(ctx)
	return mapped(rows, (*orderRow).domain), err
}

// Reported see [sales.OrderRepository].
func (r *orders) Reported(ctx context.Context, tenant kernel.TenantID, of ...sales.OrderReport) (all []sales.OrderReport, err error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	for part := range slices.Chunk(of, t.batch()) {
		values := make(tuples, len(part))
		for i, x := range part {
			values[i] = tuple{int64(x.OrderID), x.Sequence}
		}
		var rows []orderReportRow
		err := t.raw(`SELECT x.* FROM (VALUES ?) AS v JOIN crm_order_reports AS x
			ON x.tenant_id = ? AND x.order_id = v.column1 AND x.sequence = v.column2`, values, n).Scan(ctx, &rows)
		if err != nil {
			return nil, err
		}
		all = append(all, mapped(rows, (*orderReportRow).domain)...)
	}
	return all, nil
}

// Insert see [sales.OrderRepository].
func (r *orders) Insert(ctx context.Context, tenant kernel.TenantID, xs ...*sales.Order) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(xs) == 0 {
		return err
	}
	ids, err := t.newIDs(ctx, len(xs))
	if err != nil {
		return err
	}
	rows := make([]orderRow, len(xs))
	for i, x := range xs {
		rows[i] = orderRowOf(n, x)
		rows[i].ID = ids[i]
	}
	written, err := insertFree(ctx, t, rows)
	if err != nil {
		return err
	}
	var made []*sales.Order
	for i, x := range xs {
		if written[ids[i]] {
			x.ID = sales.OrderID(ids[i])
			made = append(made, x)
		}
	}
	return r.parts(ctx, n, made)
}

// parts writes lines and refunds.
func (r *orders) parts(ctx context.Context, n int64, xs []*sales.Order) error {
	var lines []orderLineRow
	var refunds []orderRefundRow
	for _, x := range xs {
		for i, l := range x.Lines {
			lines = append(lines, orderLineRow{
				TenantID: n, OrderID: x.ID, Sort: i, Code: l.Code, Name: l.Name, Quantity: amountOf(l.Quantity), UnitPrice: amountOf(l.UnitPrice),
				Amount: amountOf(l.Amount),
			})
		}
		for i, f := range x.Refunds {
			refunds = append(refunds, orderRefundRow{
				TenantID: n, OrderID: x.ID, Sort: i, CustomerID: x.CustomerID, At: moment(f.At), Amount: amountOf(f.Amount),
			})
		}
	}
	return kernel.FirstError(insert(ctx, (*tx)(r), lines), insert(ctx, (*tx)(r), refunds))
}

// Update see [sales.OrderRepository].
func (r *orders) Update(ctx context.Context, tenant kernel.TenantID, xs ...*sales.Order) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(xs) == 0 {
		return err
	}
	rows, ids := make([]orderRow, len(xs)), make([]int64, len(xs))
	for i, x := range xs {
		rows[i], ids[i] = orderRowOf(n, x), int64(x.ID)
	}
	if err := put(ctx, t, rows); err != nil {
		return err
	}
	for _, table := range []string{"crm_order_lines", "crm_order_refunds"} {
		if _, err := t.exec(ctx, "DELETE FROM "+table+" WHERE tenant_id = ? AND order_id IN (?)", n, bun.List(ids)); err != nil {
			return err
		}
	}
	return r.parts(ctx, n, xs)
}

// Report see [sales.OrderRepository].
func (r *orders) Report(ctx context.Context, tenant kernel.TenantID, rs ...sales.OrderReport) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	rows := make([]orderReportRow, len(rs))
	for i, x := range rs {
		rows[i] = orderReportRow{
			TenantID: n, OrderID: x.OrderID, Sequence: x.Sequence, Status: x.Status, Amount: amountOf(x.Total), OrderedAt: moment(x.OrderedAt),
			Hash: x.Hash, Stale: x.Stale, ReportedAt: moment(x.ReportedAt), ReportedBy: x.ReportedBy,
		}
	}
	return insert(ctx, t, rows)
}

// Bounds see [sales.OrderRepository]. Each of the two reads one entry of crm_ix_orders_customer, and those of cancelled orders
// before it.
func (r *orders) Bounds(ctx context.Context, tenant kernel.TenantID, of ...customer.ID) ([]customer.Facts, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(of) == 0 {
		return nil, err
	}
	var rows []struct {
		ID    customer.ID
		First moment
		Last  moment
	}
	const one = `(SELECT o.ordered_at FROM crm_orders AS o WHERE o.tenant_id = t.tenant_id AND o.customer_id = t.id AND o.status <> 'cancelled'
		ORDER BY o.ordered_at `
	err = t.raw("SELECT t.id, "+one+"LIMIT 1) AS first, "+one+`DESC LIMIT 1) AS last FROM crm_customers AS t
		WHERE t.tenant_id = ? AND t.id IN (?)`, n, bun.List(of)).Scan(ctx, &rows)
	facts := make([]customer.Facts, len(rows))
	for i, x := range rows {
		facts[i] = customer.Facts{CustomerID: x.ID, FirstOrderAt: time.Time(x.First), LastOrderAt: time.Time(x.Last)}
	}
	return facts, err
}

func (r *orders) alive(rows *[]orderRow, n int64, sc kernel.Scope) *bun.SelectQuery {
	text, args := scopeSQL(sc)
	return r.db.NewSelect().Model(rows).Join("CROSS JOIN ? AS t", (*tx)(r).table("customers")).Where("o.tenant_id = ?", n).
		Where("t.tenant_id = o.tenant_id AND t.id = o.customer_id AND t.deleted_at IS NULL").Where(text, args...).Conn(r.conn)
}

// Get see [sales.OrderRepository].
func (r *orders) Get(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, ids ...sales.OrderID) ([]*sales.Order, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var rows []orderRow
	if err := oneOf(r.alive(&rows, n, sc), "o.id", ids).Order("o.id").Scan(ctx); err != nil || len(rows) == 0 {
		return nil, err
	}
	all := mapped(rows, (*orderRow).domain)
	found, of := make([]sales.OrderID, len(all)), make(map[sales.OrderID]*sales.Order, len(all))
	for i, x := range all {
		found[i], of[x.ID] = x.ID, x
	}
	var lines []orderLineRow
	err = oneOf(r.db.NewSelect().Model(&lines).Where("ol.tenant_id = ?", n), "ol.order_id", found).Order("ol.order_id", "ol.sort").Conn(r.conn).Scan(ctx)
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		x := of[l.OrderID]
		x.Lines = append(x.Lines, sales.OrderLine{
			Code: l.Code, Name: l.Name, Quantity: l.Quantity.Decimal, UnitPrice: l.UnitPrice.Decimal, Amount: l.Amount.Decimal,
		})
	}
	var refunds []orderRefundRow
	err = oneOf(r.db.NewSelect().Model(&refunds).Where("orf.tenant_id = ?", n), "orf.order_id", found).Order("orf.order_id", "orf.sort").Conn(r.conn).Scan(ctx)
	for _, f := range refunds {
		x := of[f.OrderID]
		x.Refunds = append(x.Refunds, sales.OrderRefund{At: time.Time(f.At), Amount: f.Amount.Decimal})
	}
	return all, err
}

// List see [sales.OrderRepository].
func (r *orders) List(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, f sales.OrderFilter, w kernel.Window) ([]*sales.Order, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []orderRow
	q := oneOf(r.alive(&rows, n, sc), "o.status", f.Statuses)
	if f.Customer != 0 {
		q = q.Where("o.customer_id = ?", f.Customer)
	}
	if !f.From.IsZero() {
		q = q.Where("o.ordered_at >= ?", moment(f.From))
	}
	if !f.Until.IsZero() {
		q = q.Where("o.ordered_at < ?", moment(f.Until))
	}
	if len(w.After) == 2 {
		q = q.Where("(o.ordered_at, o.id) > (?, ?)", moment(time.UnixMicro(w.After[0]).UTC()), w.After[1])
	}
	err = q.Order("o.ordered_at", "o.id").Limit(int64(w.Limit) + 1).Scan(ctx)
	return mapped(rows, (*orderRow).domain), err
}

// History see [sales.OrderRepository].
func (r *orders) History(ctx context.Context, tenant kernel.TenantID, id sales.OrderID, w kernel.Window) ([]sales.OrderReport, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []orderReportRow
	q := r.db.NewSelect().Model(&rows).Where("orp.tenant_id = ?", n).Where("orp.order_id = ?", id)
	if len(w.After) > 0 {
		q = q.Where("orp.sequence > ?", w.After[0])
	}
	err = q.Order("orp.sequence").Limit(int64(w.Limit) + 1).Conn(r.conn).Scan(ctx)
	return mapped(rows, (*orderReportRow).domain), err
}

// Spend see [sales.OrderRepository].
func (r *orders) Spend(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, f sales.OrderFilter, of ...customer.ID) ([]sales.Spend, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(of) == 0 {
		return nil, err
	}
	var rows []struct {
		ID      customer.ID
		Orders  amount
		Refunds amount
	}
	text, args := scopeSQL(sc)
	from, until := moment(f.From), moment(f.Until)
	err = t.raw(`SELECT t.id,
			(SELECT sum(o.amount) FROM crm_orders AS o WHERE o.tenant_id = t.tenant_id AND o.customer_id = t.id
				AND o.status IN `+boughtSQL+` AND o.ordered_at >= ? AND o.ordered_at < ?) AS orders,
			(SELECT sum(f.amount) FROM crm_order_refunds AS f JOIN crm_orders AS o ON o.tenant_id = f.tenant_id AND o.id = f.order_id
				WHERE f.tenant_id = t.tenant_id AND f.customer_id = t.id AND o.status IN `+boughtSQL+` AND f.at >= ? AND f.at < ?) AS refunds
		FROM crm_customers AS t WHERE t.tenant_id = ? AND t.deleted_at IS NULL AND t.id IN (?) AND (`+text+`)`,
		append([]any{from, until, from, until, n, bun.List(of)}, args...)...).Scan(ctx, &rows)
	all := make([]sales.Spend, len(rows))
	for i, x := range rows {
		all[i] = sales.Spend{CustomerID: x.ID, Orders: x.Orders.Decimal, Refunds: x.Refunds.Decimal}
	}
	return all, err
}

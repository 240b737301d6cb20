package bunstore

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales"
)

type paymentRow struct {
	bun.BaseModel  `bun:"table:crm_payments,alias:p"`
	TenantID       int64
	ID             sales.PaymentID
	Number         string
	ContractID     sales.ContractID
	CustomerID     customer.ID
	Place          int
	Date           kernel.Date
	Amount         amount
	Currency       string
	PlanID         nullID
	Method         string
	FileURL        string `bun:"file_url"`
	Remark         string
	ExternalSystem string
	ExternalID     nullText
	ReversesID     nullID
	CreatedAt      moment
	CreatedBy      kernel.UserID
	Masked         bool `bun:",scanonly"` // no column: its customer tells, see inPool
}

type allocationRow struct {
	bun.BaseModel `bun:"table:crm_payment_allocations,alias:a"`
	TenantID      int64
	PaymentID     sales.PaymentID
	PlanID        sales.PlanID
	ContractID    sales.ContractID
	Date          kernel.Date
	Amount        amount
}

func paymentRowOf(tenant int64, p *sales.Payment) paymentRow {
	return paymentRow{
		TenantID: tenant, ID: p.ID, Number: p.Number, ContractID: p.ContractID, CustomerID: p.CustomerID, Place: p.Place, Date: p.Date,
		Amount: amountOf(p.Amount), Currency: p.Currency, PlanID: nullID(p.PlanID), Method: p.Method, FileURL: p.FileURL, Remark: p.Remark,
		ExternalSystem: p.ExternalSystem, ExternalID: nullText(p.ExternalID), ReversesID: nullID(p.ReversesID),
		CreatedAt: moment(p.CreatedAt), CreatedBy: p.CreatedBy,
	}
}

func (r *paymentRow) domain() *sales.Payment {
	return &sales.Payment{
		ID: r.ID, Number: r.Number, ContractID: r.ContractID, CustomerID: r.CustomerID, Place: r.Place, Date: r.Date, Amount: r.Amount.Decimal,
		Currency: r.Currency, PlanID: sales.PlanID(r.PlanID), Method: r.Method, FileURL: r.FileURL, Remark: r.Remark,
		ExternalSystem: r.ExternalSystem, ExternalID: string(r.ExternalID), ReversesID: sales.PaymentID(r.ReversesID),
		CreatedAt: time.Time(r.CreatedAt), CreatedBy: r.CreatedBy, Masked: r.Masked,
	}
}

type payments tx

// Insert see [sales.PaymentRepository].
func (r *payments) Insert(ctx context.Context, tenant kernel.TenantID, ps ...*sales.Payment) (taken []sales.Taken, err error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(ps) == 0 {
		return nil, err
	}
	ids, err := t.laterIDs(ctx, len(ps))
	if err != nil {
		return nil, err
	}
	rows := make([]paymentRow, len(ps))
	for i, p := range ps {
		p.ID = sales.PaymentID(ids[i])
		rows[i] = paymentRowOf(n, p)
	}
	written, err := insertFree(ctx, t, rows)
	if err != nil {
		return nil, err
	}
	for i, p := range ps {
		switch {
		case written[ids[i]]:
		case p.ExternalID != "":
			taken = append(taken, sales.Taken{Index: i, Field: "external_id"})
		default:
			taken = append(taken, sales.Taken{Index: i, Field: "number"})
		}
	}
	return taken, nil
}

// alive joins the contract q of a document, which says who may see it, and its customer t.
func (r *payments) alive(rows *[]paymentRow, n int64) *bun.SelectQuery {
	return (*tx)(r).ofContract(r.db.NewSelect().Model(rows), "p", n)
}

// Get see [sales.PaymentRepository].
func (r *payments) Get(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, ids ...sales.PaymentID) ([]*sales.Payment, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var rows []paymentRow
	text, args := reachable("q", sc)
	if err := oneOf(r.alive(&rows, n), "p.id", ids).Where(text, args...).Order("p.id").Scan(ctx); err != nil {
		return nil, err
	}
	return r.allocated(ctx, n, "a.payment_id", manyOf(ids), mapped(rows, (*paymentRow).domain))
}

// allocated adds what payments pay.
func (r *payments) allocated(ctx context.Context, n int64, column string, in many, all []*sales.Payment) ([]*sales.Payment, error) {
	if len(all) == 0 {
		return nil, nil
	}
	of := make(map[sales.PaymentID]*sales.Payment, len(all))
	for _, p := range all {
		of[p.ID] = p
	}
	var rows []allocationRow
	err := r.db.NewSelect().Model(&rows).Where("a.tenant_id = ?", n).Where("? IN (?)", bun.Ident(column), in).
		Order("a.payment_id", "a.plan_id").Conn(r.conn).Scan(ctx)
	for _, a := range rows {
		p := of[a.PaymentID]
		p.Allocations = append(p.Allocations, sales.Allocation{PlanID: a.PlanID, Amount: a.Amount.Decimal})
	}
	return all, err
}

// Of see [sales.PaymentRepository].
func (r *payments) Of(ctx context.Context, tenant kernel.TenantID, contracts ...sales.ContractID) ([]*sales.Payment, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil || len(contracts) == 0 {
		return nil, err
	}
	var rows []paymentRow
	err = oneOf(r.db.NewSelect().Model(&rows).Where("p.tenant_id = ?", n), "p.contract_id", contracts).
		Order("p.contract_id", "p.date", "p.place").Conn(r.conn).Scan(ctx)
	if err != nil {
		return nil, err
	}
	return r.allocated(ctx, n, "a.contract_id", manyOf(contracts), mapped(rows, (*paymentRow).domain))
}

// ByKey see [sales.PaymentRepository].
func (r *payments) ByKey(ctx context.Context, tenant kernel.TenantID, systems, ids []string) ([]*sales.Payment, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var rows []paymentRow
	err = oneOf(oneOf(r.db.NewSelect().Model(&rows).Where("p.tenant_id = ?", n), "p.external_system", systems), "p.external_id", ids).
		Conn(r.conn).Scan(ctx)
	return mapped(rows, (*paymentRow).domain), err
}

// Unallocate see [sales.PaymentRepository].
func (r *payments) Unallocate(ctx context.Context, tenant kernel.TenantID, ids ...sales.PaymentID) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return err
	}
	_, err = t.exec(ctx, "DELETE FROM crm_payment_allocations WHERE tenant_id = ? AND payment_id IN (?)", n, manyOf(ids))
	return err
}

// Allocate see [sales.PaymentRepository].
func (r *payments) Allocate(ctx context.Context, tenant kernel.TenantID, ps ...*sales.Payment) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	var rows []allocationRow
	for _, p := range ps {
		for _, a := range p.Allocations {
			rows = append(rows, allocationRow{
				TenantID: n, PaymentID: p.ID, PlanID: a.PlanID, ContractID: p.ContractID, Date: p.Date, Amount: amountOf(a.Amount),
			})
		}
	}
	return insert(ctx, t, rows)
}

// List see [sales.PaymentRepository].
func (r *payments) List(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, f sales.PaymentFilter, w kernel.Window) ([]*sales.Payment, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []paymentRow
	q := r.alive(&rows, n)
	text, args := owned("q", sc)
	if f.Contract != 0 || f.Customer != 0 {
		text, args = reachable("q", sc)
	}
	q = q.Where("("+text+")", args...)
	if f.Contract != 0 {
		q = q.Where("p.contract_id = ?", f.Contract)
	}
	if f.Customer != 0 {
		q = q.Where("p.customer_id = ?", f.Customer)
	}
	if f.From != "" {
		q = q.Where("p.date >= ?", f.From)
	}
	if f.To != "" {
		q = q.Where("p.date <= ?", f.To)
	}
	if len(w.After) == 2 {
		q = q.Where("(p.date, p.id) > (?, ?)", dayOf(w.After[0]), w.After[1])
	}
	err = q.Order("p.date", "p.id").Limit(int64(w.Limit) + 1).Scan(ctx)
	return mapped(rows, (*paymentRow).domain), err
}

// dayOf is the date of a number such as 20260131; any other number is a text that is no date.
func dayOf(n int64) string {
	return time.Date(int(n/10_000), time.Month(n/100%100), int(n%100), 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
}

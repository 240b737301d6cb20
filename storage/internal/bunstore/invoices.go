package bunstore

import (
	"context"
	"encoding/json"
	"time"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales"
	"github.com/openseas/crm/sales/calc"
)

type invoiceRow struct {
	bun.BaseModel `bun:"table:crm_invoices,alias:v"`
	TenantID      int64
	ID            sales.InvoiceID
	Number        string
	InvoiceNo     string
	ContractID    sales.ContractID
	CustomerID    customer.ID
	PaymentID     nullID
	Type          sales.InvoiceType
	Medium        sales.InvoiceMedium
	Status        sales.InvoiceStatus
	RedOfID       nullID
	RedNoticeNo   string
	IssueDate     kernel.Date
	Currency      string
	Amount        amount
	Net           amount
	Tax           amount
	Buyer         nullText
	FileURL       string `bun:"file_url"`
	Remark        string
	Version       int64
	CreatedAt     moment
	CreatedBy     kernel.UserID
	UpdatedAt     moment
	UpdatedBy     kernel.UserID
	Masked        bool `bun:",scanonly"` // no column: its customer tells, see inPool
}

type invoiceRateRow struct {
	bun.BaseModel `bun:"table:crm_invoice_rates,alias:vr"`
	TenantID      int64
	InvoiceID     sales.InvoiceID
	Sort          int
	Rate          amount
	Kind          calc.TaxKind
	Amount        amount
	Net           amount
	Tax           amount
}

func invoiceRowOf(tenant int64, v *sales.Invoice) (invoiceRow, error) {
	buyer, err := asJSON(v.Buyer)
	return invoiceRow{
		TenantID: tenant, ID: v.ID, Number: v.Number, InvoiceNo: v.InvoiceNo, ContractID: v.ContractID, CustomerID: v.CustomerID,
		PaymentID: nullID(v.PaymentID), Type: v.Type, Medium: v.Medium, Status: v.Status, RedOfID: nullID(v.RedOfID), RedNoticeNo: v.RedNoticeNo,
		IssueDate: v.IssueDate, Currency: v.Currency, Amount: amountOf(v.Amount), Net: amountOf(v.Net), Tax: amountOf(v.Tax), Buyer: buyer,
		FileURL: v.FileURL, Remark: v.Remark, Version: v.Version, CreatedAt: moment(v.CreatedAt), CreatedBy: v.CreatedBy,
		UpdatedAt: moment(v.UpdatedAt), UpdatedBy: v.UpdatedBy,
	}, err
}

func (r *invoiceRow) domain() (*sales.Invoice, error) {
	v := &sales.Invoice{
		ID: r.ID, Number: r.Number, InvoiceNo: r.InvoiceNo, ContractID: r.ContractID, CustomerID: r.CustomerID, PaymentID: sales.PaymentID(r.PaymentID),
		Type: r.Type, Medium: r.Medium, Status: r.Status, RedOfID: sales.InvoiceID(r.RedOfID), RedNoticeNo: r.RedNoticeNo, IssueDate: r.IssueDate,
		Currency: r.Currency, Amount: r.Amount.Decimal, Net: r.Net.Decimal, Tax: r.Tax.Decimal, FileURL: r.FileURL, Remark: r.Remark,
		Version: r.Version, CreatedAt: time.Time(r.CreatedAt), CreatedBy: r.CreatedBy, UpdatedAt: time.Time(r.UpdatedAt), UpdatedBy: r.UpdatedBy,
		Masked: r.Masked,
	}
	return v, json.Unmarshal([]byte(r.Buyer), &v.Buyer)
}

type invoices tx

// Insert see [sales.InvoiceRepository].
func (r *invoices) Insert(ctx context.Context, tenant kernel.TenantID, v *sales.Invoice) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	ids, err := t.newIDs(ctx, 1)
	if err != nil {
		return err
	}
	v.ID = sales.InvoiceID(ids[0])
	row, err := invoiceRowOf(n, v)
	if err != nil {
		return err
	}
	rates := make([]invoiceRateRow, len(v.Rates))
	for i, x := range v.Rates {
		rates[i] = invoiceRateRow{
			TenantID: n, InvoiceID: v.ID, Sort: i, Rate: amountOf(x.Rate), Kind: x.Kind, Amount: amountOf(x.Amount), Net: amountOf(x.Net), Tax: amountOf(x.Tax),
		}
	}
	return kernel.FirstError(insert(ctx, t, []invoiceRow{row}), insert(ctx, t, rates))
}

// Update see [sales.InvoiceRepository].
func (r *invoices) Update(ctx context.Context, tenant kernel.TenantID, v *sales.Invoice) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	row, err := invoiceRowOf(n, v)
	if err != nil {
		return err
	}
	return put(ctx, t, []invoiceRow{row})
}

// alive joins the contract q of an invoice, which says who may see it, and its customer t.
func (r *invoices) alive(rows *[]invoiceRow, n int64) *bun.SelectQuery {
	return (*tx)(r).ofContract(r.db.NewSelect().Model(rows), "v", n)
}

// Get see [sales.InvoiceRepository].
func (r *invoices) Get(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, ids ...sales.InvoiceID) ([]*sales.Invoice, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var rows []invoiceRow
	text, args := reachable("q", sc)
	if err := oneOf(r.alive(&rows, n), "v.id", ids).Where(text, args...).Order("v.id").Scan(ctx); err != nil {
		return nil, err
	}
	return r.whole(ctx, n, rows)
}

// Of see [sales.InvoiceRepository].
func (r *invoices) Of(ctx context.Context, tenant kernel.TenantID, contract sales.ContractID) ([]*sales.Invoice, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []invoiceRow
	err = r.db.NewSelect().Model(&rows).Where("v.tenant_id = ?", n).Where("v.contract_id = ?", contract).Order("v.id").Conn(r.conn).Scan(ctx)
	if err != nil {
		return nil, err
	}
	return r.whole(ctx, n, rows)
}

// whole adds the rates.
func (r *invoices) whole(ctx context.Context, n int64, rows []invoiceRow) ([]*sales.Invoice, error) {
	all, err := checked(rows, (*invoiceRow).domain)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	of, ids := make(map[sales.InvoiceID]*sales.Invoice, len(all)), make([]sales.InvoiceID, len(all))
	for i, v := range all {
		of[v.ID], ids[i] = v, v.ID
	}
	var rates []invoiceRateRow
	err = oneOf(r.db.NewSelect().Model(&rates).Where("vr.tenant_id = ?", n), "vr.invoice_id", ids).Order("vr.invoice_id", "vr.sort").Conn(r.conn).Scan(ctx)
	for _, x := range rates {
		v := of[x.InvoiceID]
		v.Rates = append(v.Rates, sales.InvoiceRate{Rate: x.Rate.Decimal, Kind: x.Kind, Amount: x.Amount.Decimal, Net: x.Net.Decimal, Tax: x.Tax.Decimal})
	}
	return all, err
}

// NumberFree see [sales.InvoiceRepository].
func (r *invoices) NumberFree(ctx context.Context, tenant kernel.TenantID, invoiceNo string) (free bool, err error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return false, err
	}
	err = t.raw("SELECT NOT EXISTS (SELECT 1 FROM crm_invoices WHERE tenant_id = ? AND invoice_no = ? AND invoice_no <> '')", n, invoiceNo).Scan(ctx, &free)
	return free, err
}

// List see [sales.InvoiceRepository].
func (r *invoices) List(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, f sales.InvoiceFilter, w kernel.Window) ([]*sales.Invoice, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []invoiceRow
	q := r.alive(&rows, n)
	text, args := owned("q", sc)
	if f.Contract != 0 || f.Customer != 0 {
		text, args = reachable("q", sc)
	}
	q = q.Where("("+text+")", args...)
	if f.Contract != 0 {
		q = q.Where("v.contract_id = ?", f.Contract)
	}
	if f.Customer != 0 {
		q = q.Where("v.customer_id = ?", f.Customer)
	}
	if err := byID(oneOf(q, "v.status", f.Statuses), "v", w).Scan(ctx); err != nil {
		return nil, err
	}
	return checked(rows, (*invoiceRow).domain)
}

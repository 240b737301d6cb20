package bunstore

import (
	"context"
	"encoding/json"
	"time"

	"github.com/shopspring/decimal"
	"github.com/uptrace/bun"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales"
	"github.com/openseas/crm/sales/calc"
)

// bodyCols is what quotes and contracts sell, and what it comes to.
type bodyCols struct {
	Currency             string         `bun:"currency"`
	PriceMode            calc.PriceMode `bun:"price_mode"`
	Rules                nullText       `bun:"rules"`
	HeaderDiscountRate   amount         `bun:"header_discount_rate"`
	HeaderDiscountAmount amount         `bun:"header_discount_amount"`
	Fees                 nullText       `bun:"fees"`
	Subtotal             amount         `bun:"subtotal"`
	DiscountTotal        amount         `bun:"discount_total"`
	FeeTotal             amount         `bun:"fee_total"`
	NetTotal             amount         `bun:"net_total"`
	TaxTotal             amount         `bun:"tax_total"`
	GrandTotal           amount         `bun:"grand_total"`
}

func bodyOf(b *sales.Body) (bodyCols, error) {
	rules, err := asJSON(b.Rules)
	if err != nil {
		return bodyCols{}, err
	}
	fees, err := json.Marshal(b.Fees)
	return bodyCols{
		b.Currency, b.PriceMode, rules, amount(b.HeaderDiscountRate), amountOf(b.HeaderDiscountAmount), nullText(fees),
		amountOf(b.Subtotal), amountOf(b.DiscountTotal), amountOf(b.FeeTotal), amountOf(b.NetTotal), amountOf(b.TaxTotal), amountOf(b.GrandTotal),
	}, err
}

func (c *bodyCols) domain() (b sales.Body, err error) {
	b = sales.Body{
		Currency: c.Currency, PriceMode: c.PriceMode, HeaderDiscountRate: decimal.NullDecimal(c.HeaderDiscountRate),
		HeaderDiscountAmount: c.HeaderDiscountAmount.Decimal, Subtotal: c.Subtotal.Decimal, DiscountTotal: c.DiscountTotal.Decimal,
		FeeTotal: c.FeeTotal.Decimal, NetTotal: c.NetTotal.Decimal, TaxTotal: c.TaxTotal.Decimal, GrandTotal: c.GrandTotal.Decimal,
	}
	if err := json.Unmarshal([]byte(c.Rules), &b.Rules); err != nil {
		return b, err
	}
	return b, json.Unmarshal([]byte(c.Fees), &b.Fees)
}

// lineCols is a line of a document.
type lineCols struct {
	Sort           int          `bun:"sort"`
	ProductID      nullID       `bun:"product_id"`
	Name           string       `bun:"name"`
	Specification  string       `bun:"specification"`
	Unit           string       `bun:"unit"`
	Quantity       amount       `bun:"quantity"`
	UnitPrice      amount       `bun:"unit_price"`
	Discount       amount       `bun:"discount"`
	TaxRate        amount       `bun:"tax_rate"`
	TaxKind        calc.TaxKind `bun:"tax_kind"`
	ListAmount     amount       `bun:"list_amount"`
	DiscountAmount amount       `bun:"discount_amount"`
	Amount         amount       `bun:"amount"`
	HeaderDiscount amount       `bun:"header_discount"`
	Net            amount       `bun:"net"`
	Tax            amount       `bun:"tax"`
}

func lineOf(i int, l *sales.Line) lineCols {
	return lineCols{
		i, nullID(l.ProductID), l.Name, l.Specification, l.Unit, amountOf(l.Quantity), amount(l.UnitPrice), amount(l.Discount), amount(l.TaxRate), l.TaxKind,
		amountOf(l.List), amountOf(l.LineTotals.Discount), amountOf(l.Amount), amountOf(l.HeaderDiscount), amountOf(l.Net), amountOf(l.Tax),
	}
}

func (c *lineCols) domain() sales.Line {
	return sales.Line{
		ProductID: sales.ProductID(c.ProductID), Name: c.Name, Specification: c.Specification, Unit: c.Unit, Quantity: c.Quantity.Decimal,
		UnitPrice: decimal.NullDecimal(c.UnitPrice), Discount: decimal.NullDecimal(c.Discount), TaxRate: decimal.NullDecimal(c.TaxRate), TaxKind: c.TaxKind,
		LineTotals: calc.LineTotals{
			Amounts:        calc.Amounts{List: c.ListAmount.Decimal, Discount: c.DiscountAmount.Decimal, Amount: c.Amount.Decimal},
			HeaderDiscount: c.HeaderDiscount.Decimal, Net: c.Net.Decimal, Tax: c.Tax.Decimal,
		},
	}
}

type quoteRow struct {
	bun.BaseModel `bun:"table:crm_quotes,alias:q"`
	TenantID      int64
	ID            sales.QuoteID
	Number        string
	RootID        sales.QuoteID
	Revision      int
	CustomerID    customer.ID
	OpportunityID nullID
	ContactID     nullID
	Title         string
	Status        sales.QuoteStatus
	Approval      sales.Approval
	ApprovedBy    kernel.UserID
	Date          kernel.Date
	ValidUntil    kernel.Date
	bodyCols
	FXRate       string `bun:"fx_rate"`
	BaseAmount   amount
	Terms        string
	Remark       string
	RejectReason string
	OwnerID      kernel.UserID
	SentAt       moment
	AcceptedAt   moment
	AcceptedBy   string
	Version      int64
	CreatedAt    moment
	CreatedBy    kernel.UserID
	UpdatedAt    moment
	UpdatedBy    kernel.UserID
	DeletedAt    moment
	Masked       bool `bun:",scanonly"` // no column: its customer tells, see inPool
}

type quoteLineRow struct {
	bun.BaseModel `bun:"table:crm_quote_lines,alias:ql"`
	TenantID      int64
	QuoteID       sales.QuoteID
	lineCols
}

func quoteRowOf(tenant int64, q *sales.Quote) (quoteRow, error) {
	body, err := bodyOf(&q.Body)
	return quoteRow{
		TenantID: tenant, ID: q.ID, Number: q.Number, RootID: q.RootID, Revision: q.Revision, CustomerID: q.CustomerID,
		OpportunityID: nullID(q.OpportunityID), ContactID: nullID(q.ContactID), Title: q.Title, Status: q.Status, Approval: q.Approval,
		ApprovedBy: q.ApprovedBy, Date: q.Date, ValidUntil: q.ValidUntil, bodyCols: body, FXRate: q.FXRate.String(), BaseAmount: amountOf(q.BaseAmount),
		Terms: q.Terms, Remark: q.Remark, RejectReason: q.RejectReason, OwnerID: q.OwnerID, SentAt: moment(q.SentAt),
		AcceptedAt: moment(q.AcceptedAt), AcceptedBy: q.AcceptedBy, Version: q.Version, CreatedAt: moment(q.CreatedAt), CreatedBy: q.CreatedBy,
		UpdatedAt: moment(q.UpdatedAt), UpdatedBy: q.UpdatedBy, DeletedAt: moment(q.DeletedAt),
	}, err
}

func (r *quoteRow) domain() (*sales.Quote, error) {
	body, err := r.bodyCols.domain()
	if err != nil {
		return nil, err
	}
	rate, err := decimal.NewFromString(r.FXRate)
	return &sales.Quote{
		ID: r.ID, Number: r.Number, RootID: r.RootID, Revision: r.Revision, CustomerID: r.CustomerID, OpportunityID: sales.OpportunityID(r.OpportunityID),
		ContactID: customer.ContactID(r.ContactID), Title: r.Title, Status: r.Status, Approval: r.Approval, ApprovedBy: r.ApprovedBy,
		Date: r.Date, ValidUntil: r.ValidUntil, Body: body, FXRate: rate, BaseAmount: r.BaseAmount.Decimal, Terms: r.Terms, Remark: r.Remark,
		RejectReason: r.RejectReason, OwnerID: r.OwnerID, SentAt: time.Time(r.SentAt), AcceptedAt: time.Time(r.AcceptedAt), AcceptedBy: r.AcceptedBy,
		Version: r.Version, CreatedAt: time.Time(r.CreatedAt), CreatedBy: r.CreatedBy, UpdatedAt: time.Time(r.UpdatedAt), UpdatedBy: r.UpdatedBy,
		DeletedAt: time.Time(r.DeletedAt), Masked: r.Masked,
	}, err
}

type quotes tx

// Insert see [sales.QuoteRepository].
func (r *quotes) Insert(ctx context.Context, tenant kernel.TenantID, q *sales.Quote) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	ids, err := t.newIDs(ctx, 1)
	if err != nil {
		return err
	}
	if q.ID = sales.QuoteID(ids[0]); q.RootID == 0 {
		q.RootID = q.ID
	}
	row, err := quoteRowOf(n, q)
	if err != nil {
		return err
	}
	return kernel.FirstError(insert(ctx, t, []quoteRow{row}), r.lines(ctx, n, q))
}

func (r *quotes) lines(ctx context.Context, n int64, q *sales.Quote) error {
	rows := make([]quoteLineRow, len(q.Lines))
	for i := range q.Lines {
		rows[i] = quoteLineRow{TenantID: n, QuoteID: q.ID, lineCols: lineOf(i, &q.Lines[i])}
	}
	return insert(ctx, (*tx)(r), rows)
}

// Update see [sales.QuoteRepository]. Only a draft's lines can have changed.
func (r *quotes) Update(ctx context.Context, tenant kernel.TenantID, q *sales.Quote) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	row, err := quoteRowOf(n, q)
	if err != nil {
		return err
	}
	if err := put(ctx, t, []quoteRow{row}); err != nil || q.Status != sales.QuoteDraft {
		return err
	}
	if _, err := t.exec(ctx, "DELETE FROM crm_quote_lines WHERE tenant_id = ? AND quote_id = ?", n, int64(q.ID)); err != nil {
		return err
	}
	return r.lines(ctx, n, q)
}

func (r *quotes) alive(rows *[]quoteRow, n int64) *bun.SelectQuery {
	return inPool(r.db.NewSelect().Model(rows)).Join("CROSS JOIN ? AS t", (*tx)(r).table("customers")).
		Where("q.tenant_id = ?", n).Where("q.deleted_at IS NULL").Where("t.tenant_id = q.tenant_id AND t.id = q.customer_id").Conn(r.conn)
}

// Get see [sales.QuoteRepository].
func (r *quotes) Get(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, ids ...sales.QuoteID) ([]*sales.Quote, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var rows []quoteRow
	text, args := reachable("q", sc)
	if err := oneOf(r.alive(&rows, n), "q.id", ids).Where(text, args...).Order("q.id").Scan(ctx); err != nil {
		return nil, err
	}
	return r.whole(ctx, n, rows)
}

// whole adds their lines.
func (r *quotes) whole(ctx context.Context, n int64, rows []quoteRow) ([]*sales.Quote, error) {
	all, err := checked(rows, (*quoteRow).domain)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	of := make(map[sales.QuoteID]*sales.Quote, len(all))
	ids := make([]sales.QuoteID, len(all))
	for i, q := range all {
		of[q.ID], ids[i] = q, q.ID
	}
	var lines []quoteLineRow
	err = oneOf(r.db.NewSelect().Model(&lines).Where("ql.tenant_id = ?", n), "ql.quote_id", ids).Order("ql.quote_id", "ql.sort").Conn(r.conn).Scan(ctx)
	for i := range lines {
		q := of[lines[i].QuoteID]
		q.Lines = append(q.Lines, lines[i].lineCols.domain())
	}
	return all, err
}

// List see [sales.QuoteRepository].
func (r *quotes) List(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, f sales.QuoteFilter, w kernel.Window) ([]*sales.Quote, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []quoteRow
	q := r.alive(&rows, n)
	text, args := owned("q", sc)
	if f.Customer != 0 {
		text, args = reachable("q", sc)
		q = q.Where("q.customer_id = ?", f.Customer)
	}
	q = q.Where("("+text+")", args...)
	if f.Opportunity != 0 {
		q = q.Where("q.opportunity_id = ?", f.Opportunity)
	}
	q = oneOf(oneOf(q, "q.owner_id", f.Owners), "q.status", f.Statuses)
	if err := byID(q, "q", w).Scan(ctx); err != nil {
		return nil, err
	}
	return checked(rows, (*quoteRow).domain)
}

// Revisions see [sales.QuoteRepository].
func (r *quotes) Revisions(ctx context.Context, tenant kernel.TenantID, root sales.QuoteID) ([]*sales.Quote, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []quoteRow
	err = r.db.NewSelect().Model(&rows).Where("q.tenant_id = ?", n).Where("q.root_id = ?", root).Where("q.deleted_at IS NULL").
		Order("q.id").Conn(r.conn).Scan(ctx)
	if err != nil {
		return nil, err
	}
	return r.whole(ctx, n, rows)
}

// Accepted see [sales.QuoteRepository].
func (r *quotes) Accepted(ctx context.Context, tenant kernel.TenantID, of sales.OpportunityID) (count int, err error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return 0, err
	}
	err = t.raw("SELECT count(*) FROM crm_quotes WHERE tenant_id = ? AND opportunity_id = ? AND status = ? AND deleted_at IS NULL",
		n, int64(of), int(sales.QuoteAccepted)).Scan(ctx, &count)
	return count, err
}

// Sent see [sales.QuoteRepository].
func (r *quotes) Sent(ctx context.Context, tenant kernel.TenantID, of sales.OpportunityID) ([]*sales.Quote, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []quoteRow
	err = r.db.NewSelect().Model(&rows).Where("q.tenant_id = ?", n).Where("q.opportunity_id = ?", of).Where("q.status = ?", sales.QuoteSent).
		Where("q.deleted_at IS NULL").Order("q.id").Conn(r.conn).Scan(ctx)
	if err != nil {
		return nil, err
	}
	return r.whole(ctx, n, rows)
}

// Over see [sales.QuoteRepository].
func (r *quotes) Over(ctx context.Context, tenant kernel.TenantID, today kernel.Date, now time.Time, atMost int) ([]*sales.Quote, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var ids, customers []int64
	found := []struct{ ID, CustomerID int64 }{}
	err = t.raw(`SELECT id, customer_id FROM crm_quotes WHERE tenant_id = ? AND status = 2 AND valid_until <> '' AND valid_until < ? AND deleted_at IS NULL
		ORDER BY valid_until LIMIT ?`, n, string(today), atMost).Scan(ctx, &found)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	for _, f := range found {
		ids, customers = append(ids, f.ID), append(customers, f.CustomerID)
	}
	if t.pg {
		var locked []int64
		err = t.raw("SELECT id FROM crm_customers WHERE tenant_id = ? AND id IN (?) ORDER BY id FOR NO KEY UPDATE", n, bun.List(customers)).Scan(ctx, &locked)
		if err != nil {
			return nil, err
		}
	}
	found = found[:0]
	err = t.raw(`UPDATE crm_quotes SET status = 5, version = version + 1, updated_at = ? WHERE tenant_id = ? AND id IN (?) AND status = 2
		AND valid_until <> '' AND valid_until < ? AND deleted_at IS NULL RETURNING id, customer_id`, moment(now), n, bun.List(ids), string(today)).Scan(ctx, &found)
	over := make([]*sales.Quote, len(found))
	for i, f := range found {
		over[i] = &sales.Quote{ID: sales.QuoteID(f.ID), CustomerID: customer.ID(f.CustomerID)}
	}
	return over, err
}

type docNumbers tx

// Next see [sales.NumberRepository].
func (r *docNumbers) Next(ctx context.Context, tenant kernel.TenantID, kind, period string) (next int64, err error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return 0, err
	}
	err = t.raw(`INSERT INTO crm_numbers AS c (tenant_id, kind, period, n) VALUES (?, ?, ?, 1)
		ON CONFLICT (tenant_id, kind, period) DO UPDATE SET n = c.n + 1 RETURNING n`, n, kind, period).Scan(ctx, &next)
	return next, err
}

// Reserve see [sales.NumberRepository].
func (r *docNumbers) Reserve(ctx context.Context, tenant kernel.TenantID, kind, period string, count int) (first int64, err error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return 0, err
	}
	err = t.raw(`INSERT INTO crm_numbers AS c (tenant_id, kind, period, n) VALUES (?0, ?1, ?2, ?3)
		ON CONFLICT (tenant_id, kind, period) DO UPDATE SET n = c.n + ?3 RETURNING n - ?3 + 1`, n, kind, period, count).Scan(ctx, &first)
	return first, err
}

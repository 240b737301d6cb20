package bunstore

import (
	"context"
	"time"

	"github.com/shopspring/decimal"
	"github.com/uptrace/bun"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales"
	"github.com/openseas/crm/sales/calc"
)

type contractRow struct {
	bun.BaseModel `bun:"table:crm_contracts,alias:q"`
	TenantID      int64
	ID            sales.ContractID
	Number        string
	Name          string
	CustomerID    customer.ID
	OpportunityID nullID
	QuoteID       nullID
	ContactID     nullID
	Status        sales.ContractStatus
	ApprovedBy    kernel.UserID
	bodyCols
	FXRate     string `bun:"fx_rate"`
	BaseAmount amount
	SignDate   kernel.Date
	StartDate  kernel.Date
	EndDate    kernel.Date
	FileURL    string `bun:"file_url"`
	Terms      string
	Remark     string
	EndReason  string
	EndedOn    kernel.Date
	Received   amount
	Credit     amount
	Invoiced   amount
	Changes    int
	OwnerID    kernel.UserID
	Version    int64
	CreatedAt  moment
	CreatedBy  kernel.UserID
	UpdatedAt  moment
	UpdatedBy  kernel.UserID
	Masked     bool `bun:",scanonly"` // no column: its customer tells, see inPool
}

type contractLineRow struct {
	bun.BaseModel `bun:"table:crm_contract_lines,alias:ql"`
	TenantID      int64
	ContractID    sales.ContractID
	ChangeNo      int
	lineCols
}

type planRow struct {
	bun.BaseModel `bun:"table:crm_plans,alias:i"`
	TenantID      int64
	ID            sales.PlanID
	ContractID    sales.ContractID
	Date          kernel.Date
	Amount        amount
	Note          string
	Paid          amount
	Status        calc.PlanStatus
}

func planRowOf(tenant int64, of sales.ContractID, p sales.Plan) planRow {
	return planRow{
		TenantID: tenant, ID: p.ID, ContractID: of, Date: p.Date, Amount: amountOf(p.Amount), Note: p.Note, Paid: amountOf(p.Paid), Status: p.Status,
	}
}

func contractRowOf(tenant int64, x *sales.Contract) (contractRow, error) {
	body, err := bodyOf(&x.Body)
	return contractRow{
		TenantID: tenant, ID: x.ID, Number: x.Number, Name: x.Name, CustomerID: x.CustomerID, OpportunityID: nullID(x.OpportunityID),
		QuoteID: nullID(x.QuoteID), ContactID: nullID(x.ContactID), Status: x.Status, ApprovedBy: x.ApprovedBy, bodyCols: body,
		FXRate: x.FXRate.String(), BaseAmount: amountOf(x.BaseAmount), SignDate: x.SignDate, StartDate: x.StartDate, EndDate: x.EndDate,
		FileURL: x.FileURL, Terms: x.Terms, Remark: x.Remark, EndReason: x.EndReason, EndedOn: x.EndedOn,
		Received: amountOf(x.Received), Credit: amountOf(x.Credit), Invoiced: amountOf(x.Invoiced), Changes: x.Changes, OwnerID: x.OwnerID, Version: x.Version,
		CreatedAt: moment(x.CreatedAt), CreatedBy: x.CreatedBy, UpdatedAt: moment(x.UpdatedAt), UpdatedBy: x.UpdatedBy,
	}, err
}

func (r *contractRow) domain() (*sales.Contract, error) {
	body, err := r.bodyCols.domain()
	if err != nil {
		return nil, err
	}
	rate, err := decimal.NewFromString(r.FXRate)
	return &sales.Contract{
		ID: r.ID, Number: r.Number, Name: r.Name, CustomerID: r.CustomerID, OpportunityID: sales.OpportunityID(r.OpportunityID),
		QuoteID: sales.QuoteID(r.QuoteID), ContactID: customer.ContactID(r.ContactID), Status: r.Status, ApprovedBy: r.ApprovedBy, Body: body,
		FXRate: rate, BaseAmount: r.BaseAmount.Decimal, SignDate: r.SignDate, StartDate: r.StartDate, EndDate: r.EndDate, FileURL: r.FileURL,
		Terms: r.Terms, Remark: r.Remark, EndReason: r.EndReason, EndedOn: r.EndedOn,
		Received: r.Received.Decimal, Credit: r.Credit.Decimal, Invoiced: r.Invoiced.Decimal, Changes: r.Changes, OwnerID: r.OwnerID,
		Version: r.Version, CreatedAt: time.Time(r.CreatedAt),
		CreatedBy: r.CreatedBy, UpdatedAt: time.Time(r.UpdatedAt), UpdatedBy: r.UpdatedBy, Masked: r.Masked,
	}, err
}

type contracts tx

// Insert see [sales.ContractRepository].
func (r *contracts) Insert(ctx context.Context, tenant kernel.TenantID, x *sales.Contract) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	ids, err := t.newIDs(ctx, 1)
	if err != nil {
		return err
	}
	x.ID = sales.ContractID(ids[0])
	row, err := contractRowOf(n, x)
	if err != nil {
		return err
	}
	return kernel.FirstError(insert(ctx, t, []contractRow{row}), r.lines(ctx, n, x, 0))
}

// lines writes the lines of a contract from one on.
func (r *contracts) lines(ctx context.Context, n int64, x *sales.Contract, from int) error {
	rows := make([]contractLineRow, 0, len(x.Lines)-from)
	for i := from; i < len(x.Lines); i++ {
		rows = append(rows, contractLineRow{TenantID: n, ContractID: x.ID, ChangeNo: x.Lines[i].Change, lineCols: lineOf(i, &x.Lines[i])})
	}
	return insert(ctx, (*tx)(r), rows)
}

// AddLines see [sales.ContractRepository].
func (r *contracts) AddLines(ctx context.Context, tenant kernel.TenantID, x *sales.Contract, from int) error {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil {
		return err
	}
	return r.lines(ctx, n, x, from)
}

// Lock see [sales.ContractRepository]. SQLite has locked the whole database.
func (r *contracts) Lock(ctx context.Context, tenant kernel.TenantID, ids ...sales.ContractID) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil || !t.pg || len(ids) == 0 {
		return err
	}
	var locked []int64
	return t.raw("SELECT id FROM crm_contracts WHERE tenant_id = ? AND id IN (?) ORDER BY id FOR NO KEY UPDATE", n, manyOf(ids)).Scan(ctx, &locked)
}

// Update see [sales.ContractRepository]. Only a draft's lines can have changed.
func (r *contracts) Update(ctx context.Context, tenant kernel.TenantID, x *sales.Contract) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	row, err := contractRowOf(n, x)
	if err != nil {
		return err
	}
	if err := put(ctx, t, []contractRow{row}); err != nil || x.Status != sales.ContractDraft {
		return err
	}
	if _, err := t.exec(ctx, "DELETE FROM crm_contract_lines WHERE tenant_id = ? AND contract_id = ?", n, int64(x.ID)); err != nil {
		return err
	}
	return r.lines(ctx, n, x, 0)
}

// PutPlans see [sales.ContractRepository].
func (r *contracts) PutPlans(ctx context.Context, tenant kernel.TenantID, id sales.ContractID, plans []sales.Plan) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	fresh, err := t.newIDs(ctx, len(plans))
	if err != nil {
		return err
	}
	rows, kept := make([]planRow, len(plans)), []sales.PlanID{0}
	for i := range plans {
		p := &plans[i]
		if p.ID == 0 {
			p.ID = sales.PlanID(fresh[i])
		}
		rows[i], kept = planRowOf(n, id, *p), append(kept, p.ID)
	}
	_, err = t.exec(ctx, "DELETE FROM crm_plans WHERE tenant_id = ? AND contract_id = ? AND id NOT IN (?)", n, int64(id), manyOf(kept))
	if err != nil {
		return err
	}
	return put(ctx, t, rows)
}

func (r *contracts) alive(rows *[]contractRow, n int64) *bun.SelectQuery {
	return inPool(r.db.NewSelect().Model(rows)).Join("CROSS JOIN ? AS t", (*tx)(r).table("customers")).
		Where("q.tenant_id = ?", n).Where("t.tenant_id = q.tenant_id AND t.id = q.customer_id").Conn(r.conn)
}

// Get see [sales.ContractRepository].
func (r *contracts) Get(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, ids ...sales.ContractID) ([]*sales.Contract, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var rows []contractRow
	text, args := reachable("q", sc)
	if err := oneOf(r.alive(&rows, n), "q.id", ids).Where(text, args...).Order("q.id").Scan(ctx); err != nil {
		return nil, err
	}
	return r.whole(ctx, n, rows)
}

// Planned see [sales.ContractRepository].
func (r *contracts) Planned(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, ids ...sales.ContractID) ([]*sales.Contract, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var rows []contractRow
	text, args := reachable("q", sc)
	if err := oneOf(r.alive(&rows, n), "q.id", ids).Where(text, args...).Order("q.id").Scan(ctx); err != nil {
		return nil, err
	}
	return r.planned(ctx, n, rows)
}

// Settle see [sales.ContractRepository].
func (r *contracts) Settle(ctx context.Context, tenant kernel.TenantID, xs ...*sales.Contract) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	rows, plans := make([]contractRow, len(xs)), []planRow{}
	for i, x := range xs {
		if rows[i], err = contractRowOf(n, x); err != nil {
			return err
		}
		for _, p := range x.Plans {
			plans = append(plans, planRowOf(n, x.ID, p))
		}
	}
	return kernel.FirstError(put(ctx, t, rows), put(ctx, t, plans))
}

// OfQuote see [sales.ContractRepository].
func (r *contracts) OfQuote(ctx context.Context, tenant kernel.TenantID, ids ...sales.QuoteID) ([]*sales.Contract, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var rows []contractRow
	if err := oneOf(r.alive(&rows, n), "q.quote_id", ids).Order("q.id").Scan(ctx); err != nil {
		return nil, err
	}
	return r.whole(ctx, n, rows)
}

// whole adds lines and plans.
func (r *contracts) whole(ctx context.Context, n int64, rows []contractRow) ([]*sales.Contract, error) {
	all, err := r.planned(ctx, n, rows)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	of, ids := contractsByID(all)
	var lines []contractLineRow
	err = oneOf(r.db.NewSelect().Model(&lines).Where("ql.tenant_id = ?", n), "ql.contract_id", ids).Order("ql.contract_id", "ql.sort").Conn(r.conn).Scan(ctx)
	for i := range lines {
		x, line := of[lines[i].ContractID], lines[i].lineCols.domain()
		line.Change = lines[i].ChangeNo
		x.Lines = append(x.Lines, line)
	}
	return all, err
}

// planned adds plans.
func (r *contracts) planned(ctx context.Context, n int64, rows []contractRow) ([]*sales.Contract, error) {
	all, err := checked(rows, (*contractRow).domain)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	of, ids := contractsByID(all)
	var plans []planRow
	err = oneOf(r.db.NewSelect().Model(&plans).Where("i.tenant_id = ?", n), "i.contract_id", ids).
		Order("i.contract_id", "i.date", "i.id").Conn(r.conn).Scan(ctx)
	for _, p := range plans {
		x := of[p.ContractID]
		x.Plans = append(x.Plans, sales.Plan{ID: p.ID, Date: p.Date, Amount: p.Amount.Decimal, Note: p.Note, Paid: p.Paid.Decimal, Status: p.Status})
	}
	return all, err
}

func contractsByID(all []*sales.Contract) (of map[sales.ContractID]*sales.Contract, ids []sales.ContractID) {
	of, ids = make(map[sales.ContractID]*sales.Contract, len(all)), make([]sales.ContractID, len(all))
	for i, x := range all {
		of[x.ID], ids[i] = x, x.ID
	}
	return of, ids
}

// List see [sales.ContractRepository].
func (r *contracts) List(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, f sales.ContractFilter, w kernel.Window) ([]*sales.Contract, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []contractRow
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
	if f.SignedFrom != "" {
		q = q.Where("q.sign_date >= ?", f.SignedFrom)
	}
	if f.SignedTo != "" {
		q = q.Where("q.sign_date > '' AND q.sign_date <= ?", f.SignedTo)
	}
	q = oneOf(oneOf(q, "q.owner_id", f.Owners), "q.status", f.Statuses)
	if err := byID(q, "q", w).Scan(ctx); err != nil {
		return nil, err
	}
	return checked(rows, (*contractRow).domain)
}

// ofContract is a query on what hangs on a contract: it joins the contract as q, which says who may see it, and the customer
// as t, which says whether it is masked.
func (t *tx) ofContract(query *bun.SelectQuery, alias string, n int64) *bun.SelectQuery {
	of := bun.Ident(alias)
	return inPool(query).Join("CROSS JOIN ? AS q", t.table("contracts")).Join("CROSS JOIN ? AS t", t.table("customers")).
		Where("?.tenant_id = ?", of, n).Where("q.tenant_id = ?.tenant_id AND q.id = ?.contract_id", of, of).
		Where("t.tenant_id = ?.tenant_id AND t.id = ?.customer_id", of, of).Conn(t.conn)
}

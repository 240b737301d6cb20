package bunstore

import (
	"context"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales"
)

type opportunities tx

// Insert see [sales.OpportunityRepository].
func (r *opportunities) Insert(ctx context.Context, tenant kernel.TenantID, x *sales.Opportunity) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	ids, err := t.newIDs(ctx, 1)
	if err != nil {
		return err
	}
	x.ID = sales.OpportunityID(ids[0])
	return insert(ctx, t, []opportunityRow{opportunityRowOf(n, x)})
}

// alive is a query on the tenant's opportunities, with their customers as t.
func (r *opportunities) alive(rows *[]opportunityRow, n int64) *bun.SelectQuery {
	return inPool(r.db.NewSelect().Model(rows)).Join("CROSS JOIN ? AS t", (*tx)(r).table("customers")).
		Where("op.tenant_id = ?", n).Where("op.deleted_at IS NULL").
		Where("t.tenant_id = op.tenant_id AND t.id = op.customer_id").Conn(r.conn)
}

// owned is the scope of what has an owner of its own, by that, and by the region of its customer t.
func owned(alias string, sc kernel.Scope) (text string, args []any) {
	if sc.All {
		return "1 = 1", nil
	}
	text = "1 = 0"
	if len(sc.Owners) > 0 {
		text, args = alias+".owner_id IN (?)", append(args, bun.List(sc.Owners))
	}
	for _, prefix := range sc.Regions {
		text, args = text+" OR (t.region >= ? AND t.region < ?)", append(args, prefix, prefix+":")
	}
	return text, args
}

// reachable is owned, or the scope of its customer t.
func reachable(alias string, sc kernel.Scope) (text string, args []any) {
	own, args := owned(alias, sc)
	of, more := scopeSQL(sc)
	return "(" + own + " OR " + of + ")", append(args, more...)
}

// Get see [sales.OpportunityRepository].
func (r *opportunities) Get(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, ids ...sales.OpportunityID) ([]*sales.Opportunity, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var rows []opportunityRow
	text, args := reachable("op", sc)
	err = oneOf(r.alive(&rows, n), "op.id", ids).Where(text, args...).Order("op.id").Scan(ctx)
	return mapped(rows, (*opportunityRow).domain), err
}

// Update see [sales.OpportunityRepository].
func (r *opportunities) Update(ctx context.Context, tenant kernel.TenantID, x *sales.Opportunity) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	return put(ctx, t, []opportunityRow{opportunityRowOf(n, x)})
}

// List see [sales.OpportunityRepository].
func (r *opportunities) List(
	ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, f sales.OpportunityFilter, stale []sales.Stale, w kernel.Window,
) ([]*sales.Opportunity, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []opportunityRow
	q := r.alive(&rows, n)
	text, args := owned("op", sc)
	if f.Customer != 0 {
		text, args = reachable("op", sc)
		q = q.Where("op.customer_id = ?", f.Customer)
	}
	q = q.Where("("+text+")", args...)
	q = oneOf(q, "op.owner_id", f.Owners)
	q = oneOf(q, "op.pipeline_id", f.Pipelines)
	q = oneOf(q, "op.stage_id", f.Stages)
	q = oneOf(q, "op.status", f.Statuses)
	if f.CloseFrom != "" {
		q = q.Where("op.expected_close >= ?", f.CloseFrom)
	}
	if f.CloseTo != "" {
		q = q.Where("op.expected_close > '' AND op.expected_close <= ?", f.CloseTo)
	}
	if len(stale) > 0 {
		var stages []string
		var cuts []any
		for _, s := range stale {
			stages, cuts = append(stages, "(op.stage_id = ? AND op.stage_since < ?)"), append(cuts, s.Stage, moment(s.Since))
		}
		q = q.Where("("+strings.Join(stages, " OR ")+")", cuts...)
	}
	err = byID(q, "op", w).Scan(ctx)
	return mapped(rows, (*opportunityRow).domain), err
}

// Enter see [sales.OpportunityRepository].
func (r *opportunities) Enter(ctx context.Context, tenant kernel.TenantID, m *sales.StageMoved) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	ids, err := t.laterIDs(ctx, 1)
	if err != nil {
		return err
	}
	m.ID = ids[0]
	return insert(ctx, t, []stageMovedRow{{
		TenantID: n, ID: m.ID, OpportunityID: m.OpportunityID, FromStage: nullID(m.From), ToStage: m.To, Status: m.Status,
		Amount: amountOf(m.Amount), Currency: m.Currency, Probability: amountOf(m.Probability), OwnerID: string(m.OwnerID),
		LostReason: m.LostReason, Actor: string(m.Actor), At: moment(m.At),
	}})
}

// History see [sales.OpportunityRepository].
func (r *opportunities) History(ctx context.Context, tenant kernel.TenantID, id sales.OpportunityID, w kernel.Window) ([]sales.StageMoved, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []stageMovedRow
	q := r.db.NewSelect().Model(&rows).Where("h.tenant_id = ?", n).Where("h.opportunity_id = ?", id).Conn(r.conn)
	err = byID(q, "h", w).Scan(ctx)
	return mapped(rows, (*stageMovedRow).domain), err
}

func (r *stageMovedRow) domain() sales.StageMoved {
	return sales.StageMoved{
		ID: r.ID, OpportunityID: r.OpportunityID, From: sales.StageID(r.FromStage), To: r.ToStage, Status: r.Status,
		Amount: r.Amount.Decimal, Currency: r.Currency, Probability: r.Probability.Decimal, OwnerID: kernel.UserID(r.OwnerID),
		LostReason: r.LostReason, Actor: kernel.UserID(r.Actor), At: time.Time(r.At),
	}
}

// ActiveMember see [sales.OpportunityRepository].
func (r *opportunities) ActiveMember(ctx context.Context, tenant kernel.TenantID, user kernel.UserID) (bool, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return false, err
	}
	text := "SELECT id FROM crm_members WHERE tenant_id = ? AND user_id = ? AND inactive_since IS NULL"
	if t.pg {
		text += " FOR SHARE" // who is being made inactive waits, or has been
	}
	var found []int64
	err = t.raw(text, n, string(user)).Scan(ctx, &found)
	return len(found) > 0, err
}

// ContactOf see [sales.OpportunityRepository].
func (r *opportunities) ContactOf(ctx context.Context, tenant kernel.TenantID, of customer.ID, contact customer.ContactID) (found bool, err error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return false, err
	}
	err = t.raw("SELECT EXISTS (SELECT 1 FROM crm_contacts WHERE tenant_id = ? AND id = ? AND customer_id = ? AND deleted_at IS NULL)",
		n, int64(contact), int64(of)).Scan(ctx, &found)
	return found, err
}

package bunstore

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/sales"
)

type leads tx

// Insert see [sales.LeadRepository].
func (r *leads) Insert(ctx context.Context, tenant kernel.TenantID, xs ...*sales.Lead) ([]sales.LeadTaken, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	ids, err := t.newIDs(ctx, len(xs))
	if err != nil {
		return nil, err
	}
	rows := make([]leadRow, len(xs))
	for i, x := range xs {
		x.ID = sales.LeadID(ids[i])
		rows[i] = leadRowOf(n, x)
	}
	written, err := insertFree(ctx, t, rows)
	if err != nil {
		return nil, err
	}
	var missing []*leadRow
	var places []int
	for i, id := range ids {
		if !written[id] {
			missing, places = append(missing, &rows[i]), append(places, i)
		}
	}
	holders, err := r.holders(ctx, n, missing...)
	if err != nil {
		return nil, err
	}
	taken := make([]sales.LeadTaken, len(missing))
	for k, x := range missing {
		by, field := holderOf(x, holders)
		if by == nil { // somebody took it, and gave it back
			return nil, kernel.ErrRetry
		}
		taken[k] = sales.LeadTaken{Index: places[k], Field: field, By: by.domain()}
	}
	return taken, nil
}

// holders are the living leads that have a unique value of one of these: a union of looks into one index each.
func (r *leads) holders(ctx context.Context, n int64, of ...*leadRow) (found []*leadRow, err error) {
	t := (*tx)(r)
	var phones, emails, keys []string
	for _, x := range of {
		phones, emails, keys = append(phones, string(x.PhoneKey)), append(emails, string(x.EmailKey)), append(keys, string(x.ExternalID))
	}
	seen := map[sales.LeadID]bool{}
	for _, by := range []struct {
		column string
		values []string
	}{{"t.phone_key", phones}, {"t.email_key", emails}, {"t.external_id", keys}} {
		values := slices.DeleteFunc(by.values, func(s string) bool { return s == "" })
		if len(values) == 0 {
			continue
		}
		var rows []leadRow
		q := t.db.NewSelect().Model(&rows).Where("t.tenant_id = ?", n).Where("t.deleted_at IS NULL").Where("? IN (?)", bun.Ident(by.column), bun.List(values))
		if by.column == "t.external_id" { // the index begins with the system
			systems := make([]string, len(of))
			for i, x := range of {
				systems[i] = string(x.ExternalSystem)
			}
			q = q.Where("t.external_system IN (?)", bun.List(systems))
		}
		if err := q.Order("t.id").Conn(t.conn).Scan(ctx); err != nil {
			return nil, err
		}
		for i := range rows {
			if !seen[rows[i].ID] {
				seen[rows[i].ID], found = true, append(found, &rows[i])
			}
		}
	}
	return found, nil
}

// holderOf is who of them has a unique value of a lead, and which.
func holderOf(x *leadRow, all []*leadRow) (*leadRow, string) {
	for _, field := range []string{"phone", "email", "external_id"} {
		for _, y := range all {
			same := map[string]bool{
				"phone": x.PhoneKey != "" && x.PhoneKey == y.PhoneKey, "email": x.EmailKey != "" && x.EmailKey == y.EmailKey,
				"external_id": x.ExternalID != "" && x.ExternalID == y.ExternalID && x.ExternalSystem == y.ExternalSystem,
			}
			if y.ID != x.ID && same[field] {
				return y, field
			}
		}
	}
	return nil, ""
}

// Holders see [sales.LeadRepository].
func (r *leads) Holders(ctx context.Context, tenant kernel.TenantID, x *sales.Lead) ([]*sales.Lead, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	row := leadRowOf(n, x)
	all, err := r.holders(ctx, n, &row)
	if err != nil {
		return nil, err
	}
	if by, _ := holderOf(&row, all); by != nil {
		return []*sales.Lead{by.domain()}, nil
	}
	return nil, nil
}

// Discard see [sales.LeadRepository].
func (r *leads) Discard(ctx context.Context, tenant kernel.TenantID, ids ...sales.LeadID) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return err
	}
	_, err = t.exec(ctx, "DELETE FROM crm_leads WHERE tenant_id = ? AND id IN (?)", n, bun.List(ids))
	return err
}

// reach is a query on leads within a scope, living or not.
func (r *leads) reach(rows *[]leadRow, n int64, sc kernel.Scope) *bun.SelectQuery {
	text, args := scopeSQL(sc)
	return r.db.NewSelect().Model(rows).Where("t.tenant_id = ?", n).Where("("+text+")", args...).Conn(r.conn)
}

// Get see [sales.LeadRepository].
func (r *leads) Get(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, ids ...sales.LeadID) ([]*sales.Lead, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var rows []leadRow
	err = oneOf(r.reach(&rows, n, sc), "t.id", ids).Order("t.id").Scan(ctx)
	return mapped(rows, (*leadRow).domain), err
}

// Lock see [sales.LeadRepository].
func (r *leads) Lock(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, ids ...sales.LeadID) ([]*sales.Lead, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var rows []leadRow
	err = t.forUpdate(oneOf(r.reach(&rows, n, sc), "t.id", ids).Order("t.id")).Scan(ctx)
	return mapped(rows, (*leadRow).domain), err
}

// Update see [sales.LeadRepository].
func (r *leads) Update(ctx context.Context, tenant kernel.TenantID, x *sales.Lead) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	return put(ctx, t, []leadRow{leadRowOf(n, x)})
}

// List see [sales.LeadRepository].
func (r *leads) List(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, f sales.LeadFilter, w kernel.Window) ([]*sales.Lead, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []leadRow
	q := r.reach(&rows, n, sc)
	if len(f.Statuses) == 0 {
		q = q.Where("t.deleted_at IS NULL")
	}
	if f.InPool {
		q = q.Where("t.owner_id IS NULL")
	}
	q = oneOf(oneOf(oneOf(q, "t.owner_id", f.Owners), "t.pool_id", f.Pools), "t.stage", f.Statuses)
	q = oneOf(oneOf(oneOf(oneOf(q, "t.source", f.Sources), "t.intent", f.Intents), "t.level", f.Levels), "t.industry", f.Industries)
	if len(f.Regions) > 0 {
		text, args := regionsSQL(f.Regions)
		q = q.Where("("+text+")", args...)
	}
	if len(f.TagsAny) > 0 {
		t := (*tx)(r)
		q = q.Where(`EXISTS (SELECT 1 FROM ? AS ct JOIN ? AS g ON g.tenant_id = ct.tenant_id AND g.id = ct.tag_id
			WHERE ct.tenant_id = t.tenant_id AND ct.lead_id = t.id AND g.deleted_at IS NULL AND g.name IN (?))`,
			t.table("lead_tags"), t.table("tags"), bun.List(f.TagsAny))
	}
	if f.Customer != 0 {
		q = q.Where("t.customer_id = ?", f.Customer)
	}
	if !f.CreatedFrom.IsZero() {
		q = q.Where("t.created_at >= ?", moment(f.CreatedFrom))
	}
	if !f.CreatedTo.IsZero() {
		q = q.Where("t.created_at < ?", moment(f.CreatedTo))
	}
	err = byID(q, "t", w).Scan(ctx)
	return mapped(rows, (*leadRow).domain), err
}

// Homes see [sales.LeadRepository].
func (r *leads) Homes(ctx context.Context, tenant kernel.TenantID, owners ...kernel.UserID) (map[kernel.UserID]customer.PoolID, error) {
	return (*tx)(r).homes(ctx, tenant, pool.Leads, owners)
}

// PoolsExist see [sales.LeadRepository].
func (r *leads) PoolsExist(ctx context.Context, tenant kernel.TenantID, ids ...customer.PoolID) ([]customer.PoolID, error) {
	return (*tx)(r).poolsExist(ctx, tenant, pool.Leads, ids)
}

// AddFollowUp see [sales.LeadRepository].
func (r *leads) AddFollowUp(ctx context.Context, tenant kernel.TenantID, x *sales.FollowUp) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	ids, err := t.newIDs(ctx, 1)
	if err != nil {
		return err
	}
	x.ID = customer.InteractionID(ids[0])
	return insert(ctx, t, []followUpRow{followUpRowOf(n, x)})
}

// FollowUps see [sales.LeadRepository].
func (r *leads) FollowUps(ctx context.Context, tenant kernel.TenantID, id sales.LeadID, w kernel.Window) ([]*sales.FollowUp, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []followUpRow
	q := r.db.NewSelect().Model(&rows).Where("i.tenant_id = ?", n).Where("i.lead_id = ?", id).Order("i.at DESC", "i.id DESC").Limit(int64(w.Limit) + 1)
	if len(w.After) > 1 {
		q = q.Where("(i.at, i.id) < (?, ?)", moment(time.UnixMicro(w.After[0])), w.After[1])
	}
	err = q.Conn(r.conn).Scan(ctx)
	return mapped(rows, (*followUpRow).domain), err
}

// Tag see [sales.LeadRepository].
func (r *leads) Tag(ctx context.Context, tenant kernel.TenantID, id sales.LeadID, tags ...customer.TagID) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	if _, err := t.exec(ctx, "DELETE FROM crm_lead_tags WHERE tenant_id = ? AND lead_id = ?", n, id); err != nil {
		return err
	}
	var rows []leadTagRow
	for _, tag := range slices.Compact(slices.Sorted(slices.Values(tags))) {
		rows = append(rows, leadTagRow{TenantID: n, LeadID: id, TagID: tag})
	}
	return insert(ctx, t, rows)
}

// Tags see [sales.LeadRepository].
func (r *leads) Tags(ctx context.Context, tenant kernel.TenantID, ids ...sales.LeadID) (map[sales.LeadID][]customer.Tag, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var rows []struct {
		OfID sales.LeadID
		tagRow
	}
	err = t.db.NewSelect().Model((*leadTagRow)(nil)).ColumnExpr("ct.lead_id AS of_id, "+t.columnsOf((*tagRow)(nil), "g.")).
		Join("JOIN ? AS g ON g.tenant_id = ct.tenant_id AND g.id = ct.tag_id", t.table("tags")).Where("ct.tenant_id = ?", n).
		Where("g.deleted_at IS NULL").Where("ct.lead_id IN (?)", bun.List(ids)).Order("g.name").Conn(t.conn).Scan(ctx, &rows)
	of := make(map[sales.LeadID][]customer.Tag, len(ids))
	for i := range rows {
		of[rows[i].OfID] = append(of[rows[i].OfID], *rows[i].domain())
	}
	return of, err
}

// The ways in which a customer looks like a lead, each by an index of its own.
const (
	matchContact = `SELECT t.id AS customer, k.id AS contact, {how} AS reason, t.owner_id, t.region, t.pool_id, t.standing = 'blacklist' AS blacklist
		FROM crm_contacts AS k CROSS JOIN crm_customers AS t WHERE k.tenant_id = ?tenant AND k.{how}_key = ?{how} AND k.deleted_at IS NULL
			AND t.tenant_id = k.tenant_id AND t.id = k.customer_id AND t.deleted_at IS NULL ORDER BY k.id LIMIT ?most`
	matchRow = `SELECT t.id AS customer, 0 AS contact, {how} AS reason, t.owner_id, t.region, t.pool_id, t.standing = 'blacklist' AS blacklist
		FROM crm_customers AS t WHERE t.tenant_id = ?tenant AND t.deleted_at IS NULL AND {same} ORDER BY t.id LIMIT ?most`
)

// Matches see [sales.LeadRepository].
func (r *leads) Matches(ctx context.Context, tenant kernel.TenantID, x *sales.Lead, atMost int) (found []sales.Match, err error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	name := x.Company
	if name == "" {
		name = x.Name
	}
	args := binds{
		"tenant": n, "most": atMost, "phone": customer.PhoneKey(x.Phone), "email": customer.EmailKey(x.Email),
		"system": x.ExternalSystem, "key": x.ExternalID, "name": name,
	}
	var arms []string
	arm := func(ask bool, text, how, same string) {
		if ask {
			text = strings.NewReplacer("= ?{how}", "= ?"+how, "{how}_key", how+"_key", "{how}", "'"+how+"'", "{same}", same).Replace(text)
			arms = append(arms, "SELECT * FROM ("+text+") AS x"+how)
		}
	}
	arm(x.ExternalID != "", matchRow, string(sales.SameKey), "t.external_system = ?system AND t.external_id = ?key AND t.external_id IS NOT NULL")
	arm(args["phone"] != "", matchContact, string(sales.SamePhone), "")
	arm(args["email"] != "", matchContact, string(sales.SameEmail), "")
	arm(true, matchRow, string(sales.SameName), "t.name = ?name")
	var rows []struct {
		Customer  customer.ID
		Contact   customer.ContactID
		Reason    sales.MatchReason
		OwnerID   nullText
		Region    nullText
		PoolID    customer.PoolID
		Blacklist bool
	}
	err = t.raw(strings.Join(arms, " UNION ALL "), args).Scan(ctx, &rows)
	for _, m := range rows {
		found = append(found, sales.Match{
			Customer: m.Customer, Reason: m.Reason, Contact: m.Contact, Owner: kernel.UserID(m.OwnerID), Region: string(m.Region), Pool: m.PoolID,
			Blacklist: m.Blacklist,
		})
	}
	return found, err
}

// Move see [sales.LeadRepository].
func (r *leads) Move(ctx context.Context, tenant kernel.TenantID, id sales.LeadID, to customer.ID, contact customer.ContactID) (int, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return 0, err
	}
	const columns = `id, tenant_id, type, direction, subject, content, at, minutes, outcome, next_action, next_action_at, next_done_at, staff,
		attachments, session_tag, followup, automatic, version, created_at, created_by, updated_at`
	args := binds{"tenant": n, "lead": int64(id), "to": int64(to), "contact": int64(contact)}
	moved := 0
	for i, text := range []string{
		"INSERT INTO crm_interactions (" + columns + ", customer_id, contact_id) SELECT " + columns +
			", ?to, ?contact FROM crm_lead_interactions WHERE tenant_id = ?tenant AND lead_id = ?lead",
		"DELETE FROM crm_lead_interactions WHERE tenant_id = ?tenant AND lead_id = ?lead",
		`INSERT INTO crm_customer_tags (tenant_id, customer_id, tag_id) SELECT tenant_id, ?to, tag_id FROM crm_lead_tags
			WHERE tenant_id = ?tenant AND lead_id = ?lead ON CONFLICT DO NOTHING`,
		"DELETE FROM crm_lead_tags WHERE tenant_id = ?tenant AND lead_id = ?lead",
	} {
		count, err := t.exec(ctx, text, args)
		if err != nil {
			return 0, err
		}
		if i == 0 {
			moved = count
		}
	}
	return moved, nil
}

package bunstore

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	"github.com/uptrace/bun"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

// records is the records of one kind, as the pool sees them.
type records struct {
	*tx
	kind  pool.Kind
	table string
}

// recordRow is a record as the pool reads it.
type recordRow struct {
	bun.BaseModel `bun:"alias:t"`
	ID            int64
	Seq           int64
	Version       int64
	Standing      customer.Standing
	Stage         customer.Stage
	Region        nullText
	ownershipCols
}

func (r *recordRow) domain() pool.Record {
	return pool.Record{
		ID: r.ID, Seq: r.Seq, Version: r.Version, Ownership: r.ownershipCols.domain(), Region: string(r.Region),
		Blacklisted: r.Standing == customer.Blacklisted, TakesPlace: r.Stage != customer.Won,
	}
}

// Look see [pool.Repository].
func (r *records) Look(ctx context.Context, tenant kernel.TenantID, ids ...int64) ([]pool.Record, error) {
	return r.look(ctx, tenant, false, ids)
}

// Lock see [pool.Repository].
func (r *records) Lock(ctx context.Context, tenant kernel.TenantID, ids ...int64) ([]pool.Record, error) {
	return r.look(ctx, tenant, true, ids)
}

func (r *records) look(ctx context.Context, tenant kernel.TenantID, lock bool, ids []int64) ([]pool.Record, error) {
	n, err := r.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var rows []recordRow
	if len(ids) == 1 {
		err := r.query(ctx, lookName(r.kind, lock), named{"tenant": n, "id": ids[0]}, &rows)
		return toRecords(rows), err
	}
	q := within(r.db.NewSelect().Model(&rows).ModelTableExpr("? AS t", r.tableName()), n, kernel.Scope{All: true}).
		Where("t.id IN (?)", bun.List(ids)).Order("t.id").Conn(r.conn)
	if lock {
		q = r.forUpdate(q)
	}
	if err := q.Scan(ctx); err != nil {
		return nil, err
	}
	return toRecords(rows), nil
}

func toRecords(rows []recordRow) []pool.Record {
	found := make([]pool.Record, len(rows))
	for i := range rows {
		found[i] = rows[i].domain()
	}
	return found
}

func lookName(k pool.Kind, lock bool) string {
	if lock {
		return "record." + string(k) + ".lock"
	}
	return "record." + string(k) + ".look"
}

// lookRecord is the hot read of one record, as the pool sees it.
func (s *Store) lookRecord(table string) string {
	return "SELECT " + s.columnsOf((*recordRow)(nil), "t.") + " FROM " + table + " AS t WHERE t.tenant_id = :tenant AND t.id = :id AND t.deleted_at IS NULL"
}

func (r *records) tableName() safeName { return safeName(r.eng.Names.rename(r.table)) }

// Move see [pool.Repository].
func (r *records) Move(ctx context.Context, mv pool.Move) error {
	n, err := r.tenant(ctx, mv.By.Tenant)
	if err != nil || len(mv.Records) == 0 {
		return err
	}
	ids := make([]int64, len(mv.Records))
	for i, x := range mv.Records {
		ids[i] = x.ID
	}
	if err := r.moveCounters(ctx, n, mv); err != nil {
		return err
	}
	if err := r.moveTasks(ctx, n, mv, ids); err != nil {
		return err
	}
	set := "owner_id = NULL, owned_since = NULL, last_owner = owner_id, pool_entered_at = ?now"
	if mv.To != "" {
		set = "owner_id = ?to, owned_since = ?now, pool_entered_at = NULL, first_followup_at = NULL, last_followup_at = NULL"
	}
	set += ", lock_until = NULL, lock_reason = ''"
	if mv.Pool != 0 {
		set += ", pool_id = ?pool"
	}
	_, err = r.exec(ctx, "UPDATE "+r.table+" SET "+set+`, version = version + 1, seq = seq + 1, updated_at = ?now, updated_by = ?by
		WHERE tenant_id = ?tenant AND id IN (?ids)`,
		binds{"now": moment(mv.Now), "to": mv.To, "pool": mv.Pool, "by": mv.By.User, "tenant": n, "ids": bun.List(ids)})
	if err != nil {
		return err
	}
	return r.tellMove(ctx, mv)
}

// moveCounters gives back the places of the old owners and takes those of the new one, in one order of the users.
func (r *records) moveCounters(ctx context.Context, n int64, mv pool.Move) error {
	places := map[kernel.UserID]int{}
	for _, x := range mv.Records {
		by := 0
		if x.TakesPlace {
			by = 1
		}
		if x.OwnerID != "" {
			places[x.OwnerID] -= by
		}
		if mv.To != "" {
			places[mv.To] += by
		}
	}
	users := make([]kernel.UserID, 0, len(places))
	for user := range places {
		users = append(users, user)
	}
	c := &counters{r.tx, string(r.kind)}
	if _, err := c.Lock(ctx, mv.By.Tenant, users...); err != nil {
		return err
	}
	if err := c.AddPlaces(ctx, mv.By.Tenant, places); err != nil || mv.Action != customer.Claimed {
		return err
	}
	_, err := r.exec(ctx, `UPDATE crm_counters SET claims_used = CASE WHEN claims_day = ?day THEN claims_used ELSE 0 END + ?claims, claims_day = ?day
		WHERE tenant_id = ?tenant AND kind = ?kind AND user_id = ?to`,
		binds{"day": mv.Day, "claims": len(mv.Records), "tenant": n, "kind": r.kind, "to": mv.To})
	return err
}

// tellMove writes one line of the operation log, one of the audit trail and one event for each record.
func (r *records) tellMove(ctx context.Context, mv pool.Move) error {
	ops := make([]customer.Operation, len(mv.Records))
	changes := make([]kernel.Change, len(mv.Records))
	reason, _ := mv.By.System()
	for i, x := range mv.Records {
		home := x.PoolID
		if mv.Pool != 0 {
			home = mv.Pool
		}
		to := mv.To
		if mv.Action == customer.Moved {
			to = x.OwnerID
		}
		ops[i] = customer.Operation{
			RecordID: x.ID, Action: mv.Action, Actor: mv.By.User, From: x.OwnerID, To: to, PoolID: home,
			Reason: firstText(mv.Reason, reason), Note: mv.Note, OverCap: mv.OverCap[x.ID],
			Unlocked: mv.Action != customer.Moved && x.IsLocked(mv.Now),
			Request:  mv.By.Request, At: mv.Now,
		}
		ref := kernel.Ref{Kind: string(r.kind), ID: x.ID}
		before, after := map[string]any{}, map[string]any{}
		if mv.Action != customer.Moved {
			before["owner_id"], after["owner_id"] = x.OwnerID, mv.To
		}
		if home != x.PoolID {
			before["pool_id"], after["pool_id"] = x.PoolID, home
		}
		for name, text := range map[string]string{"reason": mv.Reason, "note": mv.Note} {
			if text != "" {
				after[name] = text
			}
		}
		if ops[i].Unlocked {
			after["unlocked"] = true
		}
		if mv.OverCap[x.ID] {
			after["over_cap"] = true
		}
		changes[i] = kernel.Change{Subject: ref, Seq: x.Seq + 1, Ref: ref, Type: string(r.kind) + pastOf(mv.Action), Before: before, After: after}
	}
	if err := (&operations{r.tx, string(r.kind)}).Append(ctx, mv.By.Tenant, ops...); err != nil {
		return err
	}
	return r.Journal().Record(ctx, mv.By, mv.Now, changes...)
}

func pastOf(a customer.Action) string {
	switch a {
	case customer.Claimed:
		return ".claimed"
	case customer.Recycled:
		return ".recycled"
	case customer.Assigned:
		return ".assigned"
	case customer.Transferred:
		return ".transferred"
	case customer.Moved:
		return ".moved"
	case customer.Locked:
		return ".locked"
	case customer.Unlocked:
		return ".unlocked"
	case customer.TakenOff:
		return ".removed"
	case customer.Resigned:
		return ".resigned"
	case customer.HandedOver:
		return ".handed_over"
	}
	return ".released"
}

func firstText(texts ...string) string {
	i := slices.IndexFunc(texts, func(s string) bool { return s != "" })
	if i < 0 {
		return ""
	}
	return texts[i]
}

// OwnedBy see [pool.Repository].
func (r *records) OwnedBy(ctx context.Context, tenant kernel.TenantID, owner kernel.UserID, after int64, atMost int) (ids []int64, err error) {
	n, err := r.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	err = r.raw("SELECT id FROM "+r.table+" WHERE tenant_id = ? AND owner_id = ? AND deleted_at IS NULL AND id > ? ORDER BY id LIMIT ?",
		n, string(owner), after, atMost).Scan(ctx, &ids)
	return ids, err
}

// Owned see [pool.Repository].
func (r *records) Owned(ctx context.Context, tenant kernel.TenantID) (count int, err error) {
	n, err := r.tenant(ctx, tenant)
	if err != nil {
		return 0, err
	}
	err = r.raw("SELECT count(*) FROM "+r.table+" WHERE tenant_id = ? AND deleted_at IS NULL AND owner_id IS NOT NULL", n).Scan(ctx, &count)
	return count, err
}

// factsRecord is what conditions read of one record.
type factsRecord struct {
	ID                int64
	Level             nullText
	Standing          string
	Stage             string
	Type              string
	Industry          nullText
	Source            nullText
	Region            nullText
	AnnualPotential   amount
	OwnedSince        moment
	FirstFollowupAt   moment
	LastFollowupAt    moment
	Interactions      int64
	LastInteractionAt moment
	Orders            int64
	LastOrderAt       moment
	OpenOpportunities int64
	ActiveContracts   int64
	OpenCases         int64
	Spend             amount
	Tags              nullText
}

// Facts see [pool.Repository].
func (r *records) Facts(ctx context.Context, tenant kernel.TenantID, spendFrom, spendUntil time.Time, ids ...int64) (map[int64]condition.Facts, error) {
	n, err := r.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	tags := "(SELECT group_concat(g.name, char(10))"
	if r.pg {
		tags = "(SELECT string_agg(g.name, chr(10))"
	}
	var rows []factsRecord
	err = r.raw(kinds[r.kind].write(`SELECT t.id, t.level, t.standing, t.stage, t.type, t.industry, t.source, t.region, t.annual_potential,
			t.owned_since, t.first_followup_at,
			t.last_followup_at, {last_interaction} AS last_interaction_at, f.orders, f.last_order_at, f.open_opportunities, f.active_contracts, f.open_cases,
			(SELECT sum(o.amount) FROM crm_orders o WHERE o.tenant_id = t.tenant_id AND o.customer_id = t.id
				AND o.status IN ('paid', 'shipped', 'completed') AND o.ordered_at >= ? AND o.ordered_at < ?) AS spend,
			`+tags+` FROM {tags} ct JOIN crm_tags g ON g.tenant_id = ct.tenant_id AND g.id = ct.tag_id
				WHERE ct.tenant_id = t.tenant_id AND ct.{tagged} = t.id AND g.deleted_at IS NULL) AS tags
		FROM `+r.table+` t {facts}
		WHERE t.tenant_id = ? AND t.id IN (?)`), moment(spendFrom), moment(spendUntil), n, bun.List(ids)).Scan(ctx, &rows)
	if err != nil {
		return nil, err
	}
	facts := make(map[int64]condition.Facts, len(rows))
	for _, x := range rows {
		facts[x.ID] = x.domain()
	}
	return facts, nil
}

func (x *factsRecord) domain() condition.Facts {
	owned := customer.Ownership{OwnedSince: time.Time(x.OwnedSince), LastFollowupAt: time.Time(x.LastFollowupAt)}
	f := condition.Facts{
		FollowupFrom: owned.FollowupFrom(), OwnedSince: owned.OwnedSince, FirstFollowupAt: time.Time(x.FirstFollowupAt),
		LastOrderAt: time.Time(x.LastOrderAt), LastInteractionAt: time.Time(x.LastInteractionAt),
		Level: string(x.Level), Standing: x.Standing, Stage: x.Stage, Type: x.Type, Industry: string(x.Industry), Source: string(x.Source),
		Region: string(x.Region), OpenOpportunities: x.OpenOpportunities, ActiveContracts: x.ActiveContracts, OpenCases: x.OpenCases,
		Orders: x.Orders, Spend: x.Spend.Decimal, Potential: decimal.NullDecimal(x.AnnualPotential),
	}
	if x.Tags != "" {
		f.Tags = strings.Split(string(x.Tags), "\n")
	}
	return f
}

package bunstore

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

// histories reads what was written about the records of one kind. Only customers have interactions, orders and facts yet.
type histories struct {
	*tx
	kind  pool.Kind
	table string
}

// pastRows is how many rows of one source a batch of histories holds at most, but for a single record that has more.
const pastRows = 20_000

// Count see [pool.HistoryRepository].
func (h *histories) Count(ctx context.Context, tenant kernel.TenantID, after int64) (count int, err error) {
	n, err := h.tenant(ctx, tenant)
	if err != nil {
		return 0, err
	}
	err = h.raw("SELECT count(*) FROM "+h.table+" WHERE tenant_id = ? AND id > ?", n, after).Scan(ctx, &count)
	return count, err
}

// Histories see [pool.HistoryRepository]: five statements, each a walk along one index from the first record to the last.
// A source that has too many rows shortens the batch by the records that it was cut at.
func (h *histories) Histories(ctx context.Context, tenant kernel.TenantID, after int64, atMost int) ([]pool.History, error) {
	n, err := h.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	all, err := h.records(ctx, n, after, atMost)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	b := &batchOfHistories{histories: h, tenant: n, all: all, from: all[0].ID, to: all[len(all)-1].ID}
	for _, read := range []func(context.Context) error{b.operations, b.interactions, b.orders, b.changes} {
		if err := read(ctx); err != nil {
			return nil, err
		}
	}
	end := slices.IndexFunc(all, func(x pool.History) bool { return x.ID > b.to })
	if end < 0 {
		end = len(all)
	}
	return all[:end], nil
}

// records are the next records themselves, with the facts that have no history.
func (h *histories) records(ctx context.Context, n, after int64, atMost int) ([]pool.History, error) {
	tags := "(SELECT group_concat(g.name, char(10))"
	if h.pg {
		tags = "(SELECT string_agg(g.name, chr(10))"
	}
	var rows []struct {
		factsRecord
		DeletedAt moment
	}
	err := h.raw(kinds[h.kind].write(`SELECT t.id, t.level, t.standing, t.stage, t.type, t.industry, t.source, t.region, t.annual_potential, t.deleted_at,
			f.open_opportunities, f.active_contracts, f.open_cases,
			`+tags+` FROM {tags} ct CROSS JOIN crm_tags g
				WHERE ct.tenant_id = t.tenant_id AND ct.{tagged} = t.id AND g.tenant_id = ct.tenant_id AND g.id = ct.tag_id AND g.deleted_at IS NULL) AS tags
		FROM `+h.table+` t {facts}
		WHERE t.tenant_id = ? AND t.id > ? ORDER BY t.id LIMIT ?`), n, after, atMost).Scan(ctx, &rows)
	all := make([]pool.History, len(rows))
	for i := range rows {
		all[i] = pool.History{ID: rows[i].ID, Facts: rows[i].domain(), Deleted: !time.Time(rows[i].DeletedAt).IsZero()}
	}
	return all, err
}

// batchOfHistories is the records from one to another, whose past is being read.
type batchOfHistories struct {
	*histories
	tenant   int64
	all      []pool.History
	from, to int64
}

// of is the history of a record; nil beyond the batch.
func (b *batchOfHistories) of(id int64) *pool.History {
	i, found := slices.BinarySearchFunc(b.all, id, func(h pool.History, id int64) int { return int(min(1, max(-1, h.ID-id))) })
	if !found {
		return nil
	}
	return &b.all[i]
}

// sourceOf reads one source of a batch, in the order of the records, and shortens the batch where it has too many rows.
func sourceOf[R any](ctx context.Context, b *batchOfHistories, text string, record func(*R) int64) (rows []R, err error) {
	args := binds{"tenant": b.tenant, "kind": string(b.kind), "from": b.from, "to": b.to, "limit": pastRows + 1}
	if err := b.raw(text, args).Scan(ctx, &rows); err != nil || len(rows) <= pastRows {
		return rows, err
	}
	last := record(&rows[len(rows)-1])
	if last > b.from { // all of those before it are there
		b.to = last - 1
		return slices.DeleteFunc(rows, func(r R) bool { return record(&r) > b.to }), nil
	}
	rows, b.to, args["to"], args["limit"] = nil, b.from, b.from, int64(math.MaxInt64)
	err = b.raw(text, args).Scan(ctx, &rows)
	return rows, err
}

func (b *batchOfHistories) operations(ctx context.Context) error {
	type row struct {
		RecordID int64
		Action   customer.Action
		ToOwner  nullText
		PoolID   pool.ID
		RuleID   pool.RuleID
		Rule     string
		At       moment
	}
	rows, err := sourceOf(ctx, b, `SELECT record_id, action, to_owner, pool_id, rule_id, rule, at FROM crm_operations
		WHERE tenant_id = ?tenant AND kind = ?kind AND record_id BETWEEN ?from AND ?to ORDER BY record_id, id LIMIT ?limit`, func(r *row) int64 { return r.RecordID })
	for _, x := range rows {
		if h := b.of(x.RecordID); h != nil {
			h.Operations = append(h.Operations, pool.PastOperation{
				At: time.Time(x.At), Action: x.Action, To: kernel.UserID(x.ToOwner), Pool: x.PoolID, Rule: x.RuleID, Text: x.Rule,
			})
		}
	}
	return err
}

func (b *batchOfHistories) interactions(ctx context.Context) error {
	type row struct {
		CustomerID int64
		At         moment
		CreatedAt  moment
		Followup   bool
	}
	rows, err := sourceOf(ctx, b, kinds[b.kind].write(`SELECT {interaction_of} AS customer_id, at, created_at, followup FROM {interactions}
		WHERE tenant_id = ?tenant AND {interaction_of} BETWEEN ?from AND ?to AND {interaction_lives} ORDER BY {interaction_of}, at, id LIMIT ?limit`),
		func(r *row) int64 { return r.CustomerID })
	for _, x := range rows {
		if h := b.of(x.CustomerID); h != nil {
			h.Interactions = append(h.Interactions, pool.PastInteraction{At: time.Time(x.At), Known: time.Time(x.CreatedAt), Followup: x.Followup})
		}
	}
	return err
}

func (b *batchOfHistories) orders(ctx context.Context) error {
	type row struct {
		CustomerID int64
		OrderedAt  moment
		CreatedAt  moment
		Amount     amount
		Status     string
	}
	rows, err := sourceOf(ctx, b, `SELECT customer_id, ordered_at, created_at, amount, status FROM crm_orders
		WHERE tenant_id = ?tenant AND customer_id BETWEEN ?from AND ?to AND status <> 'cancelled' ORDER BY customer_id, ordered_at, id LIMIT ?limit`,
		func(r *row) int64 { return r.CustomerID })
	for _, x := range rows {
		if h := b.of(x.CustomerID); h != nil {
			h.Orders = append(h.Orders, pool.PastOrder{
				At: time.Time(x.OrderedAt), Known: time.Time(x.CreatedAt), Amount: x.Amount.Decimal,
				Paid: slices.Contains([]string{"paid", "shipped", "completed"}, x.Status), // as in Facts
			})
		}
	}
	return err
}

// changes leaves out what the operation log tells better.
func (b *batchOfHistories) changes(ctx context.Context) error {
	type row struct {
		RecordID int64
		At       moment
		Type     string
		Before   nullText
		After    nullText
	}
	rows, err := sourceOf(ctx, b, `SELECT subject_id AS record_id, at, type, before, after FROM crm_audit
		WHERE tenant_id = ?tenant AND subject_kind = ?kind AND subject_id BETWEEN ?from AND ?to AND kind = ?kind
			AND type NOT IN (?kind || '.claimed', ?kind || '.released', ?kind || '.removed', ?kind || '.recycled', ?kind || '.assigned',
				?kind || '.transferred', ?kind || '.moved')
		ORDER BY subject_id, id LIMIT ?limit`, func(r *row) int64 { return r.RecordID })
	for _, x := range rows {
		if h := b.of(x.RecordID); h != nil {
			h.Changes = append(h.Changes, pool.PastChange{At: time.Time(x.At), Type: x.Type, Before: asRaw(x.Before), After: asRaw(x.After)})
		}
	}
	return err
}

// Memberships see [pool.HistoryRepository].
func (h *histories) Memberships(ctx context.Context, tenant kernel.TenantID, pools []pool.ID, users []kernel.UserID) ([]pool.Membership, error) {
	n, err := h.tenant(ctx, tenant)
	if err != nil || len(pools) == 0 || len(users) == 0 {
		return nil, err
	}
	var rows []struct {
		ID            pool.ID
		UserID        kernel.UserID
		InactiveSince moment
	}
	err = h.raw(`SELECT p.id, m.user_id, m.inactive_since FROM crm_pools p CROSS JOIN crm_members m
		WHERE p.tenant_id = ?tenant AND p.id IN (?pools) AND m.tenant_id = ?tenant AND m.user_id IN (?users) AND `+belongsSQL,
		binds{"tenant": n, "pools": bun.List(pools), "users": bun.List(users)}).Scan(ctx, &rows)
	all := make([]pool.Membership, len(rows))
	for i, x := range rows {
		all[i] = pool.Membership{Pool: x.ID, User: x.UserID, Until: time.Time(x.InactiveSince)}
	}
	return all, err
}

package bunstore

import (
	"context"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

// patterns asks the operation log of one kind of record. Claims, or releases, of the
// window are found by crm_ix_operations_pooled; what followed each of them by the index of its record's lines: the first
// line that changes the owner. SQLite takes a partial index only where its condition stands word by word, hence the IN
// beside the equality.
type patterns struct {
	*tx
	kind pool.Kind
}

// following joins what came after a line, under an alias: the first line of the same record that meets a condition. Without
// LATERAL, Postgres would read the whole log and hash it; SQLite has none, and needs none.
func (p *patterns) following(alias, condition string) string {
	first := " FROM crm_operations AS x WHERE x.tenant_id = ?tenant AND x.kind = ?kind AND " + condition + " ORDER BY x.id LIMIT 1)"
	if p.pg {
		return " CROSS JOIN LATERAL (SELECT x.*" + first + " AS " + alias
	}
	return " CROSS JOIN crm_operations AS " + alias + " ON " + alias + ".tenant_id = ?tenant AND " + alias + ".id = (SELECT x.id" + first
}

// releasedClaims are the claims c of the window that the member itself ended by the release r, in time and with no
// follow-up in between.
func (p *patterns) releasedClaims() string {
	return `crm_operations AS c` + p.following("r", "x.record_id = c.record_id AND x.id > c.id AND (x.to_owner IS NULL OR x.to_owner <> c.to_owner)") + `
	WHERE c.tenant_id = ?tenant AND c.kind = ?kind AND c.action IN ('claim', 'release') AND c.action = 'claim' AND c.at >= ?from AND c.at < ?to AND ?member
		AND r.action = 'release' AND r.from_owner = c.to_owner AND r.at <= c.at + ?within
` + kinds[p.kind].write(`		AND NOT EXISTS (SELECT 1 FROM {interactions} AS i WHERE i.tenant_id = ?tenant AND i.{interaction_of} = c.record_id
			AND {interaction_lives} AND i.followup
			AND i.at >= c.at AND i.at <= r.at)`)
}

// hands are the releases r of the window after which another member was the next to have the record, by the claim c in time.
func (p *patterns) hands() string {
	return `crm_operations AS r` + p.following("c", "x.record_id = r.record_id AND x.id > r.id AND x.to_owner IS NOT NULL") + `
	WHERE r.tenant_id = ?tenant AND r.kind = ?kind AND r.action IN ('claim', 'release') AND r.action = 'release' AND r.at >= ?from AND r.at < ?to AND ?member
		AND c.action = 'claim' AND c.to_owner <> r.from_owner AND c.at <= r.at + ?within`
}

// args are the arguments that all questions have.
func (p *patterns) args(ctx context.Context, tenant kernel.TenantID, r pool.PatternRange, w kernel.Window) (binds, error) {
	n, err := p.tenant(ctx, tenant)
	within := schema.SafeQuery("?", []any{r.Within.Microseconds()})
	if p.pg {
		within = schema.SafeQuery("? * interval '1 microsecond'", []any{r.Within.Microseconds()})
	}
	if r.From.IsZero() { // which would be NULL
		r.From = r.From.Add(time.Microsecond)
	}
	return binds{
		"tenant": n, "kind": string(p.kind), "from": moment(r.From), "to": moment(r.To), "within": within, "limit": w.Limit + 1,
		"member": schema.SafeQuery("1 = 1", nil), "after": schema.SafeQuery("1 = 1", nil),
	}, err
}

// ClaimAndRelease see [pool.PatternRepository].
func (p *patterns) ClaimAndRelease(
	ctx context.Context, tenant kernel.TenantID, r pool.PatternRange, w kernel.Window,
) ([]pool.Listed[pool.ClaimAndRelease], error) {
	args, err := p.args(ctx, tenant, r, w)
	if err != nil {
		return nil, err
	}
	if len(w.After) == 2 {
		args["after"] = schema.SafeQuery("(s.n < ?0 OR s.n = ?0 AND m.id > ?1)", []any{w.After[0], w.After[1]})
	}
	var rows []struct {
		ID     int64
		UserID kernel.UserID
		N      int
		Claims int
	}
	err = p.raw(`WITH s AS MATERIALIZED (SELECT c.to_owner, count(*) AS n FROM `+p.releasedClaims()+` GROUP BY c.to_owner)
		SELECT m.id, m.user_id, s.n, (SELECT count(*) FROM crm_operations AS c WHERE c.tenant_id = ?tenant AND c.kind = ?kind AND c.actor = m.user_id
			AND c.action = 'claim' AND c.at >= ?from AND c.at < ?to) AS claims
		FROM s JOIN crm_members AS m ON m.tenant_id = ?tenant AND m.user_id = s.to_owner WHERE ?after ORDER BY s.n DESC, m.id LIMIT ?limit`, args).Scan(ctx, &rows)
	all := make([]pool.Listed[pool.ClaimAndRelease], len(rows))
	for i, x := range rows {
		item := pool.ClaimAndRelease{Member: x.UserID, Claims: x.Claims, Released: x.N, Share: x.N * 100 / max(1, x.Claims)}
		all[i] = pool.Listed[pool.ClaimAndRelease]{Item: item, Keys: []int64{int64(x.N), x.ID}}
	}
	return all, err
}

// ClaimsReleased see [pool.PatternRepository].
func (p *patterns) ClaimsReleased(
	ctx context.Context, tenant kernel.TenantID, r pool.PatternRange, user kernel.UserID, w kernel.Window,
) ([]pool.Listed[pool.ClaimReleased[int64]], error) {
	args, err := p.args(ctx, tenant, r, w)
	if err != nil {
		return nil, err
	}
	args["member"] = schema.SafeQuery("c.actor = ?", []any{string(user)}) // who claims is who then owns
	if len(w.After) == 1 {
		args["after"] = schema.SafeQuery("c.id < ?", []any{w.After[0]})
	}
	var rows []struct {
		ID         int64
		RecordID   int64
		ClaimedAt  moment
		ReleasedAt moment
		Reason     string
	}
	err = p.raw("SELECT c.id, c.record_id, c.at AS claimed_at, r.at AS released_at, r.reason FROM "+p.releasedClaims()+
		" AND ?after ORDER BY c.id DESC LIMIT ?limit", args).Scan(ctx, &rows)
	all := make([]pool.Listed[pool.ClaimReleased[int64]], len(rows))
	for i, x := range rows {
		item := pool.ClaimReleased[int64]{ID: x.RecordID, Member: user, ClaimedAt: time.Time(x.ClaimedAt), ReleasedAt: time.Time(x.ReleasedAt), Reason: x.Reason}
		all[i] = pool.Listed[pool.ClaimReleased[int64]]{Item: item, Keys: []int64{x.ID}}
	}
	return all, err
}

// OpenAndClaim see [pool.PatternRepository]. Openings are found by their day, claims by the lines of their record.
func (p *patterns) OpenAndClaim(ctx context.Context, tenant kernel.TenantID, r pool.PatternRange, w kernel.Window) ([]pool.Listed[pool.OpenAndClaim], error) {
	args, err := p.args(ctx, tenant, r, w)
	if err != nil {
		return nil, err
	}
	args["first"], args["last"] = string(r.FirstDay), string(r.LastDay)
	if len(w.After) == 2 {
		args["after"] = schema.SafeQuery("(s.opened - s.claimed < ?0 OR s.opened - s.claimed = ?0 AND m.id > ?1)", []any{w.After[0], w.After[1]})
	}
	var rows []struct {
		ID      int64
		UserID  kernel.UserID
		Opened  int
		Claimed int
	}
	err = p.raw(`WITH s AS MATERIALIZED (SELECT o.user_id, count(*) AS opened, count(*) FILTER (WHERE EXISTS (SELECT 1 FROM crm_operations AS x
			WHERE x.tenant_id = ?tenant AND x.kind = ?kind AND x.record_id = o.record_id AND x.action = 'claim' AND x.to_owner = o.user_id
				AND x.at >= o.at AND x.at <= o.at + ?within)) AS claimed
		FROM crm_opens AS o WHERE o.tenant_id = ?tenant AND o.kind = ?kind AND o.day >= ?first AND o.day <= ?last AND o.at >= ?from AND o.at < ?to
		GROUP BY o.user_id)
		SELECT m.id, m.user_id, s.opened, s.claimed FROM s JOIN crm_members AS m ON m.tenant_id = ?tenant AND m.user_id = s.user_id
		WHERE ?after ORDER BY s.opened - s.claimed DESC, m.id LIMIT ?limit`, args).Scan(ctx, &rows)
	all := make([]pool.Listed[pool.OpenAndClaim], len(rows))
	for i, x := range rows {
		item := pool.OpenAndClaim{Member: x.UserID, Opened: x.Opened, Claimed: x.Claimed, Share: x.Claimed * 100 / max(1, x.Opened)}
		all[i] = pool.Listed[pool.OpenAndClaim]{Item: item, Keys: []int64{int64(x.Opened - x.Claimed), x.ID}}
	}
	return all, err
}

// Swaps see [pool.PatternRepository].
func (p *patterns) Swaps(ctx context.Context, tenant kernel.TenantID, r pool.PatternRange, w kernel.Window) ([]pool.Listed[pool.Swap], error) {
	args, err := p.args(ctx, tenant, r, w)
	if err != nil {
		return nil, err
	}
	if len(w.After) == 3 {
		args["after"] = schema.SafeQuery("(s.least < ?0 OR s.least = ?0 AND (a.id > ?1 OR a.id = ?1 AND b.id > ?2))", []any{w.After[0], w.After[1], w.After[2]})
	}
	var rows []struct {
		Least        int64
		First        int64
		Second       int64
		A            kernel.UserID
		B            kernel.UserID
		There        int
		BackAgain    int
		BackAndForth int
	}
	err = p.raw(`WITH h AS MATERIALIZED (SELECT r.from_owner AS giver, c.to_owner AS taker, r.record_id FROM `+p.hands()+`),
		g AS (SELECT CASE WHEN giver < taker THEN giver ELSE taker END AS a, CASE WHEN giver < taker THEN taker ELSE giver END AS b,
			count(*) FILTER (WHERE giver < taker) AS there, count(*) FILTER (WHERE giver > taker) AS back_again,
			count(DISTINCT CASE WHEN giver < taker THEN record_id END) + count(DISTINCT CASE WHEN giver > taker THEN record_id END)
				- count(DISTINCT record_id) AS back_and_forth FROM h GROUP BY 1, 2),
		s AS (SELECT g.*, CASE WHEN back_again < there THEN back_again ELSE there END AS least FROM g WHERE back_again > 0 AND there > 0)
		SELECT s.least, a.id AS first, b.id AS second, s.a, s.b, s.there, s.back_again, s.back_and_forth
		FROM s JOIN crm_members AS a ON a.tenant_id = ?tenant AND a.user_id = s.a JOIN crm_members AS b ON b.tenant_id = ?tenant AND b.user_id = s.b
		WHERE ?after ORDER BY s.least DESC, a.id, b.id LIMIT ?limit`, args).Scan(ctx, &rows)
	all := make([]pool.Listed[pool.Swap], len(rows))
	for i, x := range rows {
		item := pool.Swap{A: x.A, B: x.B, ToB: x.There, ToA: x.BackAgain, BackAndForth: x.BackAndForth}
		all[i] = pool.Listed[pool.Swap]{Item: item, Keys: []int64{x.Least, x.First, x.Second}}
	}
	return all, err
}

// Handed see [pool.PatternRepository].
func (p *patterns) Handed(
	ctx context.Context, tenant kernel.TenantID, r pool.PatternRange, pair [2]kernel.UserID, w kernel.Window,
) ([]pool.Listed[pool.Handed[int64]], error) {
	args, err := p.args(ctx, tenant, r, w)
	if err != nil {
		return nil, err
	}
	both := bun.List([]kernel.UserID{pair[0], pair[1]})
	args["member"], args["taker"] = schema.SafeQuery("r.actor IN (?)", []any{both}), schema.SafeQuery("c.to_owner IN (?)", []any{both})
	if len(w.After) == 1 {
		args["after"] = schema.SafeQuery("r.id < ?", []any{w.After[0]})
	}
	var rows []struct {
		ID         int64
		RecordID   int64
		FromOwner  kernel.UserID
		ToOwner    kernel.UserID
		ReleasedAt moment
		ClaimedAt  moment
	}
	// Materialized: in the order of the page, Postgres would walk the log of all members backwards for lines of these two.
	err = p.raw(`WITH h AS MATERIALIZED (SELECT r.id, r.record_id, r.from_owner, c.to_owner, r.at AS released_at, c.at AS claimed_at FROM `+p.hands()+`
		AND ?taker AND ?after) SELECT * FROM h ORDER BY id DESC LIMIT ?limit`, args).Scan(ctx, &rows)
	all := make([]pool.Listed[pool.Handed[int64]], len(rows))
	for i, x := range rows {
		item := pool.Handed[int64]{ID: x.RecordID, From: x.FromOwner, To: x.ToOwner, ReleasedAt: time.Time(x.ReleasedAt), ClaimedAt: time.Time(x.ClaimedAt)}
		all[i] = pool.Listed[pool.Handed[int64]]{Item: item, Keys: []int64{x.ID}}
	}
	return all, err
}

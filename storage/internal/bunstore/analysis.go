package bunstore

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales"
)

type analysis tx

// analysed is the condition on the opportunities op, with their customers t, that an analysis counts.
func analysed(n int64, sc kernel.Scope, f sales.AnalysisFilter) (text string, args []any) {
	own, more := owned("op", sc)
	text, args = "op.tenant_id = ? AND op.deleted_at IS NULL AND t.tenant_id = op.tenant_id AND t.id = op.customer_id AND ("+own+")",
		append([]any{n}, more...)
	if len(f.Owners) > 0 {
		text, args = text+" AND op.owner_id IN (?)", append(args, bun.List(f.Owners))
	}
	return text, args
}

// during is the condition that a time lies in the period.
func during(column string, from, to time.Time) (text string, args []any) {
	text = "1 = 1"
	if !from.IsZero() {
		text, args = text+" AND "+column+" >= ?", append(args, moment(from))
	}
	if !to.IsZero() {
		text, args = text+" AND "+column+" < ?", append(args, moment(to))
	}
	return text, args
}

// Furthest see [sales.AnalysisRepository].
func (r *analysis) Furthest(
	ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, f sales.AnalysisFilter, stages ...sales.StageID,
) (found []sales.Furthest, err error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(stages) == 0 {
		return nil, err
	}
	of, args := analysed(n, sc, f)
	in, more := during("b.at", f.From, f.To)
	args = append(append([]any{n, bun.List(stages)}, more...), args...)
	err = t.raw(`WITH cohort AS (
			SELECT op.id, op.status FROM crm_opportunity_stages AS b
			JOIN crm_opportunities AS op ON op.tenant_id = b.tenant_id AND op.id = b.opportunity_id CROSS JOIN crm_customers AS t
			WHERE b.tenant_id = ? AND b.to_stage IN (?) AND b.from_stage IS NULL AND `+in+` AND `+of+`),
		furthest AS (
			SELECT c.id, c.status, max(s.sort) AS sort, max(s.pipeline_id) AS pipeline_id FROM cohort AS c
			JOIN crm_opportunity_stages AS h ON h.tenant_id = ? AND h.opportunity_id = c.id
			JOIN crm_stages AS s ON s.tenant_id = h.tenant_id AND s.id = h.to_stage
			WHERE h.to_stage IN (?) GROUP BY c.id, c.status)
		SELECT s.id AS stage, count(*) AS count, sum(CASE WHEN x.status = 'lost' THEN 1 ELSE 0 END) AS lost
		FROM furthest AS x JOIN crm_stages AS s ON s.tenant_id = ? AND s.pipeline_id = x.pipeline_id AND s.sort = x.sort
		GROUP BY s.id`, append(args, n, bun.List(stages), n)...).Scan(ctx, &found)
	return found, err
}

// Ended see [sales.AnalysisRepository].
func (r *analysis) Ended(
	ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, f sales.AnalysisFilter, stages ...sales.StageID,
) (found sales.Ended, err error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(stages) == 0 {
		return found, err
	}
	took := "(op.stage_since - op.created_at) / 1000000"
	if t.pg {
		took = "CAST(floor(EXTRACT(EPOCH FROM op.stage_since - op.created_at)) AS bigint)"
	}
	of, args := analysed(n, sc, f)
	in, more := during("op.stage_since", f.From, f.To)
	args = append(append(args, bun.List(stages)), more...)
	err = t.raw(`WITH ended AS (
			SELECT op.status, `+took+` AS took FROM crm_opportunities AS op CROSS JOIN crm_customers AS t
			WHERE `+of+` AND op.stage_id IN (?) AND `+in+`),
		ranked AS (
			SELECT status, took, row_number() OVER (PARTITION BY status ORDER BY took) AS place, count(*) OVER (PARTITION BY status) AS n
			FROM ended)
		SELECT count(CASE WHEN status = 'won' THEN 1 END) AS won, count(CASE WHEN status = 'lost' THEN 1 END) AS lost,
			coalesce(CAST(sum(CASE WHEN status = 'won' THEN took END) AS bigint) / nullif(count(CASE WHEN status = 'won' THEN 1 END), 0), 0) AS mean,
			coalesce(max(CASE WHEN status = 'won' AND place = (n + 1) / 2 THEN took END), 0) AS mid_low,
			coalesce(max(CASE WHEN status = 'won' AND place = (n + 2) / 2 THEN took END), 0) AS mid_high
		FROM ranked`, args...).Scan(ctx, &found.Won, &found.Lost, &found.Mean, &found.MidLow, &found.MidHigh)
	return found, err
}

package bunstore

import (
	"context"
	"strings"

	"github.com/uptrace/bun/schema"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales"
	"github.com/openseas/crm/sales/calc"
)

// forecastRow is a sum of one group, in one currency.
type forecastRow struct {
	Key        int64 `bun:"k"`
	Owner      kernel.UserID
	Currency   string
	N          int64
	InClosed   amount
	InCommit   amount
	InBest     amount
	InPipeline amount
	Overdue    amount
	Undated    amount
	Weighted   amount
}

func (r *forecastRow) domain() sales.Forecasted {
	return sales.Forecasted{Key: r.Key, Owner: r.Owner, CurrencyForecast: sales.CurrencyForecast{
		Currency: r.Currency, Count: r.N, Closed: r.InClosed.Decimal, Commit: r.InCommit.Decimal, BestCase: r.InBest.Decimal,
		Pipeline: r.InPipeline.Decimal, Weighted: r.Weighted.Decimal, Overdue: r.Overdue.Decimal, Undated: r.Undated.Decimal,
	}}
}

// The parts of the query. Rows are added up by owner before members are looked up.
const (
	forecast = `WITH v AS (
		SELECT {key} AS k, {owner} AS owner, op.currency, op.status, op.expected_close, s.forecast, {percent} AS percent, {unit} AS unit,
			CASE WHEN op.status = 'won' THEN coalesce((SELECT sum(q.grand_total) FROM crm_contracts AS q WHERE q.tenant_id = op.tenant_id
				AND q.opportunity_id = op.id AND q.currency = op.currency AND q.status IN (3, 5)), op.amount) ELSE op.amount END AS amount
		FROM crm_opportunities AS op JOIN crm_stages AS s ON s.tenant_id = op.tenant_id AND s.id = op.stage_id {customers}
		WHERE {opportunities}),
	x AS (
		SELECT v.k, v.owner, v.currency, count(*) AS n,
			sum(CASE WHEN v.forecast = 'closed' THEN v.amount ELSE 0 END) AS in_closed,
			sum(CASE WHEN v.forecast = 'commit' THEN v.amount ELSE 0 END) AS in_commit,
			sum(CASE WHEN v.forecast = 'best_case' THEN v.amount ELSE 0 END) AS in_best,
			sum(CASE WHEN v.forecast = 'pipeline' THEN v.amount ELSE 0 END) AS in_pipeline,
			sum(CASE WHEN v.status = 'open' AND v.expected_close <> '' AND v.expected_close < ?today THEN v.amount ELSE 0 END) AS overdue,
			sum(CASE WHEN v.expected_close = '' THEN v.amount ELSE 0 END) AS undated, sum({weighted}) AS weighted
		FROM v GROUP BY v.k, v.owner, v.currency)
	SELECT {group} AS k, {named} AS owner, x.currency, CAST(sum(x.n) AS bigint) AS n, sum(x.in_closed) AS in_closed, sum(x.in_commit) AS in_commit,
		sum(x.in_best) AS in_best, sum(x.in_pipeline) AS in_pipeline, sum(x.overdue) AS overdue, sum(x.undated) AS undated, sum(x.weighted) AS weighted
	FROM x {members} WHERE {behind} GROUP BY 1, 2, x.currency ORDER BY 1, x.currency`
	monthKey = `CASE WHEN op.expected_close = '' THEN 1000000 WHEN op.status = 'open' AND op.expected_close < ?today THEN 0
		ELSE CAST(substr(op.expected_close, 1, 4) || substr(op.expected_close, 6, 2) AS bigint) END`
)

// Forecast see [sales.AnalysisRepository].
func (r *analysis) Forecast(
	ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, f sales.ForecastQuery, w kernel.Window, visit func(sales.Forecasted),
) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	parts, args := forecastBy(f.By), binds{"tenant": n, "today": string(f.Today), "whole": manyOf(calc.Unusual(0)), "mils": manyOf(calc.Unusual(3))}
	t.weigh(parts)
	parts["{opportunities}"], parts["{customers}"] = forecastOf(sc, f, args)
	if len(w.After) == 1 {
		parts["{behind}"], args["after"] = parts["{group}"]+" > ?after", w.After[0]
	}
	text := forecast
	for name, part := range parts {
		text = strings.ReplaceAll(text, name, part)
	}
	return visitGroups(ctx, t, t.raw(text, args), w.Limit+1, func(r *forecastRow) int64 { return r.Key }, func(r *forecastRow) error {
		visit(r.domain())
		return nil
	})
}

// forecastBy says what the groups are.
func forecastBy(by sales.ForecastBy) map[string]string {
	parts := map[string]string{"{key}": "0", "{owner}": "''", "{group}": "x.k", "{named}": "''", "{members}": "", "{behind}": "1 = 1"}
	switch by {
	case sales.PerMonth:
		parts["{key}"] = monthKey
		return parts
	case sales.PerStage:
		parts["{key}"] = "op.stage_id"
		return parts
	case sales.PerOwner:
		parts["{group}"], parts["{named}"] = "coalesce(m.id, 0)", "x.owner"
	case sales.PerDepartment:
		parts["{group}"] = "coalesce(m.department_id, 0)"
	}
	parts["{owner}"] = "op.owner_id"
	parts["{members}"] = "LEFT JOIN crm_members AS m ON m.tenant_id = ?tenant AND m.user_id = x.owner"
	return parts
}

// weigh says how an amount is multiplied by a percent and rounded to the currency's digits, half up: amounts are not
// negative. SQLite has ten-thousandths of both, the percent in steps of a hundredth: of 10^18 by 10^4 the last four digits of
// the amount are multiplied apart, so that nothing exceeds 64 bits.
func (t *tx) weigh(parts map[string]string) {
	whole, mils, usual, all := "10000", "10", "100", "1000000"
	parts["{weighted}"] = `(v.amount / 10000 * (v.percent / 100) + v.amount % 10000 * (v.percent / 100) / 10000 + v.unit / 2) / v.unit * v.unit`
	if t.pg {
		whole, mils, usual, all = "0", "3", "2", "100"
		parts["{weighted}"] = "round(v.amount * v.percent * 0.01, v.unit)"
	}
	parts["{unit}"] = "CASE WHEN op.currency IN (?whole) THEN " + whole + " WHEN op.currency IN (?mils) THEN " + mils + " ELSE " + usual + " END"
	parts["{percent}"] = "CASE WHEN op.status = 'won' THEN " + all + " ELSE coalesce(op.probability, s.probability) END"
}

// forecastOf says which opportunities count, and joins their customers t if the scope asks for their regions.
func forecastOf(sc kernel.Scope, f sales.ForecastQuery, args binds) (text, customers string) {
	own, of := owned("op", sc)
	args["scope"] = schema.SafeQuery("("+own+")", of)
	if !sc.All && len(sc.Regions) > 0 {
		customers = "JOIN crm_customers AS t ON t.tenant_id = op.tenant_id AND t.id = op.customer_id"
	}
	text = "op.tenant_id = ?tenant AND op.deleted_at IS NULL AND op.status <> 'lost' AND s.forecast <> 'omitted' AND ?scope"
	if len(f.Pipelines) > 0 {
		text, args["pipelines"] = text+" AND op.pipeline_id IN (?pipelines)", manyOf(f.Pipelines)
	}
	if len(f.Owners) > 0 {
		text, args["owners"] = text+" AND op.owner_id IN (?owners)", manyOf(f.Owners)
	}
	if f.From != "" || f.To != "" {
		text += " AND op.expected_close <> ''"
	}
	if f.From != "" {
		text, args["from"] = text+" AND op.expected_close >= ?from", string(f.From)
	}
	if f.To != "" {
		text, args["to"] = text+" AND op.expected_close <= ?to", string(f.To)
	}
	return text, customers
}

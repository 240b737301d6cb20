package bunstore

import (
	"context"
	"strings"

	"github.com/shopspring/decimal"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales"
	"github.com/openseas/crm/sales/calc"
)

type receivables tx

// agedRow is a sum of one group, in one currency, at one rate.
type agedRow struct {
	Key      int64 `bun:"k"`
	Owner    kernel.UserID
	Currency string
	Rate     string
	Oldest   nullText
	Due0     amount
	Due30    amount
	Due60    amount
	Due90    amount
	Due91    amount
	Credit   amount
}

func (r *agedRow) domain() (sales.Aged, error) {
	rate, err := decimal.NewFromString(r.Rate)
	return sales.Aged{
		Key: r.Key, Owner: r.Owner, Currency: r.Currency, Rate: rate, Oldest: kernel.Date(r.Oldest), Credit: r.Credit.Decimal,
		Ageing: calc.Ageing{
			Current: r.Due0.Decimal, Days30: r.Due30.Decimal, Days60: r.Due60.Decimal, Days90: r.Due90.Decimal, Older: r.Due91.Decimal,
		},
	}, err
}

// The parts of the query. What payments paid after the day is added to the rest again: a replay up to a day is the beginning
// of the replay of all, so nothing else has to be known of the past.
const (
	paidSince = `l AS MATERIALIZED (SELECT a.plan_id, sum(a.amount) AS amount FROM crm_payment_allocations AS a
		WHERE a.tenant_id = ?tenant AND a.date > ?asof GROUP BY a.plan_id),
	c AS MATERIALIZED (SELECT s.contract_id, sum(s.amount) AS amount FROM (
		SELECT p.contract_id, p.amount FROM crm_payments AS p WHERE p.tenant_id = ?tenant AND p.date > ?asof
		UNION ALL SELECT a.contract_id, -a.amount FROM crm_payment_allocations AS a WHERE a.tenant_id = ?tenant AND a.date > ?asof) AS s GROUP BY s.contract_id),`
	// Each arm adds up by itself: rows of a UNION that are added up outside would all be copied first.
	ageing = `WITH {since} x AS (
		SELECT {key} AS k, {owner} AS owner, q.currency, q.fx_rate, {oldest} AS oldest,
			sum(CASE WHEN i.date >= ?asof THEN {rest} ELSE 0 END) AS due0,
			sum(CASE WHEN i.date < ?asof AND i.date >= ?d30 THEN {rest} ELSE 0 END) AS due30,
			sum(CASE WHEN i.date < ?d30 AND i.date >= ?d60 THEN {rest} ELSE 0 END) AS due60,
			sum(CASE WHEN i.date < ?d60 AND i.date >= ?d90 THEN {rest} ELSE 0 END) AS due90,
			sum(CASE WHEN i.date < ?d90 THEN {rest} ELSE 0 END) AS due91, 0 AS credit
			FROM crm_contracts AS q {join} {plans} {joins}
			WHERE i.tenant_id = q.tenant_id AND i.contract_id = q.id AND {contracts} AND {open} GROUP BY {by}
		UNION ALL
		SELECT {key}, {owner}, q.currency, q.fx_rate, NULL, 0, 0, 0, 0, 0, sum({credit}) FROM crm_contracts AS q {credits} {joins}
			WHERE {contracts} AND {credit} <> 0 GROUP BY {by})
	SELECT {group} AS k, {named} AS owner, x.currency, x.fx_rate AS rate, min(x.oldest) AS oldest, sum(x.due0) AS due0, sum(x.due30) AS due30,
		sum(x.due60) AS due60, sum(x.due90) AS due90, sum(x.due91) AS due91, sum(x.credit) AS credit
	FROM x {members} WHERE {behind} GROUP BY 1, 2, x.currency, x.fx_rate ORDER BY 1, x.currency, x.fx_rate`
	owing = `SELECT DISTINCT q.customer_id FROM crm_contracts AS q {joins} WHERE {contracts} ORDER BY q.customer_id LIMIT ?most`
)

// Ageing see [sales.ReceivableRepository].
func (r *receivables) Ageing(
	ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, f sales.AgeingQuery, w kernel.Window, visit func(sales.Aged),
) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	q := aged{args: binds{
		"tenant": n, "asof": string(f.AsOf), "customer": int64(f.Customer), "most": w.Limit + 1,
		"d30": string(calc.After(f.AsOf, -30)), "d60": string(calc.After(f.AsOf, -60)), "d90": string(calc.After(f.AsOf, -90)),
	}}
	q.grouped(f)
	q.standing(f)
	q.within(sc, f)
	if len(w.After) == 1 {
		q.parts["{behind}"], q.args["after"] = "{group} > ?after", w.After[0]
		if f.By == sales.ByCustomer {
			q.where("q.customer_id > ?after")
		}
	}
	if f.By == sales.ByCustomer {
		if done, err := q.upTo(ctx, t); done || err != nil {
			return err
		}
	}
	return q.visit(ctx, t, w.Limit+1, visit)
}

// aged is a query being put together.
type aged struct {
	parts      map[string]string
	conditions []string
	args       binds
}

func (q *aged) where(condition string) { q.conditions = append(q.conditions, condition) }

// grouped says what the groups are.
func (q *aged) grouped(f sales.AgeingQuery) {
	q.parts = map[string]string{
		"{key}": "0", "{owner}": "''", "{by}": "q.currency, q.fx_rate", "{joins}": "", "{group}": "x.k", "{named}": "''", "{members}": "", "{behind}": "1 = 1",
	}
	switch f.By {
	case sales.ByNothing:
		return
	case sales.ByCustomer:
		q.parts["{key}"], q.parts["{by}"] = "q.customer_id", "q.customer_id, q.currency, q.fx_rate"
		return
	case sales.ByOwner:
		q.parts["{group}"], q.parts["{named}"] = "coalesce(m.id, 0)", "x.owner"
	case sales.ByDepartment:
		q.parts["{group}"] = "coalesce(m.department_id, 0)"
	}
	q.parts["{owner}"], q.parts["{by}"] = "q.owner_id", "q.owner_id, q.currency, q.fx_rate"
	q.parts["{members}"] = "LEFT JOIN crm_members AS m ON m.tenant_id = ?tenant AND m.user_id = x.owner"
}

// standing says which contracts were signed on the day, and what was open of them.
func (q *aged) standing(f sales.AgeingQuery) {
	q.where("q.tenant_id = ?tenant")
	q.parts["{join}"] = "JOIN crm_plans AS i ON 1 = 1"
	if f.Customer != 0 || f.By == sales.ByCustomer {
		q.parts["{join}"] = "CROSS JOIN crm_plans AS i" // SQLite then begins with the contracts, and not with all that is open
	}
	if !f.Past {
		q.where("q.status = 3")
		q.parts["{since}"], q.parts["{plans}"], q.parts["{credits}"] = "", "", ""
		q.parts["{rest}"], q.parts["{open}"], q.parts["{credit}"] = "i.amount - i.paid", "i.status <> 3", "q.credit"
		q.parts["{oldest}"] = "min(i.date)"
		return
	}
	q.where("q.sign_date <> '' AND q.sign_date <= ?asof AND (q.status = 3 OR q.status IN (4, 5) AND q.ended_on > ?asof)")
	q.parts["{since}"], q.parts["{oldest}"] = paidSince, "min(CASE WHEN {rest} > 0 THEN i.date END)"
	q.parts["{plans}"] = "LEFT JOIN l ON l.plan_id = i.id"
	q.parts["{credits}"] = "LEFT JOIN c AS o ON o.contract_id = q.id"
	q.parts["{rest}"] = "i.amount - i.paid + coalesce(l.amount, 0)"
	q.parts["{open}"] = "(i.status <> 3 OR l.plan_id IS NOT NULL)"
	q.parts["{credit}"] = "q.credit - coalesce(o.amount, 0)"
}

// within says which contracts the actor sees.
func (q *aged) within(sc kernel.Scope, f sales.AgeingQuery) {
	text, args := owned("q", sc)
	if f.Customer != 0 {
		text, args = reachable("q", sc)
		q.where("q.customer_id = ?customer")
	}
	if sc.All {
		return
	}
	q.parts["{joins}"] += " JOIN crm_customers AS t ON t.tenant_id = q.tenant_id AND t.id = q.customer_id"
	q.args["scope"] = schema.SafeQuery("("+text+")", args)
	q.where("?scope")
}

func (q *aged) text(of string) string {
	q.parts["{contracts}"] = strings.Join(q.conditions, " AND ")
	for range 2 { // one names another
		for name, part := range q.parts {
			of = strings.ReplaceAll(of, name, part)
		}
	}
	return of
}

// upTo ends the query behind the customers of the page, which are found by an index: otherwise each page would add up all.
func (q *aged) upTo(ctx context.Context, t *tx) (none bool, err error) {
	open := "EXISTS (SELECT 1 FROM crm_plans AS i WHERE i.tenant_id = q.tenant_id AND i.contract_id = q.id AND i.status <> 3)"
	if q.parts["{since}"] != "" {
		open = "1 = 1"
	} else {
		open = "(q.credit <> 0 OR " + open + ")"
	}
	var ids []customer.ID
	err = t.raw(q.text(strings.Replace(owing, "{contracts}", "{contracts} AND "+open, 1)), q.args).Scan(ctx, &ids)
	if err != nil || len(ids) == 0 {
		return true, err
	}
	q.where("q.customer_id <= ?last")
	q.args["last"] = int64(ids[len(ids)-1])
	return false, nil
}

// visit tells the sums of at most a number of groups.
func (q *aged) visit(ctx context.Context, t *tx, most int, visit func(sales.Aged)) error {
	return visitGroups(ctx, t, t.raw(q.text(ageing), q.args), most, func(r *agedRow) int64 { return r.Key }, func(r *agedRow) error {
		x, err := r.domain()
		if err == nil {
			visit(x)
		}
		return err
	})
}

// visitGroups tells the rows of a query that has them in the order of their groups' keys, 0 and above: those of at most a
// number of groups.
func visitGroups[R any](ctx context.Context, t *tx, q *bun.RawQuery, most int, key func(*R) int64, visit func(*R) error) error {
	text, err := q.AppendQuery(t.db.QueryGen(), nil)
	if err != nil {
		return err
	}
	rows, err := t.conn.QueryContext(ctx, string(text))
	if err != nil {
		return err
	}
	defer rows.Close()
	groups, last := 0, int64(-1)
	for rows.Next() {
		var row R
		if err := t.db.ScanRow(ctx, rows, &row); err != nil {
			return err
		}
		if k := key(&row); k != last {
			if groups++; groups > most {
				break
			}
			last = k
		}
		if err := visit(&row); err != nil {
			return err
		}
	}
	return rows.Err()
}

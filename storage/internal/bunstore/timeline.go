package bunstore

import (
	"context"
	"math"
	"time"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// timelineSQL merges three sources. Each branch reads a page at most, from its own index, below a bound of its own: the
// time of the last entry seen and, among entries of that very time, an id (see below).
const timelineSQL = `SELECT at, source, id, who, what, subject, amount, from_owner, to_owner FROM (
	SELECT * FROM (SELECT i.at, 3 AS source, i.id, i.staff AS who, i.type AS what, i.subject AS subject, CAST(NULL AS numeric(18, 4)) AS amount,
			CAST(NULL AS text) AS from_owner, CAST(NULL AS text) AS to_owner
		FROM crm_interactions AS i WHERE i.tenant_id = :tenant AND i.customer_id = :customer AND i.deleted_at IS NULL
			AND (i.at, i.id) < (:at, :interaction) ORDER BY i.at DESC, i.id DESC LIMIT :limit) AS a
	UNION ALL
	SELECT * FROM (SELECT l.at, 2 AS source, l.id, l.actor AS who, l.action AS what, CASE WHEN l.rule <> '' THEN l.rule ELSE l.reason END AS subject,
			CAST(NULL AS numeric(18, 4)) AS amount, l.from_owner, l.to_owner
		FROM crm_operations AS l WHERE l.tenant_id = :tenant AND l.kind = 'customer' AND l.record_id = :customer
			AND (l.at, l.id) < (:at, :operation) ORDER BY l.at DESC, l.id DESC LIMIT :limit) AS b
	UNION ALL
	SELECT * FROM (SELECT o.ordered_at AS at, 1 AS source, o.id, o.created_by AS who, o.status AS what, o.number AS subject, o.amount,
			CAST(NULL AS text) AS from_owner, CAST(NULL AS text) AS to_owner
		FROM crm_orders AS o WHERE o.tenant_id = :tenant AND o.customer_id = :customer
			AND (o.ordered_at, o.id) < (:at, :order) ORDER BY o.ordered_at DESC, o.id DESC LIMIT :limit) AS c
	) AS entries ORDER BY at DESC, source DESC, id DESC LIMIT :limit`

// The ranks in it are those of [customer.Entry.Rank].
var timelineKinds = map[int64]string{3: customer.InteractionKind, 2: customer.OperationKind, 1: customer.OrderKind}

type timelineRow struct {
	At        moment
	Source    int64
	ID        int64
	Who       kernel.UserID
	What      string
	Subject   string
	Amount    amount
	FromOwner nullText
	ToOwner   nullText
}

func (r *timelineRow) domain() customer.Entry {
	return customer.Entry{
		At: time.Time(r.At), Ref: kernel.Ref{Kind: timelineKinds[r.Source], ID: r.ID}, By: r.Who, What: r.What, Subject: r.Subject,
		From: kernel.UserID(r.FromOwner), To: kernel.UserID(r.ToOwner), Amount: decimal.NullDecimal(r.Amount),
	}
}

// Timeline see [customer.Repository].
func (c *customers) Timeline(ctx context.Context, tenant kernel.TenantID, id customer.ID, w kernel.Window) ([]customer.Entry, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	at, bound := farFuture, [4]int64{0, math.MaxInt64, math.MaxInt64, math.MaxInt64}
	if len(w.After) == 3 {
		at = time.UnixMicro(w.After[0]).UTC()
		for rank := range int64(4) {
			switch { // of a source before that of the last entry nothing of its instant is left, of one behind it all
			case rank > w.After[1]:
				bound[rank] = 0
			case rank == w.After[1]:
				bound[rank] = w.After[2]
			}
		}
	}
	var rows []timelineRow
	err = t.query(ctx, "customer.timeline", named{
		"tenant": n, "customer": int64(id), "at": t.at(at), "limit": w.Limit + 1,
		"order": bound[1], "operation": bound[2], "interaction": bound[3],
	}, &rows)
	entries := make([]customer.Entry, len(rows))
	for i := range rows {
		entries[i] = rows[i].domain()
	}
	return entries, err
}

// farFuture is later than every time that is accepted.
var farFuture = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

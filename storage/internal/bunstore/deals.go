package bunstore

import (
	"context"
	"time"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

type deals tx

// Put see [customer.DealRepository]. Of two calls with one number, the second waits for the first and finds its order.
func (c *deals) Put(ctx context.Context, tenant kernel.TenantID, d customer.Deal, by kernel.UserID, now time.Time) (*customer.Deal, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	ids, err := t.newIDs(ctx, 1)
	if err != nil {
		return nil, err
	}
	row := orderRow{
		TenantID: n, ID: ids[0], CustomerID: d.CustomerID, System: d.System, Number: d.Number, Status: "completed",
		Amount: amountOf(d.Amount), OrderedAt: moment(d.At), CreatedAt: moment(now), CreatedBy: by, Sequence: -1,
	}
	written, err := insertFree(ctx, t, []orderRow{row})
	if err != nil || written[row.ID] {
		return nil, err
	}
	var prior orderRow
	err = t.db.NewSelect().Model(&prior).Where("o.tenant_id = ?", n).Where("o.system = ?", d.System).Where("o.number = ?", d.Number).
		Conn(t.conn).Scan(ctx)
	if err != nil {
		return nil, err
	}
	return &customer.Deal{
		CustomerID: prior.CustomerID, System: prior.System, Number: prior.Number, At: time.Time(prior.OrderedAt), Amount: prior.Amount.Decimal,
	}, nil
}

package bunstore

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

// reasonRow is a line of a tenant's list of reasons.
type reasonRow struct {
	bun.BaseModel `bun:"table:crm_reasons,alias:r"`
	TenantID      int64
	Kind          pool.Kind
	Sort          int
	Reason        string
}

// Reasons see [pool.PolicyRepository].
func (p *pools) Reasons(ctx context.Context, tenant kernel.TenantID) (reasons []string, err error) {
	n, err := p.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	err = p.raw("SELECT reason FROM crm_reasons WHERE tenant_id = ? AND kind = ? ORDER BY sort", n, string(p.kind)).Scan(ctx, &reasons)
	return reasons, err
}

// SetReasons see [pool.PolicyRepository].
func (p *pools) SetReasons(ctx context.Context, tenant kernel.TenantID, reasons ...string) error {
	n, err := p.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	if _, err := p.exec(ctx, "DELETE FROM crm_reasons WHERE tenant_id = ? AND kind = ?", n, string(p.kind)); err != nil {
		return err
	}
	rows := make([]reasonRow, len(reasons))
	for i, r := range reasons {
		rows[i] = reasonRow{TenantID: n, Kind: p.kind, Sort: i, Reason: r}
	}
	return insert(ctx, p.tx, rows)
}

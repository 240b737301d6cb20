package bunstore

import (
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales"
)

type pipelines tx

func (r *pipelines) of(rows *[]pipelineRow, n int64) *bun.SelectQuery {
	return r.db.NewSelect().Model(rows).Where("w.tenant_id = ?", n).Order("w.id").Conn(r.conn)
}

// LockAll see [sales.PipelineRepository].
func (r *pipelines) LockAll(ctx context.Context, tenant kernel.TenantID) ([]*sales.Pipeline, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []pipelineRow
	q := r.of(&rows, n)
	if r.pg {
		q = q.For("UPDATE") // an opportunity that is being made holds its stage, which may be one to be removed
	}
	if err := q.Scan(ctx); err != nil {
		return nil, err
	}
	return r.staged(ctx, n, rows)
}

// All see [sales.PipelineRepository].
func (r *pipelines) All(ctx context.Context, tenant kernel.TenantID) ([]*sales.Pipeline, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []pipelineRow
	if err := r.of(&rows, n).Scan(ctx); err != nil {
		return nil, err
	}
	return r.staged(ctx, n, rows)
}

// Get see [sales.PipelineRepository].
func (r *pipelines) Get(ctx context.Context, tenant kernel.TenantID, id sales.PipelineID) ([]*sales.Pipeline, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []pipelineRow
	q := r.of(&rows, n)
	if id == 0 {
		q = q.Where("w.is_default")
	} else {
		q = q.Where("w.id = ?", id)
	}
	if err := q.Scan(ctx); err != nil {
		return nil, err
	}
	return r.staged(ctx, n, rows)
}

// staged reads the stages of pipelines.
func (r *pipelines) staged(ctx context.Context, n int64, rows []pipelineRow) ([]*sales.Pipeline, error) {
	all := mapped(rows, (*pipelineRow).domain)
	if len(all) == 0 {
		return nil, nil
	}
	ids := make([]sales.PipelineID, len(all))
	for i, p := range all {
		ids[i] = p.ID
	}
	var stages []stageRow
	err := oneOf(r.db.NewSelect().Model(&stages).Where("s.tenant_id = ?", n), "s.pipeline_id", ids).Order("s.pipeline_id", "s.sort").Conn(r.conn).Scan(ctx)
	for i := range stages {
		p := all[slices.Index(ids, stages[i].PipelineID)]
		p.Stages = append(p.Stages, stages[i].domain())
	}
	return all, err
}

// Put see [sales.PipelineRepository]. On Postgres a stage that an opportunity is being put into at this moment is kept by
// the foreign key: the error says retry.
func (r *pipelines) Put(ctx context.Context, tenant kernel.TenantID, p *sales.Pipeline) ([]sales.StageID, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	fresh := p.ID == 0
	if err := r.number(ctx, p); err != nil {
		return nil, err
	}
	if p.Default {
		if _, err := t.exec(ctx, "UPDATE crm_pipelines SET is_default = false WHERE tenant_id = ? AND is_default AND id <> ?", n, int64(p.ID)); err != nil {
			return nil, err
		}
	}
	row := []pipelineRow{pipelineRowOf(n, p)}
	if fresh {
		err = insert(ctx, t, row)
	} else {
		err = put(ctx, t, row)
	}
	if err != nil {
		return nil, err
	}
	used, err := r.prune(ctx, n, p)
	if err != nil || len(used) > 0 {
		return used, err
	}
	rows := make([]stageRow, len(p.Stages))
	for i := range p.Stages {
		rows[i] = stageRowOf(n, p, i)
	}
	return nil, put(ctx, t, rows)
}

// number gives ids to the pipeline and its stages where there are none.
func (r *pipelines) number(ctx context.Context, p *sales.Pipeline) error {
	ids, err := (*tx)(r).newIDs(ctx, len(p.Stages)+1)
	if err != nil {
		return err
	}
	if p.ID == 0 {
		p.ID = sales.PipelineID(ids[len(p.Stages)])
	}
	for i := range p.Stages {
		if p.Stages[i].ID == 0 {
			p.Stages[i].ID = sales.StageID(ids[i])
		}
	}
	return nil
}

// prune removes stages that are not in p, and returns those that cannot go.
func (r *pipelines) prune(ctx context.Context, n int64, p *sales.Pipeline) (used []sales.StageID, err error) {
	t := (*tx)(r)
	kept := make([]int64, len(p.Stages))
	for i, s := range p.Stages {
		kept[i] = int64(s.ID)
	}
	const inUse = `(EXISTS (SELECT 1 FROM crm_opportunities o WHERE o.tenant_id = s.tenant_id AND o.stage_id = s.id)
		OR EXISTS (SELECT 1 FROM crm_opportunity_stages h WHERE h.tenant_id = s.tenant_id AND h.to_stage = s.id)
		OR EXISTS (SELECT 1 FROM crm_opportunity_stages h WHERE h.tenant_id = s.tenant_id AND h.from_stage = s.id))`
	err = t.raw("SELECT s.id FROM crm_stages s WHERE s.tenant_id = ? AND s.pipeline_id = ? AND s.id NOT IN (?) AND "+inUse,
		n, int64(p.ID), bun.List(kept)).Scan(ctx, &used)
	if err != nil || len(used) > 0 {
		return used, err
	}
	_, err = t.exec(ctx, "DELETE FROM crm_stages WHERE tenant_id = ? AND pipeline_id = ? AND id NOT IN (?)", n, int64(p.ID), bun.List(kept))
	return nil, err
}

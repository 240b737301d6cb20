package pool

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/openseas/crm/kernel"
)

// AutoAssignOptions may be nil, and so may each field.
type AutoAssignOptions struct {
	// Batch is how many records go in one transaction, 1 to 10,000. Defaults to 1,000. The counters of a team are locked for
	// as long, so that its members' claims wait.
	Batch int
	// Progress, if not nil, is told after every batch.
	Progress func(AutoAssignReport)
}

// AutoAssignReport is what a run over a pool did.
type AutoAssignReport struct {
	Assigned    int                   `json:"assigned"` // with one line of the operation log each
	ByTerritory []TerritoryCount      `json:"by_territory,omitempty"`
	Left        map[kernel.Reason]int `json:"left,omitempty"`   // how many stayed in the pool, or were gone when their turn came, by reason
	Failed      []Failure             `json:"failed,omitempty"` // at most 100; the run went on without them
}

// TerritoryCount is how many records went to the members of a territory.
type TerritoryCount struct {
	Territory TerritoryID `json:"territory"`
	Assigned  int         `json:"assigned"`
}

// copied is the report as it is now: the receiver may keep it.
func (r AutoAssignReport) copied() AutoAssignReport {
	r.ByTerritory, r.Left = slices.Clone(r.ByTerritory), maps.Clone(r.Left)
	return r
}

func (o *AutoAssignOptions) check() error {
	if o.Batch == 0 {
		o.Batch = defaultBatch
	}
	if o.Batch < 0 || o.Batch > kernel.MaxItems {
		return kernel.Invalidf("batch", kernel.OutOfRange, "1 to %d", kernel.MaxItems)
	}
	return nil
}

// AutoAssignPool is AutoAssign for everything that lies in a pool (0: the default pool), in the order of the ids, in batches
// that each commit. Killed at any instant it leaves every record either in the pool or with its owner and its one line of the
// log; run again, it goes on; two runs at once give no record twice. What it did until an error or a cancelled context is in
// the report. Inside a host's transaction it is refused.
func (s *Service[I]) AutoAssignPool(ctx context.Context, a kernel.Actor, id ID, opts *AutoAssignOptions) (report AutoAssignReport, err error) {
	const op = "pool.AutoAssignPool"
	var o AutoAssignOptions
	if opts != nil {
		o = *opts
	}
	rights, scope, err := s.core.Enter(ctx, a, kernel.PoolAssign)
	if err := kernel.FirstError(err, o.check()); err != nil {
		return report, kernel.Wrap(op, err)
	}
	report.Left = map[kernel.Reason]int{}
	r := &assignRun[I]{s: s, call: kernel.Call[Tx]{Actor: a, Rights: rights, Scope: scope}, report: &report}
	var home *Pool
	err = s.core.Unit(ctx, kernel.OwnCommit, func(ctx context.Context, tx Tx) error {
		home, err = onePool(tx.Pools(s.kind).Get(ctx, a.Tenant, id))
		return err
	})
	if err != nil {
		return report, kernel.Wrap(op, err)
	}
	for after := int64(0); ; {
		var ids []int64
		err := s.core.Unit(ctx, kernel.Read, func(ctx context.Context, tx Tx) (err error) {
			ids, err = tx.Pool(s.kind).InPool(ctx, a.Tenant, home.ID, after, pageOfIDs)
			return err
		})
		if err != nil || len(ids) == 0 {
			return report, kernel.Wrap(op, err)
		}
		after = ids[len(ids)-1]
		for batch := range slices.Chunk(ids, o.Batch) {
			if err := r.batch(ctx, batch); err != nil {
				return report, kernel.Wrap(op, err)
			}
			if o.Progress != nil {
				o.Progress(report.copied())
			}
		}
	}
}

// assignRun is one run under way.
type assignRun[I RecordID] struct {
	s      *Service[I]
	call   kernel.Call[Tx]
	report *AutoAssignReport
}

// batch gives some records in one transaction. A batch that fails for another reason than the moment's is halved until the
// bad record stands alone; it is reported and does not stop the rest.
func (r *assignRun[I]) batch(ctx context.Context, ids []int64) error {
	some := make([]I, len(ids))
	for i, id := range ids {
		some[i] = I(id)
	}
	var res AutoAssigned[I]
	var err error
	for range 5 { // deadlocks and busy writers pass
		err = r.s.core.Unit(ctx, kernel.OwnCommit, func(ctx context.Context, tx Tx) (err error) {
			c := r.call
			c.Tx, c.Now = tx, r.s.core.Clock.Now()
			res, err = r.s.autoAssign(ctx, &c, some)
			return err
		})
		if !errors.Is(err, kernel.ErrRetry) {
			break
		}
	}
	switch {
	case err == nil:
		r.count(res)
		return nil
	case ctx.Err() != nil, errors.Is(err, kernel.ErrRetry), errors.Is(err, kernel.ErrUnknownOutcome):
		return err
	case len(ids) == 1:
		if len(r.report.Failed) == mostFailures {
			return err // this is no bad record but a bad day
		}
		r.report.Failed = append(r.report.Failed, Failure{kernel.Ref{Kind: string(r.s.kind), ID: ids[0]}, err.Error()})
		return nil
	}
	half := len(ids) / 2
	if err := r.batch(ctx, ids[:half]); err != nil {
		return err
	}
	return r.batch(ctx, ids[half:])
}

func (r *assignRun[I]) count(res AutoAssigned[I]) {
	r.report.Assigned += len(res.Assigned)
	for _, x := range res.Assigned {
		i := slices.IndexFunc(r.report.ByTerritory, func(c TerritoryCount) bool { return c.Territory == x.Territory })
		if i < 0 {
			i = len(r.report.ByTerritory)
			r.report.ByTerritory = append(r.report.ByTerritory, TerritoryCount{Territory: x.Territory})
		}
		r.report.ByTerritory[i].Assigned++
	}
	for _, x := range res.Left {
		r.report.Left[x.Why.Reason]++
	}
}

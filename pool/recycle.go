package pool

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
)

// RecycleOptions may be nil, and so may each field.
type RecycleOptions struct {
	// Pools limits the run to some pools. Defaults to all.
	Pools []ID
	// Rules are those that the run acts on, such as a weekly run of a slow rule; which rule wins is decided among all.
	// Defaults to all enabled ones.
	Rules []RuleID
	// MaxShare is the share of the tenant's owned records, in percent, that the run may release: a typing error in a rule
	// must not empty the company. Above it the run is refused (TooManyDue) before it begins. Defaults to 20; 100 is no limit.
	MaxShare int
	// Batch is how many records go in one transaction, 1 to 10,000. Defaults to 1,000.
	Batch int
	// Progress, if not nil, is told after every batch.
	Progress func(Report)
}

// Report is what a run did, and why.
type Report struct {
	Due      int         `json:"due"`              // when the run began
	Released int         `json:"released"`         // with one line of the operation log each
	ByRule   []RuleCount `json:"by_rule"`          // in the order in which the rules win, pool by pool
	Left     int         `json:"left"`             // found due, but locked by others, or followed up meanwhile
	Failed   []Failure   `json:"failed,omitempty"` // at most 100; the run went on without them
}

// RuleCount is how many records a rule released.
type RuleCount struct {
	Pool     ID     `json:"pool"`
	Rule     RuleID `json:"rule"`
	Name     string `json:"name"`
	Released int    `json:"released"`
}

// Failure is a record that could not be released.
type Failure struct {
	Ref kernel.Ref `json:"ref"`
	Err string     `json:"err"`
}

const (
	defaultShare = 20
	defaultBatch = 1_000
	pageOfIDs    = 50_000 // candidates looked up at once: few look-ups, and memory that does not grow with the table
	mostFailures = 100
)

// copied is the report as it is now: the receiver may keep it.
func (r Report) copied() Report {
	r.ByRule = slices.Clone(r.ByRule)
	return r
}

func (o *RecycleOptions) check() error {
	if o.MaxShare == 0 {
		o.MaxShare = defaultShare
	}
	if o.Batch == 0 {
		o.Batch = defaultBatch
	}
	switch {
	case o.MaxShare < 0 || o.MaxShare > 100:
		return kernel.Invalidf("max_share", kernel.OutOfRange, "1 to 100 percent")
	case o.Batch < 0 || o.Batch > kernel.MaxItems:
		return kernel.Invalidf("batch", kernel.OutOfRange, "1 to %d", kernel.MaxItems)
	}
	return nil
}

// Recycle releases what the rules of the pools say, in batches that each commit. Killed at any instant it leaves every
// record either owned or released with its one line of the log; run again, it goes on; of two runs at once none releases
// a record that the other has. A record that is followed up, claimed or transferred while the run goes is judged as it is
// then. Only records of active members of their home pool are recycled: a pool without members recycles nobody. What the
// run did until an error or a cancelled context is in the report. It needs the permission pool.recycle, from a role that
// reaches all; inside a host's transaction it is refused.
func (s *Service[I]) Recycle(ctx context.Context, a kernel.Actor, opts *RecycleOptions) (report Report, err error) {
	const op = "pool.Recycle"
	var o RecycleOptions
	if opts != nil {
		o = *opts
	}
	rights, _, err := s.core.Enter(ctx, a, kernel.PoolRecycle)
	if err := kernel.FirstError(err, o.check()); err != nil {
		return report, kernel.Wrap(op, err)
	}
	run := &run[I]{s: s, by: a, rights: rights, o: o, report: &report}
	if err := run.plan(ctx); err != nil {
		return report, kernel.Wrap(op, err)
	}
	for i, sweep := range run.sweeps {
		if err := run.pool(ctx, sweep, run.found[i]); err != nil {
			return report, kernel.Wrap(op, err)
		}
	}
	return report, nil
}

// run is one recycle run under way.
type run[I RecordID] struct {
	s      *Service[I]
	by     kernel.Actor
	rights kernel.Rights
	o      RecycleOptions
	sweeps []*Sweep
	// found is what the plan found due of each sweep, in the order of the ids: all of it, or nil where that is more than a page.
	found  [][]int64
	report *Report
}

// plan reads pools and rules, and refuses a run that would release too much.
func (r *run[I]) plan(ctx context.Context) error {
	return r.s.core.Unit(ctx, kernel.OwnCommit, func(ctx context.Context, tx Tx) error {
		pools, err := r.pools(ctx, tx)
		if err != nil {
			return err
		}
		days, err := countings(ctx, tx, r.by.Tenant, r.rights.Zone, pools...)
		if err != nil {
			return err
		}
		room := pageOfIDs
		for _, p := range pools {
			sweep, err := r.sweep(ctx, tx, p, days[p.ID])
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(sweep.Rules, func(x SweepRule) bool { return x.Acts }) {
				continue
			}
			r.sweeps = append(r.sweeps, sweep)
			r.at(sweep)
			if err := r.find(ctx, tx, sweep, &room); err != nil {
				return err
			}
		}
		if r.o.MaxShare == 100 || r.report.Due == 0 {
			return nil
		}
		owned, err := tx.Pool(r.s.kind).Owned(ctx, r.by.Tenant)
		if err == nil && r.report.Due*100 > owned*r.o.MaxShare {
			err = &kernel.Error{Code: kernel.ErrRefused, Field: "max_share", Reason: TooManyDue, Err: fmt.Errorf(
				"the run would release %d of %d owned records, more than %d %%; raise MaxShare if that is meant", r.report.Due, owned, r.o.MaxShare)}
		}
		return err
	})
}

// find counts what is due of a sweep, and keeps it where there is room: then it need not be found again.
func (r *run[I]) find(ctx context.Context, tx Tx, sweep *Sweep, room *int) error {
	ids, err := tx.Pool(r.s.kind).Candidates(ctx, *sweep, 0, pageOfIDs)
	due := len(ids)
	if err == nil && due == pageOfIDs {
		due, err = tx.Pool(r.s.kind).Due(ctx, *sweep)
	}
	switch {
	case due == 0:
		ids = []int64{} // there is nothing to look for
	case due >= *room:
		ids = nil
	}
	*room -= len(ids)
	r.report.Due += due
	r.found = append(r.found, ids)
	return err
}

func (r *run[I]) pools(ctx context.Context, tx Tx) ([]*Pool, error) {
	if len(r.o.Pools) > 0 {
		found, err := tx.Pools(r.s.kind).Get(ctx, r.by.Tenant, r.o.Pools...)
		if err == nil && len(found) < len(slices.Compact(slices.Sorted(slices.Values(r.o.Pools)))) {
			err = kernel.Invalidf("pools", kernel.Unknown, "the tenant has no such pool")
		}
		return found, err
	}
	return tx.Pools(r.s.kind).List(ctx, r.by.Tenant, kernel.Window{Limit: mostPools})
}

// sweep is what the run does with one pool.
func (r *run[I]) sweep(ctx context.Context, tx Tx, p *Pool, days condition.Counting) (*Sweep, error) {
	rules, err := tx.Pools(r.s.kind).Rules(ctx, r.by.Tenant, p.ID)
	if err != nil {
		return nil, err
	}
	sweep, err := newSweep(r.by, p, rules, days, r.o.Rules...)
	if err != nil {
		return nil, err
	}
	for _, rule := range sweep.Rules {
		if rule.Acts {
			r.report.ByRule = append(r.report.ByRule, RuleCount{Pool: p.ID, Rule: rule.ID, Name: rule.Name})
		}
	}
	return sweep, nil
}

// at sets the instant that the next statement judges by.
func (r *run[I]) at(sweep *Sweep) { sweep.at(r.s.core.Clock.Now(), r.rights.Zone) }

// pool walks the due records of one pool in the order of their ids, so that every page of the table is touched once. What the
// plan found of them is all; whatever it is now is judged when it is released.
func (r *run[I]) pool(ctx context.Context, sweep *Sweep, found []int64) error {
	if found != nil {
		return r.batches(ctx, sweep, found)
	}
	for after := int64(0); ; {
		var ids []int64
		r.at(sweep)
		err := r.s.core.Unit(ctx, kernel.Read, func(ctx context.Context, tx Tx) (err error) {
			ids, err = tx.Pool(r.s.kind).Candidates(ctx, *sweep, after, pageOfIDs)
			return err
		})
		if err == nil {
			err = r.batches(ctx, sweep, ids)
		}
		if err != nil || len(ids) < pageOfIDs {
			return err
		}
		after = ids[len(ids)-1]
	}
}

func (r *run[I]) batches(ctx context.Context, sweep *Sweep, ids []int64) error {
	for batch := range slices.Chunk(ids, r.o.Batch) {
		if err := r.batch(ctx, sweep, batch); err != nil {
			return err
		}
		if r.o.Progress != nil {
			r.o.Progress(r.report.copied())
		}
	}
	return nil
}

// batch releases some records in one transaction. A batch that fails for another reason than the moment's is halved until
// the bad record stands alone; it is reported and does not stop the rest.
func (r *run[I]) batch(ctx context.Context, sweep *Sweep, ids []int64) error {
	var swept []Swept
	var err error
	for range 5 { // deadlocks and busy writers pass
		r.at(sweep)
		err = r.s.core.Unit(ctx, kernel.OwnCommit, func(ctx context.Context, tx Tx) (err error) {
			swept, err = tx.Pool(r.s.kind).Release(ctx, *sweep, ids...)
			return err
		})
		if !errors.Is(err, kernel.ErrRetry) {
			break
		}
	}
	switch {
	case err == nil:
		r.count(swept, len(ids))
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
	if err := r.batch(ctx, sweep, ids[:half]); err != nil {
		return err
	}
	return r.batch(ctx, sweep, ids[half:])
}

func (r *run[I]) count(swept []Swept, asked int) {
	r.report.Released += len(swept)
	r.report.Left += asked - len(swept)
	for _, x := range swept {
		i := slices.IndexFunc(r.report.ByRule, func(c RuleCount) bool { return c.Rule == x.Rule })
		if i >= 0 {
			r.report.ByRule[i].Released++
		}
	}
}

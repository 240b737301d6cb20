package sales

import (
	"context"
	"slices"

	"github.com/openseas/crm/kernel"
)

// Pipelines is the use cases of pipelines.
type Pipelines struct{ core kernel.Service[Tx] }

const mostStages = 50

func (p *Pipeline) check() error {
	if err := kernel.CheckName("name", p.Name, 100); err != nil {
		return err
	}
	if len(p.Stages) < 2 || len(p.Stages) > mostStages {
		return kernel.Invalidf("stages", kernel.OutOfRange, "2 to %d", mostStages)
	}
	kinds := map[Status]bool{}
	for i := range p.Stages {
		if err := p.Stages[i].check(p.Stages[:i]); err != nil {
			return kernel.At(i, err)
		}
		kinds[p.Stages[i].Kind] = true
	}
	for i, s := range p.Stages {
		for _, name := range s.Moves {
			if !slices.ContainsFunc(p.Stages, func(to Stage) bool { return to.Name == name }) {
				return kernel.At(i, kernel.Invalidf("stages.moves", kernel.Unknown, "there is no stage %.50q", name))
			}
		}
	}
	if !kinds[Open] || !kinds[Won] || !kinds[Lost] {
		return kernel.Invalidf("stages", kernel.Empty, "at least one open, one won and one lost stage")
	}
	return nil
}

func (s *Stage) check(before []Stage) error {
	if s.Kind == "" {
		s.Kind = Open
	}
	if s.Forecast == "" {
		s.Forecast = map[Status]Forecast{Open: InPipeline, Won: Closed, Lost: Omitted}[s.Kind]
	}
	err := kernel.FirstError(kernel.CheckName("stages.name", s.Name, 50), kernel.OneOf("stages.kind", s.Kind, Open, Won, Lost),
		kernel.OneOf("stages.forecast", s.Forecast, InPipeline, BestCase, Commit, Closed, Omitted), checkPercent("stages.probability", s.Probability))
	for _, f := range s.Requires {
		err = kernel.FirstError(err, kernel.OneOf("stages.requires", f, NeedAmount, NeedClose, NeedContact, NeedProducts))
	}
	switch {
	case err != nil:
		return err
	case s.StaleDays < 0 || s.StaleDays > 3650:
		return kernel.Invalidf("stages.stale_days", kernel.OutOfRange, "0 to 3,650")
	case slices.ContainsFunc(before, func(b Stage) bool { return b.Name == s.Name || s.ID != 0 && b.ID == s.ID }):
		return kernel.Invalid("stages.name", kernel.Duplicate)
	}
	switch s.Kind {
	case Won:
		s.Probability = hundred
	case Lost:
		s.Probability = hundred.Sub(hundred)
	case Open:
	}
	return nil
}

// Put makes a pipeline (ID 0), or writes one that was read with all its stages: those without ID are new, those that are
// missing are gone, which is refused (reason InUse) while an opportunity, living or not, is or was in them. Its Version
// must then be the last. A name that another has is a conflict ("name"). On success p is as written. It needs the
// permission pipeline.manage, from a role that reaches all.
func (s *Pipelines) Put(ctx context.Context, a kernel.Actor, p *Pipeline) error {
	const op = "sales.Pipelines.Put"
	if p == nil {
		return kernel.Wrap(op, kernel.Invalid("pipeline", kernel.Empty))
	}
	given := *p
	given.Stages = slices.Clone(p.Stages)
	if err := given.check(); err != nil {
		return kernel.Wrap(op, err)
	}
	made, err := kernel.Do(ctx, &s.core, a, op, kernel.PipelineManage, given, func(ctx context.Context, c *kernel.Call[Tx]) (*Pipeline, error) {
		return s.put(ctx, c, given)
	})
	if err == nil {
		*p = *made
	}
	return err
}

func (s *Pipelines) put(ctx context.Context, c *kernel.Call[Tx], next Pipeline) (*Pipeline, error) {
	all, err := c.Tx.Pipelines().LockAll(ctx, c.Actor.Tenant)
	if err != nil {
		return nil, err
	}
	cur, err := next.among(all)
	if err != nil {
		return nil, err
	}
	change := kernel.Change{Type: "pipeline.created", After: &next}
	if cur == nil {
		next.Version, next.CreatedAt, next.UpdatedAt = 1, c.Now, c.Now
	} else {
		next.CreatedAt, next.UpdatedAt = cur.CreatedAt, cur.UpdatedAt
		was, is := kernel.Diff(cur, &next)
		if is == nil {
			return cur, nil
		}
		next.Version, next.UpdatedAt = cur.Version+1, c.Now
		change = kernel.Change{Type: "pipeline.updated", Before: was, After: is}
	}
	used, err := c.Tx.Pipelines().Put(ctx, c.Actor.Tenant, &next)
	if err == nil && len(used) > 0 {
		err = &kernel.Error{Code: kernel.ErrRefused, Field: "stages", Reason: kernel.InUse}
	}
	if err != nil {
		return nil, err
	}
	change.Subject, change.Ref = next.Ref(), next.Ref()
	return &next, c.Record(ctx, change)
}

const mostPipelines = 100

// among finds the pipeline that p is to take the place of, nil for a new one, and refuses what does not fit the others.
func (p *Pipeline) among(all []*Pipeline) (cur *Pipeline, err error) {
	for _, x := range all {
		switch {
		case x.ID == p.ID:
			cur = x
		case x.Name == p.Name:
			return nil, kernel.Taken("name")
		}
	}
	switch {
	case p.ID == 0 && len(all) >= mostPipelines:
		return nil, &kernel.Error{Code: kernel.ErrRefused, Field: "pipeline", Reason: kernel.TooMany}
	case p.ID != 0 && cur == nil:
		return nil, kernel.ErrNotFound
	case cur != nil && cur.Version != p.Version:
		return nil, kernel.StaleVersion(p.Version, cur.Version)
	}
	for i, s := range p.Stages {
		if s.ID != 0 && (cur == nil || cur.stage(s.ID) == nil) {
			return nil, kernel.At(i, kernel.Invalidf("stages.id", kernel.Unknown, "the pipeline has no stage %d", s.ID))
		}
	}
	return cur, nil
}

// Get returns a pipeline with its stages; 0 asks for the default one.
func (s *Pipelines) Get(ctx context.Context, a kernel.Actor, id PipelineID) (*Pipeline, error) {
	return kernel.Ask(ctx, &s.core, a, "sales.Pipelines.Get", kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) (*Pipeline, error) {
		return only(c.Tx.Pipelines().Get(ctx, a.Tenant, id))
	})
}

// List returns the pipelines with their stages, 100 at most, in the order they were made.
func (s *Pipelines) List(ctx context.Context, a kernel.Actor) ([]*Pipeline, error) {
	return kernel.Ask(ctx, &s.core, a, "sales.Pipelines.List", kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) ([]*Pipeline, error) {
		return c.Tx.Pipelines().All(ctx, a.Tenant)
	})
}

package team

import (
	"context"

	"github.com/openseas/crm/kernel"
)

// Trail reads what was written down: the audit trail of every change, and the events in the outbox (mission.md, T4, X4).
// Both are written in the transaction of the change and never changed afterwards.
type Trail struct {
	core kernel.Service[Tx]
	mask Mask
}

func (f TrailFilter) check() error {
	errs := []error{
		kernel.CheckLine("subject", f.Subject.Kind, 50), kernel.CheckLine("actor", string(f.Actor), 200),
		kernel.CheckInstant("from", f.From), kernel.CheckInstant("to", f.To),
	}
	for _, t := range f.Types {
		errs = append(errs, kernel.CheckLine("types", t, 100))
	}
	if len(f.Types) > 200 {
		errs = append(errs, kernel.Invalidf("types", kernel.TooMany, "at most 200"))
	}
	return kernel.FirstError(errs...)
}

// Audit returns a page of the audit trail, newest first; what it tells of customers that lie in a pool is masked for every
// person. Subject, actor and type have an index each, in which the other conditions pass rows over; a span of time alone has
// one too. It needs the permission audit.read, from a role that reaches all.
func (s *Trail) Audit(ctx context.Context, a kernel.Actor, f TrailFilter, p kernel.Page) (kernel.List[kernel.AuditEntry], error) {
	const op = "team.Trail.Audit"
	list, key := "audit", func(e kernel.AuditEntry) []int64 { return []int64{e.ID} }
	if f.ByTime() {
		list, key = "audit-at", func(e kernel.AuditEntry) []int64 { return []int64{e.At.UnixMicro(), e.ID} }
	}
	w, err := p.Open(list, len(key(kernel.AuditEntry{})))
	if err := kernel.FirstError(err, f.check()); err != nil {
		return kernel.List[kernel.AuditEntry]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.AuditRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[kernel.AuditEntry], error) {
		found, err := c.Tx.Trail().Audit(ctx, a.Tenant, f, w)
		s.mask.entries(c, found)
		return kernel.Cut(list, w, found, key), err
	})
}

// Events returns a page of the outbox: of one subject in the order in which things happened to it, else in the order of
// ids, which is not the order of commits: a reader that polls by id misses events, and a relay does not. Without a subject
// it walks the tenant's events and passes over those that were not asked for: by actor, type and time the audit trail has
// indexes, and a row for each event. It needs the permission audit.read, from a role that reaches all.
func (s *Trail) Events(ctx context.Context, a kernel.Actor, f TrailFilter, p kernel.Page) (kernel.List[kernel.Event], error) {
	const op = "team.Trail.Events"
	list, key := "events", func(e kernel.Event) []int64 { return []int64{e.ID} }
	if f.Subject != (kernel.Ref{}) {
		list, key = "events-of", func(e kernel.Event) []int64 { return []int64{e.Seq} }
	}
	w, err := p.Open(list, 1)
	if err := kernel.FirstError(err, f.check()); err != nil {
		return kernel.List[kernel.Event]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.AuditRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[kernel.Event], error) {
		found, err := c.Tx.Trail().Events(ctx, a.Tenant, f, w)
		s.mask.events(c, found)
		return kernel.Cut(list, w, found, key), err
	})
}

package team

import (
	"context"
	"crypto/rand"
	"errors"
	"runtime/debug"
	"time"

	"github.com/openseas/crm/kernel"
)

// Relay delivers the events of the outbox (mission.md, X4): at least once, and in order per subject. It runs when the host
// calls it, in as many processes as the host likes, and starts no goroutine.
type Relay struct {
	core kernel.Service[Tx]
	mask Mask
}

// Handler takes an event to where the host wants it. Its error, and its panic, put the event off; its context ends with the
// lease. It is called outside transactions, one call after the other, and may use the CRM.
type Handler = func(ctx context.Context, e kernel.Event) error

// Deliver gives the handler what is due of the actor's tenant, until nothing is. Of one subject nobody is given a later event
// before an earlier one was delivered, whoever else delivers at the same time: a call leases what it takes. An event is given
// again when the process dies between the delivery and its mark, and when a handler outlasts the lease; a subject's Seq tells.
// An event that the handler refuses holds up its own subject only, see [Backoff] and [Relay.Dead].
//
// What was done is in the report even if the error is not nil. When the context ends the call stops after the handler's
// present call, gives back what it had leased, and answers retry. Only the system actor may, and not in a host's transaction.
func (s *Relay) Deliver(ctx context.Context, a kernel.Actor, handler Handler, opts *RelayOptions) (RelayReport, error) {
	const op = "team.Relay.Deliver"
	o, err := opts.filled()
	if handler == nil {
		err = kernel.Invalid("handler", kernel.Empty)
	}
	if err := kernel.FirstError(a.Check(), onlySystem(a), err); err != nil {
		return RelayReport{}, kernel.Wrap(op, err)
	}
	d := delivery{core: s.core, tenant: a.Tenant, handler: handler, opts: o, token: rand.Text()}
	err = d.run(ctx)
	return d.report, kernel.Wrap(op, err)
}

// Purge deletes events that were delivered or skipped so long ago, in batches that commit: a nightly job. 0 is 7 days. It
// returns how many. The audit trail keeps every change. Only the system actor may.
func (s *Relay) Purge(ctx context.Context, a kernel.Actor, olderThan time.Duration) (purged int, err error) {
	const op = "team.Relay.Purge"
	if olderThan == 0 {
		olderThan = DeliveredKept
	}
	if olderThan < 0 {
		err = kernel.Invalid("older_than", kernel.OutOfRange)
	}
	if err := kernel.FirstError(a.Check(), onlySystem(a), err); err != nil {
		return 0, kernel.Wrap(op, err)
	}
	before := s.core.Clock.Now().Add(-olderThan)
	for n := dropBatch; n == dropBatch && err == nil; {
		err = s.core.Unit(ctx, kernel.OwnCommit, func(ctx context.Context, tx Tx) (err error) {
			n, err = tx.Relay().Purge(ctx, a.Tenant, before, dropBatch)
			return err
		})
		if err == nil {
			purged += n
		}
	}
	return purged, kernel.Wrap(op, err)
}

// Dead returns a page of the dead letters, oldest first. It needs the permission audit.read, from a role that reaches all.
func (s *Relay) Dead(ctx context.Context, a kernel.Actor, p kernel.Page) (kernel.List[DeadLetter], error) {
	const op = "team.Relay.Dead"
	w, err := p.Open("dead", 1)
	if err != nil {
		return kernel.List[DeadLetter]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.AuditRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[DeadLetter], error) {
		found, err := c.Tx.Relay().Dead(ctx, a.Tenant, w)
		for i := range found {
			s.mask.event(c, &found[i].Event)
		}
		return kernel.Cut("dead", w, found, func(l DeadLetter) []int64 { return []int64{l.ID} }), err
	})
}

// Backlog tells how far deliveries are behind. It needs the permission audit.read, from a role that reaches all.
func (s *Relay) Backlog(ctx context.Context, a kernel.Actor) (Backlog, error) {
	return kernel.Ask(ctx, &s.core, a, "team.Relay.Backlog", kernel.AuditRead, func(ctx context.Context, c *kernel.Call[Tx]) (Backlog, error) {
		return c.Tx.Relay().Backlog(ctx, a.Tenant)
	})
}

// Retry makes a dead letter due at once, with all its attempts. An event that is none is refused (NotDead). It needs the
// permission team.manage, from a role that reaches all, and stands on the audit trail.
func (s *Relay) Retry(ctx context.Context, a kernel.Actor, id int64) error {
	return s.settle(ctx, a, "team.Relay.Retry", id, false)
}

// Skip gives a dead letter up: it is not delivered, and its subject goes on with the next event. An event that is no dead
// letter is refused (NotDead). It needs the permission team.manage, from a role that reaches all, and stands on the audit trail.
func (s *Relay) Skip(ctx context.Context, a kernel.Actor, id int64) error {
	return s.settle(ctx, a, "team.Relay.Skip", id, true)
}

// EventKind is how audit rows name an event.
const EventKind = "event"

func (s *Relay) settle(ctx context.Context, a kernel.Actor, op string, id int64, skip bool) error {
	_, err := kernel.Do(ctx, &s.core, a, op, kernel.TeamManage, id, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.None, error) {
		known, settled, err := c.Tx.Relay().Settle(ctx, a.Tenant, id, skip, c.Now)
		switch {
		case err != nil:
			return kernel.None{}, err
		case !known:
			return kernel.None{}, kernel.ErrNotFound
		case !settled:
			return kernel.None{}, &kernel.Error{Code: kernel.ErrRefused, Reason: NotDead}
		}
		change := kernel.Change{Subject: kernel.Ref{Kind: TenantKind}, Ref: kernel.Ref{Kind: EventKind, ID: id}, Type: "event.retried"}
		if skip {
			change.Type = "event.skipped"
		}
		return kernel.None{}, c.Record(ctx, change)
	})
	return err
}

// delivery is one call of Deliver.
type delivery struct {
	core    kernel.Service[Tx]
	tenant  kernel.TenantID
	handler Handler
	opts    RelayOptions
	token   string // of the leases of this call
	calls   int    // of the handler
	report  RelayReport
}

// run goes round the subjects until one whole round finds nothing due.
func (d *delivery) run(ctx context.Context) error {
	after, whole, found := d.opts.From, d.opts.From == kernel.Ref{}, false
	for {
		if ctx.Err() != nil {
			return stopped(ctx)
		}
		size := d.opts.Batch
		if d.opts.Most > 0 {
			size = min(size, d.opts.Most-d.calls)
		}
		if size == 0 {
			d.report.Next = after
			return nil
		}
		until := d.core.Clock.Now().Add(d.opts.Lease)
		taken, err := d.take(ctx, Claim{Token: d.token, Until: until, After: after, AtMost: size})
		if err != nil {
			return err
		}
		if len(taken.Events) > 0 {
			found = true
			b := batch{delivery: d, until: until, flushed: d.core.Clock.Now(), out: map[kernel.Ref]bool{}}
			if err := b.deliver(ctx, taken.Events); err != nil {
				return err
			}
		}
		if after = taken.After; !taken.Last {
			continue
		}
		if whole && !found {
			return nil
		}
		after, whole, found = kernel.Ref{}, true, false
	}
}

func (d *delivery) take(ctx context.Context, c Claim) (taken Taken, err error) {
	err = d.core.Unit(ctx, kernel.OwnCommit, func(ctx context.Context, tx Tx) (err error) {
		taken, err = tx.Relay().Take(ctx, d.tenant, c, d.core.Clock.Now())
		return err
	})
	return taken, err
}

// note writes what became of leased events. It must not be lost with a context that ended: a delivery would be repeated.
func (d *delivery) note(ctx context.Context, fn func(ctx context.Context, r RelayRepository) error) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	for range 3 {
		err = d.core.Unit(ctx, kernel.OwnCommit, func(ctx context.Context, tx Tx) error { return fn(ctx, tx.Relay()) })
		if !errors.Is(err, kernel.ErrRetry) {
			break
		}
	}
	return err
}

// flushAfter is how long a delivery waits for its mark, to share a transaction with others.
const flushAfter = time.Second

// batch is the events of one lease.
type batch struct {
	*delivery

	until   time.Time           // when the lease ends
	done    []int64             // delivered, not yet marked
	flushed time.Time           // when they were marked last
	out     map[kernel.Ref]bool // subjects that are over for this batch: an event failed, or the lease was lost
}

func (b *batch) deliver(ctx context.Context, events []LeasedEvent) error {
	for i, e := range events {
		now := b.core.Clock.Now()
		if now.Sub(b.flushed) >= flushAfter {
			if err := b.flush(ctx); err != nil {
				return err
			}
		}
		if !b.out[e.Subject] && b.until.Sub(now) < b.opts.Lease/2 {
			if err := b.renew(ctx, events[i:]); err != nil {
				return err
			}
		}
		if b.out[e.Subject] {
			continue
		}
		if ctx.Err() != nil {
			return b.stop(ctx, events[i:])
		}
		b.calls++
		err := b.call(ctx, e.Event)
		switch {
		case err == nil:
			b.done = append(b.done, e.ID)
		case ctx.Err() != nil: // it failed because it was told to stop
			return b.stop(ctx, events[i:])
		default:
			if err := b.fail(ctx, e, err); err != nil {
				return err
			}
		}
	}
	return b.flush(ctx)
}

// call is the handler's call, ended with the lease.
func (b *batch) call(ctx context.Context, e kernel.Event) (err error) {
	ctx, cancel := context.WithTimeout(ctx, b.until.Sub(b.core.Clock.Now()))
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{v, debug.Stack()}
		}
	}()
	return b.handler(ctx, e)
}

// flush marks what was delivered.
func (b *batch) flush(ctx context.Context) error {
	b.flushed = b.core.Clock.Now()
	if len(b.done) == 0 {
		return nil
	}
	var marked int
	err := b.note(ctx, func(ctx context.Context, r RelayRepository) (err error) {
		marked, err = r.Mark(ctx, b.tenant, b.token, b.flushed, b.done)
		return err
	})
	if err == nil {
		b.report.Delivered += marked
		b.report.Lost += len(b.done) - marked
		b.done = nil
	}
	return err
}

// renew takes a new lease of what is left, and leaves the subjects alone that another call has taken over.
func (b *batch) renew(ctx context.Context, left []LeasedEvent) error {
	if err := b.flush(ctx); err != nil {
		return err
	}
	until := b.core.Clock.Now().Add(b.opts.Lease)
	kept := map[int64]bool{}
	err := b.note(ctx, func(ctx context.Context, r RelayRepository) error {
		ids, err := r.Renew(ctx, b.tenant, b.token, until, idsOf(left))
		for _, id := range ids {
			kept[id] = true
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, e := range left {
		if !kept[e.ID] {
			b.out[e.Subject] = true
		}
	}
	b.until = until
	return nil
}

// fail puts an event off, or among the dead, and gives back what was leased behind it.
func (b *batch) fail(ctx context.Context, e LeasedEvent, cause error) error {
	b.out[e.Subject] = true
	now := b.core.Clock.Now()
	wait, dead := b.opts.Backoff.After(e.Attempts + 1)
	f := Failure{ID: e.ID, Subject: e.Subject, Seq: e.Seq, Attempts: e.Attempts + 1, Due: now.Add(wait), Dead: dead, Error: asText(cause)}
	var ours bool
	err := b.note(ctx, func(ctx context.Context, r RelayRepository) (err error) {
		ours, err = r.Fail(ctx, b.tenant, b.token, f)
		return err
	})
	switch {
	case err != nil:
		return err
	case !ours:
		b.report.Lost++
		return nil
	}
	b.report.Failed++
	told := RelayFailure{Event: e.Event, Attempts: f.Attempts, Dead: dead, Err: cause}
	if dead {
		b.report.Dead++
	} else {
		told.Due = f.Due
	}
	if len(b.report.Failures) < 100 {
		b.report.Failures = append(b.report.Failures, told)
	}
	return nil
}

// stop marks what was delivered and gives back the rest.
func (b *batch) stop(ctx context.Context, left []LeasedEvent) error {
	if err := b.flush(ctx); err != nil {
		return err
	}
	err := b.note(ctx, func(ctx context.Context, r RelayRepository) error {
		return r.Release(ctx, b.tenant, b.token, idsOf(left))
	})
	return kernel.FirstError(err, stopped(ctx))
}

func stopped(ctx context.Context) error {
	return &kernel.Error{Code: kernel.ErrRetry, Err: context.Cause(ctx)}
}

func idsOf(events []LeasedEvent) []int64 {
	ids := make([]int64, len(events))
	for i, e := range events {
		ids[i] = e.ID
	}
	return ids
}

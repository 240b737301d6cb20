package team

import (
	"context"
	"errors"
	"time"

	"github.com/openseas/crm/kernel"
)

// Service is the use cases of tenants, and holds those of members, departments, roles, calendars, the trail and the relay.
type Service struct {
	Members     *Members
	Departments *Departments
	Roles       *Roles
	Calendars   *Calendars
	Trail       *Trail
	Relay       *Relay

	core  kernel.Service[Tx]
	cache *Cache
}

// NewService is for crm.New.
func NewService(core kernel.Service[Tx], cache *Cache, mask Mask) *Service {
	return &Service{
		&Members{core, cache}, &Departments{core, cache}, &Roles{core, cache}, &Calendars{core, cache}, &Trail{core, mask}, &Relay{core, mask}, core, cache,
	}
}

// CreateTenant makes the tenant that the actor names: with its default public pool, its policies and the built-in roles.
// Only the system actor may; it also adds the first members. A tenant that is there already, or is being dropped, is a
// conflict ("tenant").
func (s *Service) CreateTenant(ctx context.Context, a kernel.Actor, t Tenant) error {
	const op = "team.CreateTenant"
	if err := kernel.FirstError(a.Check(), onlySystem(a), t.check()); err != nil {
		return kernel.Wrap(op, err)
	}
	input := t // without its time: the same call, made again, is made later
	t.CreatedAt = s.core.Clock.Now()
	return kernel.Wrap(op, s.core.Unit(ctx, kernel.Write, func(ctx context.Context, tx Tx) error {
		made, err := tx.Tenants().Insert(ctx, a.Tenant, &t)
		if err != nil {
			return err
		}
		if !made {
			is, err := tx.Tenants().Get(ctx, a.Tenant)
			if err != nil || is == nil {
				return kernel.FirstError(err, kernel.Taken("tenant"))
			}
		}
		c := &kernel.Call[Tx]{Tx: tx, Actor: a, Now: t.CreatedAt}
		_, err = kernel.Once(ctx, c, op, input, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.None, error) {
			if !made {
				return kernel.None{}, kernel.Taken("tenant")
			}
			ref := kernel.Ref{Kind: TenantKind}
			return kernel.None{}, c.Record(ctx, kernel.Change{Subject: ref, Ref: ref, Type: "tenant.created", After: t})
		})
		return err
	}))
}

func onlySystem(a kernel.Actor) error {
	if _, ok := a.System(); !ok {
		return &kernel.Error{Code: kernel.ErrDenied, Field: "actor", Err: errors.New("only the system actor may")}
	}
	return nil
}

func (t *Tenant) check() error {
	if t.Zone == "" {
		t.Zone = "Asia/Shanghai"
	}
	if t.Currency == "" {
		t.Currency = "CNY"
	}
	err := kernel.FirstError(kernel.CheckName("name", t.Name, 200), kernel.CheckLine("zone", t.Zone, 50))
	if err != nil {
		return err
	}
	if _, err := time.LoadLocation(t.Zone); err != nil || t.Zone == "Local" {
		return kernel.Invalidf("zone", kernel.Unknown, "%.50q is no time zone of this machine's database", t.Zone)
	}
	if len(t.Currency) != 3 {
		return kernel.Invalidf("currency", kernel.Malformed, "a currency is three capital letters (ISO 4217)")
	}
	for _, r := range t.Currency {
		if r < 'A' || r > 'Z' {
			return kernel.Invalidf("currency", kernel.Malformed, "a currency is three capital letters (ISO 4217)")
		}
	}
	return nil
}

// Tenant returns the tenant of the actor.
func (s *Service) Tenant(ctx context.Context, a kernel.Actor) (*Tenant, error) {
	return kernel.Ask(ctx, &s.core, a, "team.Tenant", kernel.TeamRead, func(ctx context.Context, c *kernel.Call[Tx]) (*Tenant, error) {
		t, err := c.Tx.Tenants().Get(ctx, a.Tenant)
		if err == nil && t == nil {
			err = kernel.ErrNotFound
		}
		return t, err
	})
}

// dropBatch is how many rows go in one transaction: short locks, and a call that can be killed and run again.
const dropBatch = 5_000

// DropTenant deletes everything of the actor's tenant, its audit trail and operation log included, in batches that
// commit. From the first moment the tenant is unknown to every other call, in other processes when the rights that they
// keep are too old. Killed or cancelled, it goes on when it is called again; its key is free when it has come to the end.
// progress, if not nil, is told how many rows are gone. Only the system actor may.
func (s *Service) DropTenant(ctx context.Context, a kernel.Actor, progress func(rows int)) error {
	const op = "team.DropTenant"
	if err := kernel.FirstError(a.Check(), onlySystem(a)); err != nil {
		return kernel.Wrap(op, err)
	}
	err := s.core.Unit(ctx, kernel.OwnCommit, func(ctx context.Context, tx Tx) error {
		known, err := tx.Tenants().BeginDrop(ctx, a.Tenant, s.core.Clock.Now())
		if err == nil && !known {
			err = &kernel.Error{Code: kernel.ErrNotFound, Field: "actor.tenant"}
		}
		return err
	})
	s.cache.Empty()
	for n, total := 1, 0; err == nil && n > 0; {
		err = s.core.Unit(ctx, kernel.OwnCommit, func(ctx context.Context, tx Tx) (err error) {
			n, err = tx.Tenants().DropSome(ctx, a.Tenant, dropBatch)
			return err
		})
		if total += n; err == nil && progress != nil {
			progress(total)
		}
	}
	return kernel.Wrap(op, err)
}

// Rights are what the actor may do, and where: for a host that shows only what will work.
func (s *Service) Rights(ctx context.Context, a kernel.Actor) (kernel.Rights, error) {
	if err := a.Check(); err != nil {
		return kernel.Rights{}, kernel.Wrap("team.Rights", err)
	}
	r, err := s.core.Authority.Rights(ctx, a)
	return copied(r), kernel.Wrap("team.Rights", err)
}

// RequestsKept is how long the outcome of an Actor.Request is kept at least.
const RequestsKept = 7 * 24 * time.Hour

// ForgetRequests deletes outcomes of requests older than 7 days, in batches that commit: a nightly job. It returns how
// many. Only the system actor may.
func (s *Service) ForgetRequests(ctx context.Context, a kernel.Actor) (forgotten int, err error) {
	const op = "team.ForgetRequests"
	if err := kernel.FirstError(a.Check(), onlySystem(a)); err != nil {
		return 0, kernel.Wrap(op, err)
	}
	before := s.core.Clock.Now().Add(-RequestsKept)
	for n := 1; n > 0 && err == nil; {
		err = s.core.Unit(ctx, kernel.OwnCommit, func(ctx context.Context, tx Tx) (err error) {
			n, err = tx.Trail().ForgetRequests(ctx, a.Tenant, before, dropBatch)
			return err
		})
		if err == nil {
			forgotten += n
		}
	}
	return forgotten, kernel.Wrap(op, err)
}

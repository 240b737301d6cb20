package team

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/openseas/crm/kernel"
)

// Cache keeps rights for a short time, per process. Changes of the team that this process commits empty it at once; those
// of other processes, and those made inside a transaction of the host, are seen when the time is over at the latest.
type Cache struct {
	keep time.Duration
	mu   sync.Mutex
	era  uint64 // rises whenever the cache is emptied: what was read before must not come in afterwards
	all  map[cacheKey]cached
	zone map[string]*time.Location
}

// cacheKey tells the system actor from a user whose name it bears: neither is ever given what the other was.
type cacheKey struct {
	tenant kernel.TenantID
	user   kernel.UserID
	system bool
}

type cached struct {
	rights kernel.Rights
	until  time.Time
}

// cacheLimit bounds the memory of a process that serves very many users: the cache starts anew beyond it.
const cacheLimit = 10_000

// NewCache keeps rights for a time; 0 or less keeps none.
func NewCache(keep time.Duration) *Cache {
	return &Cache{keep: keep, all: map[cacheKey]cached{}, zone: map[string]*time.Location{}}
}

// get returns what is kept and not too old, and the era to hand to put. A clock that was set back makes it too old.
func (c *Cache) get(k cacheKey, now time.Time) (r kernel.Rights, ok bool, era uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.all[k]
	return found.rights, ok && now.Before(found.until) && !now.Before(found.until.Add(-c.keep)), c.era
}

// put keeps rights that were read in an era, unless it is over: somebody has changed the team since they were read.
func (c *Cache) put(k cacheKey, r kernel.Rights, now time.Time, era uint64) {
	if c.keep <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if era != c.era {
		return
	}
	if len(c.all) >= cacheLimit {
		clear(c.all)
	}
	c.all[k] = cached{r, now.Add(c.keep)}
}

// Empty forgets everything: who may do what has changed.
func (c *Cache) Empty() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.era++
	clear(c.all)
}

// location parses a zone once: it reads the time zone database.
func (c *Cache) location(name string) (*time.Location, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if zone, ok := c.zone[name]; ok {
		return zone, nil
	}
	zone, err := time.LoadLocation(name)
	if err == nil {
		c.zone[name] = zone
	}
	return zone, err
}

// Authority resolves rights from the members, departments and roles of this package.
type Authority struct {
	unit   kernel.UnitOfWork[Tx]
	clock  kernel.Clock
	cache  *Cache
	joined bool
}

var _ kernel.Authority = (*Authority)(nil)

// NewAuthority is for crm.New. joined is set inside a host's transaction: the cache knows nothing of members that the
// transaction has changed, and must not learn of them, since it may never commit. Rights are read anew there.
func NewAuthority(unit kernel.UnitOfWork[Tx], clock kernel.Clock, cache *Cache, joined bool) *Authority {
	return &Authority{unit, clock, cache, joined}
}

// Rights see [kernel.Authority].
func (s *Authority) Rights(ctx context.Context, a kernel.Actor) (kernel.Rights, error) {
	if s.joined {
		return s.read(ctx, a)
	}
	_, system := a.System()
	now, key := s.clock.Now(), cacheKey{a.Tenant, a.User, system}
	rights, ok, era := s.cache.get(key, now)
	if ok {
		return rights, nil
	}
	rights, err := s.read(ctx, a)
	if err == nil {
		s.cache.put(key, rights, now, era)
	}
	return rights, err
}

func (s *Authority) read(ctx context.Context, a kernel.Actor) (kernel.Rights, error) {
	var g *Grantee
	err := s.unit(ctx, kernel.Read, func(ctx context.Context, tx Tx) (err error) {
		g, err = tx.Tenants().Grantee(ctx, a.Tenant, a.User)
		return err
	})
	if err != nil {
		return kernel.Rights{}, err
	}
	if g == nil {
		return kernel.Rights{}, &kernel.Error{Code: kernel.ErrNotFound, Field: "actor.tenant"}
	}
	zone, err := s.cache.location(g.Zone)
	if err != nil {
		return kernel.Rights{}, err
	}
	if _, system := a.System(); system {
		return kernel.Rights{Zone: zone, System: true}, nil
	}
	if g.Member == nil || !g.Member.Active() {
		return kernel.Rights{}, &kernel.Error{Code: kernel.ErrDenied, Field: "actor.user", Reason: kernel.NotAMember}
	}
	return g.Rights(zone), nil
}

// copied is rights that the caller may change without changing those that are kept.
func copied(r kernel.Rights) kernel.Rights {
	r.Subordinates = slices.Clone(r.Subordinates)
	r.Grants = maps.Clone(r.Grants)
	for p, s := range r.Grants {
		s.Owners, s.Regions, s.Pools = slices.Clone(s.Owners), slices.Clone(s.Regions), slices.Clone(s.Pools)
		s.LeadPools = slices.Clone(s.LeadPools)
		r.Grants[p] = s
	}
	return r
}

// manage runs a change of the team, after which no right that was read before is trusted.
func manage[R any](ctx context.Context, core *kernel.Service[Tx], cache *Cache, a kernel.Actor, op string, input any,
	fn func(ctx context.Context, c *kernel.Call[Tx]) (R, error),
) (R, error) {
	defer cache.Empty()
	return kernel.Do(ctx, core, a, op, kernel.TeamManage, input, fn)
}

// manageTree is manage for what concerns the department tree or roles: such changes of a tenant wait for each other.
func manageTree[R any](ctx context.Context, core *kernel.Service[Tx], cache *Cache, a kernel.Actor, op string, input any,
	fn func(ctx context.Context, c *kernel.Call[Tx]) (R, error),
) (R, error) {
	return manage(ctx, core, cache, a, op, input, func(ctx context.Context, c *kernel.Call[Tx]) (R, error) {
		if err := c.Tx.Tenants().Lock(ctx, a.Tenant); err != nil {
			var none R
			return none, err
		}
		return fn(ctx, c)
	})
}

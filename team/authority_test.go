package team

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/kernel"
)

var noon = time.Date(2026, 2, 28, 4, 0, 0, 0, time.UTC)

// house is one tenant without a database: what the authority reads, and just enough to write a role.
type house struct {
	Tx
	TenantRepository
	RoleRepository
	grantee func() (*Grantee, error)
	reads   int
	put     error
	now     time.Time
}

func (h *house) Tenants() TenantRepository { return h }
func (h *house) Roles() RoleRepository     { return h }
func (h *house) Journal() kernel.Journal   { return silent{} }

func (h *house) Grantee(context.Context, kernel.TenantID, kernel.UserID) (*Grantee, error) {
	h.reads++
	return h.grantee()
}
func (h *house) Lock(context.Context, kernel.TenantID) error           { return nil }
func (h *house) All(context.Context, kernel.TenantID) ([]*Role, error) { return nil, nil }
func (h *house) Put(context.Context, kernel.TenantID, *Role) error     { return h.put }

type silent struct{}

func (silent) Record(context.Context, kernel.Actor, time.Time, ...kernel.Change) error { return nil }

func (h *house) unit(ctx context.Context, _ kernel.Mode, fn func(context.Context, Tx) error) error {
	return fn(ctx, h)
}

func (h *house) clock() time.Time { return h.now }

// open is a house in which li is what is given, with an authority that keeps rights for 5 seconds.
func open(g *Grantee) (*house, *Authority, *Service) {
	h := &house{now: noon, grantee: func() (*Grantee, error) { return g, nil }}
	cache := NewCache(5 * time.Second)
	authority := NewAuthority(h.unit, h.clock, cache, false)
	return h, authority, NewService(kernel.Service[Tx]{Unit: h.unit, Authority: authority, Clock: h.clock}, cache, nil)
}

var (
	li   = kernel.Actor{Tenant: "acme", User: "li"}
	boss = kernel.System("acme", "test")
)

func inShanghai(g *Grantee) *Grantee {
	g.Zone = "Asia/Shanghai"
	return g
}

func TestRightsAreKeptForTheirTimeAndNotLonger(t *testing.T) {
	h, authority, _ := open(inShanghai(someone(Seller)))
	for _, step := range []struct {
		wait  time.Duration
		reads int
	}{
		{0, 1},
		{0, 1},
		{5*time.Second - time.Microsecond, 1},
		{time.Microsecond, 2},
		{5 * time.Second, 3},
		{-time.Microsecond, 4}, // a clock that was set back says nothing about the age
	} {
		h.now = h.now.Add(step.wait)
		rights, err := authority.Rights(t.Context(), li)
		require.NoError(t, err)
		require.Equal(t, "Asia/Shanghai", rights.Zone.String())
		require.Contains(t, rights.Grants, PoolClaim)
		require.Equal(t, step.reads, h.reads, step.wait)
	}
}

func TestNothingIsKept(t *testing.T) {
	t.Run("for no time", func(t *testing.T) {
		h, _, _ := open(inShanghai(someone(Seller)))
		for _, keep := range []time.Duration{0, -1} {
			h.reads = 0
			authority := NewAuthority(h.unit, h.clock, NewCache(keep), false)
			for range 2 {
				_, err := authority.Rights(t.Context(), li)
				require.NoError(t, err)
			}
			require.Equal(t, 2, h.reads)
		}
	})
	t.Run("inside a host's transaction, and nothing of before is used there", func(t *testing.T) {
		h, outside, _ := open(inShanghai(someone(Seller)))
		inside := NewAuthority(h.unit, h.clock, outside.cache, true)
		for i, authority := range []*Authority{inside, inside, outside, inside} {
			_, err := authority.Rights(t.Context(), li)
			require.NoError(t, err)
			require.Equal(t, i+1, h.reads)
		}
	})
	t.Run("of a refusal", func(t *testing.T) {
		h, authority, _ := open(&Grantee{Zone: "UTC"})
		for range 2 {
			_, err := authority.Rights(t.Context(), li)
			require.ErrorIs(t, err, kernel.NotAMember)
		}
		require.Equal(t, 2, h.reads, "somebody who is added may act at once")
	})
}

func TestAMissingTenantOrMemberIsAnErrorAndNeverEverything(t *testing.T) {
	for name, c := range map[string]struct {
		grantee *Grantee
		err     error
		code    kernel.Code
		field   string
	}{
		"unknown tenant":  {nil, nil, kernel.ErrNotFound, "actor.tenant"},
		"no member":       {&Grantee{Zone: "UTC"}, nil, kernel.ErrDenied, "actor.user"},
		"inactive member": {&Grantee{Zone: "UTC", Member: &Member{User: "li", Role: Admin, InactiveSince: noon}}, nil, kernel.ErrDenied, "actor.user"},
		"store down":      {nil, kernel.ErrRetry, kernel.ErrRetry, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h, authority, service := open(nil)
			h.grantee = func() (*Grantee, error) { return c.grantee, c.err }
			rights, err := authority.Rights(t.Context(), li)
			require.ErrorIs(t, err, c.code)
			require.Equal(t, kernel.Rights{}, rights)
			_, err = service.Roles.List(t.Context(), li)
			require.ErrorIs(t, err, c.code)
			var e *kernel.Error
			if errors.As(err, &e) && c.field != "" {
				require.Equal(t, c.field, e.Field)
			}
		})
	}
	for _, a := range []kernel.Actor{{}, {Tenant: "acme"}, {User: "li"}, {Tenant: "acme", User: kernel.SystemUser}, kernel.System("acme", "")} {
		h, _, service := open(inShanghai(someone(Admin)))
		_, err := service.Rights(t.Context(), a)
		require.ErrorIs(t, err, kernel.ErrInvalid)
		require.ErrorIs(t, service.Members.Seen(t.Context(), a), kernel.ErrInvalid)
		require.Zero(t, h.reads)
	}
}

func TestNobodyIsGivenWhatIsKeptForTheSystemActor(t *testing.T) {
	h, authority, _ := open(inShanghai(&Grantee{}))
	rights, err := authority.Rights(t.Context(), boss)
	require.NoError(t, err)
	require.True(t, rights.System)
	disguised := boss
	disguised.User = "li" // a host that lets a job act in a user's name
	rights, err = authority.Rights(t.Context(), disguised)
	require.NoError(t, err)
	require.True(t, rights.System)
	for _, a := range []kernel.Actor{li, {Tenant: "acme", User: kernel.SystemUser}} {
		_, err = authority.Rights(t.Context(), a)
		require.ErrorIs(t, err, kernel.NotAMember)
	}
	require.Equal(t, 4, h.reads)
}

func TestAWriteEmptiesTheCache(t *testing.T) {
	for name, put := range map[string]error{"done": nil, "failed, who knows how far": kernel.ErrUnknownOutcome} {
		t.Run(name, func(t *testing.T) {
			h, authority, service := open(inShanghai(someone(Admin)))
			h.put = put
			_, err := authority.Rights(t.Context(), li)
			require.NoError(t, err)
			_, err = service.Roles.Put(t.Context(), boss, Role{Name: "x", Reach: ReachOwn})
			require.ErrorIs(t, err, put)
			before := h.reads
			_, err = authority.Rights(t.Context(), li)
			require.NoError(t, err)
			require.Equal(t, before+1, h.reads)
		})
	}
}

func TestRightsReadBeforeAWriteAreNotKeptAfterIt(t *testing.T) {
	h, authority, service := open(nil)
	h.grantee = func() (*Grantee, error) {
		if h.reads == 1 { // the write comes between the look of the first reader and its note
			service.cache.Empty()
			return inShanghai(someone(Admin)), nil
		}
		return inShanghai(someone(Seller)), nil
	}
	_, err := authority.Rights(t.Context(), li)
	require.NoError(t, err)
	rights, err := authority.Rights(t.Context(), li)
	require.NoError(t, err)
	require.NotContains(t, rights.Grants, TeamManage)
}

func TestWhoAsksForRightsCannotChangeThem(t *testing.T) {
	_, authority, service := open(inShanghai(someone(Seller)))
	rights, err := service.Rights(t.Context(), li)
	require.NoError(t, err)
	rights.Grants[TeamManage] = kernel.Scope{All: true}
	rights.Grants[CustomerRead].Owners[0], rights.Grants[CustomerRead].Pools[0] = "wang", 1
	rights.Subordinates[0] = "wang"
	kept, err := authority.Rights(t.Context(), li)
	require.NoError(t, err)
	require.Equal(t, someone(Seller).Rights(kept.Zone), kept)
}

func TestTheDirectoryIsNoMatterOfAShortReach(t *testing.T) {
	for reach, denied := range map[Reach]bool{ReachOwn: true, ReachDepartment: true, ReachTree: true, ReachRegions: true, ReachAll: false} {
		g := inShanghai(someone("personnel"))
		g.Roles = []Role{{Name: "personnel", Reach: reach, Permissions: []kernel.Permission{TeamManage, AuditRead}}}
		_, _, service := open(g)
		_, err := service.Roles.Put(t.Context(), li, Role{Name: Seller, Reach: ReachAll, Permissions: Permissions()})
		require.Equal(t, denied, errors.Is(err, kernel.ErrDenied), reach)
		if !denied {
			continue
		}
		var e *kernel.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, string(TeamManage), e.Field)
		_, err = service.Trail.Audit(t.Context(), li, TrailFilter{}, kernel.Page{})
		require.ErrorIs(t, err, kernel.ErrDenied)
		_, err = service.Trail.Events(t.Context(), li, TrailFilter{}, kernel.Page{})
		require.ErrorIs(t, err, kernel.ErrDenied)
	}
}

func TestTheCacheStartsAnewBeyondItsLimit(t *testing.T) {
	h, authority, _ := open(inShanghai(someone(Seller)))
	c := authority.cache
	for i := range cacheLimit {
		c.put(cacheKey{tenant: "x", user: kernel.UserID(rune(i))}, kernel.Rights{}, noon, 0)
	}
	_, err := authority.Rights(t.Context(), li)
	require.NoError(t, err)
	require.LessOrEqual(t, len(c.all), cacheLimit)
	require.Equal(t, 1, h.reads)
}

func TestOnlyTheSystemActorMakesAndDropsTenants(t *testing.T) {
	_, _, service := open(inShanghai(someone(Admin)))
	require.ErrorIs(t, service.CreateTenant(t.Context(), li, Tenant{Name: "x"}), kernel.ErrDenied)
	require.ErrorIs(t, service.DropTenant(t.Context(), li, nil), kernel.ErrDenied)
	_, err := service.ForgetRequests(t.Context(), li)
	require.ErrorIs(t, err, kernel.ErrDenied)
}

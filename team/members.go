package team

import (
	"context"
	"strings"
	"time"

	"github.com/openseas/crm/kernel"
)

// Members is the use cases of members.
type Members struct {
	core  kernel.Service[Tx]
	cache *Cache
}

func (m *Member) check() error {
	err := kernel.FirstError(
		kernel.CheckName("user", string(m.User), 200),
		kernel.CheckLine("name", m.Name, 100),
		kernel.CheckName("role", string(m.Role), 50),
		kernel.CheckLine("superior", string(m.Superior), 200),
		kernel.CheckLine("phone_ext", m.PhoneExt, 20),
		m.JoinedOn.Check("joined_on"),
	)
	switch {
	case err != nil:
		return err
	case strings.HasPrefix(string(m.User), "$"):
		return kernel.Invalidf("user", kernel.Malformed, "names that begin with $ are the library's own")
	case m.Superior == m.User: // longer circles are harmless: each then is a superior of the others
		return kernel.Invalidf("superior", kernel.Cycle, "a member cannot be its own superior")
	case len(m.MoreRoles) > 20:
		return kernel.Invalidf("more_roles", kernel.TooMany, "at most 20")
	case len(m.Regions) > 200:
		return kernel.Invalidf("regions", kernel.TooMany, "at most 200")
	}
	for _, role := range m.MoreRoles {
		if err := kernel.CheckName("more_roles", string(role), 50); err != nil {
			return err
		}
	}
	for _, region := range m.Regions {
		if region == "" {
			return kernel.Invalid("regions", kernel.Empty)
		}
		if err := kernel.CheckRegion("regions", region); err != nil {
			return err
		}
	}
	return nil
}

// Add makes a user of the host a member. A user who is a member already, active or not, is a conflict ("user").
func (s *Members) Add(ctx context.Context, a kernel.Actor, m Member) error {
	_, err := s.AddMany(ctx, a, []Member{m})
	return kernel.Single(err)
}

// AddMany is Add for at most 10,000 users: all or none.
func (s *Members) AddMany(ctx context.Context, a kernel.Actor, ms []Member) ([]*Member, error) {
	const op = "team.Members.Add"
	if err := kernel.CheckItems("members", len(ms)); err != nil {
		return nil, kernel.Wrap(op, err)
	}
	drafts := make([]*Member, len(ms))
	for i, m := range ms {
		if err := m.check(); err != nil {
			return nil, kernel.Wrap(op, kernel.At(i, err))
		}
		m.InactiveSince, m.LastSeenAt, m.Version = time.Time{}, time.Time{}, 1
		drafts[i] = &m
	}
	return s.write(ctx, a, op, drafts, func(ctx context.Context, c *kernel.Call[Tx]) ([]*Member, error) {
		for _, m := range drafts {
			m.CreatedAt, m.UpdatedAt = c.Now, c.Now
		}
		if err := known(ctx, c, drafts...); err != nil {
			return nil, err
		}
		taken, err := c.Tx.Members().Insert(ctx, a.Tenant, drafts...)
		if err != nil {
			return nil, err
		}
		if len(taken) > 0 {
			return nil, kernel.At(taken[0], kernel.Taken("user"))
		}
		changes := make([]kernel.Change, len(drafts))
		for i, m := range drafts {
			changes[i] = kernel.Change{Subject: m.Ref(), Ref: m.Ref(), Type: "member.added", After: m}
		}
		return drafts, c.Record(ctx, changes...)
	})
}

// write runs a change of members, after which no cached right is trusted.
func (s *Members) write(ctx context.Context, a kernel.Actor, op string, input any,
	fn func(ctx context.Context, c *kernel.Call[Tx]) ([]*Member, error),
) ([]*Member, error) {
	return manage(ctx, &s.core, s.cache, a, op, input, fn)
}

// known refuses roles and departments that the tenant does not have.
func known(ctx context.Context, c *kernel.Call[Tx], ms ...*Member) error {
	own, err := c.Tx.Roles().All(ctx, c.Actor.Tenant)
	if err != nil {
		return err
	}
	roles := map[RoleName]bool{}
	for _, r := range own {
		roles[r.Name] = true
	}
	for _, r := range builtin() {
		roles[r.Name] = true
	}
	departments, err := departmentsOf(ctx, c, ms)
	if err != nil {
		return err
	}
	for i, m := range ms {
		for _, role := range append([]RoleName{m.Role}, m.MoreRoles...) {
			if !roles[role] {
				return kernel.At(i, kernel.Invalidf("role", kernel.Unknown, "the tenant has no role %.50q", string(role)))
			}
		}
		if m.Department != 0 && !departments[m.Department] {
			return kernel.At(i, kernel.Invalidf("department", kernel.Unknown, "the tenant has no department %d", m.Department))
		}
	}
	return nil
}

func departmentsOf(ctx context.Context, c *kernel.Call[Tx], ms []*Member) (map[DepartmentID]bool, error) {
	exist := map[DepartmentID]bool{}
	var ids []DepartmentID
	for _, m := range ms {
		if m.Department != 0 && !exist[m.Department] {
			exist[m.Department] = true
			ids = append(ids, m.Department)
		}
	}
	clear(exist)
	found, err := c.Tx.Departments().Get(ctx, c.Actor.Tenant, ids...)
	for _, d := range found {
		exist[d.ID] = true
	}
	return exist, err
}

// Get returns a member, active or not.
func (s *Members) Get(ctx context.Context, a kernel.Actor, user kernel.UserID) (*Member, error) {
	const op = "team.Members.Get"
	if err := checkUser(user); err != nil {
		return nil, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.TeamRead, func(ctx context.Context, c *kernel.Call[Tx]) (*Member, error) {
		return oneMember(c.Tx.Members().Get(ctx, a.Tenant, user))
	})
}

// checkUser refuses what no user is called: it could not even be looked for.
func checkUser(user kernel.UserID) error { return kernel.CheckLine("user", string(user), 200) }

func oneMember(found []*Member, err error) (*Member, error) {
	if err == nil && len(found) == 0 {
		err = kernel.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// List returns a page of the members that the filter leaves, in the order they were added.
func (s *Members) List(ctx context.Context, a kernel.Actor, f MemberFilter, p kernel.Page) (kernel.List[*Member], error) {
	const op = "team.Members.List"
	w, err := p.Open("members", 1)
	if err == nil && len(f.Departments) > 200 {
		err = kernel.Invalidf("departments", kernel.TooMany, "at most 200")
	}
	if err := kernel.FirstError(err, kernel.CheckLine("role", string(f.Role), 50)); err != nil {
		return kernel.List[*Member]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.TeamRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[*Member], error) {
		found, err := c.Tx.Members().List(ctx, a.Tenant, f, w)
		return kernel.Cut("members", w, found, func(m *Member) []int64 { return []int64{int64(m.ID)} }), err
	})
}

// Update writes name, roles, department, superior, extension, regions and joining date of a member that was read: its
// Version must be the last, else the error is a conflict with reason Stale.
func (s *Members) Update(ctx context.Context, a kernel.Actor, m Member) (*Member, error) {
	const op = "team.Members.Update"
	if err := m.check(); err != nil {
		return nil, kernel.Wrap(op, err)
	}
	return s.change(ctx, a, op, m.User, m, func(ctx context.Context, c *kernel.Call[Tx], cur *Member) error {
		if m.Version != cur.Version {
			return kernel.StaleVersion(m.Version, cur.Version)
		}
		if err := known(ctx, c, &m); err != nil {
			return kernel.Single(err)
		}
		cur.Name, cur.Role, cur.MoreRoles, cur.Department, cur.Superior = m.Name, m.Role, m.MoreRoles, m.Department, m.Superior
		cur.PhoneExt, cur.Regions, cur.JoinedOn = m.PhoneExt, m.Regions, m.JoinedOn
		return nil
	})
}

// Deactivate stops a member from acting at once, in every process as far as claims go; its customers stay where they are
// until somebody hands them over (crm.HandOver).
func (s *Members) Deactivate(ctx context.Context, a kernel.Actor, user kernel.UserID) error {
	_, err := s.change(ctx, a, "team.Members.Deactivate", user, user, func(_ context.Context, c *kernel.Call[Tx], cur *Member) error {
		if cur.Active() {
			cur.InactiveSince = c.Now
		}
		return nil
	})
	return err
}

// Activate lets a member act again.
func (s *Members) Activate(ctx context.Context, a kernel.Actor, user kernel.UserID) error {
	_, err := s.change(ctx, a, "team.Members.Activate", user, user, func(_ context.Context, _ *kernel.Call[Tx], cur *Member) error {
		cur.InactiveSince = time.Time{}
		return nil
	})
	return err
}

func (s *Members) change(ctx context.Context, a kernel.Actor, op string, user kernel.UserID, input any,
	edit func(ctx context.Context, c *kernel.Call[Tx], cur *Member) error,
) (*Member, error) {
	if err := checkUser(user); err != nil {
		return nil, kernel.Wrap(op, err)
	}
	written, err := s.write(ctx, a, op, input, func(ctx context.Context, c *kernel.Call[Tx]) ([]*Member, error) {
		cur, err := oneMember(c.Tx.Members().Lock(ctx, a.Tenant, user))
		if err != nil {
			return nil, err
		}
		next := *cur
		if err := edit(ctx, c, &next); err != nil {
			return nil, err
		}
		changes, err := saveMembers(ctx, c, []*Member{cur}, []*Member{&next})
		if err != nil {
			return nil, err
		}
		return []*Member{&next}, c.Record(ctx, changes...)
	})
	return oneMember(written, err)
}

// saveMembers writes those that differ, and returns their changes.
func saveMembers(ctx context.Context, c *kernel.Call[Tx], cur, next []*Member) ([]kernel.Change, error) {
	var changed []*Member
	var changes []kernel.Change
	for i, n := range next {
		was, is := kernel.Diff(cur[i], n)
		if is == nil {
			continue
		}
		n.Version, n.UpdatedAt = cur[i].Version+1, c.Now
		changed = append(changed, n)
		changes = append(changes, kernel.Change{Subject: n.Ref(), Ref: n.Ref(), Type: eventOf(cur[i], n), Before: was, After: is})
	}
	return changes, c.Tx.Members().Update(ctx, c.Actor.Tenant, changed...)
}

// eventOf is the type of a change of a member, whoever makes it: what waits for a resignation learns of a sync's, too.
func eventOf(was, is *Member) string {
	switch {
	case was.Active() == is.Active():
		return "member.updated"
	case is.Active():
		return "member.activated"
	}
	return "member.deactivated"
}

// Seen notes that the host saw the actor, for LastSeenAt; the host decides how often. It is no change for the trail, and
// an earlier instant than the last is none at all.
func (s *Members) Seen(ctx context.Context, a kernel.Actor) error {
	const op = "team.Members.Seen"
	if err := a.Check(); err != nil {
		return kernel.Wrap(op, err)
	}
	if _, err := s.core.Authority.Rights(ctx, a); err != nil {
		return kernel.Wrap(op, err)
	}
	return kernel.Wrap(op, s.core.Unit(ctx, kernel.OneCall, func(ctx context.Context, tx Tx) error {
		found, err := tx.Members().Seen(ctx, a.Tenant, a.User, s.core.Clock.Now())
		if err == nil && !found {
			err = kernel.ErrNotFound
		}
		return err
	}))
}

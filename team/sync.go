package team

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/openseas/crm/kernel"
)

// Directory is the host's directory, or a part of it.
type Directory struct {
	Departments []DirectoryDepartment
	Members     []DirectoryMember
	// Complete says that nobody else works in the tenant: active members that are not named become inactive. Departments
	// that are not named stay. A complete directory that names nobody is refused: it comes from a host whose own source
	// was not there.
	Complete bool
}

// DirectoryDepartment is a department as the host's directory has it.
type DirectoryDepartment struct {
	Key    string        // the host's key, needed
	Parent string        // the key of the department above: in this directory, or synced before; empty is a root
	Name   string        // at most 100
	Head   kernel.UserID // a user of the host, or empty
	Sort   int
}

// DirectoryMember is a user as the host's directory has it.
type DirectoryMember struct {
	User       kernel.UserID
	Name       string
	Role       RoleName // empty: Seller for a new member, as it is for the others
	Department string   // a department's key, or empty
	Superior   kernel.UserID
	PhoneExt   string
	Regions    []string
	JoinedOn   kernel.Date
	Inactive   bool
}

// SyncReport counts what Sync did.
type SyncReport struct {
	DepartmentsAdded, DepartmentsChanged       int
	MembersAdded, MembersChanged, MembersEnded int
	Unchanged                                  int // departments and members that were already so
}

// Sync mirrors a host's directory of at most 10,000 departments and 10,000 members, in one transaction: what is new is
// added, what differs is changed, and the same directory again changes nothing. Each line of a member says all that the
// directory knows, so an empty field empties it; MoreRoles, which a directory does not have, stay. Syncs of one tenant
// wait for each other. Input that is malformed, or names a department, a parent or a role that does not exist, refuses
// the whole call, with field ("members.department") and index. When somebody adds a member at the same moment that Sync
// does, the error is ErrRetry.
func (s *Service) Sync(ctx context.Context, a kernel.Actor, d Directory) (SyncReport, error) {
	const op = "team.Sync"
	if err := d.check(); err != nil {
		return SyncReport{}, kernel.Wrap(op, err)
	}
	return manageTree(ctx, &s.core, s.cache, a, op, d, func(ctx context.Context, c *kernel.Call[Tx]) (report SyncReport, err error) {
		if err := syncDepartments(ctx, c, d.Departments, &report); err != nil {
			return report, err
		}
		err = syncMembers(ctx, c, &d, &report)
		return report, err
	})
}

func (d *Directory) check() error {
	err := kernel.FirstError(kernel.CheckItems("departments", len(d.Departments)), kernel.CheckItems("members", len(d.Members)))
	if err == nil && d.Complete && len(d.Members) == 0 {
		err = kernel.Invalidf("members", kernel.Empty, "a complete directory names somebody")
	}
	return kernel.FirstError(err, checkEach("departments", d.Departments), checkEach("members", d.Members))
}

// checkEach checks the lines of one list, and that no two are about the same.
func checkEach[L interface {
	check() error
	key() (field, value string)
}](list string, lines []L) error {
	seen := make(map[string]bool, len(lines))
	for i, line := range lines {
		err := line.check()
		field, value := line.key()
		if err == nil && seen[value] {
			err = kernel.Invalidf(field, kernel.Duplicate, "%q comes twice", value)
		}
		if err != nil {
			return kernel.At(i, inList(list, err))
		}
		seen[value] = true
	}
	return nil
}

func (x DirectoryDepartment) key() (field, value string) { return "key", x.Key }

func (x DirectoryDepartment) check() error {
	if x.Key == "" {
		return kernel.Invalid("key", kernel.Empty)
	}
	row := x.department()
	return kernel.FirstError(row.check(), kernel.CheckLine("parent", x.Parent, 100))
}

func (x DirectoryMember) key() (field, value string) { return "user", string(x.User) }

func (x DirectoryMember) check() error {
	row := x.member(Member{Role: Seller}, 0)
	return kernel.FirstError(row.check(), kernel.CheckLine("department", x.Department, 100))
}

// inList names the list that the item's index counts in.
func inList(list string, err error) error {
	var e *kernel.Error
	if !errors.As(err, &e) {
		return err
	}
	named := *e
	named.Field = list + "." + e.Field
	return &named
}

func (x DirectoryDepartment) department() Department {
	return Department{Key: x.Key, Name: x.Name, Head: x.Head, Sort: x.Sort}
}

func (x DirectoryMember) member(cur Member, department DepartmentID) Member {
	cur.User, cur.Name, cur.Department, cur.Superior = x.User, x.Name, department, x.Superior
	cur.PhoneExt, cur.Regions, cur.JoinedOn = x.PhoneExt, x.Regions, x.JoinedOn
	if x.Role != "" {
		cur.Role = x.Role
	}
	return cur
}

func syncDepartments(ctx context.Context, c *kernel.Call[Tx], items []DirectoryDepartment, report *SyncReport) error {
	if len(items) == 0 {
		return nil
	}
	keys := make([]string, 0, 2*len(items))
	for _, x := range items {
		keys = append(keys, x.Key, x.Parent)
	}
	byKey, err := departmentsByKey(ctx, c, keys)
	if err != nil {
		return err
	}
	var cur, next, fresh []*Department
	for _, x := range items {
		n := x.department()
		if d, ok := byKey[x.Key]; ok {
			n = *d
			n.Name, n.Head, n.Sort, n.Parent = x.Name, x.Head, x.Sort, 0
			cur, next = append(cur, d), append(next, &n)
			continue
		}
		n.Version, n.CreatedAt, n.UpdatedAt = 1, c.Now, c.Now
		fresh = append(fresh, &n)
	}
	if err := addDepartments(ctx, c, items, byKey, next, fresh); err != nil {
		return err
	}
	changed, moved, err := saveDepartments(ctx, c, cur, next)
	if err != nil {
		return err
	}
	report.DepartmentsAdded, report.DepartmentsChanged = len(fresh), changed
	report.Unchanged += len(next) - changed
	if !moved && len(fresh) == 0 {
		return nil
	}
	return c.Tx.Departments().Rebuild(ctx, c.Actor.Tenant)
}

// addDepartments writes the new ones and puts the parents into all: a parent may itself be new, so those of the new ones
// are written when all have ids. next and fresh are byKey's departments as they shall be.
func addDepartments(ctx context.Context, c *kernel.Call[Tx], items []DirectoryDepartment, byKey map[string]*Department, next, fresh []*Department) error {
	taken, err := c.Tx.Departments().Insert(ctx, c.Actor.Tenant, fresh...)
	if err != nil {
		return err
	}
	if len(taken) > 0 { // not under the tenant's lock
		return kernel.Taken("departments.key")
	}
	for _, n := range fresh {
		byKey[n.Key] = n
	}
	if err := placeDepartments(items, byKey, append(slices.Clone(next), fresh...)); err != nil {
		return err
	}
	var placed []*Department
	changes := make([]kernel.Change, len(fresh))
	for i, n := range fresh {
		changes[i] = kernel.Change{Subject: n.Ref(), Ref: n.Ref(), Type: "department.created", After: n}
		if n.Parent != 0 {
			placed = append(placed, n)
		}
	}
	if _, err := c.Tx.Departments().Update(ctx, c.Actor.Tenant, placed...); err != nil {
		return err
	}
	return c.Record(ctx, changes...)
}

func departmentsByKey(ctx context.Context, c *kernel.Call[Tx], keys []string) (map[string]*Department, error) {
	keys = slices.DeleteFunc(keys, func(key string) bool { return key == "" })
	slices.Sort(keys)
	found, err := c.Tx.Departments().ByKey(ctx, c.Actor.Tenant, slices.Compact(keys)...)
	byKey := make(map[string]*Department, len(found))
	for _, d := range found {
		byKey[d.Key] = d
	}
	return byKey, err
}

// placeDepartments writes the parents into departments.
func placeDepartments(items []DirectoryDepartment, byKey map[string]*Department, departments []*Department) error {
	parents := make(map[string]DepartmentID, len(items))
	for i, x := range items {
		if x.Parent == "" {
			continue
		}
		parent, ok := byKey[x.Parent]
		if !ok {
			return kernel.At(i, kernel.Invalidf("departments.parent", kernel.Unknown, "no department has the key %q", x.Parent))
		}
		parents[x.Key] = parent.ID
	}
	for _, d := range departments {
		d.Parent = parents[d.Key]
	}
	return nil
}

// memberPlan is what a directory makes of the members.
type memberPlan struct {
	all       []*Member // in the order of the directory
	cur, next []*Member // those that are there, as they are and as they shall be
	fresh     []*Member
}

func syncMembers(ctx context.Context, c *kernel.Call[Tx], d *Directory, report *SyncReport) error {
	users, keys := make([]kernel.UserID, len(d.Members)), make([]string, len(d.Members))
	for i, x := range d.Members {
		users[i], keys[i] = x.User, x.Department
	}
	byKey, err := departmentsByKey(ctx, c, keys)
	if err != nil {
		return err
	}
	slices.Sort(users)
	found, err := c.Tx.Members().Lock(ctx, c.Actor.Tenant, users...)
	if err != nil {
		return err
	}
	plan, err := planMembers(d.Members, byKey, found, c.Now)
	if err != nil {
		return err
	}
	if err := known(ctx, c, plan.all...); err != nil {
		return inList("members", err)
	}
	if err := plan.write(ctx, c, report); err != nil || !d.Complete {
		return err
	}
	return endOthers(ctx, c, users, report)
}

func planMembers(items []DirectoryMember, byKey map[string]*Department, found []*Member, now time.Time) (plan memberPlan, err error) {
	byUser := make(map[kernel.UserID]*Member, len(found))
	for _, m := range found {
		byUser[m.User] = m
	}
	for i, x := range items {
		department, ok := byKey[x.Department]
		if x.Department != "" && !ok {
			return plan, kernel.At(i, kernel.Invalidf("members.department", kernel.Unknown, "no department has the key %q", x.Department))
		}
		m := byUser[x.User]
		n := x.toMember(m, department, now)
		plan.all = append(plan.all, n)
		if m == nil {
			plan.fresh = append(plan.fresh, n)
		} else {
			plan.cur, plan.next = append(plan.cur, m), append(plan.next, n)
		}
	}
	return plan, nil
}

// toMember is the member that a line of the directory makes of what is there, if anything.
func (x DirectoryMember) toMember(cur *Member, department *Department, now time.Time) *Member {
	base := Member{Role: Seller, Version: 1, CreatedAt: now, UpdatedAt: now}
	if cur != nil {
		base = *cur
	}
	var id DepartmentID
	if department != nil {
		id = department.ID
	}
	m := x.member(base, id)
	switch {
	case !x.Inactive:
		m.InactiveSince = time.Time{}
	case m.Active():
		m.InactiveSince = now
	}
	return &m
}

func (p memberPlan) write(ctx context.Context, c *kernel.Call[Tx], report *SyncReport) error {
	taken, err := c.Tx.Members().Insert(ctx, c.Actor.Tenant, p.fresh...)
	if err != nil {
		return err
	}
	if len(taken) > 0 { // somebody added them between the look and now
		return &kernel.Error{Code: kernel.ErrRetry, Err: fmt.Errorf("%s became a member meanwhile", p.fresh[taken[0]].User)}
	}
	changes := make([]kernel.Change, 0, len(p.fresh))
	for _, m := range p.fresh {
		changes = append(changes, kernel.Change{Subject: m.Ref(), Ref: m.Ref(), Type: "member.added", After: m})
	}
	changed, err := saveMembers(ctx, c, p.cur, p.next)
	if err != nil {
		return err
	}
	report.MembersAdded, report.MembersChanged = len(p.fresh), len(changed)
	report.Unchanged += len(p.next) - len(changed)
	return c.Record(ctx, append(changes, changed...)...)
}

// endBatch is how many members that a complete directory does not name are ended at a time: all in one transaction, but
// not all in memory.
const endBatch = 1_000

// endOthers makes members inactive that a complete directory does not name.
func endOthers(ctx context.Context, c *kernel.Call[Tx], named []kernel.UserID, report *SyncReport) error {
	for {
		gone, err := c.Tx.Members().OthersThan(ctx, c.Actor.Tenant, named, endBatch)
		if err != nil || len(gone) == 0 {
			return err
		}
		next := make([]*Member, len(gone))
		for i, m := range gone {
			n := *m
			n.InactiveSince = c.Now
			next[i] = &n
		}
		changes, err := saveMembers(ctx, c, gone, next)
		if err != nil {
			return err
		}
		if err := c.Record(ctx, changes...); err != nil {
			return err
		}
		if report.MembersEnded += len(gone); len(gone) < endBatch {
			return nil
		}
	}
}

package pool

import (
	"context"
	"slices"
	"time"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team"
)

// PrivateFilter says which owned records a list has: all conditions hold together; an empty one is no condition.
type PrivateFilter struct {
	// Subordinates leaves those of members whose head or superior the actor is, directly or through others. Otherwise it is
	// all that the actor may see, its own among them.
	Subordinates bool
	Owners       []kernel.UserID     // one of these has it
	Departments  []team.DepartmentID // a member of one of these, or of one below, has it
	Pools        []ID                // its home pool is one of these
	Levels       []customer.Level
	Stages       []customer.Stage
	Regions      []string  // its region code starts with one of these
	IdleSince    time.Time // the last follow-up, or the begin of the ownership, was before that
	DueBefore    time.Time // a rule takes it before that, as the last warning run noted
}

func (f *PrivateFilter) check() error {
	for field, n := range map[string]int{
		"owners": len(f.Owners), "departments": len(f.Departments), "pools": len(f.Pools), "levels": len(f.Levels),
		"stages": len(f.Stages), "regions": len(f.Regions),
	} {
		if n > mostFiltered {
			return kernel.Invalidf(field, kernel.TooMany, "at most %d", mostFiltered)
		}
	}
	for i, user := range f.Owners {
		if err := kernel.CheckLine("owners", string(user), 200); err != nil {
			return kernel.At(i, err)
		}
	}
	if err := kernel.FirstError(
		eachOf("levels", f.Levels, customer.LevelA, customer.LevelB, customer.LevelC, customer.LevelD),
		eachOf("stages", f.Stages, customer.Potential, customer.Won, customer.Lost),
	); err != nil {
		return err
	}
	for i, region := range f.Regions {
		if err := kernel.CheckRegion("regions", region); err != nil || region == "" {
			return kernel.At(i, kernel.FirstError(err, kernel.Invalid("regions", kernel.Empty)))
		}
	}
	f.IdleSince, f.DueBefore = kernel.Instant(f.IdleSince), kernel.Instant(f.DueBefore)
	return kernel.FirstError(kernel.CheckInstant("idle_since", f.IdleSince), kernel.CheckInstant("due_before", f.DueBefore))
}

const mostFiltered = 1_000

// eachOf refuses what is none of a list; the empty word is none.
func eachOf[S ~string](field string, items []S, list ...S) error {
	for i, s := range items {
		if !slices.Contains(list, s) {
			return kernel.At(i, kernel.FirstError(kernel.OneOf(field, s, list...), kernel.Invalid(field, kernel.Unknown)))
		}
	}
	return nil
}

// PrivateRow is an owned record as its owner and their superiors see it.
type PrivateRow[I RecordID] struct {
	ID             I              `json:"id"`
	Name           string         `json:"name"`
	Owner          kernel.UserID  `json:"owner"`
	OwnedSince     time.Time      `json:"owned_since"`
	LastFollowupAt time.Time      `json:"last_followup_at,omitzero"` // of this ownership; zero: none yet
	Pool           ID             `json:"pool"`                      // its home pool
	Level          customer.Level `json:"level,omitempty"`
	Stage          customer.Stage `json:"stage"`
	Region         string         `json:"region,omitempty"`
	LockUntil      time.Time      `json:"lock_until,omitzero"` // zero: not locked
	// Due is when a rule takes it, exactly as DueAt says now; nil: never.
	Due *Due `json:"due,omitempty"`
	// DaysLeft is how many whole days of 24 hours are left until then: 0 on the last one, negative when it is overdue.
	DaysLeft int `json:"days_left,omitempty"`
}

// Private lists private records (私海): those that members own, within what the actor may read, with when rules take
// them. A seller sees its own, a head those of its department, and so on; a superior's view is Subordinates. First come
// those that the last warning run (Warn) noted as due within its horizon, the one due next first, then all others by id.
// Due and DaysLeft are told anew for each row, so they are right whatever happened since that run; the order is that of
// the run. What changed owner, clock, pool or lock since is among the others until the next one.
//
// A page costs the same wherever it is. What is listed may be given to ReleaseMany and AssignMany, with an outcome for each.
func (s *Service[I]) Private(ctx context.Context, a kernel.Actor, f PrivateFilter, page kernel.Page) (kernel.List[PrivateRow[I]], error) {
	return s.private(ctx, a, "pool.Private", "private", f, page, false)
}

// DueList is the part of Private that is due soon: what the last warning run noted within its horizon, the one due next
// first. What was followed up since, or is not due any more for another reason, is left out; a page may have fewer rows
// than asked for, and only an empty Next ends the list.
func (s *Service[I]) DueList(ctx context.Context, a kernel.Actor, f PrivateFilter, page kernel.Page) (kernel.List[PrivateRow[I]], error) {
	return s.private(ctx, a, "pool.DueList", "due", f, page, true)
}

func (s *Service[I]) private(
	ctx context.Context, a kernel.Actor, op, list string, f PrivateFilter, page kernel.Page, due bool,
) (kernel.List[PrivateRow[I]], error) {
	w, err := page.Open(list, 3)
	if err := kernel.FirstError(err, f.check()); err != nil {
		return kernel.List[PrivateRow[I]]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.CustomerRead, func(ctx context.Context, c *kernel.Call[Tx]) (res kernel.List[PrivateRow[I]], err error) {
		q, err := s.privateQuery(ctx, c, f)
		if err != nil {
			return res, err
		}
		q.Noted = due || !f.DueBefore.IsZero()
		items, err := c.Tx.Private(s.kind).Private(ctx, a.Tenant, q, w)
		if err != nil {
			return res, err
		}
		found := kernel.Cut(list, w, items, func(x PrivateItem) []int64 {
			if x.Noted.IsZero() {
				return []int64{1, 0, x.ID}
			}
			return []int64{0, x.Noted.UnixMicro(), x.ID}
		})
		res.Next = found.Next
		res.Items, err = s.privateRows(ctx, c, q.Owners, found.Items)
		if due {
			res.Items = slices.DeleteFunc(res.Items, func(x PrivateRow[I]) bool { return x.Due == nil || x.Due.At.After(noted(found.Items, int64(x.ID))) })
		}
		return res, err
	})
}

// noted is the instant that a list of items has for a record.
func noted(items []PrivateItem, id int64) time.Time {
	return items[slices.IndexFunc(items, func(x PrivateItem) bool { return x.ID == id })].Noted
}

// privateQuery says whose records are asked for. A scope that names owners becomes a list of them, which an index serves.
func (s *Service[I]) privateQuery(ctx context.Context, c *kernel.Call[Tx], f PrivateFilter) (q PrivateQuery, err error) {
	q = PrivateQuery{Scope: c.Scope, Filter: f}
	only := func(users []kernel.UserID) {
		if q.Owners == nil {
			q.Owners = append([]kernel.UserID{}, users...)
			return
		}
		q.Owners = slices.DeleteFunc(q.Owners, func(u kernel.UserID) bool { return !slices.Contains(users, u) })
	}
	if !c.Scope.All && len(c.Scope.Regions) == 0 {
		only(c.Scope.Owners)
	}
	if f.Subordinates {
		only(c.Rights.Subordinates)
	}
	if len(f.Owners) > 0 {
		only(f.Owners)
	}
	if len(f.Departments) > 0 {
		members, err := c.Tx.Private(s.kind).In(ctx, c.Actor.Tenant, f.Departments...)
		if err != nil {
			return q, err
		}
		only(members)
	}
	slices.Sort(q.Owners)
	q.Owners = slices.Compact(q.Owners)
	return q, nil
}

// privateRows makes the rows of a page, in a fixed number of statements.
func (s *Service[I]) privateRows(ctx context.Context, c *kernel.Call[Tx], owners []kernel.UserID, items []PrivateItem) ([]PrivateRow[I], error) {
	ids := make([]int64, len(items))
	for i, x := range items {
		ids[i] = x.ID
	}
	found, err := c.Tx.Pool(s.kind).Look(ctx, c.Actor.Tenant, ids...)
	if err != nil {
		return nil, err
	}
	p, err := s.prospect(ctx, c, found)
	if err != nil {
		return nil, err
	}
	records := make(map[int64]Record, len(found))
	for _, r := range found {
		records[r.ID] = r
	}
	rows := make([]PrivateRow[I], 0, len(items))
	for _, x := range items {
		r := records[x.ID]
		if r.OwnerID == "" || !c.Scope.Sees(r.OwnerID, r.Region, int64(r.PoolID)) || owners != nil && !slices.Contains(owners, r.OwnerID) {
			continue // it went to somebody else between two statements
		}
		f := p.facts[x.ID]
		row := PrivateRow[I]{
			ID: I(x.ID), Name: x.Name, Owner: r.OwnerID, OwnedSince: r.OwnedSince, LastFollowupAt: r.LastFollowupAt, Pool: r.PoolID,
			Level: customer.Level(f.Level), Stage: customer.Stage(f.Stage), Region: r.Region, Due: p.due(r),
		}
		if r.IsLocked(c.Now) {
			row.LockUntil = r.LockUntil
		}
		if row.Due != nil {
			row.DaysLeft = daysLeft(row.Due.At.Sub(c.Now))
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// daysLeft is a span in whole days, rounded down, also below zero.
func daysLeft(d time.Duration) int {
	n := int(d / day)
	if d%day < 0 {
		n--
	}
	return n
}

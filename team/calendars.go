package team

import (
	"context"
	"time"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team/calendar"
)

// CalendarKind is how references and events name a business calendar.
const CalendarKind = "calendar"

// CalendarID is a calendar's number.
type CalendarID int64

// Calendar is a business calendar of the tenant: pools count working days by it.
type Calendar struct {
	ID            CalendarID `json:"id"`
	Name          string     `json:"name"` // at most 100, unique in the tenant
	calendar.Spec            // its Zone is the tenant's when empty
	Version       int64      `json:"version"`
	CreatedAt     time.Time  `json:"created_at"`
	UpdatedAt     time.Time  `json:"updated_at"`
}

// Ref names the calendar in audit and events.
func (c *Calendar) Ref() kernel.Ref { return kernel.Ref{Kind: CalendarKind, ID: int64(c.ID)} }

// maxCalendars bounds the calendars of a tenant.
const maxCalendars = 200

// Calendars is the use cases of business calendars. Changes need the permission team.manage, reading the permission
// team.read.
type Calendars struct {
	core  kernel.Service[Tx]
	cache *Cache
}

// Put writes a calendar: a new one when its ID is 0, else over the one that was read, whose Version must be the last. What
// cannot be reckoned with is invalid, see calendar.Spec.Compile; a name that another calendar has is a conflict ("name").
// Pools that count by it do so from the next call on. On success cal is as written.
func (s *Calendars) Put(ctx context.Context, a kernel.Actor, cal *Calendar) error {
	const op = "team.Calendars.Put"
	given := *cal
	if err := kernel.CheckName("name", given.Name, 100); err != nil {
		return kernel.Wrap(op, err)
	}
	written, err := manageTree(ctx, &s.core, s.cache, a, op, given, func(ctx context.Context, c *kernel.Call[Tx]) (*Calendar, error) {
		return putCalendar(ctx, c, given)
	})
	if err == nil {
		*cal = *written
	}
	return err
}

func putCalendar(ctx context.Context, c *kernel.Call[Tx], next Calendar) (*Calendar, error) {
	if next.Zone == "" {
		next.Zone = c.Rights.Zone.String()
	}
	if _, err := next.Compile(); err != nil {
		return nil, err
	}
	var before any
	if next.ID == 0 {
		all, err := c.Tx.Calendars().List(ctx, c.Actor.Tenant, kernel.Window{Limit: maxCalendars})
		if err == nil && len(all) >= maxCalendars {
			err = kernel.Invalidf("calendar", kernel.TooMany, "a tenant has at most %d calendars", maxCalendars)
		}
		if err != nil {
			return nil, err
		}
		next.Version, next.CreatedAt = 1, c.Now
	} else {
		cur, err := oneCalendar(c.Tx.Calendars().Lock(ctx, c.Actor.Tenant, next.ID))
		switch {
		case err != nil:
			return nil, err
		case next.Version != cur.Version:
			return nil, kernel.StaleVersion(next.Version, cur.Version)
		}
		next.Version, next.CreatedAt, before = cur.Version+1, cur.CreatedAt, cur
	}
	next.UpdatedAt = c.Now
	ok, err := c.Tx.Calendars().Put(ctx, c.Actor.Tenant, &next)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, kernel.Taken("name")
	}
	return &next, c.Record(ctx, kernel.Change{Subject: next.Ref(), Ref: next.Ref(), Type: "calendar.put", Before: before, After: next})
}

func oneCalendar(found []*Calendar, err error) (*Calendar, error) {
	if err == nil && len(found) == 0 {
		err = kernel.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// Get returns a calendar.
func (s *Calendars) Get(ctx context.Context, a kernel.Actor, id CalendarID) (*Calendar, error) {
	return kernel.Ask(ctx, &s.core, a, "team.Calendars.Get", kernel.TeamRead, func(ctx context.Context, c *kernel.Call[Tx]) (*Calendar, error) {
		return oneCalendar(c.Tx.Calendars().Get(ctx, a.Tenant, id))
	})
}

// List returns a page of the calendars, in the order they were made.
func (s *Calendars) List(ctx context.Context, a kernel.Actor, p kernel.Page) (kernel.List[*Calendar], error) {
	const op = "team.Calendars.List"
	w, err := p.Open("calendars", 1)
	if err != nil {
		return kernel.List[*Calendar]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.TeamRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[*Calendar], error) {
		found, err := c.Tx.Calendars().List(ctx, a.Tenant, w)
		return kernel.Cut("calendars", w, found, func(x *Calendar) []int64 { return []int64{int64(x.ID)} }), err
	})
}

// Delete deletes a calendar. One that a pool names is refused (reason InUse).
func (s *Calendars) Delete(ctx context.Context, a kernel.Actor, id CalendarID) error {
	const op = "team.Calendars.Delete"
	_, err := manageTree(ctx, &s.core, s.cache, a, op, id, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.None, error) {
		gone, err := oneCalendar(c.Tx.Calendars().Lock(ctx, a.Tenant, id))
		if err != nil {
			return kernel.None{}, err
		}
		ok, err := c.Tx.Calendars().Delete(ctx, a.Tenant, id)
		if err != nil {
			return kernel.None{}, err
		}
		if !ok {
			return kernel.None{}, &kernel.Error{Code: kernel.ErrRefused, Field: "calendar", Reason: kernel.InUse}
		}
		return kernel.None{}, c.Record(ctx, kernel.Change{Subject: gone.Ref(), Ref: gone.Ref(), Type: "calendar.deleted", Before: gone})
	})
	return err
}

package kernel

import (
	"strings"
	"time"
)

type (
	// TenantID is a tenant as the host names it: a company, a brand, a customer of the host's own service.
	TenantID string
	// UserID is a user as the host names it. The CRM keeps no users, only which of them are members of a tenant.
	UserID string
	// Date is a calendar day in the tenant's time zone, as 2006-01-02. Empty is no date.
	Date string
)

// SystemUser is how rows name the system actor. No member can be called so.
const SystemUser UserID = "$system"

// Actor is who asks. The host builds it from its own session; it is always an argument, never hidden in a context.
type Actor struct {
	Tenant TenantID
	User   UserID
	// Request is an optional idempotency key, at most 200 characters. A call repeated with the same key within 7 days
	// returns what the first one returned and changes nothing; with other content it is refused. Log, audit and event
	// rows carry it.
	Request string

	reason string // only System sets it, so that no host can make a system actor out of user input
}

// System is the explicit actor of jobs and set-up, with the reason that the audit trail will show. It may do everything
// within its tenant except what only a person can do, such as claiming a customer.
func System(t TenantID, reason string) Actor {
	return Actor{Tenant: t, User: SystemUser, reason: reason}
}

// System is the reason of a system actor, and whether it is one.
func (a Actor) System() (reason string, ok bool) { return a.reason, a.reason != "" }

// Check refuses an actor that could slip past the tenant filter: a missing tenant or user is invalid, never "everything".
func (a Actor) Check() error {
	if a.Tenant == "" {
		return Invalid("actor.tenant", Empty)
	}
	if a.User == "" {
		return Invalid("actor.user", Empty)
	}
	if a.User == SystemUser && a.reason == "" {
		return Invalidf("actor.user", Empty, "the system actor is made by System, with a reason")
	}
	return FirstError(
		CheckLine("actor.tenant", string(a.Tenant), 200),
		CheckLine("actor.user", string(a.User), 200),
		CheckLine("actor.request", a.Request, 200),
		CheckLine("actor.reason", a.reason, 200),
	)
}

// Clock tells the time; a nil Clock is time.Now.
type Clock func() time.Time

// Now is read once per unit of work: UTC, cut to the microsecond that both engines keep.
func (c Clock) Now() time.Time {
	if c == nil {
		c = time.Now
	}
	return c().UTC().Truncate(time.Microsecond)
}

// DateOf is the calendar day of an instant in a zone.
func DateOf(t time.Time, zone *time.Location) Date { return Date(t.In(zone).Format(time.DateOnly)) }

// Start is the first instant of the day in a zone, in UTC. It is the zero time for a Date that is none.
func (d Date) Start(zone *time.Location) time.Time {
	t, err := time.ParseInLocation(time.DateOnly, string(d), zone)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// Next is the calendar day after d. It is empty for a Date that is none.
func (d Date) Next() Date { return d.shift(0, 1) }

// YearBefore is the same day of the year before, 29 February becoming the 28th (rules.md, Time). It is empty for a Date
// that is none.
func (d Date) YearBefore() Date {
	if strings.HasSuffix(string(d), "-02-29") {
		d = d[:8] + "28"
	}
	return d.shift(-1, 0)
}

func (d Date) shift(years, days int) Date {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return ""
	}
	return Date(t.AddDate(years, 0, days).Format(time.DateOnly))
}

// Check refuses what is neither empty nor a day of the years 1 to 9999.
func (d Date) Check(field string) error {
	if d == "" {
		return nil
	}
	if t, err := time.Parse(time.DateOnly, string(d)); err != nil || t.Year() < 1 {
		return Invalidf(field, Malformed, "%.40q is no date of the form 2006-01-02", string(d))
	}
	return nil
}

// Ref names any record: its kind ("customer", "member", …) and its id.
type Ref struct {
	Kind string `json:"kind"`
	ID   int64  `json:"id"`
}

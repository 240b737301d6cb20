package pool

import (
	"errors"
	"time"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team"
)

// Kind is a kind of record that can lie in a pool; adapters map it to a table.
type Kind string

// The kinds. Leads are sales.LeadKind, which this package cannot name: both stand on one floor.
const (
	Customers Kind = customer.Kind
	Leads     Kind = "lead"
)

// The kinds of this package's own records, as references and events name them.
const (
	PoolKind = "pool"
	RuleKind = "pool_rule"
)

type (
	// ID is a pool's number.
	ID = customer.PoolID
	// RuleID is a recycling rule's number.
	RuleID int64
	// Several says what a call that takes many does when not everything can be had.
	Several = kernel.Several
)

// The two ways, see [kernel.Several].
const (
	AllOrNothing = kernel.AllOrNothing
	WhatCanBeHad = kernel.WhatCanBeHad
)

// Pool is a public pool. Only the settings and rules of its home pool apply to a record.
type Pool struct {
	ID          ID     `json:"id"`
	Kind        Kind   `json:"kind"`
	Name        string `json:"name"`                  // at most 100, unique in the tenant and kind
	Description string `json:"description,omitempty"` // at most 500
	Public      bool   `json:"public"`                // all active members belong to it; otherwise those of SetMembers
	IsDefault   bool   `json:"is_default"`            // the tenant's default pool of the kind: there is exactly one
	Priority    int    `json:"priority"`              // of several pools that an owner belongs to, the highest is its home pool
	Settings
	Version   int64     `json:"version"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// Ref names the pool in audit and events.
func (p *Pool) Ref() kernel.Ref { return kernel.Ref{Kind: PoolKind, ID: int64(p.ID)} }

// Settings are a pool's own rules about claims (rules.md, Public pool: Settings).
type Settings struct {
	Protection     time.Duration `json:"protection"`                // nobody may claim so soon after a release; 0 to 3,650 days
	CoolDown       time.Duration `json:"cool_down"`                 // nor may its last owner for so long; 0 to 3,650 days
	ClaimCondition string        `json:"claim_condition,omitempty"` // in the condition language; empty: none
	// Counting says what a day is in the conditions of this pool. Defaults to CountElapsed.
	Counting Counting `json:"counting"`
	// Calendar is what working days are counted by; 0 is none, which CountWorking refuses.
	Calendar team.CalendarID `json:"calendar,omitempty"`
	// AssignNew gives a new record of this pool that nobody owns to a member by the territories, in the transaction that makes
	// it. Defaults to leaving it in the pool.
	AssignNew bool `json:"assign_new,omitempty"`
}

// DefaultSettings are 7 days of protection and 30 days of cool-down.
func DefaultSettings() Settings {
	return Settings{Protection: 7 * day, CoolDown: 30 * day, Counting: CountElapsed}
}

const (
	day       = 24 * time.Hour
	longest   = 3650 * day
	mostPools = 1_000
)

func (p *Pool) check() error {
	if p.Counting == "" {
		p.Counting = CountElapsed
	}
	if err := kernel.FirstError(kernel.CheckName("name", p.Name, 100), kernel.CheckText("description", p.Description, 500),
		kernel.OneOf("counting", p.Counting, CountElapsed, CountCalendar, CountWorking)); err != nil {
		return err
	}
	switch {
	case p.Protection < 0 || p.Protection > longest || p.Protection%time.Microsecond != 0:
		return kernel.Invalidf("protection", kernel.OutOfRange, "0 to 3,650 days, in microseconds")
	case p.CoolDown < 0 || p.CoolDown > longest || p.CoolDown%time.Microsecond != 0:
		return kernel.Invalidf("cool_down", kernel.OutOfRange, "0 to 3,650 days, in microseconds")
	case p.Priority < -1_000_000 || p.Priority > 1_000_000:
		return kernel.Invalidf("priority", kernel.OutOfRange, "between -1,000,000 and 1,000,000")
	case p.Counting == CountWorking && p.Calendar == 0:
		return kernel.Invalidf("calendar", kernel.Empty, "working days are counted by a calendar")
	case p.ClaimCondition != "":
		parsed, err := condition.Parse(p.ClaimCondition)
		if err != nil {
			return inField("claim_condition", err)
		}
		return p.Counting.wholeDays("claim_condition", parsed)
	}
	return nil
}

// Member is a line of a pool's list of members: a user, or a department with all below it.
type Member struct {
	User       kernel.UserID     `json:"user,omitempty"`
	Department team.DepartmentID `json:"department,omitempty"`
	Admin      bool              `json:"admin,omitempty"` // may put back what others own
}

// Policy is a tenant's policy about its members' records of one kind; a member can have limits of its own.
type Policy struct {
	Cap        int `json:"cap"`         // places per member, 0 to 1,000,000; won customers take none
	DailyQuota int `json:"daily_quota"` // claims per member and calendar day of the tenant, over all pools; 0 to 1,000,000
	OpenLimit  int `json:"open_limit"`  // records in a pool that a member may open a day; 0 to 1,000,000
	LockLimit  int `json:"lock_limit"`  // records that a member may have locked at once; 0 to 1,000,000
	LockDays   int `json:"lock_days"`   // how long a lock may last at most; 0 to 3,650
}

// DefaultPolicy is 200 places, 20 claims a day, 100 records opened a day, 20 locks of at most 180 days.
func DefaultPolicy() Policy {
	return Policy{Cap: 200, DailyQuota: 20, OpenLimit: 100, LockLimit: 20, LockDays: 180}
}

func (p Policy) check() error {
	for field, n := range p.numbers() {
		if n < 0 || n > 1_000_000 {
			return kernel.Invalidf(field, kernel.OutOfRange, "0 to 1,000,000")
		}
	}
	if p.LockDays < 0 || p.LockDays > 3650 {
		return kernel.Invalidf("lock_days", kernel.OutOfRange, "0 to 3,650")
	}
	return nil
}

func (p Policy) numbers() map[string]int {
	return map[string]int{"cap": p.Cap, "daily_quota": p.DailyQuota, "open_limit": p.OpenLimit, "lock_limit": p.LockLimit}
}

// Limits are a member's own instead of the tenant's policy; nil is the tenant's.
type Limits struct {
	Cap        *int `json:"cap,omitempty"`
	DailyQuota *int `json:"daily_quota,omitempty"`
	OpenLimit  *int `json:"open_limit,omitempty"`
}

// inField names the field of the input that an error is about.
func inField(field string, err error) error {
	var e *kernel.Error
	if !errors.As(err, &e) {
		return err
	}
	named := *e
	named.Field = field
	return &named
}

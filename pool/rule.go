package pool

import (
	"time"

	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
)

// Action is what a recycling rule does with a record that it matches.
type Action string

// The actions.
const (
	Release Action = "release" // put it back into the pool
	Warn    Action = "warn"    // leave it, and tell the owner
	Keep    Action = "keep"    // exempt it from rules of lower priority
)

// Rule is a recycling rule of one pool (mission.md, P5). Of the enabled rules that match a record, the one with the
// highest priority acts; of equals, the older.
type Rule struct {
	ID        RuleID    `json:"id"`
	PoolID    ID        `json:"pool_id"`
	Name      string    `json:"name"`      // at most 100, unique in the pool
	Condition string    `json:"condition"` // in the condition language, such as followup_days > 7 and level in ["C", "D"]
	Action    Action    `json:"action"`
	Priority  int       `json:"priority"`
	Enabled   bool      `json:"enabled"`
	BuiltIn   bool      `json:"built_in,omitempty"` // one of DefaultRules, which UseDefaults switches on
	Version   int64     `json:"version"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// Ref names the rule in audit and events.
func (r *Rule) Ref() kernel.Ref { return kernel.Ref{Kind: RuleKind, ID: int64(r.ID)} }

// mostRules bounds the rules of a pool: all of them are tested on every record of a run.
const mostRules = 100

func (r *Rule) check() error {
	if err := kernel.FirstError(kernel.CheckName("name", r.Name, 100), kernel.OneOf("action", r.Action, Release, Warn, Keep)); err != nil {
		return err
	}
	switch {
	case r.Action == "":
		return kernel.Invalid("action", kernel.Empty)
	case r.Priority < -1_000_000 || r.Priority > 1_000_000:
		return kernel.Invalidf("priority", kernel.OutOfRange, "between -1,000,000 and 1,000,000")
	}
	_, err := condition.Parse(r.Condition)
	return inField("condition", err)
}

// countedBy refuses a rule that a pool cannot count by.
func (r *Rule) countedBy(days Counting) error {
	parsed, err := condition.Parse(r.Condition)
	if err != nil {
		return inField("condition", err)
	}
	return days.wholeDays("condition", parsed)
}

// DefaultRules are in every pool from its first day, switched off until UseDefaults: nobody loses customers by an upgrade
// (rules.md, Public pool: Rules, No follow-up, No deal).
func DefaultRules() []Rule {
	return []Rule{
		{Name: "won with an active contract", Condition: `stage == "won" and active_contracts > 0`, Action: Keep, Priority: 100, BuiltIn: true},
		{Name: "no follow-up for 3 days", Condition: `followup_days > 3`, Action: Release, Priority: 20, BuiltIn: true},
		{Name: "no deal for 90 days", Condition: `deal_days > 90`, Action: Release, Priority: 10, BuiltIn: true},
	}
}

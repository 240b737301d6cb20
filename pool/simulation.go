package pool

import (
	"fmt"
	"slices"
	"time"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// What a simulation says of a rule set that hardly is one, besides NoReleaseRule.
const (
	NoHistory         kernel.Reason = "no_history"         // nobody owned anything in the window, in these pools
	ReleasesNobody    kernel.Reason = "releases_nobody"    // it would have taken nothing
	ReleasesEverybody kernel.Reason = "releases_everybody" // it would have taken 95 % of all ownerships, or more
)

// everybody is the share, in percent, from which on a rule set releases everybody.
const everybody = 95

// Simulation is what rules would have done in a time that is past, beside what the present rules would have done and what
// runs really did. What is counted are ownerships: the times that one record was owned by one member. Each of them is
// judged by itself, as it was in reality until the rules would have ended it.
type Simulation[I RecordID] struct {
	From       time.Time           `json:"from,omitzero"`
	To         time.Time           `json:"to"`         // before
	Records    int                 `json:"records"`    // looked at, owned or not
	Owned      int                 `json:"owned"`      // of them, those that were owned in the window, in one of the pools
	Ownerships int                 `json:"ownerships"` // of these records, in the window and the pools
	Changed    Outcome             `json:"changed"`    // by the rules that were given
	Present    Outcome             `json:"present"`    // by the enabled rules of the same pools
	Both       int                 `json:"both"`       // ownerships that both would have ended
	Recorded   Recorded            `json:"recorded"`
	Examples   []SimulatedOwner[I] `json:"examples,omitempty"` // the first of those that the changed rules would have ended
	Next       string              `json:"next,omitempty"`     // SimulateOptions.After of what is left; empty: that was all
}

// Outcome is what one rule set would have done.
type Outcome struct {
	Tally
	Records int           `json:"records"`           // different ones
	Share   int           `json:"share"`             // of the ownerships in the window, in percent, rounded down
	Spared  int           `json:"spared"`            // recorded recycles that it would not have made by then
	Warning kernel.Reason `json:"warning,omitempty"` // NoHistory, NoReleaseRule, ReleasesNobody or ReleasesEverybody
	ByRule  []RuleTally   `json:"by_rule"`           // every rule that releases, in the order in which they win, pool by pool
	ByPool  []PoolTally   `json:"by_pool"`           // by id
	ByMonth []MonthTally  `json:"by_month"`          // by month of the tenant
}

// Tally counts ownerships that rules would have ended, and what became of them in reality.
type Tally struct {
	Released int   `json:"released"`
	Later    Later `json:"later"`
}

// RuleTally is what one rule would have ended.
type RuleTally struct {
	Pool ID     `json:"pool"`
	Rule RuleID `json:"rule,omitempty"` // 0: one that is not saved
	Name string `json:"name"`
	Tally
}

// PoolTally is what would have been released into one pool.
type PoolTally struct {
	Pool ID `json:"pool"`
	Tally
}

// MonthTally is what would have been released in one month.
type MonthTally struct {
	Month string `json:"month"` // such as 2026-03
	Tally
}

// Recorded is what runs really recycled in the window, in the pools that are simulated, as the operation log has it.
type Recorded struct {
	Recycled int          `json:"recycled"`
	ByRule   []RuleCount  `json:"by_rule"`  // with the name and condition that the log keeps
	ByPool   []PoolCount  `json:"by_pool"`  // by id
	ByMonth  []MonthCount `json:"by_month"` // by month of the tenant
}

// PoolCount is how many records went into one pool.
type PoolCount struct {
	Pool     ID  `json:"pool"`
	Released int `json:"released"`
}

// MonthCount is how many records went into their pools in one month.
type MonthCount struct {
	Month    string `json:"month"`
	Released int    `json:"released"`
}

// SimulatedOwner is an ownership that the changed rules would have ended.
type SimulatedOwner[I RecordID] struct {
	ID      I               `json:"id"`
	Owner   kernel.UserID   `json:"owner"`
	Pool    ID              `json:"pool"`
	Rule    RuleID          `json:"rule,omitempty"`
	Name    string          `json:"name"` // of the rule
	Since   time.Time       `json:"since"`
	At      time.Time       `json:"at"`               // when they would have ended it
	Present time.Time       `json:"present,omitzero"` // when the present ones would have
	Ended   time.Time       `json:"ended,omitzero"`   // when it ended in reality; zero: it lasts
	How     customer.Action `json:"how,omitempty"`    // it ended
	Later   Later           `json:"later"`
}

func (l *Later) add(more Later) {
	l.FollowedUp += more.FollowedUp
	l.Ordered += more.Ordered
	l.Won += more.Won
	l.Amount = l.Amount.Add(more.Amount)
}

func (t *Tally) add(more Tally) {
	t.Released += more.Released
	t.Later.add(more.Later)
}

// judge fills in what follows from the counts.
func (o *Outcome) judge(ownerships int) {
	o.Share, o.Warning = 0, ""
	if ownerships > 0 {
		o.Share = o.Released * 100 / ownerships
	}
	switch {
	case len(o.ByRule) == 0:
		o.Warning = NoReleaseRule
	case ownerships == 0:
		o.Warning = NoHistory
	case o.Released == 0:
		o.Warning = ReleasesNobody
	case o.Share >= everybody:
		o.Warning = ReleasesEverybody
	}
}

// tally is the line of a list of lines, which stays in order; a new one where there is none.
func tally[T any](lines *[]T, line T, compare func(a, b T) int) *T {
	i, found := slices.BinarySearchFunc(*lines, line, compare)
	if !found {
		*lines = slices.Insert(*lines, i, line)
	}
	return &(*lines)[i]
}

// Add adds what a later call counted, which went on at s.Next: the same window and rules, further records. Its error says
// that the two are no parts of one simulation; s is as it was then.
func (s *Simulation[I]) Add(more Simulation[I]) error {
	same := func(a, b Outcome) bool {
		return slices.EqualFunc(a.ByRule, b.ByRule, func(x, y RuleTally) bool { return x.Pool == y.Pool && x.Rule == y.Rule && x.Name == y.Name })
	}
	if !s.From.Equal(more.From) || !s.To.Equal(more.To) || !same(s.Changed, more.Changed) || !same(s.Present, more.Present) {
		return kernel.Wrap("pool.Simulation.Add", kernel.Invalidf("more", kernel.Malformed, "another window, or other rules"))
	}
	if s.Next == "" {
		return kernel.Wrap("pool.Simulation.Add", kernel.Invalidf("more", kernel.Malformed, "the first part is whole"))
	}
	s.Records += more.Records
	s.Owned += more.Owned
	s.Ownerships += more.Ownerships
	s.Both += more.Both
	s.Changed.add(more.Changed)
	s.Present.add(more.Present)
	s.Recorded.add(more.Recorded)
	s.Examples = append(s.Examples, more.Examples...)
	s.Next = more.Next
	s.judge()
	return nil
}

func (s *Simulation[I]) judge() {
	s.Changed.judge(s.Ownerships)
	s.Present.judge(s.Ownerships)
}

func (o *Outcome) add(more Outcome) {
	o.Tally.add(more.Tally)
	o.Records += more.Records
	o.Spared += more.Spared
	for i := range o.ByRule {
		o.ByRule[i].add(more.ByRule[i].Tally)
	}
	for _, x := range more.ByPool {
		tally(&o.ByPool, PoolTally{Pool: x.Pool}, byPool).add(x.Tally)
	}
	for _, x := range more.ByMonth {
		tally(&o.ByMonth, MonthTally{Month: x.Month}, byMonth).add(x.Tally)
	}
}

func (r *Recorded) add(more Recorded) {
	r.Recycled += more.Recycled
	for _, x := range more.ByRule {
		tally(&r.ByRule, RuleCount{Pool: x.Pool, Rule: x.Rule, Name: x.Name}, countByRule).Released += x.Released
	}
	for _, x := range more.ByPool {
		tally(&r.ByPool, PoolCount{Pool: x.Pool}, countByPool).Released += x.Released
	}
	for _, x := range more.ByMonth {
		tally(&r.ByMonth, MonthCount{Month: x.Month}, countByMonth).Released += x.Released
	}
}

// String is the sentence for whoever has to decide.
func (o Outcome) String() string {
	s := fmt.Sprintf("%d released, %d of them later won, %d ordered later (%s)", o.Released, o.Later.Won, o.Later.Ordered, o.Later.Amount)
	if o.Warning != "" {
		s += ": " + string(o.Warning)
	}
	return s
}

package pool

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
)

// DueSoon is the data of the event customer.due_soon: a rule is going to take the record from its owner (rules.md, Public
// pool: Due at, Warnings). It is told to the owner, and to the superior where there is one.
type DueSoon struct {
	Owner       kernel.UserID `json:"owner_id"`
	DueAt       time.Time     `json:"due_at"`       // when the rule takes it, if nothing happens; past: it may go with the next run
	StepSeconds int64         `json:"step_seconds"` // how long before the due instant this step is
	Rule        RuleID        `json:"rule_id"`
	Name        string        `json:"rule"`               // the name of the rule
	Superior    kernel.UserID `json:"superior,omitempty"` // to be told too: with the last step only, and where the owner has one
}

// RuleWarning is the data of the event customer.warned: a rule with the action Warn wins.
type RuleWarning struct {
	Owner kernel.UserID `json:"owner_id"`
	Rule  RuleID        `json:"rule_id"`
	Name  string        `json:"rule"` // its name
}

// Note is what the warning run keeps of a record. It counts only while the record still has the same owner, clocks, pool
// and lock; what the owner was told is kept as long as the ownership lasts.
type Note struct {
	ID           int64
	Owner        kernel.UserID
	OwnedSince   time.Time
	Pool         ID
	FollowupFrom time.Time
	LockUntil    time.Time
	DueAt        time.Time // zero: not within the horizon of the run
	Rule         RuleID    // that takes it then
	ToldDue      time.Time // the due instant that the owner was last warned of …
	ToldStep     time.Duration
	Warned       []RuleID // the warn rules that were told
	// The note is right as long as the record has this seq, its pool is judged by what the stamp stands for, and NextAt has
	// not come (zero: no instant changes it).
	Seq    int64
	Stamp  string
	NextAt time.Time
}

// equal tells whether there is nothing to write.
func (n *Note) equal(o *Note) bool {
	return n.Owner == o.Owner && n.OwnedSince.Equal(o.OwnedSince) && n.Pool == o.Pool && n.FollowupFrom.Equal(o.FollowupFrom) &&
		n.LockUntil.Equal(o.LockUntil) && n.DueAt.Equal(o.DueAt) && n.Rule == o.Rule && n.ToldDue.Equal(o.ToldDue) &&
		n.ToldStep == o.ToldStep && slices.Equal(n.Warned, o.Warned) && n.Seq == o.Seq && n.Stamp == o.Stamp && n.NextAt.Equal(o.NextAt)
}

// empty tells whether the note says nothing that a record without one would not.
func (n *Note) empty() bool { return n.DueAt.IsZero() && n.ToldDue.IsZero() && len(n.Warned) == 0 }

// DefaultSteps are when an owner is warned, before the due instant (rules.md, Public pool: Warnings).
func DefaultSteps() []time.Duration { return []time.Duration{3 * day, day} }

const (
	mostSteps   = 10
	longestStep = 365 * day
)

// checkSteps returns the steps from the longest to the shortest.
func checkSteps(steps []time.Duration) ([]time.Duration, error) {
	if len(steps) == 0 {
		steps = DefaultSteps()
	}
	if len(steps) > mostSteps {
		return nil, kernel.Invalidf("steps", kernel.TooMany, "at most %d", mostSteps)
	}
	for i, s := range steps {
		switch {
		case s < time.Minute || s > longestStep || s%time.Second != 0:
			return nil, kernel.At(i, kernel.Invalidf("steps", kernel.OutOfRange, "1 minute to 365 days before, in seconds"))
		case slices.Contains(steps[:i], s):
			return nil, kernel.At(i, kernel.Invalidf("steps", kernel.Duplicate, "the same step twice"))
		}
	}
	return slices.SortedFunc(slices.Values(steps), func(a, b time.Duration) int { return cmp.Compare(b, a) }), nil
}

// reached is the step to tell of a due instant: the last one that has come by now, so that an owner who missed one is told
// the newer only. A step at or before the instant from which it is owned is left out; false is none.
func reached(steps []time.Duration, due, since, now time.Time) (step time.Duration, ok bool) {
	for _, s := range steps {
		if at := due.Add(-s); !at.After(now) && at.After(since) {
			step, ok = s, true
		}
	}
	return step, ok
}

// told is what a run finds out about one record.
type told struct {
	record Record
	note   Note
	fresh  bool       // the note must be written
	due    *SweepRule // the rule to warn of, nil: of none
	step   time.Duration
	warn   *SweepRule // the warn rule to tell, nil: none
}

// events is how many events it becomes.
func (t *told) events() (n int64) {
	if t.due != nil {
		n++
	}
	if t.warn != nil {
		n++
	}
	return n
}

// warner is how records of one pool are judged.
type warner struct {
	*Sweep
	steps   []time.Duration
	horizon time.Duration
	stamp   string // of all this; empty where a note does not know what changes it
}

// judge is the rule of warnings: what a record's note must say at the instant of the sweep, and what its owner is to be
// told. had is the note of before, nil for none; exposed tells whether the owner is an active member of the pool.
func (s *warner) judge(r Record, f condition.Facts, exposed bool, had *Note) told {
	t := told{record: r, note: Note{
		ID: r.ID, Owner: r.OwnerID, OwnedSince: r.OwnedSince, Pool: r.PoolID, FollowupFrom: r.FollowupFrom(), LockUntil: r.LockUntil, Stamp: s.stamp,
	}}
	if had != nil && (had.Owner != r.OwnerID || !had.OwnedSince.Equal(r.OwnedSince)) {
		had = nil // of another ownership: it is overwritten, or goes at the end of the run
	}
	if had != nil {
		t.note.ToldDue, t.note.ToldStep, t.note.Warned = had.ToldDue, had.ToldStep, had.Warned
	}
	if !exposed {
		t.note.Stamp = "" // who comes back to the pool is judged again
	} else {
		s.judgeDue(&t, f)
		if w := winner(s.Rules, f, s.Now, s.Days); w >= 0 && s.Rules[w].Action == Warn && !r.IsLocked(s.Now) && !slices.Contains(t.note.Warned, s.Rules[w].ID) {
			t.warn = &s.Rules[w]
			t.note.Warned = append(slices.Clone(t.note.Warned), t.warn.ID)
		}
		for _, at := range turnsOf(s.Rules, f, r.LockUntil, s.Days) {
			t.next(at, s.Now)
		}
	}
	t.note.Seq = r.Seq + t.events()
	if had == nil {
		t.fresh = !t.note.empty()
	} else {
		t.fresh = !t.note.equal(had)
	}
	return t
}

// judgeDue looks for the due instant and the step to tell of it.
func (s *warner) judgeDue(t *told, f condition.Facts) {
	due := DueAt(s.Rules, f, t.record.LockUntil, s.Now, s.Days)
	if due == nil {
		return
	}
	if due.At.After(s.Now.Add(s.horizon)) {
		t.next(due.At.Add(-s.horizon), s.Now)
		return
	}
	t.note.DueAt, t.note.Rule = due.At, due.Rule
	for _, step := range s.steps {
		t.next(due.At.Add(-step), s.Now)
	}
	step, ok := reached(s.steps, due.At, t.record.OwnedSince, s.Now)
	if !ok || t.note.ToldDue.Equal(due.At) && t.note.ToldStep <= step {
		return
	}
	t.step, t.note.ToldDue, t.note.ToldStep = step, due.At, step
	t.due = &s.Rules[slices.IndexFunc(s.Rules, func(r SweepRule) bool { return r.ID == due.Rule })]
}

// next notes an instant to come at which the record must be judged again.
func (t *told) next(at, now time.Time) {
	if at.After(now) && (t.note.NextAt.IsZero() || at.Before(t.note.NextAt)) {
		t.note.NextAt = at
	}
}

// stampOf is a short word for all that records of a pool are judged by, besides what raises their own seq and the instants
// that a note knows. It is empty where a condition asks for tags, which change by themselves; the trailing year of spend
// changes every day.
func stampOf(s *Sweep, zone *time.Location, calendarVersion int64, o *WarnOptions) (string, error) {
	judged := []any{s.Pool.ID, s.Pool.Counting, s.Pool.Calendar, calendarVersion, zone.String(), o.Steps, o.Horizon}
	for _, r := range s.Rules {
		judged = append(judged, r.ID, r.Version)
		facts := r.Parsed.Facts()
		if slices.Contains(facts, condition.Tags) {
			return "", nil
		}
		if slices.Contains(facts, condition.Spend) {
			judged = append(judged, s.SpendFrom)
		}
	}
	text, err := json.Marshal(judged)
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:12]), err
}

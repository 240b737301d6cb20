package pool

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team/calendar"
)

// born is 1 March, 12:00 in Shanghai.
var (
	born = time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC)
	cst  = time.FixedZone("CST", 8*60*60)
)

const µs = time.Microsecond

func on(days float64, more ...time.Duration) time.Time {
	at := born.Add(time.Duration(days * float64(day)))
	for _, d := range more {
		at = at.Add(d)
	}
	return at
}

// life is a history of one record in pool 1; what happens is added to it.
type life struct{ History }

func (l *life) op(at time.Time, a customer.Action, to kernel.UserID, more ...func(*PastOperation)) *life {
	op := PastOperation{At: at, Action: a, To: to, Pool: 1}
	for _, change := range more {
		change(&op)
	}
	l.Operations = append(l.Operations, op)
	return l
}

func intoSecond(op *PastOperation) { op.Pool = 2 }

func (l *life) followup(at, known time.Time) *life {
	l.Interactions = append(l.Interactions, PastInteraction{at, known, true})
	return l
}

func (l *life) order(at, known time.Time, amount int64) *life {
	l.Orders = append(l.Orders, PastOrder{at, known, decimal.NewFromInt(amount), true})
	return l
}

func (l *life) change(at time.Time, kind, before, after string) *life {
	c := PastChange{At: at, Type: kind, After: json.RawMessage(after)}
	if before != "" {
		c.Before = json.RawMessage(before)
	}
	l.Changes = append(l.Changes, c)
	return l
}

// claimed is a record that li has had since its birth.
func claimed() *life { return new(life).op(born, customer.Claimed, "li") }

// replayed is a replay over 100 days by rules of pool 1, to which li and wang belong, and gone did for 5 days.
func replayed(t *testing.T, rules ...*Rule) *replay {
	t.Helper()
	s, err := newSweep(kernel.System("acme", "test"), &Pool{ID: 1}, rules, condition.Elapsed{})
	require.NoError(t, err)
	return &replay{
		rules: []ruleset{{1: simulate(s)}}, zone: cst, runs: runs{zone: cst}, to: on(100), now: on(100),
		exposed: func(p ID, user kernel.UserID) (time.Time, bool) {
			switch user {
			case "gone":
				return on(5), p == 1
			case "stranger":
				return time.Time{}, false
			}
			return time.Time{}, p == 1
		},
	}
}

func TestReplay(t *testing.T) {
	set := func(change func(*replay)) func(*replay) { return change }
	for name, x := range map[string]struct {
		rule string
		h    *life
		set  func(*replay)
		want []any // when each ownership is taken; nil: never
	}{
		"at the due instant":                     {"owned_days > 3", claimed(), nil, []any{on(3, µs)}},
		"not at the end":                         {"owned_days > 3", claimed().op(on(3, µs), customer.Released, ""), nil, []any{nil}},
		"before the end":                         {"owned_days > 3", claimed().op(on(3, 2*µs), customer.Released, ""), nil, []any{on(3, µs)}},
		"at the end that a run made":             {"owned_days > 3", claimed().op(on(3, µs), customer.Recycled, ""), nil, []any{on(3, µs)}},
		"not after the end that a run made":      {"owned_days > 3", claimed().op(on(3), customer.Recycled, ""), nil, []any{nil}},
		"not now":                                {"owned_days >= 100", claimed(), nil, []any{nil}},
		"now, in the window":                     {"owned_days >= 100", claimed(), set(func(r *replay) { r.to = on(100, µs) }), []any{on(100)}},
		"a microsecond ago":                      {"owned_days >= 100", claimed(), set(func(r *replay) { r.now, r.to = on(100, µs), on(100, µs) }), []any{on(100)}},
		"not after the window":                   {"owned_days >= 9", claimed(), set(func(r *replay) { r.to = on(9) }), []any{nil}},
		"at the end of the window":               {"owned_days >= 9", claimed(), set(func(r *replay) { r.to = on(9, µs) }), []any{on(9)}},
		"due before the window":                  {"owned_days >= 9", claimed(), set(func(r *replay) { r.from = on(20) }), []any{on(20)}},
		"due no more in the window":              {"owned_days < 9", claimed(), set(func(r *replay) { r.from = on(20) }), []any{nil}},
		"each of two owners":                     {"owned_days > 3", claimed().op(on(8), customer.Transferred, "wang"), nil, []any{on(3, µs), on(11, µs)}},
		"both claims of one":                     {"owned_days > 3", claimed().op(on(4), customer.Released, "").op(on(5), customer.Claimed, "li"), nil, []any{on(3, µs), on(8, µs)}},
		"a member that left, too late":           {"owned_days >= 5", new(life).op(born, customer.Claimed, "gone"), nil, []any{nil}},
		"a member that left, in time":            {"owned_days > 4", new(life).op(born, customer.Claimed, "gone"), nil, []any{on(4, µs)}},
		"no member of the pool":                  {"owned_days > 4", new(life).op(born, customer.Claimed, "stranger"), nil, []any{nil}},
		"in another pool, too late":              {"owned_days >= 4", claimed().op(on(4), customer.Moved, "li", intoSecond), nil, []any{nil}},
		"in another pool, and back":              {"owned_days >= 4", claimed().op(on(2), customer.Moved, "li", intoSecond).op(on(9), customer.Moved, "li"), nil, []any{on(9)}},
		"moved in the pool":                      {"owned_days >= 0", new(life).op(born, customer.Moved, "", intoSecond).op(on(9), customer.Claimed, "li", intoSecond), nil, []any{nil}},
		"a follow-up puts it off":                {"followup_days > 3", claimed().followup(on(3), on(3)), nil, []any{on(6, µs)}},
		"one that nobody knew does not":          {"followup_days > 3", claimed().followup(on(3), on(4)), nil, []any{on(3, µs)}},
		"one that was written down in time":      {"followup_days > 3", claimed().followup(on(1), on(3)), nil, []any{on(4, µs)}},
		"one of the owner before does not":       {"followup_days > 3", claimed().op(on(2), customer.Transferred, "wang").followup(on(1), on(3)), nil, []any{nil, on(5, µs)}},
		"no deal":                                {"deal_days >= 3", claimed().followup(on(1), on(1)), nil, []any{on(4)}},
		"a deal before it":                       {"deal_days >= 3", claimed().followup(on(1), on(1)).order(on(0.5), on(0.5), 1), nil, []any{on(4)}},
		"a deal":                                 {"deal_days >= 3", claimed().followup(on(1), on(1)).order(on(2), on(2), 1), nil, []any{nil}},
		"an order":                               {"orders == 1", claimed().order(on(2), on(3), 1), nil, []any{on(3)}},
		"spend":                                  {"spend >= 3", claimed().order(on(2), on(2), 1).order(on(3), on(4), 2), nil, []any{on(4)}},
		"a year later":                           {"spend == 0 and owned_days > 3", claimed().order(on(2), on(2), 1), set(func(r *replay) { r.now, r.to = on(400), on(400) }), []any{on(2+365, -12*time.Hour)}},
		"locked":                                 {"owned_days > 3", claimed().change(on(2), "customer.locked", `{"lock_until":null}`, fmt.Sprintf(`{"lock_until":%q}`, on(7).Format(time.RFC3339))), nil, []any{on(7)}},
		"locked too late":                        {"owned_days > 3", claimed().change(on(4), "customer.locked", `{"lock_until":null}`, `{"lock_until":"2026-05-01T00:00:00Z"}`), nil, []any{on(3, µs)}},
		"unlocked":                               {"owned_days > 3", claimed().change(on(2), "customer.locked", `{"lock_until":null}`, `{"lock_until":"2026-05-01T00:00:00Z"}`).change(on(5), "customer.unlocked", `{}`, `{"lock_until":null}`), nil, []any{on(5)}},
		"a lock ends with the ownership":         {"owned_days > 3", claimed().change(on(2), "customer.locked", `{"lock_until":null}`, `{"lock_until":"2026-05-01T00:00:00Z"}`).op(on(3), customer.Transferred, "wang"), nil, []any{nil, on(6, µs)}},
		"a level of then":                        {`level == "A"`, claimed().change(on(2), "customer.updated", `{}`, `{"level":"A"}`).change(on(3), "customer.updated", `{"level":"A"}`, `{"level":null}`), nil, []any{on(2)}},
		"a level of before":                      {`level == "A"`, claimed().change(on(2), "customer.updated", `{"level":"A"}`, `{"level":"B"}`), nil, []any{born}},
		"what a host reports is no level":        {`level == "A"`, claimed().change(on(2), "host.seen", ``, `{"level":"A"}`), nil, []any{nil}},
		"not while it is deleted":                {"owned_days > 3", claimed().change(on(2), "customer.deleted", `{}`, `{"deleted_at":"2026-03-03T04:00:00Z"}`).change(on(9), "customer.restored", `{"deleted_at":"2026-03-03T04:00:00Z"}`, `{"deleted_at":null}`).op(on(9), customer.Restored, "li"), nil, []any{on(9)}},
		"restored to the pool":                   {"owned_days > 3", claimed().change(on(2), "customer.deleted", `{}`, `{"deleted_at":"2026-03-03T04:00:00Z"}`).change(on(9), "customer.restored", `{"deleted_at":"2026-03-03T04:00:00Z"}`, `{"deleted_at":null}`).op(on(9), customer.Restored, ""), nil, []any{nil}},
		"as a first sync says":                   {"followup_days > 3", new(life).op(born, customer.Created, "li").change(born, "customer.created", ``, fmt.Sprintf(`{"owned_since":%q,"first_followup_at":%q,"last_followup_at":%q}`, on(-9).Format(time.RFC3339), on(-8).Format(time.RFC3339), on(-1).Format(time.RFC3339))), nil, []any{on(2, µs)}},
		"the run of the night":                   {"owned_days >= 3", claimed(), set(func(r *replay) { r.runs.daily = new(calendar.At(3, 0)) }), []any{on(3.625)}},
		"the run at that instant":                {"owned_days >= 3", claimed(), set(func(r *replay) { r.runs.daily = new(calendar.At(12, 0)) }), []any{on(3)}},
		"not due when it runs":                   {"owned_days >= 3 and owned_days < 3.5", claimed(), set(func(r *replay) { r.runs.daily = new(calendar.At(3, 0)) }), []any{nil}},
		"a follow-up before the run":             {"followup_days >= 3 and owned_days < 50", claimed().followup(on(3.5), on(3.5)), set(func(r *replay) { r.runs.daily = new(calendar.At(3, 0)) }), []any{on(6.625)}},
		"a follow-up at the run":                 {"followup_days >= 2.9", claimed().followup(on(3), on(3)), set(func(r *replay) { r.runs.daily = new(calendar.At(12, 0)) }), []any{on(6)}},
		"one of the owner before begins no deal": {"deal_days >= 3", claimed().op(on(2), customer.Transferred, "wang").followup(on(1), on(3)), nil, []any{nil, nil}},
		"the claim, its lock at once":            {"owned_days >= 0", claimed().change(born, "customer.locked", `{"lock_until":null}`, fmt.Sprintf(`{"lock_until":%q}`, on(7).Format(time.RFC3339))), nil, []any{on(7)}},
		"what happens later is not looked at":    {"owned_days > 3", claimed().op(on(101), customer.Released, ""), nil, []any{on(3, µs)}},
	} {
		t.Run(name, func(t *testing.T) {
			r := replayed(t, &Rule{ID: 1, Condition: x.rule, Action: Release, Enabled: true})
			if x.set != nil {
				x.set(r)
			}
			var got []any
			require.NoError(t, r.run(&x.h.History, Customers, func(o *ownership) {
				if o.taken[0] == nil {
					got = append(got, nil)
					return
				}
				got = append(got, o.taken[0].at)
			}))
			require.Equal(t, x.want, got)
		})
	}
}

func TestReplayLater(t *testing.T) {
	won := func(l *life, at time.Time) *life {
		return l.change(at, "customer.won", `{"stage":"potential"}`, `{"stage":"won"}`)
	}
	one := Later{Ordered: 1, Amount: decimal.NewFromInt(5)}
	for name, x := range map[string]struct {
		h    *life
		want Later
	}{
		"nothing":                          {claimed(), Later{}},
		"a follow-up":                      {claimed().followup(on(3, 2*µs), on(4)), Later{FollowedUp: 1}},
		"a follow-up at that instant":      {claimed().followup(on(3, µs), on(4)), Later{}},
		"an order of the last instant":     {claimed().op(on(8), customer.Released, "").order(on(8, -µs), on(9), 5), one},
		"an order behind the end":          {claimed().op(on(8), customer.Released, "").order(on(8), on(9), 5), Later{}},
		"an order of today":                {claimed().order(on(100), on(100), 5), one},
		"an order that nobody knows yet":   {claimed().order(on(99), on(101), 5), Later{}},
		"two orders are one ownership":     {claimed().order(on(99), on(99), 2).order(on(98), on(99), 3), one},
		"won":                              {won(claimed(), on(4)), Later{Won: 1}},
		"won before":                       {won(claimed(), on(3, µs)), Later{}},
		"won by the next owner":            {won(claimed().op(on(8), customer.Transferred, "stranger"), on(9)), Later{}},
		"lost, and won again: once enough": {won(claimed().change(on(2), "customer.staged", `{"stage":"won"}`, `{"stage":"lost"}`), on(5)), Later{Won: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			r := replayed(t, &Rule{ID: 1, Condition: "owned_days > 3", Action: Release, Enabled: true})
			var got Later
			require.NoError(t, r.run(&x.h.History, Customers, func(o *ownership) {
				if o.taken[0] != nil {
					got.add(r.later(o, o.taken[0]))
				}
			}))
			require.True(t, x.want.Amount.Equal(got.Amount), got.Amount)
			got.Amount = x.want.Amount
			require.Equal(t, x.want, got)
		})
	}
}

func TestNextRun(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	r := runs{new(calendar.At(2, 30)), berlin}
	at := func(s string) time.Time { x, _ := time.Parse(time.RFC3339, s); return x }
	for from, want := range map[string]string{
		"2026-03-28T02:30:00+01:00":        "2026-03-28T02:30:00+01:00",
		"2026-03-29T12:00:00+02:00":        "2026-03-30T02:30:00+02:00", // summer time began
		"2026-12-31T02:30:00.000001+01:00": "2027-01-01T02:30:00+01:00",
	} {
		require.Equal(t, at(want).UTC(), r.next(at(from)).UTC(), from)
	}
}

func TestOrdersLeaveTheTrailingYear(t *testing.T) {
	for _, zone := range []*time.Location{time.UTC, cst} {
		for d := range 900 {
			at := time.Date(2023, 1, 1, 13, 0, 0, 0, zone).AddDate(0, 0, d)
			leaves := leavesYear(at, zone)
			inside := func(now time.Time) bool {
				from, until := trailingYear(now, zone)
				return !at.Before(from) && at.Before(until)
			}
			require.True(t, inside(leaves.Add(-µs)), at)
			require.False(t, inside(leaves), at)
		}
	}
}

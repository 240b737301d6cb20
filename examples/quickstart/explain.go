package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team/calendar"
)

// tellExplanation asks, for one customer, why somebody cannot claim it now, and which rule will take it from its owner, when.
func (s *story) tellExplanation(ctx context.Context, by crm.Actor, c *customer.Customer) error {
	x, err := s.crm.Pool.Explain(ctx, by, c.ID)
	if err != nil {
		return err
	}
	s.printf("\nMay %s claim %s on %s? %s:\n\n", by.User, c.Name, minute(x.At), map[bool]string{true: "Yes", false: "No"}[x.Claimable])
	for _, check := range x.Claim {
		holds := map[bool]string{true: "ok", false: "no"}[check.Holds]
		s.printf("  %-4s %s\n", holds, strings.Join(nonEmpty(string(check.Reason), owner(check), used(check), until(check.Until)), ", "))
	}
	s.printf("\nWhich rule takes it from %s?\n\n", place(x.Owner))
	for _, r := range x.Rules {
		wins := ""
		if r.Wins {
			wins = "   wins"
		}
		s.printf("  %-8s %-8s %s%s\n", r.Verdict, r.Rule.Action, r.Rule.Condition, wins)
	}
	if x.Due != nil {
		s.printf("\n  Without a follow-up it is due on %s, by %q.\n", minute(x.Due.At), x.Due.Name)
	} else {
		s.printf("\n  None, as things are: %v.\n", x.Stops)
	}
	return nil
}

func owner(c pool.Check) string {
	if c.By == "" {
		return ""
	}
	return "by " + string(c.By)
}

func used(c pool.Check) string {
	if c.Limit == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d used", c.Used, c.Limit)
}

func until(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return "until " + minute(t)
}

// tellSimulation replays the whole time by another policy. It writes nothing.
func (s *story) tellSimulation(ctx context.Context) error {
	changed := []pool.Rule{{Name: "no follow-up for 2 days", Condition: "followup_days > 2", Action: pool.Release}}
	sim, err := s.crm.Pool.Simulate(ctx, admin, changed, &pool.SimulateOptions{From: firstDay, RunsAt: new(calendar.At(3, 0))})
	if err != nil {
		return err
	}
	s.printf("\nWhat if there were one rule instead, %s? Of %d ownerships:\n\n", changed[0].Condition, sim.Ownerships)
	for _, o := range []struct {
		by string
		pool.Tally
	}{{"by that rule", sim.Changed.Tally}, {"by the present rules", sim.Present.Tally}} {
		s.printf("  %-21s %4d would have been released, of them %d were followed up later, %d ordered (%s)\n", o.by, o.Released,
			o.Later.FollowedUp, o.Later.Ordered, o.Later.Amount.StringFixed(2))
	}
	s.printf("  %-21s %4d, by what the runs wrote down\n", "in reality", sim.Recorded.Recycled)
	return nil
}

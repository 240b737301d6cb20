package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/team"
)

// tellLife prints the history of one customer, of which there is much to tell.
func (s *story) tellLife(ctx context.Context) error {
	var best customer.ID
	for _, id := range slices.Sorted(maps.Keys(s.lives)) {
		if best == 0 || s.lives[id].worth() > s.lives[best].worth() {
			best = id
		}
	}
	if best == 0 {
		return nil
	}
	c, err := s.crm.Customers.Get(ctx, admin, best)
	if err != nil {
		return err
	}
	facts, err := s.crm.Customers.Facts(ctx, admin, best)
	if err != nil {
		return err
	}
	owner := "nobody"
	if c.OwnerID != "" {
		owner = string(c.OwnerID)
	}
	s.printf("\nThe life of one customer, newest first: %s\n", strings.Join(nonEmpty(c.Name, c.City, c.Industry, string(c.Level)), " "))
	s.printf("  %s, owned by %s; interactions: %d, orders: %d\n\n", c.Stage, owner, facts.Interactions, facts.Orders)
	if err := s.tellTimeline(ctx, best); err != nil {
		return err
	}
	if err := s.tellAudit(ctx, c); err != nil {
		return err
	}
	return s.tellExplanation(ctx, head, c) // a colleague would not even find it: it is somebody else's
}

// tellTimeline goes through the timeline page by page. The cursor is stable: what happens meanwhile neither repeats nor
// hides an older entry.
func (s *story) tellTimeline(ctx context.Context, id customer.ID) error {
	page := crm.Page{Limit: 20}
	for {
		list, err := s.crm.Customers.Timeline(ctx, admin, id, page)
		if err != nil {
			return err
		}
		for _, e := range list.Items {
			s.printf("  %12s  %-7s  %-8s  %s\n", minute(e.At), e.By, e.What, detail(e))
		}
		if list.Next == "" {
			return nil
		}
		page.After = list.Next
	}
}

// detail is what an entry of the timeline says besides who, when and what.
func detail(e customer.Entry) string {
	switch e.Ref.Kind {
	case customer.OrderKind:
		return fmt.Sprintf("order %s over %s", e.Subject, e.Amount.Decimal.StringFixed(2))
	case customer.OperationKind:
		way := fmt.Sprintf("%s → %s", place(e.From), place(e.To))
		return strings.Join(nonEmpty(way, e.Subject), ": ")
	default:
		return e.Subject
	}
}

func place(owner crm.UserID) string {
	if owner == "" {
		return "the pool"
	}
	return string(owner)
}

func nonEmpty(texts ...string) []string {
	return slices.DeleteFunc(texts, func(s string) bool { return s == "" })
}

// tellAudit prints the newest lines of the audit trail about owner, stage and orders, with what changed from what to what.
func (s *story) tellAudit(ctx context.Context, c *customer.Customer) error {
	list, err := s.crm.Team.Trail.Audit(ctx, admin, team.TrailFilter{
		Subject: c.Ref(), // with all that hangs on the customer
		Types: []string{
			"customer.claimed", "customer.released", "customer.recycled", "customer.assigned", "customer.handed_over", "customer.won", "order.recorded",
		},
	}, crm.Page{Limit: 12})
	if err != nil {
		return err
	}
	s.printf("\nOf its audit trail, the last %d entries about owner, stage and orders:\n\n", len(list.Items))
	for _, e := range list.Items {
		changes, err := changed(e.Before, e.After)
		if err != nil {
			return err
		}
		if e.Reason != "" { // of the system actor
			changes = append(changes, "by the "+e.Reason)
		}
		s.printf("  %12s  %-7s  %-17s  %s\n", minute(e.At), e.Actor, e.Type, strings.Join(changes, ", "))
	}
	return nil
}

// changed is what an entry says about the fields that this story is about. Both sides are JSON objects: of an update, only
// with the fields that differ; of something new, without what was before.
func changed(before, after json.RawMessage) (changes []string, err error) {
	var was, is map[string]any
	if len(before) > 0 {
		err = json.Unmarshal(before, &was)
	}
	if len(after) > 0 {
		err = errors.Join(err, json.Unmarshal(after, &is))
	}
	for _, field := range []string{"owner_id", "stage", "number"} {
		old, had := was[field]
		value, has := is[field]
		switch {
		case had && has:
			changes = append(changes, fmt.Sprintf("%s %q → %q", field, old, value))
		case has:
			changes = append(changes, fmt.Sprintf("%s %q", field, value))
		}
	}
	return changes, err
}

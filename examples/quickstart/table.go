package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
)

func (s *story) printf(format string, args ...any) { fmt.Fprintf(s.out, format, args...) }

// introduce prints what the story begins with, as the database has it.
func (s *story) introduce(ctx context.Context) error {
	const reported = 20
	for i, line := range s.skipped {
		if i == reported {
			s.printf("left out, %d more rows\n", len(s.skipped)-reported)
			break
		}
		s.printf("left out, %s\n", line)
	}
	tenant, err := s.crm.Team.Tenant(ctx, admin)
	if err != nil {
		return err
	}
	policy, err := s.crm.Pool.Pools.Policy(ctx, admin)
	if err != nil {
		return err
	}
	public, err := s.crm.Pool.Pools.Get(ctx, admin, 0)
	if err != nil {
		return err
	}
	rules, err := s.crm.Pool.Pools.Rules(ctx, admin, public.ID)
	if err != nil {
		return err
	}
	s.printf("%s: %d customers in the pool, %d sellers; %d days from %s.\n", tenant.Name, s.loaded, len(s.sellers), s.days,
		firstDay.Format("Monday, 2 January 2006"))
	s.printf("A seller has %d places and claims %d customers a day. What was released nobody claims for %d days, and its last owner not for %d.\n",
		policy.Cap, policy.DailyQuota, public.Protection/day, public.CoolDown/day)
	s.printf("Every night at 03:00 the rules of the pool are run, of those that match the first:\n\n")
	for _, r := range rules {
		s.printf("  %-8s %-42s %s\n", r.Action, r.Condition, r.Name)
	}
	return nil
}

// heading is as wide as the lines below it.
func (s *story) heading() {
	titles := ""
	for _, k := range kinds {
		titles += "  " + k.title
	}
	refused := "claims refused"
	s.printf("\n        |         |%*s%*s |                            |   back to the pool   |\n",
		(len(titles)+len(refused))/2, refused, len(titles)-(len(titles)+len(refused))/2, "")
	s.printf("   days | claimed |%s | follow-ups  orders  warned | owner   head   rules |  in pool  owned\n", titles)
}

// line prints what happened since the last one, and how the customers are spread now.
func (s *story) line(ctx context.Context) error {
	inPool, err := s.count(ctx, customer.Filter{InPool: true})
	if err != nil {
		return err
	}
	owned, err := s.count(ctx, customer.Filter{Owners: s.users()})
	if err != nil {
		return err
	}
	r := s.now
	days := strconv.Itoa(r.from)
	if r.to > r.from {
		days = fmt.Sprintf("%d–%d", r.from, r.to)
	}
	refused := ""
	for i, k := range kinds {
		refused += fmt.Sprintf("  %*d", len(k.title), r.refused[i])
	}
	mark := " "
	if r.hesitated {
		mark = "*"
	}
	s.printf("%7s | %7d |%s | %10d  %6d  %6d | %5d  %5d  %5d%s | %8s  %5s\n", days, r.claims, refused, r.followups, r.deals, r.warned,
		r.byOwner, r.byHead, r.byRules, mark, inPool, owned)
	return nil
}

// count is how many customers the administrator sees. It counts to a limit: an exact total costs a scan of the table.
func (s *story) count(ctx context.Context, f customer.Filter) (string, error) {
	n, more, err := s.crm.Customers.Count(ctx, admin, f)
	if more {
		return fmt.Sprintf(">%d", n), err
	}
	return strconv.Itoa(n), err
}

// tell prints what came of it all.
func (s *story) tell(ctx context.Context) error {
	if s.hesitated > 0 {
		s.printf("\n* A run that would take more than 20 %% of all owned customers refuses to begin, in case a rule has a typing error.\n"+
			"  Nights in which it did: %d. The administrator looked, and let it run.", s.hesitated)
		if s.days >= fairTo {
			s.printf(" (On the days %d and %d everybody was at a trade fair.)", fairFrom, fairTo)
		}
		s.printf("\n")
	}
	for _, tell := range []func(context.Context) error{s.tellNotes, s.tellSellers, s.tellRefusals, s.tellLife, s.tellSimulation, s.tellCash} {
		if err := tell(ctx); err != nil {
			return err
		}
	}
	return nil
}

// tellSellers prints a line per seller. Claims and what followed are counted from the operation log, which nobody can change.
func (s *story) tellSellers(ctx context.Context) error {
	s.printf("\n  seller  asked  claimed  follow-ups  orders     revenue  gave back  lost to head  lost to rules  owns now\n")
	for _, by := range s.sellers {
		actions, err := s.operations(ctx, by.who.User)
		if err != nil {
			return err
		}
		owns, err := s.count(ctx, customer.Filter{Owners: []crm.UserID{by.who.User}})
		if err != nil {
			return err
		}
		s.printf("  %-6s  %5d  %7d  %10d  %6d  %10s  %9d  %12d  %13d  %8s  %s\n", by.who.User, by.asked, actions[customer.Claimed], by.followups,
			by.deals, by.revenue.StringFixed(2), actions[customer.Released], actions[customer.TakenOff], actions[customer.Recycled], owns, by.name)
	}
	s.printf("\nThe rules took back:\n")
	for _, r := range s.byRule {
		s.printf("  %5d  %s\n", r.Released, r.Name)
	}
	return nil
}

// operations counts what the log says about the customers that came to a member or went from it.
func (s *story) operations(ctx context.Context, owner crm.UserID) (map[customer.Action]int, error) {
	counts := map[customer.Action]int{}
	page := crm.Page{Limit: 500}
	for {
		list, err := s.crm.Pool.Log(ctx, admin, customer.OperationFilter{Owner: owner}, page)
		if err != nil {
			return nil, err
		}
		for _, op := range list.Items {
			counts[op.Action]++
		}
		if list.Next == "" {
			return counts, nil
		}
		page.After = list.Next
	}
}

// tellRefusals explains each kind of refusal by the first time that it happened.
func (s *story) tellRefusals(ctx context.Context) error {
	s.printf("\nClaims that were refused:\n")
	for i, kind := range kinds {
		r := s.refusals[i]
		if r.count == 0 {
			continue
		}
		c, err := s.crm.Customers.Get(ctx, admin, r.first.customer)
		if err != nil {
			return err
		}
		s.printf("  %5d  %-9s  %s: %s asked, %s (%s)\n", r.count, kind.title, minute(r.first.at), r.first.by, kind.words(r.first.refusal), c.Name)
	}
	return nil
}

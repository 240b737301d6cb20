package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
)

// The days on which something out of the ordinary happens, early in the morning.
const (
	lookDay    = 1
	lockDay    = 10
	leadsDay   = fairTo + 1
	leavingDay = 45
)

// scene plays what happens on a day besides the usual.
func (s *story) scene(ctx context.Context, today int) error {
	switch today {
	case lookDay:
		return s.look(ctx)
	case lockDay:
		return s.lock(ctx, s.seller("li"))
	case leadsDay:
		return s.shareOut(ctx)
	case leavingDay:
		return s.resign(ctx, s.seller("liu"))
	}
	return nil
}

// notef keeps a sentence for the end: the table is under way.
func (s *story) notef(format string, args ...any) {
	s.notes = append(s.notes, minute(s.clock.now)+"  "+fmt.Sprintf(format, args...))
}

func (s *story) seller(user crm.UserID) *seller {
	return s.sellers[slices.IndexFunc(s.sellers, func(by *seller) bool { return by.who.User == user })]
}

// look shows what a seller sees of a customer in the pool, and what the customer's first opening of the day costs.
func (s *story) look(ctx context.Context) error {
	zhang := s.seller("zhang").who
	contacts, err := s.crm.Customers.Contacts.List(ctx, zhang, s.first, crm.Page{Limit: 1})
	if err != nil {
		return err
	}
	opened, err := s.crm.Pool.Open(ctx, zhang, s.first)
	if err != nil {
		return err
	}
	counter, err := s.crm.Pool.Counter(ctx, zhang)
	if err != nil {
		return err
	}
	masked, whole := contacts.Items[0], opened.Contacts[0]
	s.notef("In the pool %s reads of %s: %s, %s, %s.\n"+
		"It opens the customer, which counts and stands on the trail, and reads %s, %s.\n"+
		"Today it may open %d more.", zhang.User, opened.Customer.Name, masked.FullName, masked.Phone, masked.Email, whole.Phone, whole.Email,
		counter.OpenLimit-counter.OpensUsed)
	return nil
}

// lock keeps a customer from the rules for a while. Only its owner locks, and a policy limits how long and how many.
func (s *story) lock(ctx context.Context, by *seller) error {
	owned, err := s.owned(ctx, by.who, by.who.User)
	if err != nil || len(owned) == 0 {
		return err
	}
	until := s.clock.now.Add(20 * day)
	if err := s.crm.Pool.Lock(ctx, by.who, owned[0].ID, until, "their tender is under way"); err != nil {
		return err
	}
	s.notef("%s locks %s until %s: their tender is under way, and no rule takes it meanwhile.", by.who.User, owned[0].Name, minute(until))
	return nil
}

// leads are companies that the team met at the trade fair. They do not exist.
var leads = []customer.Customer{
	{Name: "无锡湖山泵业有限公司", Region: "320200", Province: "江苏省", City: "无锡市", Industry: "C34", Level: customer.LevelB},
	{Name: "宁波东钱齿轮有限公司", Region: "330200", Province: "浙江省", City: "宁波市", Industry: "C34", Level: customer.LevelA},
	{Name: "佛山顺景木工机械有限公司", Region: "440600", Province: "广东省", City: "佛山市", Industry: "C35", Level: customer.LevelB},
	{Name: "桂林漓滨食品机械有限公司", Region: "450300", Province: "广西壮族自治区", City: "桂林市", Industry: "C35", Level: customer.LevelC},
	{Name: "北京西山仪器有限公司", Region: "110108", Province: "北京市", City: "北京市", Industry: "C40", Level: customer.LevelB},
}

// shareOut is the morning after the fair: leads come in, and what lies in the pool is given out. Both go by territory.
func (s *story) shareOut(ctx context.Context) error {
	var given []string
	for i := range leads {
		c := leads[i]
		c.Source = "fair"
		if err := s.crm.Customers.Create(ctx, crm.System("acme", "leads of the fair"), &c); err != nil {
			return err
		}
		given = append(given, fmt.Sprintf("%s (%s) to %s", c.Name, c.City, place(c.OwnerID)))
	}
	s.notef("New customers from the fair go to members in the transaction that makes them:\n%s.", strings.Join(given, ",\n"))
	if err := s.whoIsNext(ctx); err != nil {
		return err
	}
	report, err := s.crm.Pool.AutoAssignPool(ctx, admin, 0, nil)
	if err != nil {
		return err
	}
	var counts []string
	for _, t := range report.ByTerritory {
		counts = append(counts, fmt.Sprintf("%d by %q", t.Assigned, s.territories[t.Territory]))
	}
	for _, why := range slices.Sorted(maps.Keys(report.Left)) {
		counts = append(counts, fmt.Sprintf("%d stay, %s", report.Left[why], why))
	}
	s.notef("The administrator has the pool shared out by territory: %s.", strings.Join(counts, ", "))
	return nil
}

// whoIsNext explains for one customer of the pool to whom its territories give it.
func (s *story) whoIsNext(ctx context.Context) error {
	list, err := s.crm.Customers.List(ctx, admin, customer.Filter{InPool: true}, crm.Page{Limit: 1})
	if err != nil || len(list.Items) == 0 {
		return err
	}
	c := list.Items[0]
	x, err := s.crm.Pool.ExplainTerritory(ctx, admin, c.ID)
	if err != nil {
		return err
	}
	var says []string
	for _, t := range x.Territories {
		switch {
		case !t.Matches:
			says = append(says, fmt.Sprintf("%q does not match (%s)", t.Territory.Name, t.Why))
		case t.Asked:
			var candidates []string
			for _, m := range t.Candidates {
				candidates = append(candidates, fmt.Sprintf("%s has %d of %d", m.User, m.Used, m.Cap))
			}
			says = append(says, fmt.Sprintf("%q is asked (%s)", t.Territory.Name, strings.Join(candidates, ", ")))
		default:
			says = append(says, fmt.Sprintf("%q matches too", t.Territory.Name))
		}
	}
	s.notef("Who would get %s (%s, level %s)? %s:\n%s.", c.Name, c.City, c.Level, cmp.Or(string(x.To), "nobody, "+string(x.Why)), strings.Join(says, ",\n"))
	return nil
}

// resign hands over what a seller has. The plan writes nothing; the run may be killed and called again.
func (s *story) resign(ctx context.Context, by *seller) error {
	for _, task := range []customer.Task{
		{Subject: "hand in the sample machine", DueAt: s.clock.now.Add(2 * day)},
		{Subject: "travel expenses of the fair", DueAt: s.clock.now.Add(5 * day)},
	} {
		if err := s.crm.Customers.Tasks.Create(ctx, by.who, &task); err != nil {
			return err
		}
	}
	opts := &crm.HandOverOptions{Successors: []crm.UserID{"zhang", "wang"}, Reason: "resigned"}
	plan, err := s.crm.HandOver.Plan(ctx, admin, by.who.User, opts)
	if err != nil {
		return err
	}
	report, err := s.crm.HandOver.Run(ctx, admin, by.who.User, opts)
	if err != nil {
		return err
	}
	by.left = true
	var did []string
	for i, item := range report.Items {
		if item.Found == 0 {
			continue
		}
		ways := []string{}
		for _, to := range slices.Sorted(maps.Keys(item.To)) {
			ways = append(ways, fmt.Sprintf("%d to %s", item.To[to], to))
		}
		if item.ToPool > 0 {
			ways = append(ways, fmt.Sprintf("%d to the pool", item.ToPool))
		}
		did = append(did, fmt.Sprintf("%d of %d planned (%s): %s", item.Found, plan.Items[i].Found, item.Kind, strings.Join(ways, ", ")))
	}
	s.notef("%s leaves; zhang and wang are the successors as far as they have places, %s gets the open work.\n%s.",
		by.who.User, plan.Superior, strings.Join(did, ";\n"))
	return nil
}

// inspect is what the head of the department does every fifth day: of what the rules would take next, the longest neglected
// go back to the pool now, in one call with an outcome for each.
func (s *story) inspect(ctx context.Context) error {
	view, err := s.crm.Pool.Private(ctx, head, pool.PrivateFilter{
		Subordinates: true, IdleSince: s.clock.now.Add(-36 * time.Hour), Levels: []customer.Level{customer.LevelB, customer.LevelC, customer.LevelD},
	}, crm.Page{Limit: 3}) // those first that are due next
	if err != nil || len(view.Items) == 0 {
		return err
	}
	var ids []customer.ID
	var rows []string
	for _, row := range view.Items {
		ids = append(ids, row.ID)
		rows = append(rows, fmt.Sprintf("%s of %s, level %s, days left %d", row.Name, row.Owner, row.Level, row.DaysLeft))
	}
	done, err := s.crm.Pool.ReleaseMany(ctx, head, ids, pool.WhatCanBeHad, &pool.ReleaseOptions{Reason: "neglected", Note: "no follow-up for 36 hours"})
	if err != nil {
		return err
	}
	if s.inspected++; s.inspected == 1 {
		s.notef("%s looks through what the team has, what is due next first, and takes back, in one call:\n%s.", head.User, strings.Join(rows, ",\n"))
	}
	for _, id := range done.Released {
		s.now.byHead++
		s.life(id).takenOff++
	}
	return nil
}

// tellNotes prints the scenes, once the table is complete.
func (s *story) tellNotes(context.Context) error {
	s.printf("\nWhat else happened:\n\n")
	for _, n := range s.notes {
		s.printf("  %s\n", strings.ReplaceAll(n, "\n", "\n                "))
	}
	return nil
}

// setUpTerritories says who gets a customer that nobody owns, when it is given out instead of claimed.
func (s *story) setUpTerritories(ctx context.Context, sales, east, south team.DepartmentID) error {
	s.territories = map[pool.TerritoryID]string{}
	for _, t := range []pool.Territory{
		{Name: "key accounts", VIP: true, Members: []crm.UserID{"li", "zhang"}},
		{Name: "East China", Regions: []string{"31", "32", "33", "34", "35", "36", "37"}, Department: east},
		{Name: "South China", Regions: []string{"44", "45", "46"}, Department: south},
		{Name: "the rest of the country", Department: sales},
	} {
		t.Enabled = true
		if err := s.crm.Pool.Territories.Put(ctx, admin, &t); err != nil {
			return err
		}
		s.territories[t.ID] = t.Name
	}
	return nil
}

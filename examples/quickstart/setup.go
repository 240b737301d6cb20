package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
)

const (
	day        = 24 * time.Hour
	protection = 2 * day
	coolDown   = 8 * day
)

// The actors. A host makes them from its own sessions; the users are the host's own.
var (
	boss  = crm.System("acme", "set-up") // the explicit system actor, with its reason
	admin = crm.Actor{Tenant: "acme", User: "zhao"}
	head  = crm.Actor{Tenant: "acme", User: "chen"}
	job   = crm.System("acme", "nightly recycle run")
)

// setUp makes everything that the first morning needs.
func (s *story) setUp(ctx context.Context, customers string) error {
	if err := s.setUpTeam(ctx); err != nil {
		return err
	}
	if err := s.load(ctx, customers); err != nil {
		return err
	}
	if err := s.setUpPool(ctx); err != nil {
		return err
	}
	err := s.crm.Customers.Contacts.Add(ctx, admin, &customer.Contact{
		CustomerID: s.first, FullName: "周婷", Title: "purchasing", Phone: "13800138000", Email: "zhou@example.com",
	})
	if err != nil {
		return err
	}
	return s.introduce(ctx)
}

// setUpTeam makes the tenant, its departments and members. A host that has a directory mirrors it with Team.Sync.
func (s *story) setUpTeam(ctx context.Context) error {
	// The system actor makes the tenant and adds the first members: nobody else is there yet.
	err := s.crm.Team.CreateTenant(ctx, boss, team.Tenant{Name: "Acme Machinery", Zone: "Asia/Shanghai"})
	if err != nil {
		return err
	}
	// Chen heads Sales, and so may see and release what the sellers of both departments below it own.
	sales, err := s.crm.Team.Departments.Create(ctx, boss, team.Department{Name: "Sales", Head: head.User})
	if err != nil {
		return err
	}
	east, err := s.crm.Team.Departments.Create(ctx, boss, team.Department{Name: "East", Parent: sales.ID})
	if err != nil {
		return err
	}
	south, err := s.crm.Team.Departments.Create(ctx, boss, team.Department{Name: "South", Parent: sales.ID})
	if err != nil {
		return err
	}
	members := []team.Member{
		{User: admin.User, Name: "赵磊", Role: team.Admin},
		{User: head.User, Name: "陈静", Role: team.Head, Department: sales.ID},
		{User: "li", Name: "李伟", Role: team.Seller, Department: east.ID, Regions: []string{"31", "32"}},
		{User: "wang", Name: "王芳", Role: team.Seller, Department: east.ID, Regions: []string{"33", "35"}},
		{User: "zhang", Name: "张敏", Role: team.Seller, Department: south.ID, Regions: []string{"44", "45"}},
		{User: "liu", Name: "刘洋", Role: team.Seller, Department: south.ID, Regions: []string{"44"}},
	}
	if _, err := s.crm.Team.Members.AddMany(ctx, boss, members); err != nil {
		return err
	}
	if err := s.setUpTerritories(ctx, sales.ID, east.ID, south.ID); err != nil {
		return err
	}
	habits := map[crm.UserID]float64{"li": 0.72, "wang": 0.66, "zhang": 0.6, "liu": 0.5}
	for i, m := range members {
		if m.Role == team.Seller {
			s.sellers = append(s.sellers, &seller{
				who: crm.Actor{Tenant: "acme", User: m.User}, name: m.Name, diligence: habits[m.User],
				dice: rand.New(rand.NewPCG(seed, uint64(i))),
			})
		}
	}
	return nil
}

// setUpPool makes the tenant's policy and rules. They are data: an administrator changes them while the program runs.
func (s *story) setUpPool(ctx context.Context) error {
	policy, err := s.crm.Pool.Pools.Policy(ctx, admin)
	if err != nil {
		return err
	}
	policy.Cap, policy.DailyQuota = 7, 3
	if s.large() {
		policy.Cap, policy.DailyQuota = 40, 10
	}
	if err := s.crm.Pool.Pools.SetPolicy(ctx, admin, policy); err != nil {
		return err
	}
	public, err := s.crm.Pool.Pools.Get(ctx, admin, 0) // 0 is the default pool, which every tenant has
	if err != nil {
		return err
	}
	public.Protection, public.CoolDown = protection, coolDown
	public.AssignNew = true // from now on new customers go to members by territory; the list is there to be claimed
	if err := s.crm.Pool.Pools.Update(ctx, admin, public); err != nil {
		return err
	}
	// Until somebody switches the built-in rules on, no customer is taken from anybody.
	if err := s.crm.Pool.UseDefaults(ctx, admin, public.ID); err != nil {
		return err
	}
	// A rule of our own. The condition is checked now, not at three in the night.
	return s.crm.Pool.Pools.PutRule(ctx, admin, &pool.Rule{
		PoolID: public.ID, Name: "small and no follow-up for 2 days", Condition: `followup_days > 2 and level in ["C", "D"]`,
		Action: pool.Release, Priority: 30, Enabled: true,
	})
}

// large tells whether the list is one for sellers who work hard.
func (s *story) large() bool { return s.loaded > 1000 }

// batch is how many customers go in one transaction.
const batch = 1_000

// load reads the list and creates its customers, in the default pool since they have no owner. Rows that cannot become a
// customer are reported and left out.
func (s *story) load(ctx context.Context, name string) error {
	file, err := openCustomers(name)
	if err != nil {
		return err
	}
	defer file.Close()
	var customers []*customer.Customer
	var lines []int
	for {
		c, line, err := file.next()
		if bad, ok := errors.AsType[*badRow](err); ok {
			s.skip(bad.line, bad.why)
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("reading %s: %w", name, err)
		}
		if err == nil {
			customers, lines = append(customers, c), append(lines, line)
		}
		if len(customers) == batch || errors.Is(err, io.EOF) {
			if err := s.create(ctx, customers, lines); err != nil {
				return err
			}
			customers, lines = customers[:0], lines[:0]
		}
		if errors.Is(err, io.EOF) {
			break
		}
	}
	switch {
	case s.loaded > 0:
		return nil
	case len(s.skipped) == 0:
		return fmt.Errorf("%s has a header and no rows", name)
	default:
		return fmt.Errorf("%s has no row that can become a customer; the first of them, %s", name, s.skipped[0])
	}
}

// create writes a batch. Malformed input refuses all of it and names the item: that one is left out. What only the database
// knows, such as a code that is taken, is the outcome of its item and stops nobody else.
func (s *story) create(ctx context.Context, customers []*customer.Customer, lines []int) error {
	for len(customers) > 0 {
		outcomes, err := s.crm.Customers.CreateMany(ctx, admin, customers, pool.WhatCanBeHad)
		if e, ok := errors.AsType[*crm.Error](err); ok && errors.Is(err, crm.ErrInvalid) {
			if i, one := e.Item(); one {
				s.skip(lines[i], fmt.Sprintf("%s: %s", e.Field, sentence(e)))
				customers, lines = slices.Delete(customers, i, i+1), slices.Delete(lines, i, i+1)
				continue
			}
		}
		if err != nil {
			return err
		}
		for i, o := range outcomes {
			if o.Err != nil {
				s.skip(lines[i], fmt.Sprintf("%s: %s", o.Err.Field, sentence(o.Err)))
			} else {
				s.loaded++
				s.first = cmp.Or(s.first, customers[i].ID)
			}
		}
		return nil
	}
	return nil
}

// sentence is the cause of an error for people, where there is one, and else its stable reason.
func sentence(e *crm.Error) string {
	if e.Err != nil {
		return e.Err.Error()
	}
	return string(e.Reason)
}

func (s *story) skip(line int, why string) {
	s.skipped = append(s.skipped, fmt.Sprintf("line %d: %s", line, why))
}

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/pool"
)

// seller is a person with habits. Everyone has dice of their own, so that what one does never changes what another throws.
type seller struct {
	who       crm.Actor
	name      string
	diligence float64 // how likely a customer hears from its owner on a day
	dice      *rand.Rand

	screen []customer.ID // the pool as it was when the seller opened it in the morning
	mine   []customer.ID // what the seller owned last evening
	lost   []customer.ID // what was taken away since
	left   bool          // the company

	asked, followups, deals int
	revenue                 decimal.Decimal
}

// openPool reads a page of what lies in the pool. By the time that the seller claims, others may have been faster; and not
// everybody looks closely at what was released only yesterday.
func (s *story) openPool(ctx context.Context, by *seller) error {
	page, err := s.crm.Customers.List(ctx, by.who, customer.Filter{InPool: true}, crm.Page{Limit: 500})
	if err != nil {
		return err
	}
	by.screen = by.screen[:0]
	for _, c := range page.Items {
		protected := !c.PoolEnteredAt.IsZero() && c.PoolEnteredAt.Add(protection).After(s.clock.now)
		if !protected || by.dice.IntN(3) == 0 {
			by.screen = append(by.screen, c.ID)
		}
	}
	return nil
}

// work is a seller's day.
func (s *story) work(ctx context.Context, by *seller) error {
	owned, err := s.owned(ctx, by.who, by.who.User)
	if err != nil {
		return err
	}
	for _, id := range by.mine {
		if !slices.ContainsFunc(owned, func(c *customer.Customer) bool { return c.ID == id }) {
			by.lost = append(by.lost, id)
		}
	}
	if err := s.winBack(ctx, by); err != nil {
		return err
	}
	if err := s.claim(ctx, by); err != nil {
		return err
	}
	if owned, err = s.owned(ctx, by.who, by.who.User); err != nil {
		return err
	}
	// The one that waits longest comes first.
	slices.SortStableFunc(owned, func(a, b *customer.Customer) int { return a.FollowupFrom().Compare(b.FollowupFrom()) })
	calls := 0
	by.mine = by.mine[:0]
	for _, c := range owned {
		given := false
		switch {
		case calls < s.callsADay() && by.dice.Float64() < by.diligence:
			calls++
			err = s.followUp(ctx, by, c)
		case by.dice.IntN(100) < 2 && !c.LockUntil.After(s.clock.now): // the owner of a locked customer would be refused
			given, err = true, s.giveBack(ctx, by, c)
		}
		if err != nil {
			return err
		}
		if !given {
			by.mine = append(by.mine, c.ID)
		}
	}
	return nil
}

func (s *story) callsADay() int {
	if s.large() {
		return 20
	}
	return 8
}

// owned is all customers of some members, page by page.
func (s *story) owned(ctx context.Context, who crm.Actor, owners ...crm.UserID) (all []*customer.Customer, err error) {
	page := crm.Page{Limit: 500}
	for {
		list, err := s.crm.Customers.List(ctx, who, customer.Filter{Owners: owners}, page)
		if err != nil {
			return nil, err
		}
		all = append(all, list.Items...)
		if list.Next == "" {
			return all, nil
		}
		page.After = list.Next
	}
}

// winBack claims one customer that the seller lost. A refusal is no failure: it says why, and until when.
func (s *story) winBack(ctx context.Context, by *seller) error {
	if len(by.lost) == 0 || by.dice.IntN(3) > 0 {
		return nil
	}
	id := by.lost[by.dice.IntN(len(by.lost))]
	s.pass(by)
	by.asked++
	err := s.crm.Pool.Claim(ctx, by.who, id)
	if refusal, ok := errors.AsType[*pool.Refusal](err); ok {
		return s.refused(by, id, refusal)
	}
	if err != nil {
		return err
	}
	s.claimed(by, id)
	return nil
}

// claim asks for several customers at once, and takes what can be had.
func (s *story) claim(ctx context.Context, by *seller) error {
	counter, err := s.crm.Pool.Counter(ctx, by.who)
	if err != nil {
		return err
	}
	// Most look at their free places first. Some days they ask for more than they may have all the same.
	wanted := min(counter.Free(), counter.DailyQuota)
	if by.dice.IntN(4) == 0 {
		wanted += 2
	}
	if wanted == 0 || len(by.screen) == 0 {
		return nil
	}
	var ids []customer.ID
	for _, i := range by.dice.Perm(len(by.screen))[:min(wanted, len(by.screen))] {
		ids = append(ids, by.screen[i])
	}
	s.pass(by)
	by.asked += len(ids)
	got, err := s.crm.Pool.ClaimMany(ctx, by.who, ids, pool.WhatCanBeHad)
	if err != nil {
		return err
	}
	for _, id := range got.Claimed {
		s.claimed(by, id)
	}
	for _, r := range got.Refused {
		if err := s.refused(by, r.ID, r.Why); err != nil {
			return err
		}
	}
	return nil
}

// talks are what follow-ups are about.
var talks = []struct {
	kind    customer.InteractionType
	subject string
	minutes int
}{
	{customer.Call, "asked what they need this quarter", 12},
	{customer.Call, "sent the price list, called about it", 8},
	{customer.WeChat, "answered questions about delivery", 0},
	{customer.Visit, "visited the plant", 150},
	{customer.Meeting, "met purchasing and production", 90},
	{customer.Demo, "showed the machine", 60},
	{customer.Email, "sent the drawings", 0},
}

// followUp records a talk with a customer, and now and then the order that comes of it. The follow-up moves the clocks that
// the pool's rules read; the order makes the customer won, and a won customer takes no place under the cap.
func (s *story) followUp(ctx context.Context, by *seller, c *customer.Customer) error {
	s.pass(by)
	talk := talks[by.dice.IntN(len(talks))]
	x := &customer.Interaction{CustomerID: c.ID, Type: talk.kind, Subject: talk.subject, Minutes: talk.minutes, Followup: true}
	if err := s.crm.Customers.Interactions.Add(ctx, by.who, x); err != nil {
		return err
	}
	by.followups++
	s.now.followups++
	if by.dice.IntN(100) >= 3 {
		return nil
	}
	s.pass(by)
	s.orders++
	amount := decimal.New(int64(20+by.dice.IntN(380)), 2) // hundreds of yuan
	if c.Level == customer.LevelA || c.Level == customer.LevelB {
		amount = amount.Mul(decimal.NewFromInt(10))
	}
	_, err := s.crm.Customers.RecordDeal(ctx, by.who, customer.Deal{
		CustomerID: c.ID, System: "erp", Number: fmt.Sprintf("SO-%04d", s.orders), At: s.clock.Now(), Amount: amount,
	})
	if err != nil {
		return err
	}
	by.deals++
	by.revenue = by.revenue.Add(amount)
	s.now.deals++
	s.life(c.ID).deals++
	return nil
}

// giveBack releases a customer that leads nowhere, with a word of the host's dictionary.
func (s *story) giveBack(ctx context.Context, by *seller, c *customer.Customer) error {
	s.pass(by)
	reasons := []string{"no budget", "bought elsewhere", "nobody answers"}
	err := s.crm.Pool.Release(ctx, by.who, c.ID, &pool.ReleaseOptions{Reason: reasons[by.dice.IntN(len(reasons))]})
	if err == nil {
		s.now.byOwner++
		s.life(c.ID).givenBack++
	}
	return err
}

// pass lets some minutes go by: no two things of the story happen at the same instant.
func (s *story) pass(by *seller) {
	s.clock.now = s.clock.now.Add(time.Duration(2+by.dice.IntN(4)) * time.Minute)
}

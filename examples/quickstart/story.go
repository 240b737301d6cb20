package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/pool"
)

// seed of all dice: another one tells another story.
const seed = 2026

// shanghai is the zone of the tenant, in which people read times.
var shanghai = time.FixedZone("CST", 8*60*60)

// firstDay is a Monday, nine o'clock.
var firstDay = time.Date(2026, 3, 2, 9, 0, 0, 0, shanghai)

// clock is the time of the story.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

// story is what goes on in the database, and what the program notes about it.
type story struct {
	crm   *crm.CRM
	clock *clock
	out   io.Writer
	days  int

	sellers []*seller
	first   customer.ID // of the list
	loaded  int
	skipped []string
	orders  int

	territories map[pool.TerritoryID]string
	notes       []string
	inspected   int // times

	now       row // of the table, under way
	lives     map[customer.ID]*life
	refusals  [len(kinds)]refusals
	byRule    []pool.RuleCount
	hesitated int // nights in which the run refused to begin
}

// life is what the story notes about a customer, to find one worth telling.
type life struct{ claims, deals, givenBack, takenOff int }

// worth is high for a life with something of everything.
func (l *life) worth() int {
	return 100*(min(l.deals, 1)+min(l.givenBack, 1)+min(l.takenOff, 1)) + l.claims
}

func (s *story) life(id customer.ID) *life {
	if s.lives == nil {
		s.lives = map[customer.ID]*life{}
	}
	if s.lives[id] == nil {
		s.lives[id] = &life{}
	}
	return s.lives[id]
}

// row is a line of the table: what happened on some days.
type row struct {
	from, to                 int
	claims                   int
	refused                  [len(kinds)]int
	followups, deals         int
	byOwner, byHead, byRules int
	warned                   int
	hesitated                bool
}

// live goes through the days. A night belongs to the day before it.
func (s *story) live(ctx context.Context) error {
	s.heading()
	step := (s.days + 19) / 20 // about twenty lines, however long it goes on
	for today := 1; today <= s.days; today++ {
		if s.now.from == 0 {
			s.now.from = today
		}
		s.now.to = today
		if err := s.workday(ctx, today); err != nil {
			return err
		}
		s.clock.now = firstDay.AddDate(0, 0, today).Add(-6 * time.Hour) // three o'clock in the night that follows
		if err := s.warn(ctx); err != nil {
			return err
		}
		if err := s.recycle(ctx); err != nil {
			return err
		}
		if today%step == 0 || today == s.days {
			if err := s.line(ctx); err != nil {
				return err
			}
			s.now = row{}
		}
	}
	return nil
}

// On these days everybody is at a trade fair, and nobody speaks to a customer.
const fairFrom, fairTo = 31, 32

func (s *story) workday(ctx context.Context, today int) error {
	s.clock.now = firstDay.AddDate(0, 0, today-1)
	if today == fairFrom || today == fairTo {
		return nil
	}
	if err := s.scene(ctx, today); err != nil {
		return err
	}
	for _, by := range s.sellers {
		if by.left {
			continue
		}
		if err := s.openPool(ctx, by); err != nil {
			return err
		}
	}
	for i := range s.sellers { // another one is first every day
		if by := s.sellers[(today+i)%len(s.sellers)]; !by.left {
			if err := s.work(ctx, by); err != nil {
				return err
			}
		}
	}
	if today%5 == 0 {
		s.pass(s.sellers[0])
		return s.inspect(ctx)
	}
	return nil
}

// warn tells owners, a day before, what the rules are about to take. The warnings are events, which a host's relay brings to
// mail or chat. The built-in rule of 3 days leaves no room for the usual first warning, 3 days before.
func (s *story) warn(ctx context.Context) error {
	report, err := s.crm.Pool.Warn(ctx, crm.System("acme", "nightly warnings"), &pool.WarnOptions{Steps: []time.Duration{day}})
	s.now.warned += report.Warned
	return err
}

// recycle is the job of the night. A host starts it with a scheduler of its own; the CRM starts nothing by itself.
func (s *story) recycle(ctx context.Context) error {
	report, err := s.crm.Pool.Recycle(ctx, job, nil)
	if errors.Is(err, pool.TooManyDue) {
		// More than 20 % of all owned customers are due. That may be a typing error in a rule, so a person has to look; in
		// this story the whole team was away, and the administrator lets it run.
		s.hesitated++
		s.now.hesitated = true
		report, err = s.crm.Pool.Recycle(ctx, job, &pool.RecycleOptions{MaxShare: 100})
	}
	if err != nil {
		return err
	}
	s.now.byRules += report.Released
	if s.byRule == nil {
		s.byRule = report.ByRule
		return nil
	}
	for i, rule := range report.ByRule { // the rules of the story do not change
		s.byRule[i].Released += rule.Released
	}
	return nil
}

func (s *story) users() (users []crm.UserID) {
	for _, by := range s.sellers {
		users = append(users, by.who.User)
	}
	return users
}

// claimed notes a claim that was not refused. Nobody claims what is theirs.
func (s *story) claimed(by *seller, id customer.ID) {
	s.now.claims++
	s.life(id).claims++
	mine := func(other customer.ID) bool { return other == id }
	by.lost, by.screen = slices.DeleteFunc(by.lost, mine), slices.DeleteFunc(by.screen, mine)
}

// refusals is what the story notes about one kind of refusal.
type refusals struct {
	count int
	first struct { // for the explanation
		at       time.Time
		by       crm.UserID
		customer customer.ID
		refusal  *pool.Refusal
	}
}

// kinds are the refusals that the story tells apart, by the reason that programs act upon, with what the seller is told.
var kinds = [...]struct {
	reason error
	title  string
	words  func(no *pool.Refusal) string
}{
	{pool.Taken, "taken", func(*pool.Refusal) string { return "a colleague was faster" }},
	{pool.Protected, "protected", func(no *pool.Refusal) string {
		return "released a short time ago, nobody may have it before " + minute(no.Until)
	}},
	{pool.CoolDown, "cool-down", func(no *pool.Refusal) string {
		return "its last owner may have it again on " + minute(no.Until) + ", everybody else now"
	}},
	{pool.CapReached, "cap", func(no *pool.Refusal) string { return fmt.Sprintf("all %d places are in use", no.Limit) }},
	{pool.QuotaUsed, "quota", func(no *pool.Refusal) string {
		return fmt.Sprintf("all %d claims of the day are used, the next is possible on %s", no.Limit, minute(no.Until))
	}},
}

// refused notes a claim that was refused, by its reason.
func (s *story) refused(by *seller, id customer.ID, no *pool.Refusal) error {
	for i, kind := range kinds {
		if !errors.Is(no, kind.reason) {
			continue
		}
		s.now.refused[i]++
		r := &s.refusals[i]
		if r.count++; r.count == 1 {
			r.first.at, r.first.by, r.first.customer, r.first.refusal = s.clock.now, by.who.User, id, no
		}
		return nil
	}
	return fmt.Errorf("a refusal that this story does not expect: %w", no)
}

// minute is an instant as people write it here.
func minute(t time.Time) string { return t.In(shanghai).Format("2 Jan 15:04") }

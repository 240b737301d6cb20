package storagetest

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
)

func testTrail(t *testing.T, open Open) {
	t.Run("Changes", func(t *testing.T) { testChanges(t, open) })
	t.Run("Reading", func(t *testing.T) { testReadingTrail(t, open) })
	t.Run("Requests", func(t *testing.T) { testRequests(t, open) })
	t.Run("Order", func(t *testing.T) { testTrailOrder(t, open) })
}

// audit is the audit trail of a filter, newest first, two rows at a time.
func (b *bundle) audit(f team.TrailFilter) (all []kernel.AuditEntry) {
	b.t.Helper()
	for p := (crm.Page{Limit: 2}); ; {
		l, err := b.Team.Trail.Audit(b.t.Context(), boss, f, p)
		require.NoError(b.t, err)
		all = append(all, l.Items...)
		if p.After = l.Next; l.Next == "" {
			return all
		}
	}
}

// events are the events of a filter, two at a time.
func (b *bundle) events(f team.TrailFilter) (all []kernel.Event) {
	b.t.Helper()
	for p := (crm.Page{Limit: 2}); ; {
		l, err := b.Team.Trail.Events(b.t.Context(), boss, f, p)
		require.NoError(b.t, err)
		all = append(all, l.Items...)
		if p.After = l.Next; l.Next == "" {
			return all
		}
	}
}

func testChanges(t *testing.T, open Open) {
	t.Run("a change is one row of the trail, before and after, and one event", func(t *testing.T) {
		b := setup(t, open)
		m, err := b.Team.Members.Get(t.Context(), boss, "li")
		require.NoError(t, err)
		b.wait(time.Hour + time.Microsecond)
		m.PhoneExt, m.Name = "8001", `O'Neil "?\ 李`
		by := admin
		by.Request = "r1"
		_, err = b.Team.Members.Update(t.Context(), by, *m)
		require.NoError(t, err)
		row := b.audit(team.TrailFilter{Subject: m.Ref()})[0]
		require.JSONEq(t, `{}`, string(row.Before))
		require.JSONEq(t, `{"phone_ext": "8001", "name": "O'Neil \"?\\ 李"}`, string(row.After))
		event := b.events(team.TrailFilter{Subject: m.Ref()})[1]
		require.JSONEq(t, string(row.After), string(event.Data))
		require.Equal(t, kernel.AuditEntry{
			ID: row.ID, Subject: m.Ref(), Ref: m.Ref(), Type: "member.updated", Actor: "admin", Request: "r1", At: b.now().UTC(),
			Before: row.Before, After: row.After,
		}, row)
		require.Equal(t, kernel.Event{
			ID: event.ID, Subject: m.Ref(), Seq: 2, Ref: m.Ref(), Type: "member.updated", Actor: "admin", Request: "r1", At: b.now().UTC(), Data: event.Data,
		}, event)
	})
	t.Run("of a customer it tells what was and what is, and hangs on the customer", func(t *testing.T) {
		b := setup(t, open)
		c := b.get(b.create(1, "li")[0])
		c.Industry = "C35"
		require.NoError(t, b.Customers.Update(t.Context(), li, c))
		c.Industry, c.Level = "C13", customer.LevelA
		require.NoError(t, b.Customers.Update(t.Context(), li, c))
		row := b.audit(team.TrailFilter{Subject: c.Ref()})[0]
		require.JSONEq(t, `{"industry": "C35"}`, string(row.Before))
		require.JSONEq(t, `{"industry": "C13", "level": "A"}`, string(row.After))
		require.Equal(t, "customer.updated", row.Type)
	})
	t.Run("what the system actor does bears its reason", func(t *testing.T) {
		b := setup(t, open)
		d, err := b.Team.Departments.Create(t.Context(), crm.System("acme", "夜间任务 'x'"), team.Department{Name: "x"})
		require.NoError(t, err)
		row := b.audit(team.TrailFilter{Subject: d.Ref()})[0]
		require.Equal(t, kernel.SystemUser, row.Actor)
		require.Equal(t, "夜间任务 'x'", row.Reason)
		require.Nil(t, row.Before)
		require.NotNil(t, row.After)
		require.NoError(t, b.Team.Departments.Delete(t.Context(), admin, d.ID))
		row = b.audit(team.TrailFilter{Subject: d.Ref()})[0]
		require.Empty(t, row.Reason)
		require.NotNil(t, row.Before)
		require.Nil(t, row.After)
	})
	t.Run("every change of the team is there, in its order", func(t *testing.T) {
		b := setup(t, open)
		everyTeamUseCase(t, b, b.CRM)
		got := map[string]int{}
		for _, row := range b.audit(team.TrailFilter{}) {
			got[row.Type]++
			require.NotEmpty(t, string(row.Before)+string(row.After), row.Type)
		}
		require.Equal(t, map[string]int{
			"tenant.created": 1, "department.created": 3, "department.updated": 1, "department.deleted": 1, "member.added": 4, "member.updated": 1,
			"member.deactivated": 1, "member.activated": 1, "role.put": 1, "role.deleted": 1,
		}, got)
		b.agree()
	})
	t.Run("a change that is undone, by the host or by an error, leaves neither row nor event", func(t *testing.T) {
		b := setup(t, open)
		audits, events, subjects := b.count("SELECT count(*) FROM crm_audit"), b.count("SELECT count(*) FROM crm_outbox"), b.count("SELECT sum(seq) FROM crm_subjects")
		tx := b.begin()
		in := b.In(tx)
		require.NoError(t, in.Team.Members.Deactivate(t.Context(), boss, "li"))
		require.NoError(t, in.Customers.Create(t.Context(), wang, &customer.Customer{Name: "x"}))
		require.NoError(t, tx.Rollback())
		_, err := b.Customers.CreateMany(t.Context(), wang, []*customer.Customer{{Name: "x", Code: "K"}, {Name: "y", Code: "K"}}, kernel.AllOrNothing)
		require.ErrorIs(t, err, crm.ErrConflict)
		require.Equal(t, audits, b.count("SELECT count(*) FROM crm_audit"))
		require.Equal(t, events, b.count("SELECT count(*) FROM crm_outbox"))
		require.Equal(t, subjects, b.count("SELECT sum(seq) FROM crm_subjects"))
	})
	t.Run("events of one subject are numbered without gaps, however many write at once", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		m, err := b.Team.Members.Get(t.Context(), boss, "wang")
		require.NoError(t, err)
		together(8, func(i int) {
			for j := range 3 {
				err := insist(func() error {
					if i%2 == 0 {
						return b.Customers.SetStage(t.Context(), li, id, customer.Lost, fmt.Sprintf("%d-%d", i, j))
					}
					if err := b.Team.Members.Deactivate(t.Context(), boss, "wang"); err != nil {
						return err
					}
					return b.Team.Members.Activate(t.Context(), boss, "wang")
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
		require.Len(t, b.types((&customer.Customer{ID: id}).Ref()), 1+12)
		states := b.types(m.Ref())
		require.Equal(t, "member.added", states[0])
		for i, state := range states[1:] { // and in the order in which they happened
			require.Equal(t, []string{"member.deactivated", "member.activated"}[i%2], state)
		}
		b.agree()
	})
	t.Run("rows of the trail and of the operation log refuse to be changed or deleted", func(t *testing.T) {
		b := setup(t, open)
		require.NoError(t, b.Pool.Claim(t.Context(), li, b.create(1, "")[0]))
		for _, table := range []string{"crm_audit", "crm_operations"} {
			before := b.count("SELECT count(*) FROM " + table + " WHERE actor <> 'nobody'")
			require.Positive(t, before)
			texts := []string{
				"UPDATE " + table + " SET actor = 'nobody'", "DELETE FROM " + table, "DELETE FROM " + table + " WHERE actor = 'li'",
			}
			upsert := "INSERT INTO " + table + " SELECT * FROM " + table + " WHERE true ON CONFLICT (%s) DO UPDATE SET actor = 'nobody'"
			if b.postgres() {
				texts = append(texts, fmt.Sprintf(upsert, "tenant_id, id"), "TRUNCATE "+table, "TRUNCATE crm_tenants CASCADE")
			} else {
				texts = append(texts, fmt.Sprintf(upsert, "id"), "REPLACE INTO "+table+" SELECT * FROM "+table, "INSERT OR REPLACE INTO "+table+" SELECT * FROM "+table+" LIMIT 1",
					"UPDATE OR REPLACE "+table+" SET id = id + 1")
			}
			for _, text := range texts {
				_, err := b.db.Exec(text)
				require.ErrorContains(t, err, "never changed", text)
			}
			require.Equal(t, before, b.count("SELECT count(*) FROM "+table+" WHERE actor <> 'nobody'"))
		}
	})
}

func testReadingTrail(t *testing.T, open Open) {
	t.Run("pages neither repeat nor skip, while others write", func(t *testing.T) {
		b := setup(t, open)
		var want []int64
		for _, row := range b.audit(team.TrailFilter{}) {
			want = append(want, row.ID)
		}
		var got []int64
		for p := (crm.Page{Limit: 2}); ; {
			l, err := b.Team.Trail.Audit(t.Context(), boss, team.TrailFilter{}, p)
			require.NoError(t, err)
			for _, row := range l.Items {
				got = append(got, row.ID)
			}
			b.department(team.Department{Name: "x"}) // newer than all that is read from here on
			if p.After = l.Next; l.Next == "" {
				break
			}
		}
		require.Equal(t, want, got)
		for i, e := range b.events(team.TrailFilter{}) {
			if i > 0 {
				require.Greater(t, e.ID, want[len(want)-1], "in the order of ids")
			}
		}
	})
	t.Run("a span of time is paged by time and id: rows of one instant neither repeat nor are skipped", func(t *testing.T) {
		b := setup(t, open)
		first := b.audit(team.TrailFilter{}) // all of one instant
		require.Greater(t, len(first), 4)
		b.wait(-time.Hour) // a clock was set back: what is written now is older
		d := b.department(team.Department{Name: "older"})
		b.wait(2 * time.Hour)
		b.department(team.Department{Name: "newer"})
		got := b.audit(team.TrailFilter{From: start.Add(-time.Hour), To: start.Add(time.Hour)})
		require.Equal(t, first, got[:len(first)])
		require.Len(t, got, len(first)+1)
		require.EqualValues(t, d, got[len(first)].Ref.ID)
		require.Equal(t, first, b.audit(team.TrailFilter{From: start, To: start.Add(time.Microsecond)}))
		l, err := b.Team.Trail.Audit(t.Context(), boss, team.TrailFilter{From: start}, crm.Page{Limit: 1})
		require.NoError(t, err)
		_, err = b.Team.Trail.Audit(t.Context(), boss, team.TrailFilter{}, crm.Page{After: l.Next})
		requireError(t, err, crm.ErrInvalid, kernel.Malformed, "after")
	})
	t.Run("a cursor of another list is refused", func(t *testing.T) {
		b := setup(t, open)
		l, err := b.Team.Trail.Events(t.Context(), boss, team.TrailFilter{}, crm.Page{Limit: 1})
		require.NoError(t, err)
		_, err = b.Team.Trail.Audit(t.Context(), boss, team.TrailFilter{}, crm.Page{After: l.Next})
		requireError(t, err, crm.ErrInvalid, kernel.Malformed, "after")
		_, err = b.Team.Trail.Events(t.Context(), boss, team.TrailFilter{Subject: kernel.Ref{Kind: team.TenantKind}}, crm.Page{After: l.Next})
		requireError(t, err, crm.ErrInvalid, kernel.Malformed, "after")
	})
	t.Run("filters leave what they name: subject, actor, types, from and until", func(t *testing.T) {
		b := setup(t, open)
		b.wait(day)
		from := b.now()
		d, err := b.Team.Departments.Create(t.Context(), admin, team.Department{Name: "x"})
		require.NoError(t, err)
		b.wait(time.Microsecond)
		until := b.now()
		require.NoError(t, b.Team.Members.Deactivate(t.Context(), admin, "li"))
		for name, c := range map[string]struct {
			filter team.TrailFilter
			want   []string // newest first
		}{
			"subject":          {team.TrailFilter{Subject: d.Ref()}, []string{"department.created"}},
			"the tenant":       {team.TrailFilter{Subject: kernel.Ref{Kind: team.TenantKind}}, []string{"tenant.created"}},
			"actor":            {team.TrailFilter{Actor: "admin"}, []string{"member.deactivated", "department.created"}},
			"actor of nowhere": {team.TrailFilter{Actor: "nobody"}, nil},
			"types":            {team.TrailFilter{Types: []string{"tenant.created", "department.created"}}, []string{"department.created", "department.created", "tenant.created"}},
			"at or after":      {team.TrailFilter{From: from}, []string{"member.deactivated", "department.created"}},
			"before":           {team.TrailFilter{From: from, To: until}, []string{"department.created"}},
			"all of them":      {team.TrailFilter{Subject: d.Ref(), Actor: "admin", Types: []string{"department.created"}, From: from, To: until}, []string{"department.created"}},
			"none":             {team.TrailFilter{Subject: d.Ref(), To: from}, nil},
		} {
			var audit, events []string
			for _, row := range b.audit(c.filter) {
				audit = append(audit, row.Type)
			}
			for _, e := range b.events(c.filter) {
				events = append([]string{e.Type}, events...)
			}
			require.Equal(t, c.want, audit, name)
			require.Equal(t, c.want, events, name)
		}
		_, err = b.Team.Trail.Audit(t.Context(), boss, team.TrailFilter{Actor: "a\x00"}, crm.Page{})
		requireError(t, err, crm.ErrInvalid, kernel.BadText, "actor")
	})
	t.Run("a seller reads none, an auditor all of its own tenant", func(t *testing.T) {
		b := setup(t, open)
		_, err := b.Team.Trail.Audit(t.Context(), li, team.TrailFilter{}, crm.Page{})
		requireError(t, err, crm.ErrDenied, "", string(team.AuditRead))
		_, err = b.Team.Trail.Events(t.Context(), li, team.TrailFilter{}, crm.Page{})
		requireError(t, err, crm.ErrDenied, "", string(team.AuditRead))
		require.NoError(t, b.Team.Members.Add(t.Context(), otherBoss, team.Member{User: "auditor", Role: team.Auditor}))
		l, err := b.Team.Trail.Audit(t.Context(), crm.Actor{Tenant: "other", User: "auditor"}, team.TrailFilter{}, crm.Page{})
		require.NoError(t, err)
		require.Len(t, l.Items, 3, "the tenant and its two members")
	})
}

func testRequests(t *testing.T, open Open) {
	with := func(a crm.Actor, request string) crm.Actor {
		a.Request = request
		return a
	}
	t.Run("the same again returns what the first one did, and changes nothing", func(t *testing.T) {
		b := setup(t, open)
		by := with(li, "order 7 '?")
		first, again := &customer.Customer{Name: "x"}, &customer.Customer{Name: "x"}
		require.NoError(t, b.Customers.Create(t.Context(), by, first))
		before := b.count("SELECT count(*) FROM crm_audit")
		b.wait(6 * day)
		require.NoError(t, b.Customers.Create(t.Context(), by, again))
		require.Equal(t, first, again)
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_customers"))
		for range 2 {
			got, err := b.Pool.ClaimMany(t.Context(), with(li, "claim"), []customer.ID{first.ID, first.ID}, pool.WhatCanBeHad)
			require.NoError(t, err)
			require.Equal(t, []customer.ID{first.ID}, got.Claimed)
			require.Len(t, got.Refused, 1)
			require.Equal(t, pool.Taken, got.Refused[0].Why.Reason)
		}
		for range 2 {
			require.NoError(t, b.Pool.Release(t.Context(), with(li, "release"), first.ID, nil))
		}
		require.Equal(t, before+2, b.count("SELECT count(*) FROM crm_audit"))
		row := b.audit(team.TrailFilter{Subject: first.Ref()})[2]
		require.Equal(t, by.Request, row.Request)
		require.Equal(t, by.Request, b.events(team.TrailFilter{Subject: first.Ref()})[0].Request)
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_operations WHERE request = 'claim'"))
		b.agree()
	})
	t.Run("with other content, or by another user, it is refused; for another call or tenant it is another", func(t *testing.T) {
		b := setup(t, open)
		require.NoError(t, b.Customers.Create(t.Context(), with(li, "r"), &customer.Customer{Name: "x"}))
		requireError(t, b.Customers.Create(t.Context(), with(li, "r"), &customer.Customer{Name: "y"}), crm.ErrConflict, kernel.Reused, "actor.request")
		requireError(t, b.Customers.Create(t.Context(), with(wang, "r"), &customer.Customer{Name: "x"}), crm.ErrConflict, kernel.Reused, "actor.request")
		_, err := b.Customers.CreateMany(t.Context(), with(li, "r"), []*customer.Customer{{Name: "x"}}, kernel.AllOrNothing)
		require.NoError(t, err)
		require.NoError(t, b.Customers.Create(t.Context(), with(otherLi, "r"), &customer.Customer{Name: "y"}))
		require.Equal(t, 3, b.count("SELECT count(*) FROM crm_customers"))
	})
	t.Run("a call that failed or was rolled back leaves its request free", func(t *testing.T) {
		b := setup(t, open)
		by := with(boss, "r")
		requireError(t, b.Team.Members.Add(t.Context(), by, team.Member{User: "li", Role: team.Seller}), crm.ErrConflict, kernel.Duplicate, "user")
		require.NoError(t, b.Team.Members.Add(t.Context(), by, team.Member{User: "new", Role: team.Seller}))
		tx := b.begin()
		by.Request = "s"
		require.NoError(t, b.In(tx).Team.Members.Add(t.Context(), by, team.Member{User: "newer", Role: team.Seller}))
		require.NoError(t, tx.Rollback())
		require.NoError(t, b.Team.Members.Add(t.Context(), by, team.Member{User: "newest", Role: team.Seller}))
	})
	t.Run("at once by many: one effect, and all get its result", func(t *testing.T) {
		b := setup(t, open)
		made := make([]customer.Customer, 6)
		together(6, func(i int) {
			c := &customer.Customer{Name: "x"}
			if err := insist(func() error { return b.Customers.Create(t.Context(), with(li, "r"), c) }); err != nil {
				t.Error(err)
			}
			made[i] = *c
		})
		for _, c := range made {
			require.Equal(t, made[0], c)
			require.NotZero(t, c.ID)
		}
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_customers"))
		b.agree()
	})
	t.Run("at once with different content: one effect, the others are refused", func(t *testing.T) {
		b := setup(t, open)
		errs := make([]error, 4)
		together(4, func(i int) {
			errs[i] = insist(func() error {
				return b.Customers.Create(t.Context(), with(li, "r"), &customer.Customer{Name: strconv.Itoa(i)})
			})
		})
		done := 0
		for _, err := range errs {
			if err == nil {
				done++
			} else if !errors.Is(err, kernel.Reused) {
				t.Error(err)
			}
		}
		require.Equal(t, 1, done)
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_customers"))
	})
	t.Run("outcomes are kept for 7 days, and then go by a call of their tenant", func(t *testing.T) {
		b := setup(t, open)
		require.NoError(t, b.Team.Members.Add(t.Context(), with(boss, "r"), team.Member{User: "new", Role: team.Seller}))
		require.NoError(t, b.Team.Members.Add(t.Context(), with(otherBoss, "r"), team.Member{User: "new", Role: team.Seller}))
		b.wait(7 * day)
		n, err := b.Team.ForgetRequests(t.Context(), boss)
		require.NoError(t, err)
		require.Zero(t, n)
		require.NoError(t, b.Team.Members.Add(t.Context(), with(boss, "r"), team.Member{User: "new", Role: team.Seller}), "still known")
		b.wait(time.Microsecond)
		require.NoError(t, b.Team.Members.Add(t.Context(), with(boss, "young"), team.Member{User: "newer", Role: team.Seller}))
		n, err = b.Team.ForgetRequests(t.Context(), boss)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		err = b.Team.Members.Add(t.Context(), with(boss, "r"), team.Member{User: "new", Role: team.Seller})
		requireError(t, err, crm.ErrConflict, kernel.Duplicate, "user")
		require.NoError(t, b.Team.Members.Add(t.Context(), with(boss, "young"), team.Member{User: "newer", Role: team.Seller}))
		require.NoError(t, b.Team.Members.Add(t.Context(), with(otherBoss, "r"), team.Member{User: "new", Role: team.Seller}))
		_, err = b.Team.ForgetRequests(t.Context(), admin)
		require.ErrorIs(t, err, crm.ErrDenied)
	})
}

package storagetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
	"github.com/openseas/crm/team/calendar"
)

var office = []calendar.Window{{From: calendar.At(9, 0), To: calendar.At(12, 0)}, {From: calendar.At(13, 0), To: calendar.At(18, 0)}}

// calendar puts one: Monday to Friday, but for Monday and Tuesday 2 and 3 March 2026; Sunday 1 March is worked instead.
func (b *bundle) calendar(name string) *team.Calendar {
	b.t.Helper()
	c := &team.Calendar{Name: name, Spec: calendar.Spec{
		Week:     calendar.MondayToFriday(office...),
		Holidays: []calendar.Holiday{{From: "2026-03-02", To: "2026-03-03", Name: "假期"}},
		Extra:    []calendar.ExtraDay{{Date: "2026-03-01", Name: "调休", Windows: office}},
	}}
	require.NoError(b.t, b.Team.Calendars.Put(b.t.Context(), boss, c))
	return c
}

func testCalendars(t *testing.T, open Open) {
	t.Run("comes back as it was put, in the tenant's zone unless it names one", func(t *testing.T) {
		b := setup(t, open)
		c := b.calendar("office")
		require.Equal(t, "Asia/Shanghai", c.Zone)
		got, err := b.Team.Calendars.Get(t.Context(), li, c.ID)
		require.NoError(t, err)
		require.Equal(t, c, got)
		got.Name, got.Zone = "Berlin", "Europe/Berlin"
		require.NoError(t, b.Team.Calendars.Put(t.Context(), admin, got))
		require.EqualValues(t, 2, got.Version)
		l, err := b.Team.Calendars.List(t.Context(), li, crm.Page{})
		require.NoError(t, err)
		require.Equal(t, []*team.Calendar{got}, l.Items)
		b.agree()
	})
	t.Run("refuses a stale version, a name that is taken, and what cannot be reckoned with", func(t *testing.T) {
		b := setup(t, open)
		c, other := b.calendar("office"), b.calendar("shop")
		stale := *c
		require.NoError(t, b.Team.Calendars.Put(t.Context(), boss, c))
		requireError(t, b.Team.Calendars.Put(t.Context(), boss, &stale), crm.ErrConflict, kernel.Stale, "version")
		requireError(t, b.Team.Calendars.Put(t.Context(), boss, &team.Calendar{Name: "shop", Spec: other.Spec}), crm.ErrConflict, kernel.Duplicate, "name")
		c.Name = "shop"
		requireError(t, b.Team.Calendars.Put(t.Context(), boss, c), crm.ErrConflict, kernel.Duplicate, "name")
		requireError(t, b.Team.Calendars.Put(t.Context(), boss, &team.Calendar{Name: "x"}), crm.ErrInvalid, kernel.Empty, "week")
		requireError(t, b.Team.Calendars.Put(t.Context(), boss, &team.Calendar{ID: c.ID, Name: " "}), crm.ErrInvalid, kernel.Empty, "name")
		require.ErrorIs(t, b.Team.Calendars.Put(t.Context(), boss, &team.Calendar{ID: 1 << 40, Name: "y", Spec: other.Spec}), crm.ErrNotFound)
		require.ErrorIs(t, b.Team.Calendars.Put(t.Context(), li, c), crm.ErrDenied)
	})
	t.Run("goes unless a pool names it, and only within its tenant", func(t *testing.T) {
		b := setup(t, open)
		c := b.calendar("office")
		b.settings(func(p *pool.Pool) { p.Counting, p.Calendar = pool.CountWorking, c.ID })
		requireError(t, b.Team.Calendars.Delete(t.Context(), boss, c.ID), crm.ErrRefused, kernel.InUse, "calendar")
		b.settings(func(p *pool.Pool) { p.Counting, p.Calendar = pool.CountElapsed, 0 })
		require.ErrorIs(t, b.Team.Calendars.Delete(t.Context(), otherBoss, c.ID), crm.ErrNotFound)
		_, err := b.Team.Calendars.Get(t.Context(), otherBoss, c.ID)
		require.ErrorIs(t, err, crm.ErrNotFound)
		require.NoError(t, b.Team.Calendars.Delete(t.Context(), boss, c.ID))
		require.ErrorIs(t, b.Team.Calendars.Delete(t.Context(), boss, c.ID), crm.ErrNotFound)
		b.agree()
	})
	t.Run("put to use and deleted at once, one of the two is refused", func(t *testing.T) {
		b := setup(t, open)
		for i := range 5 {
			c := b.calendar("office")
			p, err := b.Pool.Pools.Get(t.Context(), boss, 0)
			require.NoError(t, err)
			p.Counting, p.Calendar = pool.CountWorking, c.ID
			errs := make([]error, 2)
			together(2, func(i int) {
				errs[i] = insist(func() error {
					if i == 0 {
						return b.Pool.Pools.Update(t.Context(), boss, p)
					}
					return b.Team.Calendars.Delete(t.Context(), boss, c.ID)
				})
			})
			require.NotEqual(t, errs[0] == nil, errs[1] == nil, "round %d: %v", i, errs)
			b.settings(func(p *pool.Pool) { p.Counting, p.Calendar = pool.CountElapsed, 0 })
			if errs[1] != nil {
				require.NoError(t, b.Team.Calendars.Delete(t.Context(), boss, c.ID))
			}
		}
	})
	t.Run("the migration leaves pools as they were: elapsed", func(t *testing.T) {
		b := setup(t, open)
		require.NoError(t, b.store.MigrateDown(t.Context(), 2))
		require.Equal(t, 2, b.count("SELECT count(*) FROM crm_pools"))
		require.NoError(t, b.store.Migrate(t.Context()))
		c := b.open(nil)
		p, err := c.Pool.Pools.Get(t.Context(), boss, 0)
		require.NoError(t, err)
		require.Equal(t, []any{pool.CountElapsed, team.CalendarID(0)}, []any{p.Counting, p.Calendar})
	})
}

func testCounting(t *testing.T, open Open) {
	// at moves the clock to a time of Shanghai.
	at := func(b *bundle, text string) {
		zone, err := time.LoadLocation("Asia/Shanghai")
		require.NoError(b.t, err)
		to, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
		require.NoError(b.t, err)
		b.micros.Store(to.UnixMicro())
	}
	// takes creates one customer, and says when a run takes it: not a microsecond before.
	takes := func(b *bundle, created, want string) {
		at(b, created)
		id := b.create(1, "li")[0]
		at(b, want)
		b.wait(-time.Microsecond)
		require.Zero(b.t, b.recycle().Released, created)
		b.wait(time.Microsecond)
		require.Equal(b.t, 1, b.recycle().Released, created)
		require.Empty(b.t, b.owner(id))
	}
	t.Run("calendar days begin at the tenant's midnight", func(t *testing.T) {
		b := setup(t, open)
		b.settings(func(p *pool.Pool) { p.Counting = pool.CountCalendar })
		r := b.rule(pool.Rule{Condition: "followup_days > 3", Action: pool.Release})
		takes(b, "2026-02-26 23:59", "2026-03-02 00:00")
		takes(b, "2026-03-02 00:00", "2026-03-06 00:00")
		r.Condition = "followup_days >= 3"
		require.NoError(t, b.Pool.Pools.PutRule(t.Context(), boss, r))
		takes(b, "2026-03-06 12:00", "2026-03-09 00:00")
		b.agree()
	})
	t.Run("working days skip week-ends and holidays, and count those that make up for them", func(t *testing.T) {
		b := setup(t, open)
		c := b.calendar("office")
		b.settings(func(p *pool.Pool) { p.Counting, p.Calendar = pool.CountWorking, c.ID })
		b.rule(pool.Rule{Condition: "followup_days > 1", Action: pool.Release})
		takes(b, "2026-02-27 17:00", "2026-03-04 00:00") // Friday; Sunday is worked, Monday and Tuesday are not
		takes(b, "2026-03-06 17:00", "2026-03-10 00:00") // Friday
		takes(b, "2026-03-14 17:00", "2026-03-17 00:00") // Saturday
		c.Week[time.Saturday] = office
		require.NoError(t, b.Team.Calendars.Put(t.Context(), boss, c))
		takes(b, "2026-03-20 17:00", "2026-03-23 00:00") // Friday, and Saturday is worked from now on
		b.agree()
	})
	t.Run("a claim condition counts as its pool does; protection stays elapsed", func(t *testing.T) {
		b := setup(t, open)
		b.settings(func(p *pool.Pool) {
			p.Counting, p.ClaimCondition, p.Protection, p.CoolDown = pool.CountCalendar, "last_interaction_days > 0", 24*time.Hour, 0
		})
		at(b, "2026-03-01 23:00")
		id := b.create(1, "li")[0]
		b.followup(li, id)
		require.NoError(t, b.Pool.Release(t.Context(), li, id, nil))
		at(b, "2026-03-02 22:59")
		requireRefusal(t, b.Pool.Claim(t.Context(), wang, id), pool.Protected)
		b.settings(func(p *pool.Pool) { p.Protection = 0 })
		at(b, "2026-03-01 23:59")
		requireRefusal(t, b.Pool.Claim(t.Context(), wang, id), pool.Condition)
		at(b, "2026-03-02 00:00")
		require.NoError(t, b.Pool.Claim(t.Context(), wang, id))
		b.agree()
	})
	t.Run("fractions of days are refused by what counts whole ones, in the rule and in the setting", func(t *testing.T) {
		b := setup(t, open)
		c := b.calendar("office")
		half := b.rule(pool.Rule{Name: "half", Condition: "owned_days > 2.5", Action: pool.Release})
		p, err := b.Pool.Pools.Get(t.Context(), boss, 0)
		require.NoError(t, err)
		p.Counting, p.Calendar = pool.CountWorking, c.ID
		err = b.Pool.Pools.Update(t.Context(), boss, p)
		requireError(t, err, crm.ErrInvalid, pool.WholeDays, "counting")
		require.ErrorContains(t, err, `the rule "half"`)
		require.NoError(t, b.Pool.Pools.DeleteRule(t.Context(), boss, half.ID))
		require.NoError(t, b.Pool.Pools.Update(t.Context(), boss, p))
		requireError(t, b.Pool.Pools.PutRule(t.Context(), boss, &pool.Rule{Name: "x", Condition: "owned_days > 2.5", Action: pool.Keep}),
			crm.ErrInvalid, pool.WholeDays, "condition")
		p.ClaimCondition = "last_order_days > 0.5"
		requireError(t, b.Pool.Pools.Update(t.Context(), boss, p), crm.ErrInvalid, pool.WholeDays, "claim_condition")
	})
	t.Run("working days need a calendar that is there", func(t *testing.T) {
		b := setup(t, open)
		p := &pool.Pool{Name: "x", Settings: pool.DefaultSettings()}
		p.Counting = pool.CountWorking
		requireError(t, b.Pool.Pools.Create(t.Context(), boss, p), crm.ErrInvalid, kernel.Empty, "calendar")
		p.Calendar = 1 << 40
		requireError(t, b.Pool.Pools.Create(t.Context(), boss, p), crm.ErrInvalid, kernel.Unknown, "calendar")
		p.Calendar = b.calendar("office").ID
		require.NoError(t, b.Pool.Pools.Create(t.Context(), boss, p))
		p.Counting = "lunar"
		requireError(t, b.Pool.Pools.Update(t.Context(), boss, p), crm.ErrInvalid, kernel.Unknown, "counting")
	})
}

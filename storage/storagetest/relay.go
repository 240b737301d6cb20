package storagetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team"
)

// inbox is a handler that writes down what it is given.
type inbox struct {
	mu  sync.Mutex
	got []kernel.Event
}

func (i *inbox) take(_ context.Context, e kernel.Event) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.got = append(i.got, e)
	return nil
}

// of is the seqs of a subject, in the order in which they came.
func (i *inbox) of(subject kernel.Ref) (seqs []int64) {
	for _, e := range i.got {
		if e.Subject == subject {
			seqs = append(seqs, e.Seq)
		}
	}
	return seqs
}

func document(id int64) kernel.Ref { return kernel.Ref{Kind: "host.document", ID: id} }

// report writes n events of each of some documents.
func (b *bundle) report(n int, documents ...int64) {
	b.t.Helper()
	for range n {
		for _, id := range documents {
			require.NoError(b.t, b.Team.Trail.Report(b.t.Context(), boss, team.Report{Type: "host.read", Subject: document(id)}))
		}
	}
}

// drained delivers what the set-up made, so that a test sees only its own.
func drained(t *testing.T, open Open) *bundle {
	t.Helper()
	b := setup(t, open)
	b.deliver(new(inbox).take, nil)
	return b
}

func (b *bundle) deliver(h team.Handler, o *team.RelayOptions) team.RelayReport {
	b.t.Helper()
	report, err := b.Team.Relay.Deliver(b.t.Context(), boss, h, o)
	require.NoError(b.t, err)
	return report
}

func testRelay(t *testing.T, open Open) {
	t.Run("every event comes once, in the order of its subject, and the next call has nothing to do", func(t *testing.T) {
		b := setup(t, open)
		b.create(3, "li")
		for _, size := range []int{1, 2, 100} {
			var in inbox
			b.report(3, 1, 2)
			want := b.count("SELECT count(*) FROM crm_outbox WHERE tenant_id = (SELECT id FROM crm_tenants WHERE key = 'acme') AND delivered_at IS NULL")
			require.Equal(t, team.RelayReport{Delivered: want}, b.deliver(in.take, &team.RelayOptions{Batch: size}))
			require.Len(t, in.got, want)
			require.Len(t, in.of(document(1)), 3)
			require.IsIncreasing(t, in.of(document(1)))
			require.Zero(t, b.deliver(in.take, nil))
		}
		l, err := b.Team.Trail.Events(t.Context(), boss, team.TrailFilter{Subject: document(1)}, crm.Page{})
		require.NoError(t, err)
		b.report(1, 1)
		var in inbox
		b.deliver(in.take, nil)
		require.Equal(t, l.Items[0].Ref, in.got[0].Ref)
		require.Equal(t, []any{"host.read", boss.User, int64(10)}, []any{in.got[0].Type, in.got[0].Actor, in.got[0].Seq})
		b.agree()
	})
	t.Run("the other tenant's events stay where they are", func(t *testing.T) {
		b := drained(t, open)
		var in inbox
		report, err := b.Team.Relay.Deliver(t.Context(), otherBoss, in.take, nil)
		require.NoError(t, err)
		require.Positive(t, report.Delivered)
		_, err = b.Team.Relay.Deliver(t.Context(), crm.System("nobody", "x"), in.take, nil)
		require.ErrorIs(t, err, crm.ErrNotFound)
	})
	t.Run("8 writers and 2 relays at once: nothing lost, nothing twice, nothing out of order, though some fail", testRelayRace(open))
	t.Run("what is rolled back is never delivered, what is not committed not yet", func(t *testing.T) {
		b := drained(t, open)
		var in inbox
		beside := b.postgres() // on SQLite the host's transaction is the only one that may write
		for _, commit := range []bool{false, true} {
			tx := b.begin()
			require.NoError(t, b.In(tx).Team.Trail.Report(t.Context(), boss, team.Report{Type: "host.read", Subject: document(1)}))
			_, err := b.In(tx).Team.Relay.Deliver(t.Context(), boss, in.take, nil)
			require.ErrorIs(t, err, kernel.OwnCommits)
			if beside {
				require.Zero(t, b.deliver(in.take, nil))
			}
			if commit {
				require.NoError(t, tx.Commit())
			} else {
				require.NoError(t, tx.Rollback())
			}
			b.deliver(in.take, nil)
			require.Equal(t, commit, len(in.got) == 1)
		}
	})
	t.Run("a dead letter holds up its subject only, until it is retried or skipped", testDeadLetters(open))
	t.Run("a failed event is due at the very instant that the backoff says", func(t *testing.T) {
		b := drained(t, open)
		b.report(2, 1)
		o := &team.RelayOptions{Backoff: team.Backoff{First: time.Minute, Longest: 3 * time.Minute, Attempts: 5}}
		calls := 0
		refuse := func(context.Context, kernel.Event) error { calls++; return errors.New("busy") }
		for i, wait := range []time.Duration{time.Minute, 2 * time.Minute, 3 * time.Minute, 3 * time.Minute} {
			report := b.deliver(refuse, o)
			require.Equal(t, []int{1, i + 1, 0}, []int{report.Failed, calls, report.Dead})
			require.Equal(t, []any{i + 1, b.now().Add(wait).UTC()}, []any{report.Failures[0].Attempts, report.Failures[0].Due})
			b.wait(wait - time.Microsecond)
			require.Zero(t, b.deliver(refuse, o))
			b.wait(time.Microsecond)
		}
		require.Equal(t, 1, b.deliver(refuse, o).Dead, "the fifth attempt is the last")
		require.Equal(t, 5, calls)
		b.wait(1_000 * day)
		require.Zero(t, b.deliver(refuse, o))
	})
	t.Run("a panic is an error, and its text is kept as far as a column can", func(t *testing.T) {
		b := drained(t, open)
		b.report(1, 1, 2)
		report := b.deliver(func(_ context.Context, e kernel.Event) error {
			if e.Subject == document(1) {
				panic(errors.New("zero \x00 and \xff" + strings.Repeat("蓝", 600)))
			}
			return nil
		}, &team.RelayOptions{Backoff: team.Backoff{First: time.Second, Longest: time.Second, Attempts: 1}})
		require.Equal(t, []int{1, 1, 1}, []int{report.Delivered, report.Failed, report.Dead})
		var p *team.PanicError
		require.ErrorAs(t, report.Failures[0].Err, &p)
		require.Contains(t, string(p.Stack), "relay.go")
		l, err := b.Team.Relay.Dead(t.Context(), boss, crm.Page{})
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(l.Items[0].LastError, "the handler panicked: zero ? and ?蓝"), l.Items[0].LastError)
	})
	t.Run("a process that dies between delivery and mark: again when the lease ends, and not before", func(t *testing.T) {
		b := drained(t, open)
		b.report(3, 1)
		b.report(1, 2)
		var in inbox
		done := make(chan struct{})
		go func() {
			defer close(done)
			b.Team.Relay.Deliver(t.Context(), boss, func(ctx context.Context, e kernel.Event) error { //nolint:errcheck // it never returns
				if e.Seq == 2 {
					runtime.Goexit() // as good as killed: nothing that comes after is done
				}
				return in.take(ctx, e)
			}, nil)
		}()
		<-done
		require.Equal(t, []int64{1}, in.of(document(1)))
		b.wait(30*time.Second - time.Microsecond)
		require.Zero(t, b.deliver(in.take, nil))
		b.wait(time.Microsecond)
		require.Equal(t, 4, b.deliver(in.take, nil).Delivered)
		require.Equal(t, []int64{1, 1, 2, 3}, in.of(document(1)))
	})
	t.Run("a handler that outlasts the lease loses it, and its call leaves the subject to the other", func(t *testing.T) {
		b := drained(t, open)
		b.report(3, 1)
		b.report(1, 2)
		var in inbox
		report := b.deliver(func(ctx context.Context, e kernel.Event) error {
			if e.Subject == document(1) {
				b.wait(30 * time.Second)
				require.Equal(t, 4, b.deliver(in.take, nil).Delivered, "by another process") //nolint:contextcheck // it has its own
			}
			return in.take(ctx, e)
		}, nil)
		require.Equal(t, team.RelayReport{Lost: 1}, report)
		require.Equal(t, []int64{1, 2, 3, 1}, in.of(document(1)))
		require.Equal(t, []int64{1}, in.of(document(2)))
	})
	t.Run("slow handlers keep their lease", func(t *testing.T) {
		b := drained(t, open)
		b.report(6, 1)
		var in inbox
		report := b.deliver(func(ctx context.Context, e kernel.Event) error {
			b.wait(14 * time.Second)
			require.Zero(t, b.deliver(in.take, nil), "another process") //nolint:contextcheck // it has its own
			return in.take(ctx, e)
		}, nil)
		require.Equal(t, team.RelayReport{Delivered: 6}, report)
		require.Equal(t, []int64{1, 2, 3, 4, 5, 6}, in.of(document(1)))
	})
	t.Run("cancelled it stops after the present event, marks what was delivered and gives back the rest", func(t *testing.T) {
		b := drained(t, open)
		b.report(4, 1, 2)
		for i, result := range []error{nil, context.Canceled} {
			var in inbox
			ctx, cancel := context.WithCancel(t.Context())
			report, err := b.Team.Relay.Deliver(ctx, boss, func(_ context.Context, e kernel.Event) error {
				in.got = append(in.got, e)
				if len(in.got) == 2 {
					cancel()
					return result
				}
				return nil
			}, nil)
			require.ErrorIs(t, err, crm.ErrRetry)
			require.ErrorIs(t, err, context.Canceled)
			require.Equal(t, team.RelayReport{Delivered: 2 - i}, report)
			_, err = b.Team.Relay.Deliver(ctx, boss, in.take, nil)
			require.ErrorIs(t, err, crm.ErrRetry)
			require.Len(t, in.got, 2)
		}
		require.Equal(t, team.RelayReport{Delivered: 5}, b.deliver(new(inbox).take, nil), "at once, and without an attempt")
	})
	t.Run("a call with a limit says where the next one goes on", func(t *testing.T) {
		b := drained(t, open)
		b.report(3, 1, 2, 3)
		var in inbox
		o := &team.RelayOptions{Most: 2, Batch: 1}
		for range 5 {
			o.From = b.deliver(in.take, o).Next
		}
		require.Len(t, in.got, 9)
		require.Equal(t, []kernel.Ref{document(1), document(2), document(3), document(1)},
			[]kernel.Ref{in.got[0].Subject, in.got[1].Subject, in.got[2].Subject, in.got[3].Subject})
	})
	t.Run("thousands of subjects, many of them held up", func(t *testing.T) {
		b := drained(t, open)
		b.create(2_500, "")
		o := &team.RelayOptions{Batch: 1_000, Backoff: team.Backoff{First: time.Second, Longest: time.Second, Attempts: 1}}
		var even atomic.Int64
		report := b.deliver(func(context.Context, kernel.Event) error {
			if even.Add(1)%2 == 0 {
				return errors.New("no")
			}
			return nil
		}, o)
		require.Equal(t, []int{1_250, 1_250, 100}, []int{report.Delivered, report.Dead, len(report.Failures)})
		b.report(1, 1)
		require.Equal(t, 1, b.deliver(new(inbox).take, o).Delivered)
		back, err := b.Team.Relay.Backlog(t.Context(), admin)
		require.NoError(t, err)
		require.Equal(t, team.Backlog{Events: 1_250, Subjects: 1_250, Dead: 1_250, Oldest: b.now().UTC()}, back)
	})
	t.Run("what was delivered long enough ago is purged, what was not never", func(t *testing.T) {
		b := drained(t, open)
		b.wait(time.Hour)
		b.report(2, 1)
		b.deliver(new(inbox).take, nil)
		b.report(1, 2)
		before := b.count("SELECT count(*) FROM crm_outbox WHERE delivered_at IS NOT NULL") - 2
		purge := func(d time.Duration) int {
			n, err := b.Team.Relay.Purge(t.Context(), boss, d)
			require.NoError(t, err)
			return n
		}
		b.wait(7*day - time.Hour - time.Microsecond)
		require.Zero(t, purge(0))
		b.wait(time.Microsecond)
		require.Equal(t, before, purge(0))
		require.Zero(t, purge(0))
		b.wait(time.Hour)
		require.Equal(t, 2, purge(0))
		b.wait(1_000 * day)
		require.Zero(t, purge(time.Nanosecond))
		require.Equal(t, 1, b.deliver(new(inbox).take, nil).Delivered)
		_, err := b.Team.Relay.Purge(t.Context(), boss, -1)
		require.ErrorIs(t, err, crm.ErrInvalid)
	})
	t.Run("only the system actor delivers and purges; what cannot be is refused", func(t *testing.T) {
		b := setup(t, open)
		var in inbox
		_, err := b.Team.Relay.Deliver(t.Context(), admin, in.take, nil)
		require.ErrorIs(t, err, crm.ErrDenied)
		_, err = b.Team.Relay.Purge(t.Context(), admin, 0)
		require.ErrorIs(t, err, crm.ErrDenied)
		_, err = b.Team.Relay.Backlog(t.Context(), li)
		require.ErrorIs(t, err, crm.ErrDenied)
		_, err = b.Team.Relay.Dead(t.Context(), li, crm.Page{})
		require.ErrorIs(t, err, crm.ErrDenied)
		require.ErrorIs(t, b.Team.Relay.Skip(t.Context(), li, 1), crm.ErrDenied)
		_, err = b.Team.Relay.Deliver(t.Context(), boss, nil, nil)
		requireError(t, err, crm.ErrInvalid, kernel.Empty, "handler")
		for field, o := range map[string]team.RelayOptions{
			"batch": {Batch: 1_001}, "lease": {Lease: time.Second - 1}, "most": {Most: -1},
			"backoff.first":    {Backoff: team.Backoff{Longest: time.Hour, Attempts: 1}},
			"backoff.longest":  {Backoff: team.Backoff{First: time.Minute, Longest: time.Second, Attempts: 1}},
			"backoff.attempts": {Backoff: team.Backoff{First: time.Minute, Longest: time.Hour}},
		} {
			_, err = b.Team.Relay.Deliver(t.Context(), boss, in.take, &o)
			requireError(t, err, crm.ErrInvalid, kernel.OutOfRange, field)
		}
		require.Empty(t, in.got)
	})
	t.Run("events from before the relay are delivered, in order, and older versions go on writing", testRelayMigration(open))
}

func testRelayRace(open Open) func(t *testing.T) {
	return func(t *testing.T) {
		b := drained(t, open)
		const writers, each, subjects = 8, 15, 5
		var writing sync.WaitGroup
		var ended atomic.Bool
		for w := range writers {
			writing.Go(func() {
				for i := range each {
					r := team.Report{Type: "host.read", Subject: document(int64((w + i) % subjects))}
					if err := insist(func() error { return b.Team.Trail.Report(t.Context(), boss, r) }); err != nil {
						t.Error(err)
					}
				}
			})
		}
		go func() { writing.Wait(); ended.Store(true) }()
		var in inbox
		var calls atomic.Int64
		together(2, func(int) {
			o := &team.RelayOptions{Batch: 7, Backoff: team.Backoff{First: time.Millisecond, Longest: time.Millisecond, Attempts: 1_000}}
			for last := false; ; {
				report, err := b.Team.Relay.Deliver(t.Context(), boss, func(ctx context.Context, e kernel.Event) error {
					if calls.Add(1)%9 == 0 {
						return errors.New("now and then")
					}
					return in.take(ctx, e)
				}, o)
				if err != nil && !errors.Is(err, crm.ErrRetry) {
					t.Error(err)
					return
				}
				if report.Lost > 0 {
					t.Errorf("%+v", report)
				}
				b.wait(time.Millisecond)
				in.mu.Lock()
				all := len(in.got) >= writers*each
				in.mu.Unlock()
				if last && all {
					return
				}
				last = ended.Load()
			}
		})
		require.Len(t, in.got, writers*each)
		for s := range int64(subjects) {
			want := make([]int64, writers*each/subjects)
			for i := range want {
				want[i] = int64(i) + 1
			}
			require.Equal(t, want, in.of(document(s)))
		}
		require.Zero(t, b.count("SELECT count(*) FROM crm_outbox WHERE delivered_at IS NULL AND subject_kind = 'host.document'"))
		b.agree()
	}
}

func testDeadLetters(open Open) func(t *testing.T) {
	return func(t *testing.T) {
		b := drained(t, open)
		b.report(3, 1, 2, 3)
		var in inbox
		broken := map[kernel.Ref]bool{document(1): true, document(3): true}
		h := func(ctx context.Context, e kernel.Event) error {
			if broken[e.Subject] && e.Seq == 2 {
				return errors.New("no such place")
			}
			return in.take(ctx, e)
		}
		o := &team.RelayOptions{Backoff: team.Backoff{First: time.Second, Longest: time.Second, Attempts: 2}}
		b.deliver(h, o)
		b.wait(time.Second)
		require.Equal(t, 2, b.deliver(h, o).Dead)
		back, err := b.Team.Relay.Backlog(t.Context(), admin)
		require.NoError(t, err)
		require.Equal(t, team.Backlog{Events: 4, Subjects: 2, Dead: 2, Oldest: b.now().Add(-time.Second).UTC()}, back)

		l, err := b.Team.Relay.Dead(t.Context(), admin, crm.Page{Limit: 1})
		require.NoError(t, err)
		require.Len(t, l.Items, 1)
		one := l.Items[0]
		require.Equal(t, []any{document(1), int64(2), 2, "no such place", b.now().UTC()},
			[]any{one.Subject, one.Seq, one.Attempts, one.LastError, one.DiedAt})
		l, err = b.Team.Relay.Dead(t.Context(), admin, crm.Page{Limit: 1, After: l.Next})
		require.NoError(t, err)
		require.Len(t, l.Items, 1)
		three := l.Items[0]
		require.Equal(t, document(3), three.Subject)
		require.Empty(t, l.Next)

		b.report(1, 1, 2, 3)
		b.wait(day)
		require.Equal(t, 1, b.deliver(h, o).Delivered, "of document 2 only")
		require.Equal(t, []int64{1, 2, 3, 4}, in.of(document(2)))
		require.ErrorIs(t, b.Team.Relay.Retry(t.Context(), otherBoss, one.ID), crm.ErrNotFound)
		require.NoError(t, b.Team.Relay.Retry(t.Context(), admin, one.ID))
		require.NoError(t, b.Team.Relay.Skip(t.Context(), admin, three.ID))
		for _, id := range []int64{one.ID, three.ID} {
			requireError(t, b.Team.Relay.Skip(t.Context(), admin, id), crm.ErrRefused, team.NotDead, "")
		}
		require.Equal(t, 1, b.deliver(h, o).Failed, "retried, and it fails again")
		delete(broken, document(1))
		b.wait(time.Second)
		b.deliver(h, o)
		require.Equal(t, []int64{1, 2, 3, 4}, in.of(document(1)))
		require.Equal(t, []int64{1, 3, 4}, in.of(document(3)))
		a, err := b.Team.Trail.Audit(t.Context(), boss, team.TrailFilter{Types: []string{"event.retried", "event.skipped"}}, crm.Page{})
		require.NoError(t, err)
		require.Equal(t, []string{"event.skipped", "event.retried"}, []string{a.Items[0].Type, a.Items[1].Type})
		b.agree()
	}
}

func testRelayMigration(open Open) func(t *testing.T) {
	return func(t *testing.T) {
		b := setup(t, open)
		b.report(2, 1)
		b.deliver(new(inbox).take, nil)
		events := func() []int {
			return []int{b.count("SELECT count(*) FROM crm_outbox"), b.count("SELECT count(*) FROM crm_audit")}
		}
		old := b.create(1, "")[0]
		require.NoError(t, b.Pool.Claim(t.Context(), li, old))
		was := events()
		require.NoError(t, b.store.MigrateDown(t.Context(), 1))
		_, err := b.db.Exec("SELECT delivered_at FROM crm_outbox")
		require.Error(t, err)
		require.Equal(t, was, events())
		b.report(1, 1) // by the statements that an older version has: they name no column of the relay
		require.NoError(t, b.store.Migrate(t.Context()))
		b.open(nil)
		require.NoError(t, b.Pool.Release(t.Context(), li, old, nil))
		b.report(1, 1)
		var in inbox
		b.deliver(in.take, nil)
		require.Equal(t, []int64{1, 2, 3, 4}, in.of(document(1)))
		require.Equal(t, []int64{1, 2, 3}, in.of(kernel.Ref{Kind: "customer", ID: int64(old)}))
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_migrations WHERE version = 2 AND compatible_from = 1"))
		require.True(t, slices.IsSortedFunc(in.got, func(x, y kernel.Event) int {
			if x.Subject != y.Subject {
				return 0
			}
			return int(x.Seq - y.Seq)
		}), fmt.Sprint(in.got))
		b.agree()
	}
}

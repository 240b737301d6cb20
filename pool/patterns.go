package pool

import (
	"context"
	"time"

	"github.com/openseas/crm/kernel"
)

// Patterns are questions to the operation log about how members use the pool: what no rule forbids, and what a superior
// should see all the same. They need the permission audit.read, from a role that reaches all. An answer is a reason to ask,
// and no proof.
type Patterns[I RecordID] struct {
	kind Kind
	core kernel.Service[Tx]
}

// PatternFilter is which part of the log is asked.
type PatternFilter struct {
	From time.Time // claims, or releases, at it or later; zero: from the beginning
	To   time.Time // before it; zero: until now
	// Within is how soon the second step must follow the first, up to 3,650 days. Defaults to 7 days for a release after a
	// claim, and to 30 for a claim after a release: the default protection and cool-down.
	Within time.Duration
}

// ClaimAndRelease is a member that claims and gives back.
type ClaimAndRelease struct {
	Member   kernel.UserID `json:"member"`
	Claims   int           `json:"claims"`   // in the window
	Released int           `json:"released"` // of these, put back by itself in time, with no follow-up between
	Share    int           `json:"share"`    // Released in percent of Claims, rounded down
}

// ClaimReleased is a record that a member claimed and put back.
type ClaimReleased[I RecordID] struct {
	ID         I             `json:"id"`
	Member     kernel.UserID `json:"member"`
	ClaimedAt  time.Time     `json:"claimed_at"`
	ReleasedAt time.Time     `json:"released_at"`
	Reason     string        `json:"reason,omitempty"`
}

// OpenAndClaim is a member that opens records in the pool.
type OpenAndClaim struct {
	Member  kernel.UserID `json:"member"`
	Opened  int           `json:"opened"`  // in the window: once per record and day
	Claimed int           `json:"claimed"` // of these, claimed by itself in time
	Share   int           `json:"share"`   // Claimed in percent of Opened, rounded down
}

// Swap is two members that hand records to each other through the pool.
type Swap struct {
	A            kernel.UserID `json:"a"` // A < B
	B            kernel.UserID `json:"b"`
	ToB          int           `json:"to_b"`           // A released, B was the next to have it and claimed it in time
	ToA          int           `json:"to_a"`           // and the other way round; both are at least 1
	BackAndForth int           `json:"back_and_forth"` // records that went both ways
}

// Handed is a record that one of two members released and the other one claimed.
type Handed[I RecordID] struct {
	ID         I             `json:"id"`
	From       kernel.UserID `json:"from"`
	To         kernel.UserID `json:"to"`
	ReleasedAt time.Time     `json:"released_at"`
	ClaimedAt  time.Time     `json:"claimed_at"`
}

// PatternRange is a PatternFilter as a repository needs it: complete.
type PatternRange struct {
	From, To          time.Time
	Within            time.Duration
	FirstDay, LastDay kernel.Date // of the tenant, that From and To lie on
}

// Listed is an item of a list, with the keys that the list is ordered by.
type Listed[T any] struct {
	Item T
	Keys []int64
}

// PatternRepository asks the operation log of one kind of record. Every call is one statement, which the order in which
// lines were written, and that of a record's lines, serve.
type PatternRepository interface {
	// ClaimAndRelease must return w.Limit+1 members at most that have Released, the most first; keys are Released and the
	// member's number.
	ClaimAndRelease(ctx context.Context, t kernel.TenantID, r PatternRange, w kernel.Window) ([]Listed[ClaimAndRelease], error)
	// ClaimsReleased must return w.Limit+1 of a member's at most, newest claim first; the key is the number of its line.
	ClaimsReleased(ctx context.Context, t kernel.TenantID, r PatternRange, user kernel.UserID, w kernel.Window) ([]Listed[ClaimReleased[int64]], error)
	// OpenAndClaim must return w.Limit+1 members at most that opened something, those first that left the most unclaimed; keys
	// are that number and the member's.
	OpenAndClaim(ctx context.Context, t kernel.TenantID, r PatternRange, w kernel.Window) ([]Listed[OpenAndClaim], error)
	// Swaps must return w.Limit+1 pairs at most, those first of which the smaller number is greatest; keys are that number
	// and the numbers of both members.
	Swaps(ctx context.Context, t kernel.TenantID, r PatternRange, w kernel.Window) ([]Listed[Swap], error)
	// Handed must return w.Limit+1 of a pair at most, newest release first; the key is the number of its line.
	Handed(ctx context.Context, t kernel.TenantID, r PatternRange, pair [2]kernel.UserID, w kernel.Window) ([]Listed[Handed[int64]], error)
}

func (f PatternFilter) check() error {
	switch err := kernel.FirstError(kernel.CheckInstant("from", f.From), kernel.CheckInstant("to", f.To)); {
	case err != nil:
		return err
	case f.Within < 0 || f.Within > longest || f.Within%time.Microsecond != 0:
		return kernel.Invalidf("within", kernel.OutOfRange, "0 to 3,650 days, in microseconds")
	case !f.To.IsZero() && !f.From.Before(f.To):
		return kernel.Invalidf("from", kernel.OutOfRange, "not before to")
	}
	return nil
}

func (f PatternFilter) within(c *kernel.Call[Tx], usual time.Duration) PatternRange {
	r := PatternRange{From: kernel.Instant(f.From), To: kernel.Instant(f.To), Within: f.Within}
	if r.To.IsZero() {
		r.To = c.Now.Add(time.Microsecond)
	}
	if r.Within == 0 {
		r.Within = usual
	}
	r.FirstDay, r.LastDay = kernel.DateOf(r.From, c.Rights.Zone), kernel.DateOf(r.To, c.Rights.Zone)
	return r
}

// look is what the questions have in common.
func look[I RecordID, T any](
	ctx context.Context, s *Patterns[I], a kernel.Actor, op, list string, keys int, f PatternFilter, p kernel.Page, usual time.Duration,
	ask func(ctx context.Context, tx PatternRepository, r PatternRange, w kernel.Window) ([]Listed[T], error), users ...kernel.UserID,
) (kernel.List[T], error) {
	w, err := p.Open(list, keys)
	err = kernel.FirstError(err, f.check())
	for _, user := range users {
		err = kernel.FirstError(err, kernel.CheckName("member", string(user), 200))
	}
	if err != nil {
		return kernel.List[T]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.AuditRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[T], error) {
		found, err := ask(ctx, c.Tx.Patterns(s.kind), f.within(c, usual), w)
		l := kernel.Cut(list, w, found, func(x Listed[T]) []int64 { return x.Keys })
		items := make([]T, len(l.Items))
		for i, x := range l.Items {
			items[i] = x.Item
		}
		return kernel.List[T]{Items: items, Next: l.Next}, err
	})
}

// ClaimAndRelease returns a page of the members that claim records and put them back by themselves within 7 days
// (PatternFilter.Within) without a follow-up by anybody in between: those with the most of them first. The window is that
// of the claims.
func (s *Patterns[I]) ClaimAndRelease(ctx context.Context, a kernel.Actor, f PatternFilter, p kernel.Page) (kernel.List[ClaimAndRelease], error) {
	return look(ctx, s, a, "pool.Patterns.ClaimAndRelease", "claim-and-release", 2, f, p, 7*day,
		func(ctx context.Context, tx PatternRepository, r PatternRange, w kernel.Window) ([]Listed[ClaimAndRelease], error) {
			return tx.ClaimAndRelease(ctx, a.Tenant, r, w)
		})
}

// ClaimsReleased returns a page of the records behind one line of ClaimAndRelease, the newest claim first.
func (s *Patterns[I]) ClaimsReleased(
	ctx context.Context, a kernel.Actor, member kernel.UserID, f PatternFilter, p kernel.Page,
) (kernel.List[ClaimReleased[I]], error) {
	return look(ctx, s, a, "pool.Patterns.ClaimsReleased", "claims-released", 1, f, p, 7*day,
		func(ctx context.Context, tx PatternRepository, r PatternRange, w kernel.Window) ([]Listed[ClaimReleased[I]], error) {
			found, err := tx.ClaimsReleased(ctx, a.Tenant, r, member, w)
			all := make([]Listed[ClaimReleased[I]], len(found))
			for i, x := range found {
				all[i] = Listed[ClaimReleased[I]]{ClaimReleased[I]{I(x.Item.ID), x.Item.Member, x.Item.ClaimedAt, x.Item.ReleasedAt, x.Item.Reason}, x.Keys}
			}
			return all, err
		}, member)
}

// OpenAndClaim returns a page of the members that opened records in the pool (Service.Open), with how many of these they
// claimed within 7 days (PatternFilter.Within): who looks at much and takes little comes first. The window is that of the
// openings, of which PurgeOpens forgets old ones.
func (s *Patterns[I]) OpenAndClaim(ctx context.Context, a kernel.Actor, f PatternFilter, p kernel.Page) (kernel.List[OpenAndClaim], error) {
	return look(ctx, s, a, "pool.Patterns.OpenAndClaim", "open-and-claim", 2, f, p, 7*day,
		func(ctx context.Context, tx PatternRepository, r PatternRange, w kernel.Window) ([]Listed[OpenAndClaim], error) {
			return tx.OpenAndClaim(ctx, a.Tenant, r, w)
		})
}

// Swaps returns a page of the pairs of members that hand records to each other: each released some that the other one was
// the next to have, by a claim within 30 days (PatternFilter.Within). The window is that of the releases. A pair that did
// it three times each way comes before one that did it ten times and twice.
func (s *Patterns[I]) Swaps(ctx context.Context, a kernel.Actor, f PatternFilter, p kernel.Page) (kernel.List[Swap], error) {
	return look(ctx, s, a, "pool.Patterns.Swaps", "swaps", 3, f, p, 30*day,
		func(ctx context.Context, tx PatternRepository, r PatternRange, w kernel.Window) ([]Listed[Swap], error) {
			return tx.Swaps(ctx, a.Tenant, r, w)
		})
}

// Handed returns a page of the records behind one line of Swaps, in both directions, the newest release first.
func (s *Patterns[I]) Handed(ctx context.Context, a kernel.Actor, one, other kernel.UserID, f PatternFilter, p kernel.Page) (kernel.List[Handed[I]], error) {
	return look(ctx, s, a, "pool.Patterns.Handed", "handed", 1, f, p, 30*day,
		func(ctx context.Context, tx PatternRepository, r PatternRange, w kernel.Window) ([]Listed[Handed[I]], error) {
			found, err := tx.Handed(ctx, a.Tenant, r, [2]kernel.UserID{one, other}, w)
			all := make([]Listed[Handed[I]], len(found))
			for i, x := range found {
				all[i] = Listed[Handed[I]]{Handed[I]{I(x.Item.ID), x.Item.From, x.Item.To, x.Item.ReleasedAt, x.Item.ClaimedAt}, x.Keys}
			}
			return all, err
		}, one, other)
}

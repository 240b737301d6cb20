package check

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team"
)

// Every statement of every use case that there is may fail: then nothing of the call is there, the error says that it may
// be made again, the host's transaction is usable, and in it the same call says what it says without a fault.
func TestEveryStatementOfEveryUseCaseMayFail(t *testing.T) {
	t.Parallel()
	p := onFastFile(t)
	db, i := faulty(t, p)
	h := furnish(t, db, p.store(db))
	require.NoError(t, h.Team.Members.Add(t.Context(), boss, team.Member{User: "admin", Role: team.Admin}))
	x := &trespass{house: h, p: p, own: h.live()}
	x.text = contentsOf(t, h, p)
	x.jump(t, freshFrom)
	statements := 0
	for _, u := range useCases(t) {
		by := x.speaker(t, u)
		i.arm(busy, -1, nil)
		sound := x.ask(t, u, by, nil)
		if errors.Is(sound.err, kernel.OwnCommits) {
			i.disarm()
			continue
		}
		all := x.steps(t, i, u, by)
		for n := range all {
			statements++
			x.failOnce(t, i, u, by, n+1, sound)
		}
	}
	x.sound()
	t.Logf("%d statements failed", statements)
	require.Greater(t, statements, 200)
}

// steps counts the statements of a call.
func (x *trespass) steps(t *testing.T, i *injector, u useCase, by kernel.Actor) int {
	t.Helper()
	x.inside(t, func(_ *sql.Tx, c *crm.CRM) {
		i.arm(busy, -1, nil)
		u.call(t.Context(), c, by, x.own.arguments(t, u))
	})
	_, n := i.disarm()
	return n
}

// inside runs in a transaction of the host that is undone.
func (x *trespass) inside(t *testing.T, fn func(tx *sql.Tx, c *crm.CRM)) {
	t.Helper()
	tx, err := x.db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer tx.Rollback()
	fn(tx, x.In(tx))
}

// failOnce lets the n-th statement of a call fail, and calls again.
func (x *trespass) failOnce(t *testing.T, i *injector, u useCase, by kernel.Actor, n int, sound answer) {
	t.Helper()
	x.inside(t, func(tx *sql.Tx, c *crm.CRM) {
		i.arm(busy, n, func() {})
		results, err := u.call(context.Background(), c, by, x.own.arguments(t, u))
		hit, _ := i.disarm()
		about := fmt.Sprintf("%s by %s at statement %d (%.100s): %v", u.name, by.User, n, hit, err)
		require.NotEmpty(t, hit, about)
		if err == nil {
			require.Equal(t, sound.text, unnumbered(tidy(results, err)), "the fault did no harm: %s", about)
			return
		}
		if unnumbered(tidy(nil, err)) != unnumbered(tidy(nil, sound.err)) { // refused it would be anyway
			require.ErrorIs(t, err, crm.ErrRetry, about)
		}
		require.Empty(t, x.differs(x.contents(t, tx)), "half written: %s", about)
		results, err = u.call(context.Background(), c, by, x.own.arguments(t, u))
		require.Equal(t, sound.text, unnumbered(tidy(results, err)), "again: %s", about)
	})
}

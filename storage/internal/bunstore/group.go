package bunstore

import (
	"context"
	"database/sql"
	"fmt"
	"sync"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/storage"
)

// Group commit: a commit waits for the disk, and everything else of a write does not. So callers that wait for the writer
// anyway go into one transaction, each in a savepoint of its own, and wait for the disk once, together. There is no
// goroutine for it: whoever comes first leads, does the work of those who came meanwhile, and hands the lead on.

// mostGrouped is how many callers go into one transaction: beyond it the disk is no longer what they wait for.
const mostGrouped = 64

// group is the writers of a process.
type group struct {
	mu    sync.Mutex
	queue []*grouped
	led   bool
}

// grouped is one caller.
type grouped struct {
	ctx   context.Context //nolint:containedctx // it lives as long as the call
	fn    func(context.Context, storage.Tx) error
	lead  chan struct{} // closed: it leads now
	done  chan struct{} // closed: err and panicked say how it ended
	spare []span
	err   error
	// panicked is what fn panicked with, for the goroutine of its caller.
	panicked any
}

func (m *grouped) end() error {
	if m.panicked != nil {
		panic(m.panicked)
	}
	return m.err
}

// join queues a caller, and tells whether it leads.
func (g *group) join(m *grouped) (leads bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.queue = append(g.queue, m)
	leads, g.led = !g.led, true
	return leads
}

// leave takes a caller out of the queue; false when a leader has it already, or it leads itself.
func (g *group) leave(m *grouped) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, other := range g.queue {
		if other == m {
			g.queue = append(g.queue[:i:i], g.queue[i+1:]...)
			return true
		}
	}
	return false
}

func (g *group) take(n int) []*grouped {
	g.mu.Lock()
	defer g.mu.Unlock()
	n = min(n, len(g.queue))
	taken := g.queue[:n:n]
	g.queue = g.queue[n:]
	return taken
}

// pass hands the lead to the first who waits.
func (g *group) pass() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.led = len(g.queue) > 0; g.led {
		close(g.queue[0].lead)
	}
}

// together runs fn in a transaction that it may share with other callers, and returns after the commit.
func (s *Store) together(ctx context.Context, fn func(context.Context, storage.Tx) error) error {
	m := &grouped{ctx: ctx, fn: fn, lead: make(chan struct{}), done: make(chan struct{})}
	if !s.group.join(m) && !s.wait(m) {
		return m.end()
	}
	defer s.group.pass()
	leave, err := s.eng.Enter(ctx)
	if err != nil {
		s.group.leave(m)
		return s.translate(err, false)
	}
	defer leave()
	s.lead() //nolint:contextcheck // each caller's own
	return m.end()
}

// wait waits until the caller leads, or has its answer: then it is false.
func (s *Store) wait(m *grouped) (leads bool) {
	select {
	case <-m.lead:
		return true
	case <-m.done:
		return false
	case <-m.ctx.Done():
	}
	if !s.group.leave(m) { // its work is being done: what comes of it is worth knowing
		<-m.done
		return false
	}
	select {
	case <-m.lead: // it came in between, and is for somebody else
		s.group.pass()
	default:
	}
	m.err = s.translate(m.ctx.Err(), false)
	return false
}

// lead runs those who wait, in one transaction after the other until all of the first ones have their answer.
func (s *Store) lead() {
	for todo := s.group.take(mostGrouped); len(todo) > 0; {
		todo = s.leadOne(todo)
	}
}

// leadOne runs one transaction, and returns those whom it left aside because it was lost before their turn.
func (s *Store) leadOne(todo []*grouped) (aside []*grouped) {
	ctx := context.WithoutCancel(todo[0].ctx) // nobody's patience ends the work of the others
	var ran []*grouped
	var lost error = &kernel.Error{Code: kernel.ErrRetry, Err: errGroupEnded}
	defer func() {
		ran = append(ran, todo...) // there are some only when the goroutine ends amid somebody's work
		for _, m := range ran {
			m.answer(lost)
			if m.err == nil && m.panicked == nil {
				s.ids.give(m.spare...)
			}
			close(m.done)
		}
	}()
	own, err := s.write.db.BeginTx(ctx, nil)
	if err != nil {
		lost = s.translate(err, false)
		return nil
	}
	defer own.Rollback() // does nothing after a commit; after an error that error is what counts
	for len(todo) > 0 {
		m, first := todo[0], len(ran) == 0
		ran, todo = append(ran, m), todo[1:]
		if !s.grouped(own, m, first) { // nothing of the transaction is left
			if lost = nil; !first {
				lost = &kernel.Error{Code: kernel.ErrRetry, Err: fmt.Errorf("the transaction of its group is lost: %w", m.err)}
			}
			aside, todo = todo, nil
			return aside
		}
		if len(todo) == 0 {
			todo = s.group.take(mostGrouped - len(ran)) // who came meanwhile
		}
	}
	if lost = own.Commit(); lost != nil {
		lost = s.translate(lost, true)
	}
	return nil
}

// answer is how it ended for one that did not fail by itself.
func (m *grouped) answer(lost error) {
	if m.err == nil && m.panicked == nil {
		m.err = lost
	}
}

// errGroupEnded is why those fail whose leader did not come to the end.
var errGroupEnded = fmt.Errorf("the leader of its group ended: %w", sql.ErrTxDone)

// grouped runs one caller, and tells whether the transaction goes on. The first one needs no savepoint: when it fails, the
// transaction has nothing else in it. SQLite takes back the whole transaction when a statement is interrupted, so the
// context is asked before and after, and not amid them.
func (s *Store) grouped(own *sql.Tx, m *grouped, first bool) (goesOn bool) {
	ctx := context.WithoutCancel(m.ctx)
	if err := m.ctx.Err(); err != nil {
		m.err = s.translate(err, false)
		return !first
	}
	if !first {
		if _, err := own.ExecContext(ctx, "SAVEPOINT crm"); err != nil {
			m.err = s.translate(err, false)
			return false
		}
	}
	t := s.tx(own, s.write)
	t.shared = true
	err := m.run(ctx, t)
	if err == nil && m.panicked == nil {
		err = m.ctx.Err()
	}
	if err == nil && m.panicked == nil && !first {
		_, err = own.ExecContext(ctx, "RELEASE SAVEPOINT crm")
	}
	if err == nil && m.panicked == nil {
		m.spare = t.spare
		return true
	}
	m.err = s.translate(err, false)
	if first {
		return false
	}
	for _, undo := range []string{"ROLLBACK TO SAVEPOINT crm", "RELEASE SAVEPOINT crm"} {
		if _, err := own.ExecContext(ctx, undo); err != nil {
			return false
		}
	}
	return true
}

// run calls fn, and keeps a panic of it from those who have nothing to do with it.
func (m *grouped) run(ctx context.Context, t storage.Tx) error {
	defer func() { m.panicked = recover() }()
	return m.fn(ctx, t)
}

package check

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/internal/testpostgres"
	"github.com/openseas/crm/storage/postgres"
)

// trouble is what happens to one statement on its way to a PostgreSQL server, or to its answer on the way back.
type trouble string

const (
	lostStatement  trouble = "the connection breaks, and the server never gets the statement"
	lostAnswer     trouble = "the server has done it, and the connection breaks before the answer"
	halfAnswer     trouble = "the connection breaks within the answer"
	stuckStatement trouble = "nothing comes through until the caller gives up"
	stuckAnswer    trouble = "the server has done it, and no answer comes until the caller gives up"
	slow           trouble = "both ways take their time"
)

var troubles = []trouble{lostStatement, lostAnswer, halfAnswer, stuckStatement, stuckAnswer, slow}

// proxy stands between a program and a PostgreSQL server. It reads the protocol, so that it can tell one statement from
// the next: what a client sends up to Sync, or a simple query.
type proxy struct {
	listener net.Listener
	dial     func() (net.Conn, error)
	work     sync.WaitGroup

	mu      sync.Mutex
	trouble trouble // none: everything goes through
	at, n   int
	hit     string
	open    map[net.Conn]bool
	stuck   []*line
}

// throughProxy starts a proxy to a server, and opens a database through it.
func throughProxy(t *testing.T, dsn string) (*sql.DB, *proxy) {
	t.Helper()
	cfg, err := pgx.ParseConfig(dsn)
	require.NoError(t, err)
	network, address := "tcp", net.JoinHostPort(cfg.Host, strconv.Itoa(int(cfg.Port)))
	if strings.HasPrefix(cfg.Host, "/") {
		network, address = "unix", fmt.Sprintf("%s/.s.PGSQL.%d", cfg.Host, cfg.Port)
	}
	p := &proxy{dial: func() (net.Conn, error) { return net.Dial(network, address) }, open: map[net.Conn]bool{}}
	p.listener, err = net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p.work.Go(p.accept)
	port := p.listener.Addr().(*net.TCPAddr).Port
	cfg.Host, cfg.Port, cfg.TLSConfig, cfg.Fallbacks = "127.0.0.1", uint16(port), nil, nil
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	db := stdlib.OpenDB(*cfg)
	db.SetMaxOpenConns(5)
	db.SetMaxIdleConns(1)
	t.Cleanup(func() {
		db.Close()
		p.close()
	})
	return db, p
}

func (p *proxy) close() {
	p.listener.Close()
	p.mu.Lock()
	for c := range p.open {
		c.Close()
	}
	p.mu.Unlock()
	p.work.Wait()
}

// arm lets the n-th statement from now on get into trouble.
func (p *proxy) arm(tr trouble, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trouble, p.at, p.n, p.hit = tr, n, 0, ""
}

// disarm returns which statement got into trouble, and how many there were. Connections that are stuck break now: drivers
// hold them for many seconds, and the server the rows that they have locked.
func (p *proxy) disarm() (hit string, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trouble = ""
	for _, l := range p.stuck {
		l.cut()
	}
	p.stuck = nil
	return p.hit, p.n
}

func (p *proxy) next(what []byte) trouble {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.trouble == "" {
		return ""
	}
	if p.n++; p.n != p.at {
		return ""
	}
	p.hit = strings.ToValidUTF8(strings.Trim(strings.Map(func(r rune) rune { return max(r, ' ') }, string(what[5:min(len(what), 200)])), " "), "")
	return p.trouble
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := p.dial()
		if err != nil {
			client.Close()
			continue
		}
		l := &line{p: p, client: client, server: server}
		p.mu.Lock()
		p.open[client], p.open[server] = true, true
		p.mu.Unlock()
		p.work.Go(l.up)
		p.work.Go(l.down)
	}
}

// line is one connection through the proxy.
type line struct {
	p              *proxy
	client, server net.Conn

	mu     sync.Mutex
	answer trouble // of the answer that is on its way
}

func (l *line) cut() {
	l.client.Close()
	l.server.Close()
}

func (l *line) sticks() {
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	l.p.stuck = append(l.p.stuck, l)
}

func (l *line) coming() trouble {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answer
}

// up carries what the client sends, a statement at a time.
func (l *line) up() {
	defer l.cut()
	const cancelRequest = 80877102
	start := make([]byte, 8)
	if _, err := io.ReadFull(l.client, start); err != nil {
		return
	}
	rest := make([]byte, max(0, int(binary.BigEndian.Uint32(start))-8))
	if _, err := io.ReadFull(l.client, rest); err != nil {
		return
	}
	if _, err := l.server.Write(slices.Concat(start, rest)); err != nil {
		return
	}
	if binary.BigEndian.Uint32(start[4:]) == cancelRequest {
		io.Copy(io.Discard, l.client)
		return
	}
	var held []byte
	for {
		m, err := message(l.client)
		if err != nil {
			return
		}
		held = append(held, m...)
		if m[0] == 'P' || m[0] == 'B' || m[0] == 'D' || m[0] == 'E' || m[0] == 'C' { // until Sync
			continue
		}
		var tr trouble
		if m[0] == 'S' || m[0] == 'Q' {
			tr = l.p.next(held)
		}
		if !l.pass(tr) {
			return
		}
		if _, err := l.server.Write(held); err != nil {
			return
		}
		held = nil
	}
}

// pass tells whether a statement goes on to the server.
func (l *line) pass(tr trouble) bool {
	switch tr {
	case lostStatement:
		return false
	case stuckStatement:
		l.sticks()
		io.Copy(io.Discard, l.client) // until the caller gives up
		return false
	case slow:
		time.Sleep(20 * time.Millisecond)
	}
	l.mu.Lock()
	l.answer = tr
	l.mu.Unlock()
	return true
}

// down carries what the server answers, a message at a time.
func (l *line) down() {
	defer l.cut()
	var held []byte
	for {
		m, err := message(l.server)
		if err != nil {
			return
		}
		switch tr := l.coming(); tr {
		case lostAnswer, halfAnswer, stuckAnswer:
			held = append(held, m...)
			if m[0] != 'Z' { // it is done when the server is ready for the next one
				continue
			}
			if tr == halfAnswer {
				l.client.Write(held[:len(held)/2])
			}
			if tr == stuckAnswer {
				l.sticks()
				io.Copy(io.Discard, l.server) // until the caller gives up, and up closes
			}
			return
		case slow:
			time.Sleep(2 * time.Millisecond)
		}
		if _, err := l.client.Write(m); err != nil {
			return
		}
	}
}

// message reads one message of the protocol: a letter, a length, and what is in it.
func message(from io.Reader) ([]byte, error) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(from, head); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[1:])
	if size < 4 || size > 64<<20 {
		return nil, errors.New("no message of the protocol")
	}
	m := make([]byte, 1+size)
	copy(m, head)
	_, err := io.ReadFull(from, m[5:])
	return m, err
}

// The network between a host and PostgreSQL may do anything to any statement and to any answer: the operation is done or
// not begun, the error says which, and with the same request it is done once.
func TestTheNetworkMayFailAtEveryStatement(t *testing.T) {
	t.Parallel()
	for _, task := range slices.Concat(undertakings, ofSales) {
		t.Run(task.name, func(t *testing.T) {
			t.Parallel()
			dsn := testpostgres.DSN(t)
			db, p := throughProxy(t, dsn)
			x := &trial{house: furnish(t, opened(t, onServer(dsn)), postgres.New(db, nil)), i: &injector{pg: true}, task: task}
			if !task.asks {
				var err error
				x.CRM, err = crm.New(t.Context(), x.store, &crm.Options{Clock: x.now, KeepRights: time.Minute})
				require.NoError(t, err)
			}
			x.free()
			x.settle(t, p)
			for _, tr := range troubles {
				everywhere := []trouble{lostAnswer}
				for _, n := range x.points(fault(tr), fault(everywhere[0])) {
					x.trouble(t, p, tr, n)
				}
			}
			x.agree()
			x.sound()
		})
	}
}

// settle counts the statements of the task, and what it leaves.
func (x *trial) settle(t *testing.T, p *proxy) {
	t.Helper()
	for _, r := range rulesOfTrials() {
		require.NoError(t, x.Pool.Pools.PutRule(t.Context(), boss, r))
	}
	x.exec("CREATE TABLE erp_orders (id TEXT PRIMARY KEY)")
	call, request := x.ready()
	require.NoError(t, call(t.Context(), x.CRM, request))
	call, request = x.ready()
	p.arm(slow, -1)
	require.NoError(t, call(t.Context(), x.CRM, request))
	_, x.steps = p.disarm()
	x.want = x.left(request)
	require.Positive(t, x.want)
	require.Positive(t, x.steps)
}

// trouble runs the task with trouble at the n-th statement, and then once more.
func (x *trial) trouble(t *testing.T, p *proxy, tr trouble, n int) {
	t.Helper()
	call, request := x.ready()
	before := x.contents()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if slices.Contains([]trouble{stuckStatement, stuckAnswer}, tr) {
		ctx, cancel = context.WithTimeout(t.Context(), 150*time.Millisecond)
		defer cancel()
	}
	p.arm(tr, n)
	err := call(ctx, x.CRM, request)
	hit, _ := p.disarm()
	about := fmt.Sprintf("%s, at statement %d of %d (%.60s): %v", tr, n, x.steps, hit, err)
	if hit == "" && ctx.Err() == nil { // a broken connection that was idle is replaced by database/sql, and others come first
		require.NoError(t, err, about)
	}
	done := x.left(request)
	if err == nil {
		require.Equal(t, x.want, done, about)
		return
	}
	require.NotEqual(t, slow, tr, about)
	if !x.task.apart {
		require.Contains(t, []int{0, x.want}, done, about)
	}
	unknown := errors.Is(err, crm.ErrUnknownOutcome)
	require.True(t, unknown || errors.Is(err, crm.ErrRetry), about)
	if done == 0 && !x.task.apart {
		require.Equal(t, before, x.contents(), "half written: %s", about)
	} else if !x.task.alone {
		require.True(t, unknown, "it happened, and the error does not say that it may have: %s", about)
	}
	if x.task.once && done > 0 {
		return
	}
	require.NoError(t, insist(func() error { return call(t.Context(), x.CRM, request) }), "asking again: %s", about)
	require.Equal(t, x.want, x.left(request), "asked again: %s", about)
}

package testpostgres

import (
	"database/sql"
	"maps"
	"testing"
)

// Options of a server of a test's own. It may be nil.
type Options struct {
	// Settings of postgresql.conf. Defaults to a server that is safe against crashes (fsync=on).
	Settings map[string]string
}

// Server is a server that belongs to one test, which may stop, kill and start it. Its methods may be called from any goroutine,
// one at a time.
type Server struct {
	t testing.TB
	c *cluster
}

// Own starts a server for this test alone, on disk and whatever CRM_TEST_POSTGRES_DSN says. After the test it is stopped and
// removed. Crash tests need it.
func Own(t testing.TB, opts *Options) *Server {
	t.Helper()
	settings := map[string]string{"fsync": "on", "full_page_writes": "on"}
	if opts != nil {
		maps.Copy(settings, opts.Settings)
	}
	c, err := newCluster(settings, false)
	shared.missing(t, err)
	t.Cleanup(c.remove)
	return &Server{t: t, c: c}
}

// DSN is the data source name of the server's database, which is empty at first. It stays the same when the server starts
// again, and works in other processes.
func (s *Server) DSN() string { return s.c.dsn() }

// Open opens the server's database. The handle is closed after the test.
func (s *Server) Open(driver string) *sql.DB {
	s.t.Helper()
	return connect(s.t, driver, s.DSN())
}

// Kill ends the server and all its connections with SIGKILL: nothing is written any more, as when the machine goes down.
func (s *Server) Kill() error { return s.c.kill() }

// Stop stops the server without a checkpoint (mode immediate): connections break, and the next Start recovers.
func (s *Server) Stop() error { return s.c.stop("immediate") }

// Start starts the server again, and returns when it has recovered and takes connections.
func (s *Server) Start() error { return s.c.start() }

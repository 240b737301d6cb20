package webhook

import (
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/internal/testpostgres"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/storage"
	"github.com/openseas/crm/storage/postgres"
	"github.com/openseas/crm/storage/sqlite"
	"github.com/openseas/crm/team"
)

func TestMain(m *testing.M) { os.Exit(testpostgres.Main(m)) }

func onBoth(t *testing.T, test func(t *testing.T, store storage.Store)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) {
		db, err := sql.Open("sqlite", sqlite.DSN(filepath.Join(t.TempDir(), "shop.db")))
		require.NoError(t, err)
		t.Cleanup(func() { db.Close() })
		test(t, sqlite.New(db, nil))
	})
	t.Run("PostgreSQL", func(t *testing.T) { test(t, postgres.New(testpostgres.Open(t, "pgx"), nil)) })
}

// receiver is the other side: it believes only what is signed, knows repetitions by their number, and is down at first.
type receiver struct {
	mu     sync.Mutex
	secret []byte
	down   int // requests to refuse
	forged int
	seen   map[string]bool
	events []kernel.Event
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 1<<20))
	var e kernel.Event
	switch {
	case err != nil || !Verify(r.secret, body, req.Header.Get(SignatureHeader)):
		r.forged++
		http.Error(w, "not signed by the CRM", http.StatusForbidden)
	case r.down > 0:
		r.down--
		http.Error(w, "back soon", http.StatusServiceUnavailable)
	case r.seen[req.Header.Get(EventHeader)]:
	case json.Unmarshal(body, &e) != nil:
		http.Error(w, "no event", http.StatusBadRequest)
	default:
		r.seen[req.Header.Get(EventHeader)] = true
		r.events = append(r.events, e)
	}
}

func TestEventsArriveSignedInOrderAndAfterFailures(t *testing.T) {
	onBoth(t, func(t *testing.T, store storage.Store) {
		ctx := t.Context()
		require.NoError(t, store.Migrate(ctx))
		now := time.Now()
		c, err := crm.New(ctx, store, &crm.Options{Clock: func() time.Time { return now }})
		require.NoError(t, err)
		boss := crm.System("acme", "set-up")
		require.NoError(t, c.Team.CreateTenant(ctx, boss, team.Tenant{Name: "Acme"}))
		require.NoError(t, c.Team.Members.Add(ctx, boss, team.Member{User: "li", Role: team.Seller}))
		blue := &customer.Customer{Name: "蓝鲸机械有限公司"}
		require.NoError(t, c.Customers.Create(ctx, boss, blue))
		require.NoError(t, c.Pool.Claim(ctx, crm.Actor{Tenant: "acme", User: "li"}, blue.ID))

		r := &receiver{secret: []byte("between us"), down: 2, seen: map[string]bool{}}
		server := httptest.NewServer(r)
		defer server.Close()
		s := &Sender{URL: server.URL, Secret: []byte("guessed"), Client: server.Client()}
		require.ErrorContains(t, s.Send(ctx, kernel.Event{}), "403 Forbidden: not signed by the CRM")
		s.Secret = r.secret

		report, err := c.Team.Relay.Deliver(ctx, boss, s.Send, nil)
		require.NoError(t, err)
		require.Equal(t, 2, report.Failed)
		require.ErrorContains(t, report.Failures[0].Err, "503 Service Unavailable: back soon")
		now = now.Add(10 * time.Second) // the first backoff
		again, err := c.Team.Relay.Deliver(ctx, boss, s.Send, nil)
		require.NoError(t, err)
		require.Equal(t, []int{0, report.Delivered + again.Delivered}, []int{again.Failed, len(r.events)})

		var types []string
		for _, e := range r.events {
			if e.Subject == blue.Ref() {
				types = append(types, e.Type)
			}
		}
		require.Equal(t, []string{"customer.created", "customer.claimed"}, types)
		require.Equal(t, 1, r.forged)
	})
}

func TestRunEndsWithItsContext(t *testing.T) {
	onBoth(t, func(t *testing.T, store storage.Store) {
		require.NoError(t, store.Migrate(t.Context()))
		c, err := crm.New(t.Context(), store, nil)
		require.NoError(t, err)
		require.NoError(t, c.Team.CreateTenant(t.Context(), crm.System("acme", "set-up"), team.Tenant{Name: "Acme"}))
		r := &receiver{secret: []byte("s"), seen: map[string]bool{}}
		server := httptest.NewServer(r)
		defer server.Close()
		ctx, cancel := context.WithCancel(t.Context())
		rounds := 0
		Run(ctx, c, "acme", &Sender{URL: server.URL, Secret: r.secret, Client: server.Client()}, time.Millisecond, func(_ team.RelayReport, err error) {
			require.NoError(t, err)
			if rounds++; rounds == 3 {
				cancel()
			}
		})
		require.Len(t, r.events, 1)
	})
}

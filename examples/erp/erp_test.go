package erp

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/internal/testpostgres"
	"github.com/openseas/crm/storage"
	"github.com/openseas/crm/storage/postgres"
	"github.com/openseas/crm/storage/sqlite"
	"github.com/openseas/crm/team"
)

func TestMain(m *testing.M) { os.Exit(testpostgres.Main(m)) }

// onBoth runs a test on both engines, each time with an ERP of its own.
func onBoth(t *testing.T, test func(t *testing.T, h *house)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) {
		db, err := sql.Open("sqlite", sqlite.DSN(filepath.Join(t.TempDir(), "erp.db")))
		require.NoError(t, err)
		t.Cleanup(func() { db.Close() })
		test(t, open(t, db, sqlite.New(db, nil)))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		db := testpostgres.Open(t, "pgx")
		test(t, open(t, db, postgres.New(db, nil)))
	})
}

// house is an ERP with a night behind it: two salesmen under a manager; customer 10 is li's, 20 and 30 lie in the pool.
type house struct {
	*ERP
	t     *testing.T
	store storage.Store
}

var li, wang = Session{"li"}, Session{"wang"}

func open(t *testing.T, db *sql.DB, store storage.Store) *house {
	t.Helper()
	e, err := Start(t.Context(), db, store, "acme", "Acme Machinery")
	require.NoError(t, err)
	h := &house{e, t, store}
	h.exec(`INSERT INTO erp_departments VALUES ('S', 'Sales', '', 'chen'), ('S1', 'East', 'S', '')`)
	h.exec(`INSERT INTO erp_users VALUES ('chen', '陈静', 'S', 'sales manager', 0), ('li', '李伟', 'S1', 'salesman', 0),
		('wang', '王芳', 'S1', 'salesman', 0), ('sun', '孙悦', 'S', 'accountant', 0)`)
	h.exec(`INSERT INTO erp_customers VALUES ('10', '云岭石纺织有限公司', '320500', 'C17', 'li', 0),
		('20', '青禾渡包装有限公司', '440300', 'C22', '', 0), ('30', '星屿川建材有限公司', '320200', 'C30', '', 0)`)
	_, err = e.SyncDirectory(t.Context())
	require.NoError(t, err)
	report, err := e.SyncCustomers(t.Context())
	require.NoError(t, err)
	require.Equal(t, Synced{Done: map[customer.Did]int{customer.WasCreated: 3}}, report)
	return h
}

func (h *house) exec(query string) {
	h.t.Helper()
	_, err := h.DB.ExecContext(h.t.Context(), query)
	require.NoError(h.t, err)
}

func (h *house) count(query string) (n int) {
	h.t.Helper()
	require.NoError(h.t, h.DB.QueryRowContext(h.t.Context(), query).Scan(&n))
	return n
}

// get is a customer by the ERP's number.
func (h *house) get(number string) *customer.Customer {
	h.t.Helper()
	var id customer.ID
	require.NoError(h.t, h.DB.QueryRowContext(h.t.Context(), "SELECT crm_id FROM erp_customers WHERE number = $1", number).Scan(&id))
	c, err := h.CRM.Customers.Get(h.t.Context(), h.job("test"), id)
	require.NoError(h.t, err)
	return c
}

// timeline is what happened to a customer, newest first, in words. An order stands where its date is: when the form was
// filled in, which is before the claim that came of it.
func (h *house) timeline(of *customer.Customer) (words []string) {
	h.t.Helper()
	list, err := h.CRM.Customers.Timeline(h.t.Context(), h.job("test"), of.ID, crm.Page{})
	require.NoError(h.t, err)
	for _, e := range list.Items {
		words = append(words, string(e.By)+" "+e.What)
	}
	return words
}

func order(number, of string) Order {
	return Order{Number: number, Customer: of, Fen: 123_45, At: time.Now(), Form: "form-" + number}
}

func TestAnOrderTakesItsCustomerOutOfThePool(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		require.NoError(t, h.PlaceOrder(t.Context(), wang, order("1", "20")))
		c := h.get("20")
		require.Equal(t, []any{crm.UserID("wang"), customer.Won}, []any{c.OwnerID, c.Stage})
		require.Equal(t, []string{"wang claim", "wang completed"}, h.timeline(h.get("20")))
		require.Equal(t, 1, h.count("SELECT count(*) FROM erp_orders"))
		facts, err := h.CRM.Customers.Facts(t.Context(), h.job("test"), c.ID)
		require.NoError(t, err)
		require.EqualValues(t, 1, facts.Orders)

		require.NoError(t, h.PlaceOrder(t.Context(), wang, order("2", "20")), "the same customer again")
		require.NoError(t, h.PlaceOrder(t.Context(), li, order("3", "10")), "a customer that came with the sync")
		require.Zero(t, h.count("SELECT count(*) FROM erp_notes"))
	})
}

func TestARollbackTakesEverythingBack(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		tx, err := h.DB.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		require.NoError(t, h.PlaceOrderIn(t.Context(), tx, wang, order("1", "20")))
		c, err := h.CRM.In(tx).Customers.Get(t.Context(), h.actor(wang, ""), h.idIn(tx, "20"))
		require.NoError(t, err)
		require.Equal(t, crm.UserID("wang"), c.OwnerID, "inside the transaction it is wang's")
		require.NoError(t, tx.Rollback())

		require.Empty(t, h.get("20").OwnerID)
		require.Equal(t, customer.Potential, h.get("20").Stage)
		require.Empty(t, h.timeline(h.get("20")))
		require.Zero(t, h.count("SELECT count(*) FROM erp_orders"))
		trail, err := h.CRM.Team.Trail.Audit(t.Context(), h.job("test"), team.TrailFilter{Actor: "wang"}, crm.Page{})
		require.NoError(t, err)
		require.Empty(t, trail.Items)
		counter, err := h.CRM.Pool.Counter(t.Context(), h.actor(wang, ""))
		require.NoError(t, err)
		require.Zero(t, counter.ClaimsUsed)
		require.NoError(t, h.PlaceOrder(t.Context(), li, order("1", "20")), "as if nothing had been")
	})
}

func (h *house) idIn(tx *sql.Tx, number string) (id customer.ID) {
	h.t.Helper()
	require.NoError(h.t, tx.QueryRowContext(h.t.Context(), "SELECT crm_id FROM erp_customers WHERE number = $1", number).Scan(&id))
	return id
}

func TestARefusedClaimLeavesTheTransactionUsable(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		require.NoError(t, h.PlaceOrder(t.Context(), li, order("1", "20")))
		require.NoError(t, h.CRM.Pool.Release(t.Context(), h.actor(li, ""), h.get("20").ID, nil))

		require.NoError(t, h.PlaceOrder(t.Context(), wang, order("2", "20")), "protected, and sold to all the same")
		require.Empty(t, h.get("20").OwnerID)
		require.Equal(t, []string{"$system completed", "li release", "li claim", "li completed"}, h.timeline(h.get("20")))
		var note string
		require.NoError(t, h.DB.QueryRowContext(t.Context(), "SELECT note FROM erp_notes WHERE order_number = '2'").Scan(&note))
		require.Equal(t, "wang could not claim customer 20: protected", note)
		require.Equal(t, 2, h.count("SELECT count(*) FROM erp_orders"))
	})
}

func TestAColleaguesCustomerIsNotSoldTo(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		require.ErrorIs(t, h.PlaceOrder(t.Context(), wang, order("1", "10")), ErrTaken)
		require.Zero(t, h.count("SELECT count(*) FROM erp_orders"))
		require.Equal(t, crm.UserID("li"), h.get("10").OwnerID)
	})
}

func TestAnUnknownCustomerIsNoCustomer(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		require.ErrorIs(t, h.PlaceOrder(t.Context(), li, order("1", "99")), ErrUnknownCustomer)
		h.exec("INSERT INTO erp_customers VALUES ('40', '松涧桥软件有限公司', '', '', '', 0)") // since the last night
		require.ErrorIs(t, h.PlaceOrder(t.Context(), li, order("1", "40")), ErrUnknownCustomer)
		require.Zero(t, h.count("SELECT count(*) FROM erp_orders"))
	})
}

func TestANumberThatIsUsedTakesTheClaimBack(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		require.NoError(t, h.PlaceOrder(t.Context(), wang, order("1", "20")))
		other := order("1", "30")
		other.Form = "another form"
		require.ErrorIs(t, h.PlaceOrder(t.Context(), wang, other), ErrNumberUsed)
		require.Empty(t, h.get("30").OwnerID)
		require.Equal(t, 1, h.count("SELECT count(*) FROM erp_orders"))
	})
}

func TestAFormThatIsSentTwiceIsOneOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		o := order("1", "20")
		for range 3 {
			require.NoError(t, h.PlaceOrder(t.Context(), wang, o))
		}
		require.Equal(t, []string{"wang claim", "wang completed"}, h.timeline(h.get("20")))

		// The CRM answers a repeated request by itself, too: with its first result, and nothing is done twice.
		deal := customer.Deal{CustomerID: h.get("20").ID, System: System, Number: o.Number, At: o.At, Amount: decimal.New(o.Fen, -2)}
		recorded, err := h.CRM.Customers.RecordDeal(t.Context(), h.actor(wang, o.Form), deal)
		require.NoError(t, err)
		require.True(t, recorded, "what the first call answered")
		require.NoError(t, h.CRM.Pool.Claim(t.Context(), h.actor(wang, o.Form), deal.CustomerID), "and not: taken")
		deal.Amount = decimal.New(1, 0)
		_, err = h.CRM.Customers.RecordDeal(t.Context(), h.actor(wang, o.Form), deal)
		require.ErrorIs(t, err, crm.ErrConflict, "another content under the same key")
		require.Equal(t, []string{"wang claim", "wang completed"}, h.timeline(h.get("20")))

		// Log, trail and events carry the key.
		log, err := h.CRM.Pool.Log(t.Context(), h.actor(wang, ""), customer.OperationFilter{Record: int64(deal.CustomerID)}, crm.Page{})
		require.NoError(t, err)
		require.Equal(t, o.Form, log.Items[0].Request)
	})
}

func TestTheNightlySyncs(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		c := h.get("10")
		require.Equal(t, []any{crm.UserID("li"), "云岭石纺织有限公司", "C17", "erp"}, []any{c.OwnerID, c.Name, c.Industry, c.ExternalSystem})

		t.Run("nothing new is nothing done", func(t *testing.T) {
			report, err := h.SyncCustomers(t.Context())
			require.NoError(t, err)
			require.Equal(t, Synced{Done: map[customer.Did]int{customer.WasUnchanged: 3}}, report)
			people, err := h.SyncDirectory(t.Context())
			require.NoError(t, err)
			require.Equal(t, team.SyncReport{Unchanged: 5}, people)
		})
		t.Run("what the ERP changed changes, and whose a customer is the CRM says", func(t *testing.T) {
			h.exec("UPDATE erp_customers SET industry = 'C18', salesman = 'wang' WHERE number = '10'")
			h.exec("INSERT INTO erp_customers VALUES ('11', '', '', '', '', 0), ('12', '鹤鸣汀新材料有限公司', '', '', 'nobody', 0)")
			report, err := h.SyncCustomers(t.Context())
			require.NoError(t, err)
			require.Equal(t, map[customer.Did]int{customer.WasUpdated: 1, customer.WasCreated: 1, customer.WasUnchanged: 2}, report.Done)
			require.Equal(t, []string{"customer 11: customer.Sync: invalid empty (name of item 1)"}, report.LeftOut)
			require.Equal(t, []any{crm.UserID("li"), "C18"}, []any{h.get("10").OwnerID, h.get("10").Industry})
			require.Empty(t, h.get("12").OwnerID, "its salesman is nobody here: into the pool")
		})
		t.Run("who leaves the company is no member any more", func(t *testing.T) {
			h.exec("UPDATE erp_users SET locked = 1 WHERE login = 'wang'")
			h.exec("UPDATE erp_users SET job = 'accountant' WHERE login = 'li'")
			people, err := h.SyncDirectory(t.Context())
			require.NoError(t, err)
			require.Equal(t, []int{1, 1}, []int{people.MembersChanged, people.MembersEnded})
			for _, by := range []Session{li, wang} {
				require.ErrorIs(t, h.PlaceOrder(t.Context(), by, order("1", "20")), crm.ErrDenied)
			}
		})
		t.Run("a second start finds everything as it is", func(t *testing.T) {
			_, err := Start(t.Context(), h.DB, h.store, "acme", "Acme Machinery")
			require.NoError(t, err)
		})
	})
}

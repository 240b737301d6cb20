package check

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
)

// nowhere is the number of no record, and nobody no user.
const (
	nowhere = int64(8_000_000_000_001)
	nobody  = "nobody-at-all"
	secret  = "SECRET" // in every text of those whom nobody may see
)

func wordOf(text string) *regexp.Regexp {
	return regexp.MustCompile(`\b` + regexp.QuoteMeta(text) + `\b`)
}

// asText is anything as JSON, or as Go shows it.
func asText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%+v", v)
	}
	return string(text)
}

// trespass is the world of the tests: a house in which acme has lived, and what may not be seen.
type trespass struct {
	*house
	p    place
	own  lived
	text string   // the query of contents
	rows []string // what it finds while no test has written for good
}

func trespassers(t *testing.T, p place) *trespass {
	t.Helper()
	h := build(t, p)
	require.NoError(t, h.Team.Members.Add(t.Context(), boss, team.Member{User: "admin", Role: team.Admin}))
	x := &trespass{house: h, p: p, own: h.live()}
	x.text = contentsOf(t, h, p)
	x.jump(t, freshFrom)
	return x
}

// contentsOf is a query of every row of every table, but for how far ids and the numbers of documents have got.
func contentsOf(t *testing.T, h *house, p place) string {
	t.Helper()
	tables := texts(t, h.db, map[bool]string{
		false: "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'crm_%' ORDER BY name",
		true:  "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename LIKE 'crm_%' ORDER BY 1",
	}[p.postgres()])
	require.Greater(t, len(tables), 20)
	var parts []string
	for _, table := range tables {
		if table == "crm_ids" || table == "crm_numbers" || table == "crm_migrations" {
			continue
		}
		row := "CAST(t AS text)"
		if !p.postgres() {
			row = "concat_ws('|', " + strings.Join(texts(t, h.db, "SELECT name FROM pragma_table_info('"+table+"')"), ", ") + ")"
		}
		parts = append(parts, "SELECT '"+table+" ' || "+row+" AS x FROM "+table+" t")
	}
	return strings.Join(parts, " UNION ALL ") + " ORDER BY 1"
}

// contents are all rows as the transaction sees them.
func (x *trespass) contents(t *testing.T, tx *sql.Tx) []string {
	t.Helper()
	rows, err := tx.QueryContext(t.Context(), x.text)
	require.NoError(t, err)
	defer rows.Close()
	var list []string
	for rows.Next() {
		var row string
		require.NoError(t, rows.Scan(&row))
		list = append(list, row)
	}
	require.NoError(t, rows.Err())
	return list
}

// answer is what a use case said, and what of the hidden rows it changed.
type answer struct {
	text    string
	err     error
	changed []string
}

// ask calls a use case in a transaction that is undone.
func (x *trespass) ask(t *testing.T, u useCase, by kernel.Actor, set func(args []reflect.Value), hidden ...string) (a answer) {
	t.Helper()
	tx, err := x.db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer tx.Rollback()
	args := x.own.arguments(t, u)
	if set != nil {
		set(args)
	}
	if x.rows == nil {
		x.rows = x.contents(t, tx)
	}
	results, err := u.call(t.Context(), x.In(tx), by, args)
	a = answer{text: tidy(results, err, hidden...), err: err}
	a.text = unnumbered(a.text)
	if errors.Is(err, crm.ErrRetry) { // a lost transaction would be a bug of its own
		require.NotContains(t, err.Error(), "lost", "%s", u.name)
	}
	a.changed = x.differs(x.contents(t, tx))
	return a
}

// differs are the rows that are new, and those that are gone.
func (x *trespass) differs(now []string) (rows []string) {
	had := map[string]bool{}
	for _, row := range x.rows {
		had[row] = true
	}
	for _, row := range now {
		if !had[row] {
			rows = append(rows, row)
		}
		delete(had, row)
	}
	for row := range had {
		rows = append(rows, "gone: "+row)
	}
	return rows
}

// freshIDs are ids that were given in the call: those of the house are lower, and those of what is hidden higher.
var freshIDs = regexp.MustCompile(`\b1[0-9]{7}\b`)

// unnumbered is an answer without what was given in the call.
func unnumbered(text string) string {
	return madeNumbers.ReplaceAllString(freshIDs.ReplaceAllString(text, "new"), "a number")
}

// madeNumbers are numbers of documents: how far they have got is told by those that are made.
var madeNumbers = regexp.MustCompile(`\b(QT|HT|HK|FP)[0-9]{12,}\b`)

const (
	freshFrom  = 10_000_000
	hiddenFrom = 20_000_000
)

// jump lets ids go on from a number, in a process that keeps none of before.
func (x *trespass) jump(t *testing.T, from int64) {
	t.Helper()
	if x.p.postgres() {
		x.count("SELECT setval('crm_ids', " + strconv.FormatInt(from, 10) + ")")
	} else {
		x.exec("UPDATE crm_ids SET next = " + strconv.FormatInt(from, 10))
	}
	x.rows, x.store = nil, x.p.store(x.db)
	var err error
	x.CRM, err = crm.New(t.Context(), x.store, &crm.Options{Clock: x.now, KeepRights: -1})
	require.NoError(t, err)
}

// secondTenant lives, and everything in it is a secret.
func (x *trespass) secondTenant(t *testing.T) lived {
	t.Helper()
	x.jump(t, hiddenFrom)
	defer x.jump(t, freshFrom)
	ctx, other := t.Context(), crm.System("other", "set-up "+secret)
	require.NoError(t, x.Team.CreateTenant(ctx, other, team.Tenant{Name: secret}))
	_, err := x.Team.Members.AddMany(ctx, other, []team.Member{{User: secret + "-li", Name: secret, Role: team.Seller}})
	require.NoError(t, err)
	d, err := x.Team.Departments.Create(ctx, other, team.Department{Name: secret, Key: secret})
	require.NoError(t, err)
	_, err = x.Team.Roles.Put(ctx, other, team.Role{Name: secret + "-role", Reach: team.ReachAll, Permissions: []kernel.Permission{kernel.CustomerRead}})
	require.NoError(t, err)
	f := lived{north: d.ID, sales: d.ID, user: secret + "-li", roleName: secret + "-role", now: x.own.now}
	f.member = team.MemberID(x.count("SELECT id FROM crm_members WHERE user_id = '" + f.user + "'"))
	f.role = team.RoleID(x.count("SELECT id FROM crm_roles WHERE name = '" + f.roleName + "'"))
	seller := crm.Actor{Tenant: "other", User: kernel.UserID(f.user)}
	x.hide(t, other, seller, &f)
	f.offer = x.house.offer(other, seller.User, f.busy, f.contact, secret)
	f.offer.money = f.offer.billed(x.house, other, seller.User, f.busy, secret)
	tag := &customer.Tag{Name: secret}
	require.NoError(t, x.Customers.Tags.Create(ctx, other, tag))
	_, err = x.Customers.Tags.Put(ctx, other, []customer.ID{f.busy}, secret)
	require.NoError(t, err)
	c := &team.Calendar{Name: secret, Spec: x.own.spec()}
	require.NoError(t, x.Team.Calendars.Put(ctx, other, c))
	p := &pool.Pool{Name: secret, Public: true, Settings: pool.DefaultSettings()}
	require.NoError(t, x.Pool.Pools.Create(ctx, other, p))
	r := &pool.Rule{PoolID: p.ID, Name: secret, Condition: `level == "D"`, Action: pool.Release, Enabled: true}
	require.NoError(t, x.Pool.Pools.PutRule(ctx, other, r))
	area := &pool.Territory{Name: secret, Members: []kernel.UserID{seller.User}, Enabled: true}
	require.NoError(t, x.Pool.Territories.Put(ctx, other, area))
	f.tag, f.calendar, f.pool, f.rule, f.territory = tag.ID, c.ID, p.ID, r.ID, area.ID
	f.leads = x.prospect(other, seller.User, tag.ID, secret)
	f.event = int64(x.count("SELECT max(id) FROM crm_outbox"))
	return f
}

// hide makes a customer of a seller with all that hangs on it.
func (x *trespass) hide(t *testing.T, by, seller kernel.Actor, into *lived) {
	t.Helper()
	ctx := t.Context()
	c := &customer.Customer{Name: secret, Code: secret, ExternalSystem: "erp", ExternalID: secret, Remarks: secret, Ownership: customer.Ownership{OwnerID: seller.User}}
	require.NoError(t, x.Customers.Create(ctx, by, c))
	k := &customer.Contact{CustomerID: c.ID, FullName: secret, Phone: "13800138000"}
	require.NoError(t, x.Customers.Contacts.Add(ctx, by, k))
	a := &customer.Address{CustomerID: c.ID, Type: customer.Billing, Province: secret, City: secret, Street: secret}
	require.NoError(t, x.Customers.Addresses.Add(ctx, by, a))
	i := &customer.Interaction{CustomerID: c.ID, Type: customer.Call, Subject: secret, Staff: seller.User, NextAction: secret, NextActionAt: x.now().Add(day)}
	require.NoError(t, x.Customers.Interactions.Add(ctx, by, i))
	job := &customer.Task{Subject: secret, Note: secret, OwnerID: seller.User, CustomerID: c.ID, DueAt: x.now()}
	require.NoError(t, x.Customers.Tasks.Create(ctx, by, job))
	into.busy, into.contact, into.address, into.interaction, into.task = c.ID, k.ID, a.ID, i.ID, job.ID
}

// intruders are who tries.
var intruders = []kernel.Actor{boss, {Tenant: "acme", User: "admin"}, li}

// Whatever id of another tenant is named in whichever argument, the answer is that to an id which does not exist. Nothing
// is returned, counted or changed. This holds for all use cases there are.
func TestNothingOfAnotherTenantIsToldOrChanged(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(t *testing.T) place) {
		x := trespassers(t, fresh(t))
		all := useCases(t)
		before := x.baseline(t, all, intruders...)
		foreign := x.secondTenant(t)
		x.requireBaseline(t, before, x.baseline(t, all, intruders...))
		slots := 0
		for _, u := range all {
			for i, s := range x.own.slots(t, u, x.own.arguments(t, u)) {
				slots++
				for _, by := range intruders {
					x.requireAlike(t, u, i, s, by, foreign)
				}
			}
		}
		x.requireAlone(t, all, foreign)
		t.Logf("%d use cases, %d places for ids", len(all), slots)
		require.Greater(t, slots, 150)
	})
}

// baseline asks everything, with what the house has.
func (x *trespass) baseline(t *testing.T, all []useCase, who ...kernel.Actor) map[string]string {
	t.Helper()
	answers := map[string]string{}
	for _, u := range all {
		for _, by := range who {
			a := x.ask(t, u, by, nil)
			answers[u.name+" by "+string(by.User)] = a.text
			if errors.Is(a.err, crm.ErrInvalid) && !errors.Is(a.err, kernel.OwnCommits) {
				t.Errorf("the test does not know how to call %s by %s: %v", u.name, by.User, a.err)
			}
		}
	}
	return answers
}

func (x *trespass) requireBaseline(t *testing.T, before, after map[string]string) {
	t.Helper()
	for name, want := range before {
		require.Equal(t, want, after[name], "%s: what others have changes the answer", name)
		require.NotContains(t, after[name], secret, name)
	}
}

// requireAlike asks with a hidden record in one place, and with one that does not exist, and demands one answer.
func (x *trespass) requireAlike(t *testing.T, u useCase, i int, s slot, by kernel.Actor, hidden lived) {
	t.Helper()
	n, text := hidden.numbers()[s.of], hidden.texts()[s.of]
	if s.of == reflect.TypeFor[kernel.Event]() {
		n = hidden.event
	}
	if n == 0 && text == "" {
		return // of this kind nothing is hidden
	}
	words := []string{strconv.FormatInt(nowhere, 10), nobody}
	if n != 0 {
		words = append(words, strconv.FormatInt(n, 10))
	} else {
		words = append(words, text)
	}
	put := func(n int64, text string) func(args []reflect.Value) {
		return func(args []reflect.Value) { x.own.slots(t, u, args)[i].set(n, text) }
	}
	want := x.ask(t, u, by, put(nowhere, nobody), words...)
	got := x.ask(t, u, by, put(n, text), words...)
	about := fmt.Sprintf("%s at %s by %s", u.name, s.path, by.User)
	require.Equal(t, want.text, got.text, about)
	require.NotContains(t, got.text, secret, about)
	for _, row := range got.changed {
		require.False(t, strings.Contains(row, secret) && n != 0, "%s changed %s", about, row)
	}
	require.Len(t, got.changed, len(want.changed), about)
	if got.err != nil {
		require.Empty(t, got.changed, about)
	}
}

// requireAlone asks what commits by itself: with a record of another tenant, and to the end of its own tenant.
func (x *trespass) requireAlone(t *testing.T, all []useCase, foreign lived) {
	t.Helper()
	hidden := func() []string { return texts(t, x.db, x.ofTenant(t, "other")) }
	before := hidden()
	require.Greater(t, len(before), 30)
	var last *useCase
	alone := 0
	for _, u := range all {
		if !errors.Is(x.ask(t, u, boss, nil).err, kernel.OwnCommits) && u.name != "Pool.Pools.Delete" {
			continue
		}
		if u.name == "Team.DropTenant" {
			last = &u
			continue
		}
		alone++
		_, err := u.call(t.Context(), x.CRM, boss, x.own.arguments(t, u))
		require.NoError(t, err, u.name) // what there is to do is done, so that the same call says the same
		for i, s := range x.own.slots(t, u, x.own.arguments(t, u)) {
			n, text := foreign.numbers()[s.of], foreign.texts()[s.of]
			answers := map[string]bool{}
			for _, with := range []slotValue{{nowhere, nobody}, {n, text}} {
				args := x.own.arguments(t, u)
				x.own.slots(t, u, args)[i].set(with.n, with.text)
				results, err := u.call(t.Context(), x.CRM, boss, args)
				hidden := []string{strconv.FormatInt(nowhere, 10), strconv.FormatInt(n, 10)}
				if text != "" {
					hidden = []string{nobody, text}
				}
				answers[tidy(results, err, hidden...)] = true
			}
			require.Len(t, answers, 1, "%s at %s", u.name, s.path)
		}
		require.Equal(t, before, hidden(), u.name)
	}
	require.Greater(t, alone, 4)
	require.NotNil(t, last)
	_, err := last.call(t.Context(), x.CRM, boss, x.own.arguments(t, *last))
	require.NoError(t, err)
	require.Empty(t, texts(t, x.db, x.ofTenant(t, "acme")))
	require.Equal(t, before, hidden(), last.name)
}

type slotValue struct {
	n    int64
	text string
}

// ofTenant is the query of contents, of one tenant.
func (x *trespass) ofTenant(t *testing.T, key string) string {
	t.Helper()
	id := "(SELECT n.id FROM crm_tenants n WHERE n.key = '" + key + "')"
	return tableEnd.ReplaceAllStringFunc(x.text, func(end string) string {
		if strings.Contains(end, "crm_tenants") {
			return end + " WHERE t.id = " + id
		}
		return end + " WHERE t.tenant_id = " + id
	})
}

var tableEnd = regexp.MustCompile(`FROM crm_[a-z_]+ t\b`)

// What lies outside the scope of a seller, or of a head of department, is to them as if it were not there: somebody else's
// customer in a pool that they do not belong to, and one that lies there.
func TestNothingOutsideTheScopeIsToldOrChanged(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(t *testing.T) place) {
		x := trespassers(t, fresh(t))
		all := useCases(t)
		sellers := []kernel.Actor{li, head}
		before := x.baseline(t, all, sellers...)
		var hidden [2]lived
		x.jump(t, hiddenFrom)
		for i, released := range []bool{false, true} {
			x.exec(`UPDATE crm_customers SET code = code || '-', external_id = external_id || '-' WHERE code = '` + secret + `'`)
			f := &hidden[i]
			x.hide(t, boss, intruders[1], f)
			f.offer.documents = x.own.offer.documentsOf(x.house, boss, intruders[1].User, f.busy, f.contact, secret)
			f.offer.money = x.own.offer.billed(x.house, boss, intruders[1].User, f.busy, secret)
			_, err := x.Pool.MoveToPool(t.Context(), boss, []customer.ID{f.busy}, x.own.private, pool.AllOrNothing, nil)
			require.NoError(t, err)
			f.leads = x.hideLead(t, boss, intruders[1], released)
			if released {
				require.NoError(t, x.Pool.Release(t.Context(), boss, f.busy, nil))
			}
		}
		x.jump(t, freshFrom)
		x.requireBaseline(t, before, x.baseline(t, all, sellers...))
		for _, u := range all {
			for i, s := range x.own.slots(t, u, x.own.arguments(t, u)) {
				for _, h := range hidden {
					for _, by := range sellers {
						x.requireAlike(t, u, i, s, by, h)
					}
				}
			}
		}
	})
}

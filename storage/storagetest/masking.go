package storagetest

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
)

// hidden is what must occur nowhere in what a person reads of a customer in a pool: pieces of its phones, e-mails and notes.
var hidden = []string{"s3cret", "秘密", "13877775678", "7777", "65526666"}

const (
	hiddenPhone = "138 7777 5678"
	hiddenText  = "秘密 s3cret, call 13877775678"
)

// secretive is a customer that li had and released, with something hidden wherever a person can write something.
type secretive struct {
	*bundle
	id          customer.ID
	contact     customer.ContactID
	address     customer.AddressID
	interaction customer.InteractionID
	task        customer.TaskID
}

func setupSecretive(t *testing.T, open Open) *secretive {
	t.Helper()
	b, ctx := setup(t, open), t.Context()
	c := &customer.Customer{Name: "蓝鲸", ExternalSystem: "erp", ExternalID: "1", Remarks: hiddenText, Ownership: customer.Ownership{OwnerID: "li"}}
	require.NoError(t, b.Customers.Create(ctx, li, c))
	x := &customer.Contact{
		CustomerID: c.ID, FullName: "王小明", Phone: hiddenPhone, Email: "s3cret@example.com", Wechat: "ws3cret", Remarks: hiddenText,
		Preferences: json.RawMessage(`{"note":"s3cret"}`), IsPrimary: true,
	}
	require.NoError(t, b.Customers.Contacts.Add(ctx, li, x))
	x.Remarks += "."
	require.NoError(t, b.Customers.Contacts.Update(ctx, li, x)) // a row of the trail with before and after
	a := &customer.Address{
		CustomerID: c.ID, Type: customer.Office, Region: "310115", Province: "上海", City: "上海", Street: "秘密路 1 号", ContactPhone: "010-65526666",
	}
	require.NoError(t, b.Customers.Addresses.Add(ctx, li, a))
	i := &customer.Interaction{
		CustomerID: c.ID, Type: customer.Call, Subject: hiddenText, Content: hiddenText, NextAction: hiddenText, NextActionAt: b.now().Add(day),
		Attachments: json.RawMessage(`["s3cret.pdf"]`),
	}
	require.NoError(t, b.Customers.Interactions.Add(ctx, li, i))
	j := &customer.Task{CustomerID: c.ID, Subject: hiddenText, Note: hiddenText, DueAt: b.now().Add(day)}
	require.NoError(t, b.Customers.Tasks.Create(ctx, li, j))
	b.tag("VIP")
	b.put([]string{"VIP"}, c.ID)
	require.NoError(t, b.Customers.SetStage(ctx, li, c.ID, customer.Lost, hiddenText))
	require.NoError(t, b.Team.Trail.Report(ctx, li, team.Report{
		Type: "host.called", Subject: c.Ref(), Data: map[string]any{"number": []string{"13877775678"}},
	}))
	require.NoError(t, b.Pool.Lock(ctx, li, c.ID, time.Time{}, hiddenText))
	require.NoError(t, b.Pool.Release(ctx, head, c.ID, &pool.ReleaseOptions{Reason: "no budget", Note: hiddenText}))
	b.deliver(func(context.Context, kernel.Event) error { return errors.New("down") },
		&team.RelayOptions{Backoff: team.Backoff{First: time.Second, Longest: time.Second, Attempts: 1}})
	return &secretive{b, c.ID, x.ID, a.ID, i.ID, j.ID}
}

// reads are all calls that return something of a customer, by service and method.
func (b *secretive) reads(who crm.Actor) map[string]func() (any, error) {
	ctx, c := b.t.Context(), b.Customers
	of := team.TrailFilter{Subject: kernel.Ref{Kind: customer.Kind, ID: int64(b.id)}}
	call := func(v any, err error) (any, error) { return v, err }
	return map[string]func() (any, error){
		"Customers.Get":          func() (any, error) { return call(c.Get(ctx, who, b.id)) },
		"Customers.GetMany":      func() (any, error) { return call(c.GetMany(ctx, who, []customer.ID{b.id})) },
		"Customers.GetByKey":     func() (any, error) { return call(c.GetByKey(ctx, who, "erp", "1")) },
		"Customers.GetManyByKey": func() (any, error) { return call(c.GetManyByKey(ctx, who, "erp", []string{"1"})) },
		"Customers.List":         func() (any, error) { return call(c.List(ctx, who, customer.Filter{}, crm.Page{})) },
		"Customers.Count": func() (any, error) {
			n, _, err := c.Count(ctx, who, customer.Filter{InPool: true})
			return n, err
		},
		"Customers.Facts":    func() (any, error) { return call(c.Facts(ctx, who, b.id)) },
		"Customers.Timeline": func() (any, error) { return call(c.Timeline(ctx, who, b.id, crm.Page{})) },
		"Contacts.Get":       func() (any, error) { return call(c.Contacts.Get(ctx, who, b.contact)) },
		"Contacts.List":      func() (any, error) { return call(c.Contacts.List(ctx, who, b.id, crm.Page{})) },
		"Contacts.Find": func() (any, error) {
			return call(c.Contacts.Find(ctx, who, hiddenPhone, "s3cret@example.com", crm.Page{}))
		},
		"Addresses.Get":         func() (any, error) { return call(c.Addresses.Get(ctx, who, b.address)) },
		"Addresses.List":        func() (any, error) { return call(c.Addresses.List(ctx, who, b.id, crm.Page{})) },
		"Tags.List":             func() (any, error) { return call(c.Tags.List(ctx, who, crm.Page{})) },
		"Tags.Of":               func() (any, error) { return call(c.Tags.Of(ctx, who, b.id)) },
		"Interactions.Get":      func() (any, error) { return call(c.Interactions.Get(ctx, who, b.interaction)) },
		"Interactions.List":     func() (any, error) { return call(c.Interactions.List(ctx, who, b.id, crm.Page{})) },
		"Interactions.Pending":  func() (any, error) { return call(c.Interactions.Pending(ctx, who, "li", time.Time{}, crm.Page{})) },
		"Tasks.Get":             func() (any, error) { return call(c.Tasks.Get(ctx, who, b.task)) },
		"Tasks.List":            func() (any, error) { return call(c.Tasks.List(ctx, who, customer.TaskFilter{}, crm.Page{})) },
		"Pool.Log":              func() (any, error) { return call(b.Pool.Log(ctx, who, customer.OperationFilter{}, crm.Page{})) },
		"Pool.Explain":          func() (any, error) { return call(b.Pool.Explain(ctx, who, b.id)) },
		"Pool.Private":          func() (any, error) { return call(b.Pool.Private(ctx, who, pool.PrivateFilter{}, crm.Page{})) },
		"Pool.DueList":          func() (any, error) { return call(b.Pool.DueList(ctx, who, pool.PrivateFilter{}, crm.Page{})) },
		"Pool.Simulate":         func() (any, error) { return call(b.Pool.Simulate(ctx, who, nil, &pool.SimulateOptions{Examples: 9})) },
		"Pool.DueAt":            func() (any, error) { return call(b.Pool.DueAt(ctx, who, b.id)) },
		"Pool.Preview":          func() (any, error) { return call(b.Pool.Preview(ctx, who, nil, crm.Page{})) },
		"Pool.ExplainTerritory": func() (any, error) { return call(b.Pool.ExplainTerritory(ctx, who, b.id)) },
		"Pool.Counter":          func() (any, error) { return call(b.Pool.Counter(ctx, who)) },
		"Trail.Audit":           func() (any, error) { return call(b.Team.Trail.Audit(ctx, who, of, crm.Page{})) },
		"Trail.Events":          func() (any, error) { return call(b.Team.Trail.Events(ctx, who, of, crm.Page{})) },
		"Relay.Dead":            func() (any, error) { return call(b.Team.Relay.Dead(ctx, who, crm.Page{})) },
		"Relay.Backlog":         func() (any, error) { return call(b.Team.Relay.Backlog(ctx, who)) },
	}
}

// showing are those of the reads in whose result something hidden stands when it is not masked.
var showing = []string{
	"Customers.Get", "Customers.GetMany", "Customers.GetByKey", "Customers.GetManyByKey", "Customers.List", "Customers.Timeline",
	"Contacts.Get", "Contacts.List", "Contacts.Find", "Addresses.Get", "Addresses.List",
	"Interactions.Get", "Interactions.List", "Interactions.Pending", "Tasks.Get", "Tasks.List", "Pool.Log", "Trail.Audit", "Trail.Events", "Relay.Dead",
}

// writing are the methods that are no reads. Those that return a record have a sub-test of their own.
var writing = []string{
	"Customers.Create", "Customers.CreateMany", "Customers.Sync", "Customers.Update", "Customers.SetStage", "Customers.Blacklist",
	"Customers.Unblacklist", "Customers.Delete", "Customers.Restore", "Customers.RecordDeal",
	"Contacts.Add", "Contacts.AddMany", "Contacts.Update", "Contacts.Delete", "Contacts.Restore", "Contacts.MakePrimary",
	"Addresses.Add", "Addresses.Update", "Addresses.Delete", "Addresses.Restore", "Addresses.MakeDefault",
	"Tags.Create", "Tags.Update", "Tags.Delete", "Tags.Put", "Tags.Take",
	"Interactions.Add", "Interactions.Update", "Interactions.Complete", "Interactions.Delete",
	"Tasks.Create", "Tasks.Update", "Tasks.Done", "Tasks.Cancel", "Tasks.HandOver",
	"Pool.Claim", "Pool.ClaimMany", "Pool.Release", "Pool.ReleaseMany", "Pool.Assign", "Pool.AssignMany", "Pool.Lock", "Pool.Unlock",
	"Pool.MoveToPool", "Pool.Recycle", "Pool.UseDefaults", "Pool.PurgeOpens", "Pool.AutoAssign", "Pool.AutoAssignPool", "Pool.HandOver", "Pool.Warn",
	"Pool.Open", // shows it whole, and counts: see testOpens
	"Trail.Report", "Relay.Deliver", "Relay.Purge", "Relay.Retry", "Relay.Skip",
}

// hides tells what of the hidden stands in the JSON of a result.
func hides(t *testing.T, v any) (found []string) {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	for _, s := range hidden {
		if strings.Contains(string(text), s) {
			found = append(found, s)
		}
	}
	return found
}

func testMasking(t *testing.T, open Open) {
	t.Run("every method of the services is known as a read or as a write", func(t *testing.T) {
		b := &secretive{bundle: setup(t, open)}
		reads, known := b.reads(li), map[string]bool{}
		for name, service := range map[string]any{
			"Customers": b.Customers, "Contacts": b.Customers.Contacts, "Addresses": b.Customers.Addresses, "Tags": b.Customers.Tags,
			"Interactions": b.Customers.Interactions, "Tasks": b.Customers.Tasks, "Pool": b.Pool, "Trail": b.Team.Trail, "Relay": b.Team.Relay,
		} {
			typ := reflect.TypeOf(service)
			require.Positive(t, typ.NumMethod())
			for m := range typ.Methods() {
				method := name + "." + m.Name
				known[method] = true
				_, read := reads[method]
				require.NotEqual(t, read, slices.Contains(writing, method), "is %s a read?", method)
			}
		}
		for method := range reads {
			require.True(t, known[method], method)
		}
		for _, method := range append(slices.Clone(writing), showing...) {
			require.True(t, known[method], method)
		}
	})
	t.Run("in a pool no read shows phones, e-mails and notes to any person; to the system actor they all do", func(t *testing.T) {
		b := setupSecretive(t, open)
		for _, who := range []crm.Actor{li, wang, head, admin} {
			b.masked(who)
		}
		b.shown(boss)
		_, err := b.Pool.Open(t.Context(), admin, b.id)
		require.NoError(t, err)
		b.masked(admin) // also after an opening
		b.agree()
	})
	t.Run("claimed, every read shows them to the owner, and to an administrator", func(t *testing.T) {
		b := setupSecretive(t, open)
		b.wait(30 * day)
		require.NoError(t, b.Pool.Claim(t.Context(), wang, b.id))
		b.shown(admin)
		// Runs and the trail are not for sellers, and of the log they see what they, and not those before them, had a part in.
		b.shown(wang, "Trail.Audit", "Trail.Events", "Relay.Dead", "Relay.Backlog", "Pool.Preview", "Pool.Simulate", "Pool.ExplainTerritory", "Pool.Log")
		require.NoError(t, b.Pool.Release(t.Context(), wang, b.id, nil))
		b.masked(wang)
		b.masked(admin)
	})
	t.Run("what can be told apart stays so, and says that it is masked", func(t *testing.T) {
		b := setupSecretive(t, open)
		c, err := b.Customers.Get(t.Context(), wang, b.id)
		require.NoError(t, err)
		require.Equal(t, []any{true, "蓝鲸", customer.Mark, customer.Mark}, []any{c.Masked, c.Name, c.Remarks, c.LostReason})
		x, err := b.Customers.Contacts.Get(t.Context(), wang, b.contact)
		require.NoError(t, err)
		require.Equal(t, []any{true, "王小明", "138****5678", "s***@example.com", "w***", customer.Mark},
			[]any{x.Masked, x.FullName, x.Phone, x.Email, x.Wechat, x.Remarks})
		a, err := b.Customers.Addresses.Get(t.Context(), wang, b.address)
		require.NoError(t, err)
		require.Equal(t, []any{true, "上海", customer.Mark, "010****6666"}, []any{a.Masked, a.City, a.Street, a.ContactPhone})
		i, err := b.Customers.Interactions.Get(t.Context(), wang, b.interaction)
		require.NoError(t, err)
		require.Equal(t, []any{true, customer.Call, kernel.UserID("li"), customer.Mark}, []any{i.Masked, i.Type, i.Staff, i.Subject})
		for _, e := range b.auditAs(admin) {
			require.True(t, e.Masked)
		}
		for _, e := range b.auditAs(boss) {
			require.False(t, e.Masked)
		}
	})
	t.Run("a blacklisted customer's reason is a note too, and so is that of a deleted one", func(t *testing.T) {
		b := setupSecretive(t, open)
		require.NoError(t, b.Customers.Blacklist(t.Context(), admin, b.id, hiddenText))
		b.masked(admin)
		c := b.get(b.id)
		require.Equal(t, hiddenText, c.BlacklistReason)
		require.NoError(t, b.Customers.Delete(t.Context(), admin, b.id, c.Version))
		l, err := b.Customers.List(t.Context(), admin, customer.Filter{Deleted: true}, crm.Page{})
		require.NoError(t, err)
		require.Len(t, l.Items, 1)
		require.Empty(t, hides(t, l))
		back, err := b.Customers.Restore(t.Context(), admin, b.id)
		require.NoError(t, err)
		require.True(t, back.Masked)
		require.Empty(t, hides(t, back))
	})
	t.Run("what comes back from deletion is masked like what is read", func(t *testing.T) { maskedRestores(t, setupSecretive(t, open)) })
	t.Run("a masked form is never written, with or without its flag", func(t *testing.T) { neverWritten(t, setupSecretive(t, open)) })
	t.Run("opened, it can be edited by who may; the trail keeps the whole", func(t *testing.T) { openedAndEdited(t, setupSecretive(t, open)) })
}

// masked checks every read of a person: what it is allowed to read hides what is hidden.
func (b *secretive) masked(who crm.Actor) {
	b.t.Helper()
	for name, read := range b.reads(who) {
		got, err := read()
		if err != nil {
			require.ErrorIs(b.t, err, crm.ErrDenied, name)
			require.NotEqual(b.t, admin, who, name)
			continue
		}
		require.Empty(b.t, hides(b.t, got), "%s by %s", name, who.User)
	}
}

// shown checks that every read but some shows what is hidden.
func (b *secretive) shown(who crm.Actor, but ...string) {
	b.t.Helper()
	for name, read := range b.reads(who) {
		if slices.Contains(but, name) {
			continue
		}
		got, err := read()
		require.NoError(b.t, err, name)
		require.Equal(b.t, slices.Contains(showing, name), len(hides(b.t, got)) > 0, "%s by %s", name, who.User)
	}
}

func (b *secretive) auditAs(who crm.Actor) []kernel.AuditEntry {
	b.t.Helper()
	l, err := b.Team.Trail.Audit(b.t.Context(), who, team.TrailFilter{Subject: kernel.Ref{Kind: customer.Kind, ID: int64(b.id)}}, crm.Page{})
	require.NoError(b.t, err)
	require.NotEmpty(b.t, l.Items)
	return l.Items
}

func maskedRestores(t *testing.T, b *secretive) {
	ctx := t.Context()
	require.NoError(t, b.Customers.Contacts.Delete(ctx, admin, b.contact, 2))
	require.NoError(t, b.Customers.Addresses.Delete(ctx, admin, b.address, 1))
	by := admin
	by.Request = "back"
	for range 2 { // what is kept for the request is masked too
		x, err := b.Customers.Contacts.Restore(ctx, by, b.contact)
		require.NoError(t, err)
		a, err := b.Customers.Addresses.Restore(ctx, by, b.address)
		require.NoError(t, err)
		require.True(t, x.Masked && a.Masked)
		require.Empty(t, hides(t, []any{x, a}))
	}
	b.shown(boss)
	require.NoError(t, b.Customers.Contacts.Delete(ctx, admin, b.contact, 4))
	x, err := b.Customers.Contacts.Restore(ctx, boss, b.contact)
	require.NoError(t, err)
	require.Equal(t, []any{false, hiddenPhone}, []any{x.Masked, x.Phone})
	b.agree()
}

// marks counts values in the tables that hold a mark.
func (b *secretive) marks() int {
	return b.count(`SELECT (SELECT count(*) FROM crm_customers WHERE remarks LIKE '%***%' OR lost_reason LIKE '%***%' OR blacklist_reason LIKE '%***%')
		+ (SELECT count(*) FROM crm_contacts WHERE phone LIKE '%***%' OR email LIKE '%***%' OR wechat LIKE '%***%' OR remarks LIKE '%***%'
			OR preferences LIKE '%masked%')
		+ (SELECT count(*) FROM crm_addresses WHERE street LIKE '%***%' OR contact_phone LIKE '%***%')
		+ (SELECT count(*) FROM crm_interactions WHERE subject LIKE '%***%' OR content LIKE '%***%' OR next_action LIKE '%***%' OR attachments LIKE '%***%')
		+ (SELECT count(*) FROM crm_audit WHERE before LIKE '%***%' OR after LIKE '%***%') + (SELECT count(*) FROM crm_outbox WHERE data LIKE '%***%')`)
}

func neverWritten(t *testing.T, b *secretive) {
	ctx := t.Context()
	before := b.count("SELECT count(*) FROM crm_audit")
	c, err := b.Customers.Get(ctx, admin, b.id)
	require.NoError(t, err)
	x, err := b.Customers.Contacts.Get(ctx, admin, b.contact)
	require.NoError(t, err)
	a, err := b.Customers.Addresses.Get(ctx, admin, b.address)
	require.NoError(t, err)
	i, err := b.Customers.Interactions.Get(ctx, li, b.interaction)
	require.NoError(t, err)
	writes := func() map[string]error {
		again, other, place := *x, *c, *a
		other.ExternalSystem, other.ExternalID, other.Code = "", "", ""
		other.Stage, other.LostReason = customer.Potential, ""
		_, many := b.Customers.Contacts.AddMany(ctx, admin, []*customer.Contact{&again}, crm.AllOrNothing)
		return map[string]error{
			"remarks":       b.Customers.Update(ctx, admin, c),
			"phone":         b.Customers.Contacts.Update(ctx, admin, x),
			"street":        b.Customers.Addresses.Update(ctx, admin, a),
			"subject":       b.Customers.Interactions.Update(ctx, li, i),
			"phone, added":  b.Customers.Contacts.Add(ctx, admin, &again),
			"phone, many":   many,
			"masked place":  b.Customers.Addresses.Add(ctx, admin, &place),
			"masked create": b.Customers.Create(ctx, admin, &other),
		}
	}
	for name, err := range writes() {
		require.ErrorIs(t, err, crm.ErrInvalid, name)
		require.ErrorIs(t, err, customer.Masked, name)
	}
	c.Masked, x.Masked, a.Masked, i.Masked = false, false, false, false // a form has lost it
	for name, err := range writes() {
		if name == "masked create" { // a new record with a note of three stars: nothing is lost
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, customer.Masked, name)
	}
	require.Equal(t, before+1, b.count("SELECT count(*) FROM crm_audit"))
	x.Phone = hiddenPhone // one field is known, the next is found
	requireError(t, b.Customers.Contacts.Update(ctx, admin, x), crm.ErrInvalid, customer.Masked, "email")
	x.Email = ""
	requireError(t, b.Customers.Contacts.Update(ctx, admin, x), crm.ErrInvalid, customer.Masked, "wechat")
	got, err := b.Customers.Sync(ctx, boss, []*customer.Customer{{Name: "renamed", ExternalSystem: "erp", ExternalID: "1", Remarks: customer.Mark}}, nil)
	require.NoError(t, err)
	require.Equal(t, customer.WasRefused, got[0].Did)
	require.ErrorIs(t, got[0].Err, customer.Masked)
	_, err = b.db.Exec("UPDATE crm_customers SET remarks = '' WHERE id <> $1", int64(b.id)) // that of the new record
	require.NoError(t, err)
	require.Equal(t, 2, b.marks(), "the audit row and event of the new record")
	b.shown(boss)
	b.agree()
}

func openedAndEdited(t *testing.T, b *secretive) {
	ctx := t.Context()
	o, err := b.Pool.Open(ctx, admin, b.id)
	require.NoError(t, err)
	o.Customer.Remarks += "!"
	require.NoError(t, b.Customers.Update(ctx, admin, o.Customer))
	x := o.Contacts[0]
	x.Title = "CEO"
	require.NoError(t, b.Customers.Contacts.Update(ctx, admin, x))
	a := o.Addresses[0]
	a.District = "浦东"
	require.NoError(t, b.Customers.Addresses.Update(ctx, admin, a))
	o, err = b.Pool.Open(ctx, li, b.id)
	require.NoError(t, err)
	i := o.Interactions[0]
	i.Content += "!"
	require.NoError(t, b.Customers.Interactions.Update(ctx, li, i))
	require.Zero(t, b.marks())
	require.Equal(t, hiddenText+"!", b.get(b.id).Remarks)
	b.masked(admin)
	b.shown(boss)
	b.agree()
}

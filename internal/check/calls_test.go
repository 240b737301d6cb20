package check

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/sales"
	"github.com/openseas/crm/team"
	"github.com/openseas/crm/team/calendar"
)

// useCase is a method of crm.CRM or of one of its services, found by reflection: what is new is found, too, and fails the
// tests until this file knows how to call it.
type useCase struct {
	name   string // "Pool.Pools.Create"
	fields []int  // from *crm.CRM to the service
	method int
	in     []reflect.Type // behind context and actor
}

// noUseCases take no context and no actor, or are a module's part of HandOver.Run and HandOver.Plan, which check their input.
var noUseCases = map[string]bool{
	"In": true, "Customers.Tasks.HandOver": true, "Pool.HandOver": true, "LeadPool.HandOver": true,
	"Sales.Opportunities.HandOver": true, "Sales.Quotes.HandOver": true, "Sales.Contracts.HandOver": true,
}

// useCases walks the services of the CRM.
func useCases(t testing.TB) (all []useCase) {
	t.Helper()
	var walk func(service reflect.Type, name string, fields []int)
	walk = func(service reflect.Type, name string, fields []int) {
		for i := range service.NumMethod() {
			m := service.Method(i)
			if noUseCases[name+m.Name] {
				continue
			}
			require.True(t, m.Type.NumIn() > 2 && m.Type.In(1) == reflect.TypeFor[context.Context]() && m.Type.In(2) == reflect.TypeFor[kernel.Actor](),
				"%s takes no context and actor: is it a use case?", name+m.Name)
			u := useCase{name: name + m.Name, fields: fields, method: i}
			for j := 3; j < m.Type.NumIn(); j++ {
				u.in = append(u.in, m.Type.In(j))
			}
			all = append(all, u)
		}
		for i := range service.Elem().NumField() {
			f := service.Elem().Field(i)
			if f.IsExported() && f.Type.Kind() == reflect.Pointer && f.Type.Elem().Kind() == reflect.Struct {
				walk(f.Type, name+f.Name+".", append(append([]int{}, fields...), i))
			}
		}
	}
	walk(reflect.TypeFor[*crm.CRM](), "", nil)
	require.Greater(t, len(all), 80, "the walk has lost its way")
	return all
}

// call asks a use case, and returns its results without the error.
func (u useCase) call(ctx context.Context, c *crm.CRM, a kernel.Actor, args []reflect.Value) (results []any, err error) {
	v := reflect.ValueOf(c)
	for _, i := range u.fields {
		v = v.Elem().Field(i)
	}
	m := v.Method(u.method)
	in := append([]reflect.Value{reflect.ValueOf(ctx), reflect.ValueOf(a)}, args...)
	call := m.Call
	if m.Type().IsVariadic() {
		call = m.CallSlice
	}
	for _, out := range call(in) {
		if out.Type() == reflect.TypeFor[error]() {
			err, _ = reflect.TypeAssert[error](out)
		} else {
			results = append(results, out.Interface())
		}
	}
	return results, err
}

// numbers are types of ids: what they name in a house that has lived.
func (x lived) numbers() map[reflect.Type]int64 {
	return map[reflect.Type]int64{
		reflect.TypeFor[customer.ID]():            int64(x.busy),
		reflect.TypeFor[customer.ContactID]():     int64(x.contact),
		reflect.TypeFor[customer.AddressID]():     int64(x.address),
		reflect.TypeFor[customer.InteractionID](): int64(x.interaction),
		reflect.TypeFor[customer.TagID]():         int64(x.tag),
		reflect.TypeFor[customer.TaskID]():        int64(x.task),
		reflect.TypeFor[pool.TerritoryID]():       int64(x.territory),
		reflect.TypeFor[pool.ID]():                int64(x.pool),
		reflect.TypeFor[pool.RuleID]():            int64(x.rule),
		reflect.TypeFor[team.DepartmentID]():      int64(x.north),
		reflect.TypeFor[team.CalendarID]():        int64(x.calendar),
		reflect.TypeFor[team.MemberID]():          int64(x.member),
		reflect.TypeFor[team.RoleID]():            int64(x.role),
		reflect.TypeFor[sales.CategoryID]():       int64(x.offer.category),
		reflect.TypeFor[sales.ProductID]():        int64(x.offer.product),
		reflect.TypeFor[sales.PriceListID]():      int64(x.offer.list),
		reflect.TypeFor[sales.PipelineID]():       int64(x.offer.pipeline),
		reflect.TypeFor[sales.StageID]():          int64(x.offer.stage),
		reflect.TypeFor[sales.OpportunityID]():    int64(x.offer.opportunity),
		reflect.TypeFor[sales.QuoteID]():          int64(x.offer.quote),
		reflect.TypeFor[sales.ContractID]():       int64(x.offer.contract),
		reflect.TypeFor[sales.PlanID]():           int64(x.offer.plan),
		reflect.TypeFor[sales.PaymentID]():        int64(x.offer.payment),
		reflect.TypeFor[sales.InvoiceID]():        int64(x.offer.invoice),
		reflect.TypeFor[sales.LeadID]():           int64(x.leads.lead),
		reflect.TypeFor[sales.OrderID]():          int64(x.offer.order),
	}
}

// texts are types of names that a tenant gives.
func (x lived) texts() map[reflect.Type]string {
	return map[reflect.Type]string{reflect.TypeFor[kernel.UserID](): x.user, reflect.TypeFor[team.RoleName](): x.roleName}
}

// plainIDs are fields that name a record by a plain number; other plain numbers are none.
var (
	plainIDs     = map[string]reflect.Type{"customer.OperationFilter.Record": reflect.TypeFor[customer.ID]()}
	plainNumbers = map[string]bool{"Version": true, "Seq": true, "Sequence": true, "SourceLead": true, "Interactions": true}
)

// makers make a value of a type that a use case of the house accepts.
func (x lived) makers() map[reflect.Type]func() any {
	list := []func() any{
		func() any { return x.is },
		func() any {
			return customer.Contact{ID: x.contact, CustomerID: x.busy, FullName: "陈三", Phone: "13800138003", Version: 1}
		},
		func() any {
			return customer.Address{ID: x.address, CustomerID: x.busy, Type: customer.Office, Province: "浙江", City: "杭州", Street: "x", Version: 1}
		},
		func() any { return customer.Tag{ID: x.tag, Name: "another", Version: 1} },
		func() any {
			return customer.Interaction{ID: x.interaction, CustomerID: x.busy, Type: customer.Call, At: x.talked, Subject: "x", Staff: "li", Followup: true, Version: 1}
		},
		func() any {
			return customer.Deal{CustomerID: x.busy, System: "erp", Number: "9", At: x.now, Amount: decimal.NewFromInt(1)}
		},
		func() any {
			return customer.Task{ID: x.task, Subject: "x", OwnerID: "li", CustomerID: x.busy, DueAt: x.now, Version: 2}
		},
		func() any { return customer.TaskFilter{} },
		func() any { return customer.Filter{} },
		func() any { return customer.OperationFilter{} },
		func() any { return customer.SyncOptions{} },
		func() any { return customer.Won },
		func() any { return kernel.AllOrNothing },
		func() any { return kernel.Page{} },
		func() any { return kernel.Ref{} },
		func() any {
			return pool.Pool{ID: x.pool, Name: "south", Public: true, Settings: pool.DefaultSettings(), Version: 1}
		},
		func() any {
			return pool.Rule{ID: 0, PoolID: x.pool, Name: "another", Condition: "owned_days > 200", Action: pool.Keep}
		},
		func() any { return pool.Member{User: "li"} },
		func() any { return pool.DefaultPolicy() },
		func() any { return pool.Limits{} },
		func() any { return pool.AssignOptions{} },
		func() any { return pool.ReleaseOptions{} },
		func() any { return pool.MoveOptions{} },
		func() any { return pool.RecycleOptions{MaxShare: 100} },
		func() any {
			return pool.Territory{ID: x.territory, Name: "all", Department: x.sales, Enabled: true, Version: 1}
		},
		func() any { return pool.AutoAssignOptions{} },
		func() any { return pool.WarnOptions{} },
		func() any { return pool.PrivateFilter{} },
		func() any { return pool.SimulateOptions{} },
		func() any { return pool.PatternFilter{} },
		func() any { return team.Tenant{Name: "x"} },
		func() any { return team.Member{User: "li", Role: team.Seller, Version: 1} },
		func() any { return team.Department{ID: x.north, Name: "x", Version: 1} },
		func() any {
			return team.Role{Name: team.RoleName(x.roleName), Reach: team.ReachOwn, Permissions: []kernel.Permission{kernel.CustomerRead}}
		},
		func() any { return team.Calendar{ID: x.calendar, Name: "works", Spec: x.spec(), Version: 1} },
		func() any { return team.MemberFilter{} },
		func() any { return team.TrailFilter{} },
		func() any { return team.Report{Type: "host.x"} },
		func() any {
			return team.Directory{
				Departments: []team.DirectoryDepartment{{Key: "k", Name: "x"}},
				Members:     []team.DirectoryMember{{User: "new", Name: "x", Role: team.Seller, Department: "k"}},
			}
		},
		func() any { return team.RelayOptions{} },
		func() any { return func(context.Context, kernel.Event) error { return nil } },
		func() any { return func(int) {} },
		func() any { return crm.VerifyOptions{} },
		func() any { return crm.HandOverOptions{} },
		func() any { return x.now.Add(day) },
		func() any { return time.Duration(0) },
		func() any { return "x" },
		func() any { return true },
		func() any { return 1 },
	}
	list = append(list, x.salesMakers()...)
	list = append(list, x.leadMakers()...)
	makers := map[reflect.Type]func() any{}
	for _, maker := range list {
		makers[reflect.TypeOf(maker())] = maker
	}
	for id, n := range x.numbers() {
		makers[id] = func() any { return reflect.ValueOf(n).Convert(id).Interface() }
	}
	for name, text := range x.texts() {
		makers[name] = func() any { return reflect.ValueOf(text).Convert(name).Interface() }
	}
	return makers
}

func (x lived) spec() calendar.Spec {
	office := []calendar.Window{{From: calendar.At(9, 0), To: calendar.At(18, 0)}}
	return calendar.Spec{
		Zone: "Asia/Shanghai", Week: calendar.MondayToFriday(office...),
		Holidays: []calendar.Holiday{{From: "2026-02-15", To: "2026-02-23", Name: "x"}}, Extra: []calendar.ExtraDay{{Date: "2026-02-14", Name: "x", Windows: office}},
	}
}

// special are arguments that the type alone does not say: "name of the use case#number of the argument".
func (x lived) special() map[string]func() any {
	named := func(text string) func() any { return func() any { return text } }
	number := func(n int64) func() any { return func() any { return n } }
	rules := func() any {
		return []pool.Rule{{PoolID: x.pool, Name: "another", Condition: "owned_days > 200", Action: pool.Release}}
	}
	special := map[string]func() any{
		"Customers.Create#0":              func() any { return &customer.Customer{Name: "x"} },
		"Customers.CreateMany#0":          func() any { return []*customer.Customer{{Name: "x"}} },
		"Customers.Sync#0":                func() any { return []*customer.Customer{{Name: "x", ExternalSystem: "erp", ExternalID: "1"}} },
		"Customers.SetStage#2":            named(""),
		"Customers.Delete#1":              number(x.version),
		"Customers.Contacts.Find#0":       named("13800138000"),
		"Customers.Contacts.Find#1":       named(""),
		"Customers.Contacts.Delete#1":     number(1),
		"Customers.Addresses.Delete#1":    number(1),
		"Customers.Tags.Delete#1":         number(1),
		"Customers.Interactions.Delete#1": number(1),
		"Customers.Tags.Put#1":            func() any { return []string{"VIP"} },
		"Customers.Tags.Take#1":           func() any { return []string{"VIP"} },
		"Customers.Contacts.Add#0":        func() any { return &customer.Contact{CustomerID: x.busy, FullName: "x"} },
		"Customers.Contacts.AddMany#0":    func() any { return []*customer.Contact{{CustomerID: x.busy, FullName: "x"}} },
		"Customers.Tasks.Create#0": func() any {
			return &customer.Task{Subject: "x", OwnerID: "li", CustomerID: x.busy, DueAt: x.now}
		},
		"Pool.Preview#0":            rules,
		"Pool.Simulate#0":           rules,
		"Pool.Open#0":               func() any { return x.lying },
		"Pool.AutoAssign#0":         func() any { return []customer.ID{x.lying} },
		"Pool.PurgeOpens#0":         func() any { return time.Hour },
		"Pool.Pools.Delete#1":       func() any { return pool.ID(0) },
		"Pool.Pools.Create#0":       func() any { return &pool.Pool{Name: "south", Settings: pool.DefaultSettings()} },
		"Team.Members.Add#0":        func() any { return team.Member{User: "new", Role: team.Seller} },
		"Team.Members.AddMany#0":    func() any { return []team.Member{{User: "new", Role: team.Seller}} },
		"Team.Departments.Create#0": func() any { return team.Department{Name: "x"} },
		"Team.Relay.Retry#0":        number(x.event),
		"Team.Relay.Skip#0":         number(x.event),
		"Team.Relay.Purge#0":        func() any { return time.Hour },
		"Pool.Recycle#0":            func() any { return &pool.RecycleOptions{MaxShare: 100} },
		"Customers.Tags.Create#0":   func() any { return &customer.Tag{Name: "another"} },
		"Customers.Addresses.Add#0": func() any {
			return &customer.Address{CustomerID: x.busy, Type: customer.Office, Province: "浙江", City: "杭州", Street: "x"}
		},
		"Team.Calendars.Put#0": func() any { return &team.Calendar{Name: "works", Spec: x.spec()} },
		"Customers.Interactions.Add#0": func() any {
			return &customer.Interaction{CustomerID: x.busy, Type: customer.Call, Subject: "x", Staff: "li", Followup: true}
		},
	}
	maps.Copy(special, x.salesSpecial())
	maps.Copy(special, x.leadSpecial())
	return special
}

// eventArgument are arguments that name an event by a plain number.
var eventArgument = map[string]bool{"Team.Relay.Retry#0": true, "Team.Relay.Skip#0": true}

// arguments makes fresh ones, each in a place of its own that can be written to.
func (x lived) arguments(t testing.TB, u useCase) []reflect.Value {
	t.Helper()
	makers, special := x.argumentsOf(u)
	args := make([]reflect.Value, len(u.in))
	for i, in := range u.in {
		args[i] = reflect.New(in).Elem()
		if maker, ok := special[fmt.Sprint(u.name, "#", i)]; ok {
			args[i].Set(reflect.ValueOf(maker()).Convert(in))
			continue
		}
		args[i].Set(x.value(t, makers, in, fmt.Sprintf("argument %d of %s", i, u.name)))
	}
	return args
}

// value makes one value of a type.
func (x lived) value(t testing.TB, makers map[reflect.Type]func() any, in reflect.Type, about string) reflect.Value {
	t.Helper()
	if maker, ok := makers[in]; ok {
		return reflect.ValueOf(maker()).Convert(in)
	}
	switch in.Kind() {
	case reflect.Pointer:
		p := reflect.New(in.Elem())
		p.Elem().Set(x.value(t, makers, in.Elem(), about))
		return p
	case reflect.Slice:
		s := reflect.MakeSlice(in, 1, 1)
		s.Index(0).Set(x.value(t, makers, in.Elem(), about))
		return s
	}
	require.Fail(t, "nobody has told how to make it", "%s, a %s: add it to makers or special in calls_test.go", about, in)
	return reflect.Value{}
}

// slot is a place in the arguments that names a record, a member or a role.
type slot struct {
	path string
	of   reflect.Type // of the id; string: an event
	set  func(n int64, text string)
}

// slots finds the places; what looks like an id and is none that is known fails the test.
func (x lived) slots(t testing.TB, u useCase, args []reflect.Value) (all []slot) {
	t.Helper()
	w := slotWalk{t: t, u: u, numbers: x.numbers(), texts: x.texts()}
	for i, arg := range args {
		name := fmt.Sprint(u.name, "#", i)
		switch {
		case eventArgument[name]:
			w.all = append(w.all, slot{name, reflect.TypeFor[kernel.Event](), func(n int64, _ string) { arg.SetInt(n) }})
		case arg.Type() == reflect.TypeFor[int64](): // a version, says special
		default:
			w.walk(arg, name)
		}
	}
	for i := range w.all {
		if s := &w.all[i]; strings.HasSuffix(s.path, "Pool.Territories.Put#0.Members[]") { // either a department or members
			set, department := s.set, args[0].Elem().FieldByName("Department")
			s.set = func(n int64, text string) { department.SetInt(0); set(n, text) }
		}
	}
	return w.all
}

type slotWalk struct {
	t       testing.TB
	u       useCase
	numbers map[reflect.Type]int64
	texts   map[reflect.Type]string
	all     []slot
}

func (w *slotWalk) walk(v reflect.Value, path string) {
	_, isNumber := w.numbers[v.Type()]
	_, isText := w.texts[v.Type()]
	switch {
	case isNumber:
		w.all = append(w.all, slot{path, v.Type(), func(n int64, _ string) { v.SetInt(n) }})
		return
	case isText:
		w.all = append(w.all, slot{path, v.Type(), func(_ int64, s string) { v.SetString(s) }})
		return
	case v.Type() == reflect.TypeFor[kernel.Ref]():
		w.all = append(w.all, slot{path, reflect.TypeFor[customer.ID](), func(n int64, _ string) { v.Set(reflect.ValueOf(kernel.Ref{Kind: "customer", ID: n})) }})
		return
	case v.Type() == reflect.TypeFor[time.Time](), v.Type() == reflect.TypeFor[decimal.Decimal](), v.Type() == reflect.TypeFor[decimal.NullDecimal](),
		v.Type() == reflect.TypeFor[time.Duration]():
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			w.walk(v.Elem(), path)
		}
	case reflect.Struct:
		w.fields(v, path)
	case reflect.Slice:
		w.list(v, path)
	case reflect.Array:
		for i := range v.Len() {
			if e := v.Index(i); e.Kind() != reflect.Slice || e.Len() > 0 {
				w.walk(e, fmt.Sprintf("%s[%d]", path, i))
			}
		}
	case reflect.Int64:
		require.Fail(w.t, "an id that nobody knows?", "%s is a %s: add it to numbers in calls_test.go, with a record of a house that has lived", path, v.Type())
	}
}

func (w *slotWalk) fields(v reflect.Value, path string) {
	for i := range v.NumField() {
		f, of := v.Field(i), v.Type().Field(i)
		if !of.IsExported() {
			continue
		}
		if f.Type() == reflect.TypeFor[int64]() {
			id, known := plainIDs[v.Type().String()+"."+of.Name]
			require.True(w.t, known || plainNumbers[of.Name], "%s.%s is a plain number: does it name a record?", v.Type(), of.Name)
			if known {
				w.all = append(w.all, slot{path + "." + of.Name, id, func(n int64, _ string) { f.SetInt(n) }})
			}
			continue
		}
		w.walk(f, path+"."+of.Name)
	}
}

// list takes the first of a list; of an empty one the place for it.
func (w *slotWalk) list(v reflect.Value, path string) {
	if v.Len() == 0 && isLeaf(v.Type().Elem()) {
		one := reflect.MakeSlice(v.Type(), 1, 1)
		before := len(w.all)
		w.walk(one.Index(0), path+"[]")
		for i := range w.all[before:] {
			inner := w.all[before+i].set
			w.all[before+i].set = func(n int64, s string) { inner(n, s); v.Set(one) }
		}
		return
	}
	if v.Len() > 0 {
		w.walk(v.Index(0), path+"[0]")
		return
	}
	require.True(w.t, isLeaf(v.Type().Elem()), "%s is an empty list of %s: its maker should give it one", path, v.Type().Elem())
}

func isLeaf(t reflect.Type) bool {
	return t.Kind() != reflect.Struct && t.Kind() != reflect.Pointer
}

// tidy is what was answered as a text, in which the ids that differ by intention do not.
func tidy(results []any, err error, hidden ...string) string {
	parts := make([]string, 0, len(results)+1)
	for _, r := range results {
		parts = append(parts, asText(r))
	}
	parts = append(parts, fmt.Sprintf("%T %v", err, err), asText(err))
	text := strings.Join(parts, " | ")
	for _, h := range hidden {
		text = wordOf(h).ReplaceAllString(text, "#")
	}
	return text
}

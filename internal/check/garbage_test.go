package check

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/kernel"
)

// garbage is what somebody may write into any text.
var garbage = []string{
	`'; DROP TABLE crm_customers; --`, "a\x00b", "\xff\xfe", strings.Repeat("x", 10<<20), // always; of the others a run takes some
	`" OR ""="`, `') OR 1=1 --`, `\'; DELETE FROM crm_audit; --`, "?", "?0", "?tenant", "?TableAlias", "?PKs", "$1", "$1::int",
	":tenant", ":id", "@p1", "%", "_", "%s", `\`, `\\%`, "\x00", "a\xc3", "\u202eabc", "\u2028", "\ufeff", " x", "x\n", "\x1b[31m",
	"NULL", "null", "{}", `{"a":1}`, "[]", `{"a":`, "中文'\"名", "🐋", "e\u0301", "-1", "1e999", "9223372036854775808", "0001-01-01", "2026-02-30",
	strings.Repeat("鲸", 1<<20), strings.Repeat("(", 600), strings.Repeat(`{"a":`, 2000),
}

// harmless is a word that every free text takes.
const harmless = "zq7x"

// leaf is a text in the arguments, or of the actor.
type leaf struct {
	path string
	set  func(args []reflect.Value, text string)
}

// leaves finds every text.
func (x *trespass) leaves(t *testing.T, u useCase) (all []leaf) {
	t.Helper()
	for i, arg := range x.own.arguments(t, u) {
		for j, path := range textsIn(arg, fmt.Sprint("#", i), nil) {
			all = append(all, leaf{path, func(args []reflect.Value, text string) {
				n := -1
				textsIn(args[i], "", func(set func(string)) {
					if n++; n == j {
						set(text)
					}
				})
			}})
		}
	}
	return all
}

// textsIn walks a value, and returns the paths of its texts; visit gets each to write to.
func textsIn(v reflect.Value, path string, visit func(set func(string))) (paths []string) {
	found := func(set func(string)) []string {
		if visit != nil {
			visit(set)
		}
		return []string{path}
	}
	switch {
	case v.Type() == reflect.TypeFor[json.RawMessage]():
		return found(func(s string) { v.SetBytes([]byte(s)) })
	case v.Type() == reflect.TypeFor[time.Time](), v.Type() == reflect.TypeFor[decimal.Decimal](), v.Type() == reflect.TypeFor[decimal.NullDecimal]():
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		return found(v.SetString)
	case reflect.Interface:
		return found(func(s string) { v.Set(reflect.ValueOf(map[string]string{s: s})) })
	case reflect.Pointer:
		if !v.IsNil() {
			return textsIn(v.Elem(), path, visit)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				paths = append(paths, textsIn(v.Field(i), path+"."+v.Type().Field(i).Name, visit)...)
			}
		}
	case reflect.Slice:
		if v.Len() == 0 && v.Type().Elem().Kind() == reflect.String {
			return found(func(s string) {
				v.Set(reflect.MakeSlice(v.Type(), 1, 1))
				v.Index(0).SetString(s)
			})
		}
		if v.Len() > 0 {
			return textsIn(v.Index(0), path+"[0]", visit)
		}
	}
	return paths
}

// Whatever is written into whichever text of whichever use case: it is kept as it is, or refused with a typed error and
// nothing is written. No text becomes SQL, a pattern, or an error of the database.
func TestNoTextIsMoreThanAText(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(t *testing.T) place) {
		x := trespassers(t, fresh(t))
		r := chance(t)
		schema := strings.Join(tablesOf(t, x), "\n")
		asked, kept := 0, 0
		for _, u := range useCases(t) {
			by := x.speaker(t, u)
			for _, l := range x.leaves(t, u) {
				sound := x.ask(t, u, by, func(args []reflect.Value) { l.set(args, harmless) })
				list := append(slices.Clone(garbage[:4]), shuffled(r, garbage[4:])...)
				for _, text := range list[:choose(6, len(list))] {
					asked++
					ok, wrong := x.try(t, u, by, l, text, sound)
					if wrong != "" {
						t.Errorf("%s%s = %.40q: %s", u.name, l.path, text, wrong)
					}
					if ok {
						kept++
					}
				}
			}
			list := shuffled(r, garbage)
			for _, text := range list[:choose(2, len(list))] {
				if wrong := x.tryActor(t, u, text); wrong != "" {
					t.Errorf("%s by %.40q: %s", u.name, text, wrong)
				}
			}
		}
		require.Equal(t, schema, strings.Join(tablesOf(t, x), "\n"))
		x.sound()
		t.Logf("%d texts, %d of them kept", asked, kept)
		require.Positive(t, kept)
	})
}

func shuffled(r *rand.Rand, list []string) []string {
	list = slices.Clone(list)
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// speaker is who may: the system actor, or where only a person may, a seller.
func (x *trespass) speaker(t *testing.T, u useCase) kernel.Actor {
	t.Helper()
	if errors.Is(x.ask(t, u, boss, nil).err, kernel.ErrDenied) {
		return li
	}
	return boss
}

func tablesOf(t *testing.T, x *trespass) []string {
	t.Helper()
	if x.p.postgres() {
		return texts(t, x.db, "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY 1")
	}
	return texts(t, x.db, "SELECT coalesce(sql, name) FROM sqlite_schema ORDER BY name")
}

// try asks with a text, which is kept or refused; otherwise it tells what is wrong.
func (x *trespass) try(t *testing.T, u useCase, by kernel.Actor, l leaf, text string, sound answer) (kept bool, wrong string) {
	t.Helper()
	got := x.ask(t, u, by, func(args []reflect.Value) { l.set(args, text) })
	switch {
	case got.err != nil:
		return false, untyped(got)
	case sound.err != nil:
		return false, ""
	case len(got.changed) != len(sound.changed):
		return false, fmt.Sprintf("it wrote %d rows, and another text %d", len(got.changed), len(sound.changed))
	case len(sound.changed) > 0:
		inside := strings.HasSuffix(l.path, ".Data") // JSON of the host's, which is written as Go writes it
		rows := plain(strings.Join(got.changed, "\n"))
		as := strings.Contains(rows, plain(text)) || strings.Contains(rows, plain(inJSON(text))) // the trail keeps JSON, where a line break is \n
		if !inside && strings.Contains(strings.Join(sound.changed, "\n"), harmless) && !as {
			return false, "it was changed on its way"
		}
	case strings.ReplaceAll(sound.text, harmless, inJSON(text)) != got.text:
		return false, fmt.Sprintf("a text that nobody has finds %.300s", got.text) // another one finds something else
	}
	return true, ""
}

// untyped is what is wrong with an error: a program must be able to read it, and nothing may have been written.
func untyped(got answer) string {
	code, ok := errors.AsType[kernel.Code](got.err)
	switch {
	case !ok:
		return fmt.Sprintf("an untyped error: %.300v", got.err)
	case code == kernel.ErrRetry, code == kernel.ErrUnknownOutcome:
		return fmt.Sprintf("an error of the database: %.300v", got.err)
	case len(got.changed) > 0:
		return fmt.Sprintf("refused, and written all the same: %.300v", got.changed)
	case len(got.err.Error()) > 2_000:
		return "the error is as long as the text"
	}
	return ""
}

// tryActor asks as an actor with the text in it.
func (x *trespass) tryActor(t *testing.T, u useCase, text string) (wrong string) {
	t.Helper()
	for field, by := range map[string]kernel.Actor{"tenant": {Tenant: kernel.TenantID(text), User: "li"}, "user": {Tenant: "acme", User: kernel.UserID(text)}} {
		got := x.ask(t, u, by, nil)
		if got.err == nil {
			return "no error for an actor with a wrong " + field
		}
		if wrong = untyped(got); wrong != "" {
			return wrong
		}
	}
	with := li
	with.Request = text
	if got := x.ask(t, u, with, nil); got.err != nil {
		return untyped(got)
	}
	return ""
}

// plain leaves out what only quotes.
func plain(text string) string { return strings.NewReplacer(`\`, "", `"`, "").Replace(text) }

func inJSON(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(quoted[1 : len(quoted)-1])
}

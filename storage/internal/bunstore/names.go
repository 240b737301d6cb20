package bunstore

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

// Names are what a host calls our tables.
type Names struct {
	Schema string // of PostgreSQL; empty: what the search path finds
	Prefix string // before every name; empty: crm_
}

var (
	word    = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,30}$`)
	ourName = regexp.MustCompile(`\bcrm_[a-z0-9_]+`)
)

// Check refuses what could be read as anything but a name.
func (n Names) Check() error {
	for what, s := range map[string]string{"schema": n.Schema, "prefix": n.Prefix} {
		if s != "" && !word.MatchString(s) {
			return fmt.Errorf("the %s %.40q: at most 31 lower-case letters, digits and underscores, not beginning with a digit", what, s)
		}
	}
	return nil
}

// SQL writes the host's names into SQL text of ours, in which every table is called crm_…. Indexes and triggers (crm_ix_,
// crm_uq_, crm_tr_) live in the schema of their table and take no schema of their own. The text must be constant: what
// users wrote never goes through here.
func (n Names) SQL(text string) string {
	if n == (Names{}) {
		return text
	}
	return ourName.ReplaceAllStringFunc(text, n.rename)
}

func (n Names) rename(name string) string {
	rest := strings.TrimPrefix(name, "crm_")
	prefix := n.Prefix
	if prefix == "" {
		prefix = "crm_"
	}
	for _, kind := range []string{"ix_", "uq_", "tr_"} {
		if strings.HasPrefix(rest, kind) {
			return prefix + rest
		}
	}
	if n.Schema != "" {
		return n.Schema + "." + prefix + rest
	}
	return prefix + rest
}

// safeName is a name that was checked, as an argument of a query: our own word with the host's prefix and schema.
type safeName string

// AppendQuery writes the name as it is.
func (n safeName) AppendQuery(_ schema.QueryGen, b []byte) ([]byte, error) {
	return append(b, n...), nil
}

// apply renames the tables of all models. bun keeps its tables per dialect, and every store has a dialect of its own.
func (n Names) apply(db *bun.DB) {
	for _, model := range models {
		t := db.Table(reflect.TypeOf(model).Elem())
		name := n.rename(t.Name)
		t.Name, t.SQLName, t.SQLNameForSelects = name, schema.Safe(name), schema.Safe(name)
	}
}

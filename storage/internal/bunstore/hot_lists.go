package bunstore

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// where is a condition with a ? for each argument; an argument of the type many is the list in an IN (?).
type where struct {
	text string
	args []any
}

// Lists of somebody's customers or of pools, whatever else they are filtered by, are prepared too: an index for each owner
// and each pool has them in the order of the ids, whatever the values are, and the engine merges these branches. Other lists
// are planned anew for their values, on which the best index depends: a plan for any values was 200 times slower where a
// pool holds a third of the house.

// unseen is an argument of a list whose value PostgreSQL does not see when it plans. Owners with few customers, and the last
// pages of anybody, promise to cost less than those of any value do: the server then plans at every call, which takes as long
// as the page itself, and comes to the same index.
func (s *Store) unseen(kind string) string {
	if s.pg {
		return "(SELECT ?::" + kind + ")"
	}
	return "?"
}

// branches takes a narrowed filter apart into owners and pools, which have no customer in common, and the rest of it; none
// where it is not made of these.
func (s *Store) branches(sc kernel.Scope, f customer.Filter) (parts []where, rest customer.Filter) {
	owners, pools := f.Owners, f.Pools
	rest = f
	rest.Owners, rest.InPool = nil, false
	switch named := sc.All && len(sc.Regions) == 0; {
	case f.Deleted, len(f.TagsAny)+len(f.TagsAll) > 0, len(sc.Regions) > 0:
		return nil, f
	case named && f.InPool && len(owners) == 0:
		rest.Pools = nil
	case named && !f.InPool:
		pools = nil
	case !sc.All && !f.InPool && len(owners) == 0: // whatever the actor sees
		owners, pools = sc.Owners, nil
		for _, id := range sc.Pools {
			pools = append(pools, customer.PoolID(id))
		}
	default:
		return nil, f
	}
	for _, owner := range slices.Compact(slices.Sorted(slices.Values(owners))) {
		parts = append(parts, where{"t.owner_id = " + s.unseen("text"), []any{owner}})
	}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(pools))) {
		parts = append(parts, where{"t.owner_id IS NULL AND t.pool_id = " + s.unseen("bigint"), []any{id}})
	}
	return parts, rest
}

// mostBranches is beyond how many the engine is faster without: SQLite keeps a row of each at hand.
func (s *Store) mostBranches() int {
	if s.pg {
		return 32
	}
	return 4
}

// mostPages is how many texts of lists a handle prepares: each takes memory on every connection. A text is what fields are
// filtered by, and by how many values; hosts ask for a few, and what comes after these is parsed at each call.
const mostPages = 128

// page is a page of customers in the order of their ids. Its text depends on which conditions there are, and not on values;
// the limit is written out, since a plan that must serve any limit expects a tenth of all rows. PostgreSQL merges branches
// only where each has the limit, SQLite only where none has.
func (t *tx) page(ctx context.Context, parts, rest []where, newest bool, limit int) ([]*customer.Customer, error) {
	w := hotWriter{t: t}
	end := " ORDER BY id LIMIT " + strconv.Itoa(limit)
	if newest {
		end = " ORDER BY id DESC LIMIT " + strconv.Itoa(limit)
	}
	for _, c := range rest {
		w.condition(c)
		w.text.WriteString(" AND ")
	}
	common := w.text.String() // the same arguments in every branch
	w.text.Reset()
	for i, c := range parts {
		if i > 0 {
			w.text.WriteString(" UNION ALL ")
		}
		bounded := t.pg && len(parts) > 1
		if bounded {
			w.text.WriteByte('(')
		}
		w.text.WriteString(t.pageHead)
		w.text.WriteString(common)
		w.condition(c)
		if bounded {
			w.text.WriteString(end)
			w.text.WriteByte(')')
		}
	}
	w.text.WriteString(end)
	if w.err != nil {
		return nil, w.err
	}
	text := w.text.String()
	st, err := t.h.page(ctx, text, t.conn == t.h.db)
	if err != nil {
		return nil, err
	}
	rows, err := t.rows(ctx, st, text, w.args)
	return t.customersOf(kernel.Scope{All: true}, rows, err)
}

// page is the prepared statement of a text, nil when there is none. It is made only where the handle can spare a connection
// for it: inside a transaction a pool of one has none left.
func (h *handle) page(ctx context.Context, text string, may bool) (*sql.Stmt, error) {
	h.mu.RLock()
	st, room := h.pages[text], h.stmts != nil && len(h.pages) < mostPages
	h.mu.RUnlock()
	if st != nil || !may || !room {
		return st, nil
	}
	st, err := h.db.PrepareContext(ctx, text) // kept as long as the handle, which is the host's to close
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if other := h.pages[text]; other != nil || len(h.pages) >= mostPages { // somebody was faster
		return other, st.Close() //nolint:sqlclosecheck // nobody else has it
	}
	h.pages[text] = st
	return st, nil
}

// hotWriter writes conditions with numbered arguments.
type hotWriter struct {
	t    *tx
	text strings.Builder
	args []any
	err  error
}

func (w *hotWriter) condition(c where) {
	args := c.args
	w.text.WriteByte('(')
	for rest := c.text; ; {
		before, after, more := strings.Cut(rest, "?")
		w.text.WriteString(before)
		if !more {
			break
		}
		if len(args) == 0 {
			w.err = bug("%q has more arguments than it is given", c.text)
			break
		}
		w.argument(args[0])
		args, rest = args[1:], after
	}
	w.text.WriteByte(')')
}

// argument writes one value, or a list of them: of 1, 2, 4, 8, … so that lists of many lengths have few texts; the last value
// again finds nothing more.
func (w *hotWriter) argument(v any) {
	list, ok := v.(many)
	if !ok {
		w.value(v)
		return
	}
	n := 1
	for n < len(list) {
		n *= 2
	}
	for i := range n {
		if i > 0 {
			w.text.WriteString(", ")
		}
		w.value(list[min(i, len(list)-1)])
	}
}

func (w *hotWriter) value(v any) {
	bound, err := w.t.bound(v)
	if err != nil && w.err == nil {
		w.err = err
	}
	w.args = append(w.args, bound)
	w.text.WriteString(w.t.mark())
	w.text.WriteString(strconv.Itoa(len(w.args)))
}

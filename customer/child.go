package customer

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/openseas/crm/kernel"
)

// Contacts, addresses and interactions are children of a customer: they are reached through its scope, they change under
// its row lock, and what happens to them is an event of the customer, in the order of its seq.

// only is the only one of a list, or not found.
func only[T any](found []*T, err error) (*T, error) {
	if err == nil && len(found) == 0 {
		err = kernel.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// touch raises the customer's seq by the number of changes to come, which also locks it.
func touch(ctx context.Context, c *kernel.Call[Tx], sc kernel.Scope, id ID, changes int) (*Customer, error) {
	x, err := c.Tx.Customers().Touch(ctx, c.Actor.Tenant, sc, id, int64(changes))
	if err == nil && x == nil {
		err = kernel.ErrNotFound
	}
	return x, err
}

// visible is the customer, or not found for one outside the scope of the call.
func visible(ctx context.Context, c *kernel.Call[Tx], id ID) (*Customer, error) {
	return one(c.Tx.Customers().Get(ctx, c.Actor.Tenant, c.Scope, id))
}

// lockChild finds a child, locks its customer, and returns both as they are under the lock.
func lockChild[T any](ctx context.Context, c *kernel.Call[Tx], sc kernel.Scope, find func() ([]*T, error), of func(*T) ID) (*Customer, *T, error) {
	child, err := only(find())
	if err != nil {
		return nil, nil, err
	}
	owner, err := one(c.Tx.Customers().Lock(ctx, c.Actor.Tenant, sc, false, of(child)))
	if err != nil {
		return nil, nil, err
	}
	child, err = only(find())
	return owner, child, err
}

// tell writes changes of one customer's children, in their order, as the next events of the customer.
func tell(ctx context.Context, c *kernel.Call[Tx], of *Customer, changes ...kernel.Change) error {
	touched, err := touch(ctx, c, kernel.Scope{All: true}, of.ID, len(changes))
	if err != nil {
		return err
	}
	for i := range changes {
		changes[i].Subject, changes[i].Seq = of.Ref(), touched.Seq-int64(len(changes)-1-i)
	}
	return c.Record(ctx, changes...)
}

// notFree is the conflict of a single row that was not written.
func notFree(taken []Taken, err error) error {
	if err != nil || len(taken) == 0 {
		return err
	}
	return kernel.Taken(taken[0].Field)
}

// events collects changes of many customers that are locked, and of their children.
type events struct {
	of      map[ID]*Customer
	changes []kernel.Change
}

// add gives the change the customer's next seq.
func (e *events) add(of *Customer, change kernel.Change) {
	if e.of == nil {
		e.of = map[ID]*Customer{}
	}
	e.of[of.ID] = of
	of.Seq++
	change.Subject, change.Seq = of.Ref(), of.Seq
	e.changes = append(e.changes, change)
}

// tell writes the seqs and the changes: a fixed number of statements, however many customers there are.
func (e *events) tell(ctx context.Context, c *kernel.Call[Tx]) error {
	if len(e.changes) == 0 {
		return nil
	}
	if err := notFree(c.Tx.Customers().Update(ctx, c.Actor.Tenant, slices.Collect(maps.Values(e.of))...)); err != nil {
		return err
	}
	return c.Record(ctx, e.changes...)
}

// lockMany locks customers within the scope of the call, whatever order and how often they are named.
func lockMany(ctx context.Context, c *kernel.Call[Tx], ids []ID) (map[ID]*Customer, error) {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	found, err := c.Tx.Customers().Lock(ctx, c.Actor.Tenant, c.Scope, false, slices.Compact(ids)...)
	byID := make(map[ID]*Customer, len(found))
	for _, x := range found {
		byID[x.ID] = x
	}
	return byID, err
}

const (
	jsonLimit = 10_000 // bytes of a JSON document that a record carries
	jsonDepth = 32     // of objects and arrays in it: readers in other languages have smaller stacks than Go
)

// checkJSON refuses what is no JSON document of the kind that opens with the bracket, is too long, too deep, or holds
// text that could not be written plainly either. It returns the document without white space; null is none.
func checkJSON(field string, raw json.RawMessage, bracket byte) (json.RawMessage, error) {
	if len(raw) > jsonLimit {
		return nil, kernel.Invalidf(field, kernel.TooLong, "at most %d bytes", jsonLimit)
	}
	if err := kernel.CheckText(field, string(raw), jsonLimit); err != nil {
		return nil, err
	}
	if len(raw) == 0 {
		return nil, nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return nil, kernel.Invalidf(field, kernel.Malformed, "no JSON: %w", err)
	}
	switch text := compact.Bytes(); {
	case string(text) == "null":
		return nil, nil
	case text[0] != bracket:
		return nil, kernel.Invalidf(field, kernel.Malformed, "a JSON document that begins with %c is needed", bracket)
	case depthOf(text) > jsonDepth:
		return nil, kernel.Invalidf(field, kernel.Malformed, "at most %d objects and arrays in each other", jsonDepth)
	default:
		return text, nil
	}
}

// depthOf is how deep brackets stand in each other in valid JSON.
func depthOf(text []byte) (deepest int) {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch b := text[i]; {
		case quoted && b == '\\':
			i++
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '{' || b == '[':
			depth++
			deepest = max(deepest, depth)
		case b == '}' || b == ']':
			depth--
		}
	}
	return deepest
}

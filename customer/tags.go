package customer

import (
	"context"
	"slices"

	"github.com/openseas/crm/kernel"
)

// Tags is the use cases of tags. Which tags there are is a matter of the tenant (permission tag.manage); who carries them
// is one of each customer (customer.update).
type Tags struct{ core kernel.Service[Tx] }

// maxTags bounds the names in one call.
const maxTags = 20

// Create makes a tag; id, version and times are filled in. A name that another tag has is a conflict ("name").
func (s *Tags) Create(ctx context.Context, a kernel.Actor, x *Tag) error {
	const op = "customer.Tags.Create"
	if x == nil {
		return kernel.Wrap(op, kernel.Invalid("tag", kernel.Empty))
	}
	draft := &Tag{Name: x.Name, Colour: x.Colour}
	if err := draft.check(); err != nil {
		return kernel.Wrap(op, err)
	}
	written, err := kernel.Do(ctx, &s.core, a, op, kernel.TagManage, draft, func(ctx context.Context, c *kernel.Call[Tx]) (*Tag, error) {
		draft.Version, draft.CreatedAt, draft.UpdatedAt = 1, c.Now, c.Now
		if err := notFree(c.Tx.Tags().Insert(ctx, a.Tenant, draft)); err != nil {
			return nil, err
		}
		return draft, c.Record(ctx, kernel.Change{Subject: draft.Ref(), Ref: draft.Ref(), Type: "tag.created", After: draft})
	})
	if err == nil {
		*x = *written
	}
	return err
}

// List returns a page of the tenant's tags, in the order they were made.
func (s *Tags) List(ctx context.Context, a kernel.Actor, p kernel.Page) (kernel.List[*Tag], error) {
	const op = "customer.Tags.List"
	w, err := p.Open("tags", 1)
	if err != nil {
		return kernel.List[*Tag]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.CustomerRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[*Tag], error) {
		found, err := c.Tx.Tags().List(ctx, a.Tenant, w)
		return kernel.Cut("tags", w, found, func(x *Tag) []int64 { return []int64{int64(x.ID)} }), err
	})
}

// Update renames or recolours a tag that was read: its Version must be the last, else the error is a conflict with reason
// Stale. Whoever carries the tag carries it under its new name. On success x is as written.
func (s *Tags) Update(ctx context.Context, a kernel.Actor, x *Tag) error {
	const op = "customer.Tags.Update"
	if x == nil {
		return kernel.Wrap(op, kernel.Invalid("tag", kernel.Empty))
	}
	given := Tag{ID: x.ID, Name: x.Name, Colour: x.Colour, Version: x.Version}
	if err := given.check(); err != nil {
		return kernel.Wrap(op, err)
	}
	written, err := s.change(ctx, a, op, "tag.updated", given.ID, given.Version, given, func(next *Tag, _ *kernel.Call[Tx]) {
		next.Name, next.Colour = given.Name, given.Colour
	})
	if err == nil {
		*x = *written
	}
	return err
}

// Delete deletes a tag for good: from that instant no filter, no rule and no customer knows it, however many carried it.
// The version is the one that was read.
func (s *Tags) Delete(ctx context.Context, a kernel.Actor, id TagID, version int64) error {
	_, err := s.change(ctx, a, "customer.Tags.Delete", "tag.deleted", id, version, version, func(next *Tag, c *kernel.Call[Tx]) { next.DeletedAt = c.Now })
	return err
}

func (s *Tags) change(ctx context.Context, a kernel.Actor, op, event string, id TagID, version int64, input any,
	edit func(next *Tag, c *kernel.Call[Tx]),
) (*Tag, error) {
	return kernel.Do(ctx, &s.core, a, op, kernel.TagManage, []any{id, input}, func(ctx context.Context, c *kernel.Call[Tx]) (*Tag, error) {
		cur, err := only(c.Tx.Tags().Lock(ctx, a.Tenant, id))
		if err != nil {
			return nil, err
		}
		if version != cur.Version {
			return nil, kernel.StaleVersion(version, cur.Version)
		}
		next := *cur
		edit(&next, c)
		was, is := kernel.Diff(cur, &next)
		if is == nil {
			return cur, nil
		}
		next.Version, next.UpdatedAt = cur.Version+1, c.Now
		if err := notFree(c.Tx.Tags().Update(ctx, a.Tenant, &next)); err != nil {
			return nil, err
		}
		return &next, c.Record(ctx, kernel.Change{Subject: next.Ref(), Ref: next.Ref(), Type: event, Before: was, After: is})
	})
}

// Of returns the tags of at most 10,000 customers, in the order of their names. Customers without tags, or outside the
// scope, are not in it.
func (s *Tags) Of(ctx context.Context, a kernel.Actor, ids ...ID) (map[ID][]Tag, error) {
	const op = "customer.Tags.Of"
	if err := kernel.CheckItems("ids", len(ids)); err != nil {
		return nil, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.CustomerRead, func(ctx context.Context, c *kernel.Call[Tx]) (map[ID][]Tag, error) {
		return c.Tx.Tags().Of(ctx, a.Tenant, c.Scope, ids...)
	})
}

// Put makes at most 10,000 customers carry the tags with these names, 20 at most; those that they carry besides, they
// keep. A name that no tag has is invalid (reason Unknown), and nothing is written. The outcomes are in the order of the
// ids: WasUpdated, WasUnchanged, or WasRefused with ErrNotFound for a customer outside the scope.
func (s *Tags) Put(ctx context.Context, a kernel.Actor, ids []ID, names ...string) ([]Outcome, error) {
	return s.mark(ctx, a, "customer.Tags.Put", ids, names, marking{"customer.tagged", union, TagRepository.Put})
}

// Take makes customers carry none of the tags with these names any more. It is otherwise like Put.
func (s *Tags) Take(ctx context.Context, a kernel.Actor, ids []ID, names ...string) ([]Outcome, error) {
	return s.mark(ctx, a, "customer.Tags.Take", ids, names, marking{"customer.untagged", without, TagRepository.Take})
}

// marking is what Put and Take do differently.
type marking struct {
	event string
	after func(has, given []string) []string // the names that a customer carries afterwards
	write func(r TagRepository, ctx context.Context, t kernel.TenantID, tags []TagID, ids ...ID) error
}

func union(has, given []string) []string {
	all := slices.Concat(has, given)
	slices.Sort(all)
	return slices.Compact(all)
}

func without(has, given []string) []string {
	return slices.DeleteFunc(slices.Clone(has), func(name string) bool { return slices.Contains(given, name) })
}

func (s *Tags) mark(ctx context.Context, a kernel.Actor, op string, ids []ID, names []string, m marking) ([]Outcome, error) {
	if err := kernel.FirstError(kernel.CheckItems("ids", len(ids)), checkTagNames(names)); err != nil {
		return nil, kernel.Wrap(op, err)
	}
	if len(ids) == 0 {
		return nil, nil
	}
	return kernel.Do(ctx, &s.core, a, op, kernel.CustomerUpdate, []any{ids, names}, func(ctx context.Context, c *kernel.Call[Tx]) ([]Outcome, error) {
		tags, err := tagsNamed(ctx, c, names)
		if err != nil {
			return nil, err
		}
		locked, err := lockMany(ctx, c, ids)
		if err != nil {
			return nil, err
		}
		carried, err := c.Tx.Tags().Of(ctx, a.Tenant, c.Scope, ids...)
		if err != nil {
			return nil, err
		}
		outcomes, changed, all := m.decide(ids, names, locked, carried)
		if len(changed) == 0 {
			return outcomes, nil
		}
		if err := m.write(c.Tx.Tags(), ctx, a.Tenant, tags, changed...); err != nil {
			return nil, err
		}
		return outcomes, all.tell(ctx, c)
	})
}

func checkTagNames(names []string) error {
	if len(names) == 0 {
		return kernel.Invalid("names", kernel.Empty)
	}
	if len(names) > maxTags {
		return kernel.Invalidf("names", kernel.TooMany, "at most %d", maxTags)
	}
	for _, name := range names {
		if err := kernel.CheckName("names", name, 50); err != nil {
			return err
		}
	}
	return nil
}

func tagsNamed(ctx context.Context, c *kernel.Call[Tx], names []string) ([]TagID, error) {
	found, err := c.Tx.Tags().ByName(ctx, c.Actor.Tenant, names...)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if !slices.ContainsFunc(found, func(t *Tag) bool { return t.Name == name }) {
			return nil, kernel.Invalidf("names", kernel.Unknown, "there is no tag %q", name)
		}
	}
	ids := make([]TagID, len(found))
	for i, t := range found {
		ids[i] = t.ID
	}
	return ids, nil
}

// decide tells, on locked rows, whom the names make a difference to.
func (m marking) decide(ids []ID, names []string, locked map[ID]*Customer, carried map[ID][]Tag) (outcomes []Outcome, changed []ID, all events) {
	outcomes = make([]Outcome, len(ids))
	done := make(map[ID]Outcome, len(locked))
	for i, id := range ids {
		of := locked[id]
		if of == nil {
			outcomes[i] = Outcome{Did: WasRefused, Err: &kernel.Error{Code: kernel.ErrNotFound, Field: "ids"}}
			continue
		}
		if _, twice := done[id]; !twice {
			has := namesOf(carried[id])
			after := m.after(has, names)
			if done[id] = (Outcome{ID: id, Did: WasUnchanged}); len(after) != len(has) {
				done[id] = Outcome{ID: id, Did: WasUpdated}
				changed = append(changed, id)
				all.add(of, kernel.Change{Ref: of.Ref(), Type: m.event, Before: tagNames{has}, After: tagNames{after}})
			}
		}
		outcomes[i] = done[id]
	}
	return outcomes, changed, all
}

func namesOf(tags []Tag) []string {
	names := make([]string, len(tags))
	for i, t := range tags {
		names[i] = t.Name
	}
	return names
}

// tagNames is what the journal shows of a customer's tags.
type tagNames struct {
	Tags []string `json:"tags"`
}

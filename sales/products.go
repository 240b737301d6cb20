package sales

import (
	"context"
	"time"

	"github.com/openseas/crm/kernel"
)

// Products is the use cases of products.
type Products struct{ core kernel.Service[Tx] }

// Outcome is what became of one product of a call that takes many: an id, or the error of its item.
type Outcome struct {
	ID  ProductID     `json:"id,omitempty"`
	Err *kernel.Error `json:"err,omitempty"`
}

// Create makes a product; id, code, version and times are filled in. A code or a host's key that another has is a conflict
// ("code", "external_id"), a category that does not exist invalid ("category", reason Unknown).
func (s *Products) Create(ctx context.Context, a kernel.Actor, x *Product) error {
	const op = "sales.Products.Create"
	if x == nil {
		return kernel.Wrap(op, kernel.Invalid("product", kernel.Empty))
	}
	_, err := s.create(ctx, a, op, []*Product{x}, kernel.AllOrNothing)
	return kernel.Single(err)
}

// CreateMany makes at most 10,000 products in one transaction. Malformed input refuses all and names the item; a value that
// is taken is the outcome of its item, or refuses all under AllOrNothing. Products that were made are filled in.
func (s *Products) CreateMany(ctx context.Context, a kernel.Actor, xs []*Product, how kernel.Several) ([]Outcome, error) {
	const op = "sales.Products.CreateMany"
	if err := kernel.CheckItems("products", len(xs)); err != nil {
		return nil, kernel.Wrap(op, err)
	}
	if len(xs) == 0 {
		return nil, nil
	}
	return s.create(ctx, a, op, xs, how)
}

// made is what a request keeps of a create: the outcomes, and the products as they were written.
type made struct {
	Outcomes []Outcome  `json:"outcomes"`
	Products []*Product `json:"products"`
}

func (s *Products) create(ctx context.Context, a kernel.Actor, op string, xs []*Product, how kernel.Several) ([]Outcome, error) {
	drafts, err := drafted(xs)
	if err != nil {
		return nil, kernel.Wrap(op, err)
	}
	res, err := manage(ctx, &s.core, a, op, []any{drafts, how}, func(ctx context.Context, c *kernel.Call[Tx]) (made, error) {
		return insertProducts(ctx, c, drafts, how)
	})
	if err != nil {
		return nil, err
	}
	for i, x := range res.Products {
		if res.Outcomes[i].Err == nil {
			*xs[i] = *x
		}
	}
	return res.Outcomes, nil
}

// drafted is the input without what the library fills in.
func drafted(xs []*Product) ([]*Product, error) {
	drafts := make([]*Product, len(xs))
	for i, x := range xs {
		if x == nil {
			return nil, kernel.At(i, kernel.Invalid("product", kernel.Empty))
		}
		d := *x
		d.ID, d.Version, d.CreatedAt, d.UpdatedAt, d.DeletedAt = 0, 0, time.Time{}, time.Time{}, time.Time{}
		if err := d.check(); err != nil {
			return nil, kernel.At(i, err)
		}
		drafts[i] = &d
	}
	return drafts, nil
}

func insertProducts(ctx context.Context, c *kernel.Call[Tx], drafts []*Product, how kernel.Several) (res made, err error) {
	categories := make([]CategoryID, len(drafts))
	for i, d := range drafts {
		categories[i] = d.Category
		d.Version, d.CreatedAt, d.UpdatedAt = 1, c.Now, c.Now
	}
	if err := categoriesExist(ctx, c, "category", categories...); err != nil {
		return res, err
	}
	taken, err := c.Tx.Products().Insert(ctx, c.Actor.Tenant, drafts...)
	if err != nil {
		return res, err
	}
	res = made{make([]Outcome, len(drafts)), drafts}
	for _, t := range taken {
		if how == kernel.AllOrNothing {
			return made{}, kernel.At(t.Index, kernel.Taken(t.Field))
		}
		res.Outcomes[t.Index].Err = kernel.Taken(t.Field)
	}
	var changes []kernel.Change
	for i, d := range drafts {
		if res.Outcomes[i].Err != nil {
			continue
		}
		res.Outcomes[i].ID = d.ID
		changes = append(changes, kernel.Change{Subject: d.Ref(), Ref: d.Ref(), Type: "product.created", After: d})
	}
	return res, c.Record(ctx, changes...)
}

// Get returns a product, also a deleted one: documents go on naming it.
func (s *Products) Get(ctx context.Context, a kernel.Actor, id ProductID) (*Product, error) {
	return kernel.Ask(ctx, &s.core, a, "sales.Products.Get", kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) (*Product, error) {
		return only(c.Tx.Products().Get(ctx, a.Tenant, true, id))
	})
}

// GetMany returns at most 10,000 products, deleted ones too, in the order of their ids; what does not exist is left out.
func (s *Products) GetMany(ctx context.Context, a kernel.Actor, ids ...ProductID) ([]*Product, error) {
	const op = "sales.Products.GetMany"
	if err := kernel.CheckItems("ids", len(ids)); err != nil {
		return nil, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) ([]*Product, error) {
		return c.Tx.Products().Get(ctx, a.Tenant, true, ids...)
	})
}

// List returns a page of products, in the order they were made.
func (s *Products) List(ctx context.Context, a kernel.Actor, f ProductFilter, p kernel.Page) (kernel.List[*Product], error) {
	const op = "sales.Products.List"
	w, err := p.Open("products", 1)
	if err == nil {
		err = f.check()
	}
	if err != nil {
		return kernel.List[*Product]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[*Product], error) {
		found, err := c.Tx.Products().List(ctx, a.Tenant, f, w)
		return kernel.Cut("products", w, found, func(x *Product) []int64 { return []int64{int64(x.ID)} }), err
	})
}

const mostFilterValues = 500

func checkCount(field string, n int) error {
	if n > mostFilterValues {
		return kernel.Invalidf(field, kernel.TooMany, "at most %d", mostFilterValues)
	}
	return nil
}

// checkOwners refuses what no user is called before it is looked for.
func checkOwners(users []kernel.UserID) error {
	if err := checkCount("owners", len(users)); err != nil {
		return err
	}
	for i, user := range users {
		if err := kernel.CheckLine("owners", string(user), 200); err != nil {
			return kernel.At(i, err)
		}
	}
	return nil
}

func (f ProductFilter) check() error {
	if err := kernel.FirstError(checkCount("categories", len(f.Categories)), checkCount("types", len(f.Types))); err != nil {
		return err
	}
	for _, t := range f.Types {
		if err := kernel.OneOf("types", t, TypeProduct, TypeService); err != nil {
			return err
		}
	}
	return nil
}

// Update writes a product that was read: its Version must be the last, else the error is a conflict with reason Stale. On
// success x is as written. No document that is written changes with it.
func (s *Products) Update(ctx context.Context, a kernel.Actor, x *Product) error {
	const op = "sales.Products.Update"
	if x == nil {
		return kernel.Wrap(op, kernel.Invalid("product", kernel.Empty))
	}
	given := *x
	err := given.check()
	if err == nil && given.Code == "" {
		err = kernel.Invalid("code", kernel.Empty)
	}
	if err != nil {
		return kernel.Wrap(op, err)
	}
	next, err := s.change(ctx, a, op, "product.updated", given.ID, given.Version, given, func(c *kernel.Call[Tx], next *Product) error {
		kept := *next
		*next = given
		next.ID, next.Version, next.CreatedAt, next.UpdatedAt, next.DeletedAt = kept.ID, kept.Version, kept.CreatedAt, kept.UpdatedAt, kept.DeletedAt
		if next.Category == kept.Category {
			return nil
		}
		return categoriesExist(ctx, c, "category", next.Category)
	})
	if err == nil {
		*x = *next
	}
	return err
}

// Delete deletes a product: no list has it any more, and its code and key are free; documents that name it go on doing so,
// and Get finds it. The version is the one that was read.
func (s *Products) Delete(ctx context.Context, a kernel.Actor, id ProductID, version int64) error {
	_, err := s.change(ctx, a, "sales.Products.Delete", "product.deleted", id, version, version, func(c *kernel.Call[Tx], next *Product) error {
		next.DeletedAt = c.Now
		return nil
	})
	return err
}

func (s *Products) change(ctx context.Context, a kernel.Actor, op, event string, id ProductID, version int64, input any,
	edit func(c *kernel.Call[Tx], next *Product) error,
) (*Product, error) {
	return manage(ctx, &s.core, a, op, []any{id, input}, func(ctx context.Context, c *kernel.Call[Tx]) (*Product, error) {
		cur, err := only(c.Tx.Products().Lock(ctx, a.Tenant, id))
		if err != nil {
			return nil, err
		}
		if version != cur.Version {
			return nil, kernel.StaleVersion(version, cur.Version)
		}
		next := *cur
		if err := edit(c, &next); err != nil {
			return nil, err
		}
		change, differs := changed(cur, &next, event)
		if !differs {
			return cur, nil
		}
		next.Version, next.UpdatedAt = cur.Version+1, c.Now
		taken, err := c.Tx.Products().Update(ctx, a.Tenant, &next)
		if err == nil && len(taken) > 0 {
			err = kernel.Taken(taken[0].Field)
		}
		if err != nil {
			return nil, err
		}
		return &next, c.Record(ctx, change)
	})
}

func changed(cur, next *Product, event string) (kernel.Change, bool) {
	was, is := kernel.Diff(cur, next)
	return kernel.Change{Subject: next.Ref(), Ref: next.Ref(), Type: event, Before: was, After: is}, is != nil
}

// Sync mirrors at most 10,000 products of a host's system, found by their key there (ExternalSystem and ExternalID, which
// all must have): unknown ones are made, known ones written as given, except that an empty code keeps the one that is there.
// It is one transaction; a code that another product has is the outcome of its item. The outcomes are in the order given.
func (s *Products) Sync(ctx context.Context, a kernel.Actor, system string, xs []*Product) ([]Outcome, error) {
	const op = "sales.Products.Sync"
	err := kernel.FirstError(kernel.CheckItems("products", len(xs)), kernel.CheckName("system", system, 50))
	if err != nil {
		return nil, kernel.Wrap(op, err)
	}
	drafts, keys, seen := make([]*Product, len(xs)), make([]string, len(xs)), make(map[string]bool, len(xs))
	for i, x := range xs {
		if x == nil || x.ExternalID == "" {
			return nil, kernel.Wrap(op, kernel.At(i, kernel.Invalid("external_id", kernel.Empty)))
		}
		d := *x
		d.ExternalSystem = system
		if err := d.check(); err != nil {
			return nil, kernel.Wrap(op, kernel.At(i, err))
		}
		if seen[d.ExternalID] {
			return nil, kernel.Wrap(op, kernel.At(i, kernel.Invalid("external_id", kernel.Duplicate)))
		}
		drafts[i], keys[i], seen[d.ExternalID] = &d, d.ExternalID, true
	}
	if len(xs) == 0 {
		return nil, nil
	}
	return manage(ctx, &s.core, a, op, []any{system, drafts}, func(ctx context.Context, c *kernel.Call[Tx]) ([]Outcome, error) {
		return syncProducts(ctx, c, system, keys, drafts)
	})
}

func syncProducts(ctx context.Context, c *kernel.Call[Tx], system string, keys []string, drafts []*Product) ([]Outcome, error) {
	categories := make([]CategoryID, len(drafts))
	for i, d := range drafts {
		categories[i] = d.Category
	}
	if err := categoriesExist(ctx, c, "category", categories...); err != nil {
		return nil, err
	}
	found, err := c.Tx.Products().LockByKey(ctx, c.Actor.Tenant, system, keys...)
	if err != nil {
		return nil, err
	}
	m := mirror{outcomes: make([]Outcome, len(drafts)), known: make(map[string]*Product, len(found))}
	for _, x := range found {
		m.known[x.ExternalID] = x
	}
	for i, d := range drafts {
		m.compare(c, i, d)
	}
	taken, err := c.Tx.Products().Update(ctx, c.Actor.Tenant, m.next...)
	if err != nil {
		return nil, err
	}
	m.refuse(m.nextAt, taken)
	if taken, err = c.Tx.Products().Insert(ctx, c.Actor.Tenant, m.fresh...); err != nil {
		return nil, err
	}
	m.refuse(m.freshAt, taken)
	return m.outcomes, c.Record(ctx, m.tell()...)
}

// mirror is a sync under way.
type mirror struct {
	outcomes        []Outcome
	known           map[string]*Product
	next, fresh     []*Product
	nextAt, freshAt []int // their places in the call
	diffs           []kernel.Change
}

func (m *mirror) compare(c *kernel.Call[Tx], i int, d *Product) {
	cur := m.known[d.ExternalID]
	if cur == nil {
		d.ID, d.Version, d.CreatedAt, d.UpdatedAt, d.DeletedAt = 0, 1, c.Now, c.Now, time.Time{}
		m.fresh, m.freshAt = append(m.fresh, d), append(m.freshAt, i)
		return
	}
	m.outcomes[i].ID = cur.ID
	d.ID, d.Version, d.CreatedAt, d.UpdatedAt, d.DeletedAt = cur.ID, cur.Version, cur.CreatedAt, cur.UpdatedAt, cur.DeletedAt
	if d.Code == "" {
		d.Code = cur.Code
	}
	change, differs := changed(cur, d, "product.updated")
	if !differs {
		return
	}
	d.Version, d.UpdatedAt = cur.Version+1, c.Now
	m.next, m.nextAt, m.diffs = append(m.next, d), append(m.nextAt, i), append(m.diffs, change)
}

func (m *mirror) refuse(at []int, taken []Taken) {
	for _, t := range taken {
		m.outcomes[at[t.Index]] = Outcome{Err: kernel.Taken(t.Field)}
	}
}

func (m *mirror) tell() (changes []kernel.Change) {
	for i, change := range m.diffs {
		if m.outcomes[m.nextAt[i]].Err == nil {
			changes = append(changes, change)
		}
	}
	for i, d := range m.fresh {
		o := &m.outcomes[m.freshAt[i]]
		if o.Err == nil {
			o.ID = d.ID
			changes = append(changes, kernel.Change{Subject: d.Ref(), Ref: d.Ref(), Type: "product.created", After: d})
		}
	}
	return changes
}

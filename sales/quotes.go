package sales

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// Quotes is the use cases of quotes. One is within reach when its owner is, or its customer. They change under the row lock
// of their customer, and what happens to them is an event of the customer.
type Quotes struct {
	core kernel.Service[Tx]
	o    Options
}

// Create makes a draft, with its number and all amounts computed; what is empty is filled in: dates, currency, owner (the
// actor; the system actor names one), and in lines what their products say. On success q is as written. Errors: those of
// [calc.Document] with the index of the line; invalid (Unknown) for a product, contact, owner or opportunity that there is
// not; not found ("customer_id"); refused: Blacklisted. It needs the permission quote.write, over the customer.
func (s *Quotes) Create(ctx context.Context, a kernel.Actor, q *Quote) error {
	const op = "sales.Quotes.Create"
	if q == nil {
		return kernel.Wrap(op, kernel.Invalid("quote", kernel.Empty))
	}
	draft := *q
	draft.Body = q.Body.copied()
	draft.Rules = s.o.Rules
	if err := draft.check(); err != nil {
		return kernel.Wrap(op, err)
	}
	rights, _, err := s.core.Enter(ctx, a, kernel.QuoteWrite)
	if err != nil {
		return kernel.Wrap(op, err)
	}
	number, err := draw(ctx, &s.core, a, QuoteKind, s.o.QuoteNumbers.or("QT"), rights.Zone)
	if err != nil {
		return kernel.Wrap(op, err)
	}
	input := draft // without the number: the same request again draws another, and returns the first
	made, err := kernel.Do(ctx, &s.core, a, op, kernel.QuoteWrite, input, func(ctx context.Context, c *kernel.Call[Tx]) (*Quote, error) {
		draft.Number = number
		return s.create(ctx, c, &draft)
	})
	if err == nil {
		*q = *made
	}
	return err
}

// copied is the body with lines and fees of its own.
func (b Body) copied() Body {
	b.Lines, b.Fees = slices.Clone(b.Lines), slices.Clone(b.Fees)
	return b
}

func (s *Quotes) create(ctx context.Context, c *kernel.Call[Tx], q *Quote) (*Quote, error) {
	of, err := lockCustomer(ctx, c, q.CustomerID)
	if err != nil {
		return nil, err
	}
	if of.Standing == customer.Blacklisted {
		return nil, &kernel.Error{Code: kernel.ErrRefused, Field: "customer_id", Reason: Blacklisted}
	}
	if q.Date == "" {
		q.Date = c.Today()
	}
	if q.ValidUntil != "" && q.ValidUntil < q.Date {
		return nil, kernel.Invalidf("valid_until", kernel.OutOfRange, "before the quote's date")
	}
	if _, system := c.Actor.System(); q.OwnerID == "" && !system {
		q.OwnerID = c.Actor.User
	}
	q.Status, q.Approval, q.ApprovedBy, q.Revision, q.RootID = QuoteDraft, NotAsked, "", 1, 0
	q.RejectReason, q.AcceptedBy, q.SentAt, q.AcceptedAt, q.DeletedAt = "", "", time.Time{}, time.Time{}, time.Time{}
	if err := s.complete(ctx, c, q, nil); err != nil {
		return nil, err
	}
	return q, s.insert(ctx, c, q, "quote.created")
}

func (s *Quotes) insert(ctx context.Context, c *kernel.Call[Tx], q *Quote, event string) error {
	q.Version, q.CreatedAt, q.CreatedBy, q.UpdatedAt, q.UpdatedBy = 1, c.Now, c.Actor.User, c.Now, c.Actor.User
	if err := c.Tx.Quotes().Insert(ctx, c.Actor.Tenant, q); err != nil {
		return err
	}
	return tellCustomer(ctx, c, q.CustomerID, kernel.Change{Ref: q.Ref(), Type: event, After: q})
}

// complete refuses what the quote names and there is not, fills in what products say, and computes. had is the quote as it
// was; what it named before is not asked again.
func (s *Quotes) complete(ctx context.Context, c *kernel.Call[Tx], q, had *Quote) error {
	if had == nil {
		had = &Quote{}
	}
	err := related(ctx, c, q.CustomerID, q.OwnerID, had.OwnerID, q.ContactID, had.ContactID)
	if err == nil && had.ID == 0 {
		err = opportunityOf(ctx, c, q.CustomerID, q.OpportunityID)
	}
	if err != nil {
		return err
	}
	currency, err := c.Tx.PriceLists().Currency(ctx, c.Actor.Tenant)
	if err != nil {
		return err
	}
	return settle(ctx, c, &q.Body, currency)
}

// Get returns a quote with its lines. A sent one whose last day is over is shown as expired.
func (s *Quotes) Get(ctx context.Context, a kernel.Actor, id QuoteID) (*Quote, error) {
	return kernel.Ask(ctx, &s.core, a, "sales.Quotes.Get", kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) (*Quote, error) {
		q, err := only(c.Tx.Quotes().Get(ctx, a.Tenant, c.Scope, id))
		if err != nil {
			return nil, err
		}
		veilAll(c, q)
		return q.on(c.Today()), nil
	})
}

// List returns a page of quotes without their lines and fees, in the order they were made: of one customer all of them, if
// the actor may see it; else those whose owner, or the region of whose customer, lies in the actor's scope.
func (s *Quotes) List(ctx context.Context, a kernel.Actor, f QuoteFilter, p kernel.Page) (kernel.List[*Quote], error) {
	const op = "sales.Quotes.List"
	w, err := p.Open("quotes", 1)
	if err = kernel.FirstError(err, checkOwners(f.Owners), checkCount("statuses", len(f.Statuses))); err != nil {
		return kernel.List[*Quote]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[*Quote], error) {
		found, err := c.Tx.Quotes().List(ctx, a.Tenant, c.Scope, f, w)
		for _, q := range found {
			q.on(c.Today())
		}
		veilAll(c, found...)
		return kernel.Cut("quotes", w, found, func(q *Quote) []int64 { return []int64{int64(q.ID)} }), err
	})
}

// Update writes a quote that was read: its Version must be the last. A draft takes everything but number, customer and
// opportunity, and its currency only while it has no lines; amounts are computed anew, and a change of them asks for approval
// anew. In every other state only Remark and OwnerID may differ (invalid, reason ReadOnly, with the first field that does).
// What was read masked is not written (invalid, customer.Masked, with the field).
func (s *Quotes) Update(ctx context.Context, a kernel.Actor, q *Quote) error {
	const op = "sales.Quotes.Update"
	if q == nil {
		return kernel.Wrap(op, kernel.Invalid("quote", kernel.Empty))
	}
	given := *q
	given.Body = q.Body.copied()
	if err := given.check(); err != nil {
		return kernel.Wrap(op, err)
	}
	made, err := s.change(ctx, a, op, given.ID, given.Version, &given, func(ctx context.Context, c *kernel.Call[Tx], next *Quote) (string, error) {
		return "quote.updated", s.edit(ctx, c, next, &given)
	})
	if err == nil {
		*q = *made
	}
	return err
}

func (s *Quotes) edit(ctx context.Context, c *kernel.Call[Tx], next, given *Quote) error {
	had := *next
	if err := sentBack(given, &had); err != nil {
		return err
	}
	if next.Status != QuoteDraft {
		if field := fixed(next, given); field != "" {
			return kernel.Invalidf(field, kernel.ReadOnly, "a quote that is %s: Revise makes a new draft", next.Status)
		}
		next.Remark, next.OwnerID = given.Remark, given.OwnerID
		return related(ctx, c, next.CustomerID, next.OwnerID, had.OwnerID, next.ContactID, had.ContactID)
	}
	if given.Currency != had.Currency && len(had.Lines) > 0 {
		return kernel.Invalidf("currency", kernel.ReadOnly, "the lines are in %s", had.Currency)
	}
	next.Body = given.Body
	next.Rules = had.Rules
	next.ContactID, next.Title, next.Date, next.ValidUntil, next.FXRate = given.ContactID, given.Title, given.Date, given.ValidUntil, given.FXRate
	next.Terms, next.Remark, next.OwnerID = given.Terms, given.Remark, given.OwnerID
	if next.Date == "" {
		next.Date = had.Date
	}
	if err := s.complete(ctx, c, next, &had); err != nil {
		return err
	}
	if _, differ := kernel.Diff(had.Body, next.Body); differ != nil {
		next.Approval, next.ApprovedBy = NotAsked, ""
	}
	return nil
}

// fixed is the first field that only a draft can change; empty when none of them differs.
func fixed(cur, given *Quote) string {
	was, is := *cur, *given
	for _, q := range []*Quote{&was, &is} {
		q.Remark, q.OwnerID, q.Status, q.Approval, q.ApprovedBy = "", "", 0, 0, ""
		q.Number, q.RootID, q.Revision, q.Version, q.UpdatedBy, q.CreatedBy, q.Masked = "", 0, 0, 0, "", "", false
		q.CreatedAt, q.UpdatedAt, q.SentAt, q.AcceptedAt = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	}
	_, differ := kernel.Diff(was, is)
	if differ == nil {
		return ""
	}
	return least(differ)
}

// change finds a quote within reach, locks its customer, lets edit change it, and writes it with its event. A version of 0
// is whatever it is.
func (s *Quotes) change(ctx context.Context, a kernel.Actor, op string, id QuoteID, version int64, input any,
	edit func(ctx context.Context, c *kernel.Call[Tx], next *Quote) (event string, err error),
) (*Quote, error) {
	return s.changeAs(ctx, a, op, kernel.QuoteWrite, id, version, input, edit)
}

func (s *Quotes) changeAs(ctx context.Context, a kernel.Actor, op string, p kernel.Permission, id QuoteID, version int64, input any,
	edit func(ctx context.Context, c *kernel.Call[Tx], next *Quote) (event string, err error),
) (*Quote, error) {
	return kernel.Do(ctx, &s.core, a, op, p, []any{id, input}, func(ctx context.Context, c *kernel.Call[Tx]) (*Quote, error) {
		cur, err := s.lock(ctx, c, id)
		if err != nil {
			return nil, err
		}
		if version != 0 && version != cur.Version {
			return nil, kernel.StaleVersion(version, cur.Version)
		}
		next := *cur
		next.Body = cur.Body.copied()
		event, err := edit(ctx, c, &next)
		if err != nil {
			return nil, err
		}
		made, err := s.save(ctx, c, cur, &next, event)
		if err == nil {
			sent, _ := input.(document)
			veilSent(c, made, sent)
		}
		return made, err
	})
}

func (s *Quotes) lock(ctx context.Context, c *kernel.Call[Tx], id QuoteID) (*Quote, error) {
	q, err := only(c.Tx.Quotes().Get(ctx, c.Actor.Tenant, c.Scope, id))
	if err != nil {
		return nil, err
	}
	if err := lockAny(ctx, c, q.CustomerID); err != nil {
		return nil, err
	}
	return only(c.Tx.Quotes().Get(ctx, c.Actor.Tenant, c.Scope, id))
}

func (s *Quotes) save(ctx context.Context, c *kernel.Call[Tx], cur, next *Quote, event string) (*Quote, error) {
	was, is := kernel.Diff(cur, next)
	if is == nil {
		return cur, nil
	}
	next.Version, next.UpdatedAt, next.UpdatedBy = cur.Version+1, c.Now, c.Actor.User
	if err := c.Tx.Quotes().Update(ctx, c.Actor.Tenant, next); err != nil {
		return nil, err
	}
	return next, tellCustomer(ctx, c, next.CustomerID, kernel.Change{Ref: next.Ref(), Type: event, Before: was, After: is})
}

// transition refuses an action in a state that does not have it.
func transition(q *Quote, action string, from ...QuoteStatus) error {
	if slices.Contains(from, q.Status) {
		return nil
	}
	return &kernel.Error{
		Code: kernel.ErrRefused, Field: "status", Reason: InvalidTransition, Err: fmt.Errorf("%s is not possible when it is %s", action, q.Status),
	}
}

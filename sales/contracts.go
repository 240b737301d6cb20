package sales

import (
	"context"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales/calc"
)

// Contracts is the use cases of contracts. One is within reach when its owner is, or its customer. They change under the row
// lock of their customer and their own, and what happens to them is an event of the customer.
type Contracts struct {
	core kernel.Service[Tx]
	o    Options
}

// Create makes a draft without a quote, with its number and all amounts computed: see Quotes.Create, whose errors it has. On
// success x is as written. It needs the permission contract.write, over the customer.
func (s *Contracts) Create(ctx context.Context, a kernel.Actor, x *Contract) error {
	const op = "sales.Contracts.Create"
	if x == nil {
		return kernel.Wrap(op, kernel.Invalid("contract", kernel.Empty))
	}
	draft := *x
	draft.Body = x.Body.copied()
	draft.Rules, draft.Plans, draft.QuoteID = s.o.Rules, nil, 0
	if err := draft.check(); err != nil {
		return kernel.Wrap(op, err)
	}
	rights, _, err := s.core.Enter(ctx, a, kernel.ContractWrite)
	if err != nil {
		return kernel.Wrap(op, err)
	}
	number, err := draw(ctx, &s.core, a, ContractKind, s.o.ContractNumbers.or("HT"), rights.Zone)
	if err != nil {
		return kernel.Wrap(op, err)
	}
	made, err := kernel.Do(ctx, &s.core, a, op, kernel.ContractWrite, draft, func(ctx context.Context, c *kernel.Call[Tx]) (*Contract, error) {
		of, err := lockCustomer(ctx, c, draft.CustomerID)
		if err != nil {
			return nil, err
		}
		if of.Standing == customer.Blacklisted {
			return nil, &kernel.Error{Code: kernel.ErrRefused, Field: "customer_id", Reason: Blacklisted}
		}
		if _, system := a.System(); draft.OwnerID == "" && !system {
			draft.OwnerID = a.User
		}
		draft.Number = number
		if err := s.complete(ctx, c, &draft, nil); err != nil {
			return nil, err
		}
		return &draft, insertContract(ctx, c, &draft)
	})
	if err == nil {
		*x = *made
	}
	return err
}

func insertContract(ctx context.Context, c *kernel.Call[Tx], x *Contract) error {
	x.Status, x.ApprovedBy, x.SignDate, x.EndReason, x.BaseAmount = ContractDraft, "", "", "", decimal.Zero
	x.EndedOn, x.Received, x.Credit, x.Invoiced, x.Changes = "", decimal.Zero, decimal.Zero, decimal.Zero, 0
	x.Version, x.CreatedAt, x.CreatedBy, x.UpdatedAt, x.UpdatedBy = 1, c.Now, c.Actor.User, c.Now, c.Actor.User
	if err := c.Tx.Contracts().Insert(ctx, c.Actor.Tenant, x); err != nil {
		return err
	}
	return tellCustomer(ctx, c, x.CustomerID, kernel.Change{Ref: x.Ref(), Type: "contract.created", After: x})
}

// draftContract makes an accepted quote a draft of a contract, to the cent: lines and totals are copied, not computed anew.
func draftContract(ctx context.Context, c *kernel.Call[Tx], q *Quote, number string) error {
	x := &Contract{
		Number: number, Name: q.Title, CustomerID: q.CustomerID, OpportunityID: q.OpportunityID, QuoteID: q.ID, ContactID: q.ContactID,
		Body: q.Body.copied(), FXRate: q.FXRate, Terms: q.Terms, OwnerID: q.OwnerID,
	}
	if x.Name == "" && q.OpportunityID != 0 {
		found, err := c.Tx.Opportunities().Get(ctx, c.Actor.Tenant, kernel.Scope{All: true}, q.OpportunityID)
		if err != nil {
			return err
		}
		for _, o := range found {
			x.Name = o.Name
		}
	}
	if x.Name == "" {
		x.Name = q.Number
	}
	return insertContract(ctx, c, x)
}

// complete is what Quotes.complete is.
func (s *Contracts) complete(ctx context.Context, c *kernel.Call[Tx], x, had *Contract) error {
	if had == nil {
		had = &Contract{}
	}
	err := related(ctx, c, x.CustomerID, x.OwnerID, had.OwnerID, x.ContactID, had.ContactID)
	if err == nil && had.ID == 0 {
		err = opportunityOf(ctx, c, x.CustomerID, x.OpportunityID)
	}
	if err != nil {
		return err
	}
	currency, err := c.Tx.PriceLists().Currency(ctx, c.Actor.Tenant)
	if err != nil {
		return err
	}
	return settle(ctx, c, &x.Body, currency)
}

// Get returns a contract with its lines and plans.
func (s *Contracts) Get(ctx context.Context, a kernel.Actor, id ContractID) (*Contract, error) {
	return kernel.Ask(ctx, &s.core, a, "sales.Contracts.Get", kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) (*Contract, error) {
		x, err := only(c.Tx.Contracts().Get(ctx, a.Tenant, c.Scope, id))
		if err == nil {
			veilAll(c, x)
		}
		return x, err
	})
}

// List returns a page of contracts without lines, fees and plans, in the order they were made: of one customer all of them,
// if the actor may see it; else those whose owner, or the region of whose customer, lies in the actor's scope.
func (s *Contracts) List(ctx context.Context, a kernel.Actor, f ContractFilter, p kernel.Page) (kernel.List[*Contract], error) {
	const op = "sales.Contracts.List"
	w, err := p.Open("contracts", 1)
	err = kernel.FirstError(err, f.SignedFrom.Check("signed_from"), f.SignedTo.Check("signed_to"), checkOwners(f.Owners), checkCount("statuses", len(f.Statuses)))
	if err != nil {
		return kernel.List[*Contract]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[*Contract], error) {
		found, err := c.Tx.Contracts().List(ctx, a.Tenant, c.Scope, f, w)
		veilAll(c, found...)
		return kernel.Cut("contracts", w, found, func(x *Contract) []int64 { return []int64{int64(x.ID)} }), err
	})
}

// Update writes a contract that was read: its Version must be the last. A draft takes everything but number, customer,
// opportunity and quote, and amounts are computed anew; otherwise only Remark, FileURL, StartDate, EndDate and OwnerID may
// differ (invalid, reason ReadOnly, with the first field that does). Plans are written by SetPlans. What was read masked is not
// written (invalid, customer.Masked, with the field).
func (s *Contracts) Update(ctx context.Context, a kernel.Actor, x *Contract) error {
	const op = "sales.Contracts.Update"
	if x == nil {
		return kernel.Wrap(op, kernel.Invalid("contract", kernel.Empty))
	}
	given := *x
	given.Body = x.Body.copied()
	if err := given.check(); err != nil {
		return kernel.Wrap(op, err)
	}
	edit := func(ctx context.Context, c *kernel.Call[Tx], next *Contract) (string, error) {
		return "contract.updated", s.edit(ctx, c, next, &given)
	}
	made, err := s.change(ctx, a, op, kernel.ContractWrite, given.ID, given.Version, &given, edit)
	if err == nil {
		*x = *made
	}
	return err
}

func (s *Contracts) edit(ctx context.Context, c *kernel.Call[Tx], next, given *Contract) error {
	had := *next
	if err := sentBack(given, &had); err != nil {
		return err
	}
	next.Remark, next.FileURL, next.StartDate, next.EndDate, next.OwnerID = given.Remark, given.FileURL, given.StartDate, given.EndDate, given.OwnerID
	if had.Status != ContractDraft {
		body, is := had.Body, given.Body
		if _, differ := kernel.Diff(body, is); differ != nil {
			return kernel.Invalidf(least(differ), kernel.ReadOnly, "a contract that is %s", had.Status)
		}
		for _, f := range []struct {
			name    string
			differs bool
		}{
			{"contact_id", given.ContactID != had.ContactID},
			{"fx_rate", !given.FXRate.Equal(had.FXRate)},
			{"name", given.Name != had.Name},
			{"terms", given.Terms != had.Terms},
		} {
			if f.differs {
				return kernel.Invalidf(f.name, kernel.ReadOnly, "a contract that is %s", had.Status)
			}
		}
		return related(ctx, c, next.CustomerID, next.OwnerID, had.OwnerID, next.ContactID, had.ContactID)
	}
	if given.Currency != had.Currency && len(had.Lines) > 0 {
		return kernel.Invalidf("currency", kernel.ReadOnly, "the lines are in %s", had.Currency)
	}
	next.Body = given.Body
	next.Rules = had.Rules
	next.ContactID, next.FXRate, next.Name, next.Terms = given.ContactID, given.FXRate, given.Name, given.Terms
	return s.complete(ctx, c, next, &had)
}

// least is the first of some fields.
func least(differ map[string]any) string {
	fields := make([]string, 0, len(differ))
	for f := range differ {
		fields = append(fields, f)
	}
	return slices.Min(fields)
}

// change finds a contract within reach, locks its customer and itself, lets edit change it, and writes it with its event. A
// version of 0 is whatever it is.
func (s *Contracts) change(ctx context.Context, a kernel.Actor, op string, p kernel.Permission, id ContractID, version int64, input any,
	edit func(ctx context.Context, c *kernel.Call[Tx], next *Contract) (event string, err error),
) (*Contract, error) {
	return kernel.Do(ctx, &s.core, a, op, p, []any{id, input}, func(ctx context.Context, c *kernel.Call[Tx]) (*Contract, error) {
		cur, err := lockContract(ctx, c, id)
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
		made, err := saveContract(ctx, c, cur, &next, event)
		if err == nil {
			sent, _ := input.(document)
			veilSent(c, made, sent)
		}
		return made, err
	})
}

func lockContract(ctx context.Context, c *kernel.Call[Tx], id ContractID) (*Contract, error) {
	x, err := only(c.Tx.Contracts().Get(ctx, c.Actor.Tenant, c.Scope, id))
	if err != nil {
		return nil, err
	}
	if err := lockAny(ctx, c, x.CustomerID); err != nil {
		return nil, err
	}
	if err := c.Tx.Contracts().Lock(ctx, c.Actor.Tenant, id); err != nil {
		return nil, err
	}
	return only(c.Tx.Contracts().Get(ctx, c.Actor.Tenant, c.Scope, id))
}

// saveContract writes a contract that differs, with its event, and keeps the number of the customer's active contracts.
func saveContract(ctx context.Context, c *kernel.Call[Tx], cur, next *Contract, event string) (*Contract, error) {
	was, is := kernel.Diff(cur, next)
	if is == nil {
		return cur, nil
	}
	next.Version, next.UpdatedAt, next.UpdatedBy = cur.Version+1, c.Now, c.Actor.User
	if err := c.Tx.Contracts().Update(ctx, c.Actor.Tenant, next); err != nil {
		return nil, err
	}
	if cur.active() != next.active() {
		facts, err := c.Tx.Customers().Facts(ctx, c.Actor.Tenant, next.CustomerID)
		if err != nil {
			return nil, err
		}
		for i := range facts {
			if next.active() {
				facts[i].ActiveContracts++
			} else {
				facts[i].ActiveContracts--
			}
		}
		if err := c.Tx.Customers().PutFacts(ctx, c.Actor.Tenant, facts...); err != nil {
			return nil, err
		}
	}
	return next, tellCustomer(ctx, c, next.CustomerID, kernel.Change{Ref: next.Ref(), Type: event, Before: was, After: is})
}

// SetPlans writes the instalments of a draft or an approved contract, in place of those that it has; those that were read
// keep their ids. They need not add up to the total yet: approval and signature ask. Package calc makes them (SplitTerms,
// SplitEqual). Deposits are allocated anew. Errors, with the index: invalid for a date, an amount, a note
// in its masked form (customer.Masked), or an id that is not the contract's; refused: InUse ("plans") for one that is left out
// and that a payment names. A signed contract's instalments change by Amend.
func (s *Contracts) SetPlans(ctx context.Context, a kernel.Actor, id ContractID, plans ...Plan) ([]Plan, error) {
	const op = "sales.Contracts.SetPlans"
	if len(plans) > mostLines {
		return nil, kernel.Wrap(op, kernel.Invalidf("plans", kernel.TooMany, "at most %d", mostLines))
	}
	plans = unpaid(plans)
	for i := range plans {
		if err := plans[i].check(plans[:i]); err != nil {
			return nil, kernel.Wrap(op, kernel.At(i, err))
		}
	}
	return kernel.Do(ctx, &s.core, a, op, kernel.ContractWrite, []any{id, plans}, func(ctx context.Context, c *kernel.Call[Tx]) ([]Plan, error) {
		cur, err := lockContract(ctx, c, id)
		if err != nil {
			return nil, err
		}
		if err := contractTransition(cur, "planning", ContractDraft, ContractApproved); err != nil {
			return nil, err
		}
		if err := cur.checkPlans(plans); err != nil {
			return nil, err
		}
		if _, differ := kernel.Diff(planned{unpaid(cur.Plans)}, planned{unpaid(plans)}); differ == nil {
			return cur.Plans, nil
		}
		next := *cur
		next.Plans = plans
		if err := s.replan(ctx, c, cur, &next); err != nil {
			return nil, err
		}
		was, is := kernel.Diff(planned{cur.Plans}, planned{next.Plans})
		return next.Plans, tellCustomer(ctx, c, cur.CustomerID, kernel.Change{Ref: cur.Ref(), Type: "contract.planned", Before: was, After: is})
	})
}

type planned struct {
	Plans []Plan `json:"plans"`
}

// unpaid are instalments without what payments make of them.
func unpaid(plans []Plan) []Plan {
	plans = slices.Clone(plans)
	for i := range plans {
		plans[i].Paid, plans[i].Status = decimal.Zero, calc.Unpaid
	}
	return plans
}

// checkPlans refuses instalments that the contract cannot have.
func (x *Contract) checkPlans(plans []Plan) error {
	digits, err := calc.Currency(x.Currency).Digits()
	if err != nil {
		return err
	}
	for i, p := range plans {
		if !p.Amount.Equal(p.Amount.Truncate(digits)) {
			return kernel.At(i, kernel.Invalidf("amount", calc.Scale, "%s has %d decimals", x.Currency, digits))
		}
		if p.ID != 0 && !slices.ContainsFunc(x.Plans, func(had Plan) bool { return had.ID == p.ID }) {
			return kernel.At(i, kernel.Invalidf("id", kernel.Unknown, "the contract has no instalment %d", p.ID))
		}
		if p.ID != 0 && slices.ContainsFunc(x.Plans, func(had Plan) bool { return had.ID == p.ID && hides(p.Note, had.Note) }) {
			return kernel.At(i, kernel.Invalidf("note", customer.Masked, "this is its masked form: claim the customer first"))
		}
	}
	return nil
}

func (p *Plan) check(before []Plan) error {
	err := kernel.FirstError(kernel.CheckLine("note", p.Note, 200), p.Date.Check("date"), kernel.CheckAmount("amount", p.Amount))
	switch {
	case err != nil:
		return err
	case p.Date == "":
		return kernel.Invalid("date", kernel.Empty)
	case !p.Amount.IsPositive():
		return kernel.Invalidf("amount", calc.InstallmentSign, "must be above 0")
	case p.ID != 0 && slices.ContainsFunc(before, func(x Plan) bool { return x.ID == p.ID }):
		return kernel.Invalid("id", kernel.Duplicate)
	}
	return nil
}

package sales

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/openseas/crm/kernel"
)

// Payments is the use cases of payments received and given back. They hang on contracts, and are within reach as those are:
// the permission is contract.write, over the contract. All that one changes (instalments, credit, other payments' allocations,
// the contract's completion) is written in one transaction under the row locks of the customer and the contract.
type Payments struct {
	core kernel.Service[Tx]
	o    Options
}

// Record writes a payment, with its number, and allocates all payments of the contract anew by their days (package calc,
// Replay): so one that is entered late changes what those after it paid. A contract that is then paid and invoiced in full is
// completed; one that is not any more is signed again. On success p is as written, with what it pays. One whose host's key is
// there already, with the same content, changes nothing and returns that.
//
// Errors: invalid for the input, a day in the future (InFuture), an instalment that the contract has not ("plan_id"), more
// decimals than the currency has (Scale); not found ("contract_id"); conflict (Reused, "external_id") for a key with other
// content; refused: InvalidTransition (not signed; see Options.Deposits; money goes back from ended contracts, too),
// CurrencyMismatch, Overpayment, RefundExceedsReceived, TooMany (more than 10,000 of one contract).
func (s *Payments) Record(ctx context.Context, a kernel.Actor, p *Payment) error {
	outcomes, err := s.record(ctx, a, "sales.Payments.Record", []*Payment{p}, kernel.AllOrNothing)
	if err != nil {
		return kernel.Single(err)
	}
	if outcomes[0].Repeated {
		prior, err := s.Get(ctx, a, outcomes[0].ID)
		if err != nil {
			return err
		}
		*p = *prior
	}
	return nil
}

// RecordMany writes at most 10,000 payments in one transaction, those of one contract in the order given. Malformed input
// refuses all and names the item; a refusal is the outcome of its item, or refuses all under AllOrNothing. A payment is
// refused when the contract could not take it with those that were taken before it. Payments that were written are filled in.
func (s *Payments) RecordMany(ctx context.Context, a kernel.Actor, ps []*Payment, how kernel.Several) ([]PaymentOutcome, error) {
	const op = "sales.Payments.RecordMany"
	if err := kernel.CheckItems("payments", len(ps)); err != nil {
		return nil, kernel.Wrap(op, err)
	}
	if len(ps) == 0 {
		return nil, nil
	}
	return s.record(ctx, a, op, ps, how)
}

// recorded is what a request keeps of a record: the outcomes, and the payments as they were written.
type recorded struct {
	Outcomes []PaymentOutcome `json:"outcomes"`
	Payments []*Payment       `json:"payments"`
}

func (s *Payments) record(ctx context.Context, a kernel.Actor, op string, ps []*Payment, how kernel.Several) ([]PaymentOutcome, error) {
	drafts, err := draftPayments(ps)
	if err != nil {
		return nil, kernel.Wrap(op, err)
	}
	rights, _, err := s.core.Enter(ctx, a, kernel.ContractWrite)
	if err != nil {
		return nil, kernel.Wrap(op, err)
	}
	numbers, err := drawMany(ctx, &s.core, a, PaymentKind, s.o.PaymentNumbers.or("HK"), rights.Zone, len(drafts))
	if err != nil {
		return nil, kernel.Wrap(op, err)
	}
	res, err := kernel.Do(ctx, &s.core, a, op, kernel.ContractWrite, []any{drafts, how}, func(ctx context.Context, c *kernel.Call[Tx]) (recorded, error) {
		for i, d := range drafts {
			d.Number, d.CreatedAt, d.CreatedBy = numbers[i], c.Now, c.Actor.User
			if d.Date == "" {
				d.Date = c.Today()
			}
			if d.Date > c.Today() {
				return recorded{}, kernel.At(i, kernel.Invalid("date", kernel.InFuture))
			}
		}
		return s.write(ctx, c, drafts, how)
	})
	if err != nil {
		return nil, err
	}
	for i, x := range res.Payments {
		if o := res.Outcomes[i]; o.Err == nil && !o.Repeated {
			*ps[i] = *x
		}
	}
	return res.Outcomes, nil
}

// draftPayments is the input without what the library fills in.
func draftPayments(ps []*Payment) ([]*Payment, error) {
	drafts, seen := make([]*Payment, len(ps)), map[[2]string]bool{}
	for i, p := range ps {
		if p == nil {
			return nil, kernel.At(i, kernel.Invalid("payment", kernel.Empty))
		}
		d := *p
		d.ID, d.Number, d.CustomerID, d.Place, d.ReversesID, d.CreatedAt, d.CreatedBy, d.Allocations = 0, "", 0, 0, 0, time.Time{}, "", nil
		if err := d.check(); err != nil {
			return nil, kernel.At(i, err)
		}
		key := [2]string{d.ExternalSystem, d.ExternalID}
		if d.ExternalID != "" && seen[key] {
			return nil, kernel.At(i, kernel.Invalid("external_id", kernel.Duplicate))
		}
		drafts[i], seen[key] = &d, true
	}
	return drafts, nil
}

func (s *Payments) write(ctx context.Context, c *kernel.Call[Tx], drafts []*Payment, how kernel.Several) (recorded, error) {
	w, err := s.begin(ctx, c, drafts)
	if err != nil {
		return recorded{}, err
	}
	for _, id := range w.order {
		w.take(id)
	}
	for i := range w.outcomes {
		if e := w.outcomes[i].Err; e != nil && how == kernel.AllOrNothing {
			return recorded{}, kernel.At(i, e)
		}
	}
	return recorded{w.outcomes, drafts}, w.save(ctx, c)
}

// recording is a call under way.
type recording struct {
	o        Options
	drafts   []*Payment
	outcomes []PaymentOutcome
	accounts map[ContractID]*account
	order    []ContractID // of the first payment of each
	items    map[ContractID][]int
	changed  []*account
}

// begin locks the contracts and finds what is refused or repeated whatever else there is.
func (s *Payments) begin(ctx context.Context, c *kernel.Call[Tx], drafts []*Payment) (*recording, error) {
	w := &recording{o: s.o, drafts: drafts, outcomes: make([]PaymentOutcome, len(drafts)), items: map[ContractID][]int{}}
	var systems, keys []string
	seen := map[ContractID]bool{}
	for _, d := range drafts {
		if !seen[d.ContractID] {
			w.order, seen[d.ContractID] = append(w.order, d.ContractID), true
		}
		if d.ExternalID != "" {
			systems, keys = append(systems, d.ExternalSystem), append(keys, d.ExternalID)
		}
	}
	var err error
	if w.accounts, err = openAccounts(ctx, c, w.order...); err != nil {
		return nil, err
	}
	slices.Sort(systems)
	found, err := c.Tx.Payments().ByKey(ctx, c.Actor.Tenant, slices.Compact(systems), keys)
	if err != nil {
		return nil, err
	}
	known := make(map[[2]string]*Payment, len(found))
	for _, p := range found {
		known[[2]string{p.ExternalSystem, p.ExternalID}] = p
	}
	for i, d := range drafts {
		a := w.accounts[d.ContractID]
		var err *kernel.Error
		switch {
		case a == nil:
			err = &kernel.Error{Code: kernel.ErrNotFound, Field: "contract_id"}
		case d.Currency != "" && d.Currency != a.x.Currency:
			err = &kernel.Error{Code: kernel.ErrRefused, Field: "currency", Reason: CurrencyMismatch, Err: fmt.Errorf("the contract is in %s", a.x.Currency)}
		default:
			d.CustomerID, d.Currency = a.x.CustomerID, a.x.Currency
			w.sort(i, known[[2]string{d.ExternalSystem, d.ExternalID}])
			continue
		}
		w.outcomes[i].Err = err
	}
	return w, nil
}

// sort puts an item with those to write, unless one has its host's key already.
func (w *recording) sort(i int, prior *Payment) {
	d := w.drafts[i]
	switch {
	case prior == nil:
		w.items[d.ContractID] = append(w.items[d.ContractID], i)
	case prior.same(d):
		w.outcomes[i] = PaymentOutcome{ID: prior.ID, Number: prior.Number, Repeated: true}
	default:
		w.outcomes[i].Err = &kernel.Error{Code: kernel.ErrConflict, Field: "external_id", Reason: kernel.Reused}
	}
}

// take adds the payments of one contract: all at once, or else one by one, where each that it cannot take is refused.
func (w *recording) take(id ContractID) {
	a, items := w.accounts[id], w.items[id]
	var good []int
	var all []*Payment
	for _, i := range items {
		d := w.drafts[i]
		if err := a.x.takesMoney("paying", d.Amount.IsNegative(), w.o.Deposits); err != nil {
			w.refuse(i, err)
			continue
		}
		good, all = append(good, i), append(all, d)
	}
	if len(all) == 0 {
		return
	}
	if err := a.add(w.o.Overpayment, all...); err == nil {
		w.changed = append(w.changed, a)
		return
	}
	taken := false
	for k, i := range good {
		if err := a.add(w.o.Overpayment, all[k]); err != nil {
			w.refuse(i, err)
		} else {
			taken = true
		}
	}
	if taken {
		w.changed = append(w.changed, a)
	}
}

func (w *recording) refuse(i int, err error) {
	e, ok := err.(*kernel.Error) //nolint:errorlint // made here or by package calc, and nothing is wrapped around it
	if !ok {
		e = &kernel.Error{Code: kernel.ErrInvalid, Err: err}
	}
	w.outcomes[i].Err = e
}

func (w *recording) save(ctx context.Context, c *kernel.Call[Tx]) error {
	var fresh []*Payment
	var changes []kernel.Change
	for i, d := range w.drafts {
		if o := w.outcomes[i]; o.Err == nil && !o.Repeated {
			fresh = append(fresh, d)
		}
	}
	taken, err := c.Tx.Payments().Insert(ctx, c.Actor.Tenant, fresh...)
	if err == nil && len(taken) > 0 { // another contract's payment took the key since it was looked for: asked again, it is found
		err = &kernel.Error{Code: kernel.ErrRetry, Field: taken[0].Field}
	}
	if err != nil {
		return err
	}
	for i, d := range w.drafts {
		if o := &w.outcomes[i]; o.Err == nil && !o.Repeated {
			o.ID, o.Number = d.ID, d.Number
			changes = append(changes, d.recorded("payment.recorded"))
		}
	}
	concluded, err := saveAccounts(ctx, c, w.changed...)
	if err != nil {
		return err
	}
	return c.Record(ctx, append(changes, concluded...)...)
}

func (p *Payment) recorded(event string) kernel.Change {
	return kernel.Change{Subject: subjectOf(p.CustomerID), Ref: p.Ref(), Type: event, After: p}
}

// Reverse writes the mirror of a payment that was wrong: of the same day, instalment and size, with the other sign, and a
// remark of at most 1,000 characters that says why. As of any day the two come to nothing. It is possible whatever has become
// of the contract since it was signed. Errors: refused: AlreadyReversed, RefundExceedsReceived (a later refund gave the money
// back already), Overpayment.
func (s *Payments) Reverse(ctx context.Context, a kernel.Actor, id PaymentID, remark string) (*Payment, error) {
	const op = "sales.Payments.Reverse"
	if err := kernel.CheckText("remark", remark, 1_000); err != nil {
		return nil, kernel.Wrap(op, err)
	}
	rights, _, err := s.core.Enter(ctx, a, kernel.ContractWrite)
	if err != nil {
		return nil, kernel.Wrap(op, err)
	}
	number, err := draw(ctx, &s.core, a, PaymentKind, s.o.PaymentNumbers.or("HK"), rights.Zone)
	if err != nil {
		return nil, kernel.Wrap(op, err)
	}
	return kernel.Do(ctx, &s.core, a, op, kernel.ContractWrite, []any{id, remark}, func(ctx context.Context, c *kernel.Call[Tx]) (*Payment, error) {
		wrong, err := only(c.Tx.Payments().Get(ctx, a.Tenant, c.Scope, id))
		if err != nil {
			return nil, err
		}
		accounts, err := openAccounts(ctx, c, wrong.ContractID)
		if err != nil {
			return nil, err
		}
		of := accounts[wrong.ContractID]
		if of == nil {
			return nil, kernel.ErrNotFound
		}
		if wrong.ReversesID != 0 || slices.ContainsFunc(of.payments, func(p *Payment) bool { return p.ReversesID == id }) {
			return nil, &kernel.Error{Code: kernel.ErrRefused, Field: "reverses_id", Reason: AlreadyReversed}
		}
		if err := of.x.takesMoney("reversing a payment", true, true); err != nil {
			return nil, err
		}
		mirror := &Payment{
			Number: number, ContractID: wrong.ContractID, CustomerID: wrong.CustomerID, PlanID: wrong.PlanID, Date: wrong.Date, Amount: wrong.Amount.Neg(),
			Currency: wrong.Currency, Method: wrong.Method, Remark: remark, ReversesID: id, CreatedAt: c.Now, CreatedBy: c.Actor.User,
		}
		return mirror, s.reverse(ctx, c, of, mirror)
	})
}

func (s *Payments) reverse(ctx context.Context, c *kernel.Call[Tx], of *account, mirror *Payment) error {
	if err := of.add(s.o.Overpayment, mirror); err != nil {
		return err
	}
	if _, err := c.Tx.Payments().Insert(ctx, c.Actor.Tenant, mirror); err != nil {
		return err
	}
	concluded, err := saveAccounts(ctx, c, of)
	if err != nil {
		return err
	}
	return c.Record(ctx, append([]kernel.Change{mirror.recorded("payment.reversed")}, concluded...)...)
}

// Get returns a payment with what it pays.
func (s *Payments) Get(ctx context.Context, a kernel.Actor, id PaymentID) (*Payment, error) {
	return kernel.Ask(ctx, &s.core, a, "sales.Payments.Get", kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) (*Payment, error) {
		p, err := only(c.Tx.Payments().Get(ctx, a.Tenant, c.Scope, id))
		if err == nil {
			veilAll(c, p)
		}
		return p, err
	})
}

// List returns a page of payments without their allocations, by date: of one contract or one customer all of them, if the
// actor may see it; else, from a day on, those of contracts whose owner, or the region of whose customer, lies in the actor's
// scope.
func (s *Payments) List(ctx context.Context, a kernel.Actor, f PaymentFilter, p kernel.Page) (kernel.List[*Payment], error) {
	const op = "sales.Payments.List"
	w, err := p.Open("payments", 2)
	err = kernel.FirstError(err, f.From.Check("from"), f.To.Check("to"))
	if err == nil && f.Contract == 0 && f.Customer == 0 && f.From == "" {
		err = kernel.Invalidf("from", kernel.Empty, "a contract, a customer, or a day to begin with")
	}
	if err != nil {
		return kernel.List[*Payment]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[*Payment], error) {
		found, err := c.Tx.Payments().List(ctx, a.Tenant, c.Scope, f, w)
		veilAll(c, found...)
		return kernel.Cut("payments", w, found, func(p *Payment) []int64 { return []int64{dayNumber(p.Date), int64(p.ID)} }), err
	})
}

// dayNumber is a date as a number that sorts as it does: 20260131.
func dayNumber(d kernel.Date) int64 {
	if len(d) < len("2006-01-02") {
		return 0
	}
	n, _ := strconv.ParseInt(string(d[:4]+d[5:7]+d[8:10]), 10, 64) // of a date that was checked
	return n
}

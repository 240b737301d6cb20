package sales

import (
	"context"
	"fmt"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales/calc"
)

// ChangeOrder is what is changed of a contract that is signed: lines that are added, at a negative quantity those that are
// taken back, and the instalments of the new total.
type ChangeOrder struct {
	Lines  []Line `json:"lines"`           // at least one; with those that the contract has at most 1,000
	Plans  []Plan `json:"plans,omitempty"` // in place of those that there are, which keep their ids; none: calc.Rebalance changes the last
	Reason string `json:"reason"`          // at most 500: why, for the audit trail
}

// amended is a change order in the audit trail, with what it made of the contract.
type amended struct {
	Change     int             `json:"change"`
	Reason     string          `json:"amend_reason"`
	Lines      []Line          `json:"lines"`
	NetTotal   decimal.Decimal `json:"net_total"`
	TaxTotal   decimal.Decimal `json:"tax_total"`
	GrandTotal decimal.Decimal `json:"grand_total"`
	BaseAmount decimal.Decimal `json:"base_amount"`
	Credit     decimal.Decimal `json:"credit"`
	Plans      []Plan          `json:"plans"`
}

func (x *Contract) amended(reason string, lines []Line) amended {
	return amended{x.Changes, reason, lines, x.NetTotal, x.TaxTotal, x.GrandTotal, x.BaseAmount, x.Credit, x.Plans}
}

// Amend changes a signed contract by an order of its own: its lines stay, those of the order are added behind them, computed
// as a document of their own by the contract's rules, and the totals grow or shrink by them. In the same transaction the
// instalments are brought to the new total and what was paid is allocated to them anew; money beyond it becomes credit. The
// version is the one that was read. It returns the contract as it is then. It needs the permission contract.approve.
//
// Errors: those of [calc.Document] with the index of the line; of plans those of SetPlans, with the index; invalid: Empty
// ("lines"), ZeroTotal; refused: InvalidTransition (not signed), BelowSettled (less than what was received, or than what is
// invoiced or asked for, in all or at one tax rate), PlanSum, InUse ("plans", one that a payment names is left out).
func (s *Contracts) Amend(ctx context.Context, a kernel.Actor, id ContractID, version int64, o ChangeOrder) (*Contract, error) {
	const op = "sales.Contracts.Amend"
	o.Lines, o.Plans = slices.Clone(o.Lines), unpaid(o.Plans)
	if err := o.check(version); err != nil {
		return nil, kernel.Wrap(op, err)
	}
	return kernel.Do(ctx, &s.core, a, op, kernel.ContractApprove, []any{id, version, o}, func(ctx context.Context, c *kernel.Call[Tx]) (*Contract, error) {
		b, err := openBook(ctx, c, id)
		if err != nil {
			return nil, err
		}
		if version != b.was.Version {
			return nil, kernel.StaleVersion(version, b.was.Version)
		}
		if err := contractTransition(b.was, "changing", ContractSigned); err != nil {
			return nil, err
		}
		if err := s.enlarge(ctx, c, b, o); err != nil {
			return nil, err
		}
		if err := s.amend(ctx, c, b, o); err != nil {
			return nil, err
		}
		veilAll(c, b.x)
		return b.x, nil
	})
}

func (o *ChangeOrder) check(version int64) error {
	body := Body{Lines: o.Lines}
	err := kernel.FirstError(kernel.CheckText("reason", o.Reason, 500), body.check())
	switch {
	case err != nil:
		return err
	case version <= 0:
		return kernel.Invalid("version", kernel.Empty)
	case o.Reason == "":
		return kernel.Invalid("reason", kernel.Empty)
	case len(o.Lines) == 0:
		return kernel.Invalid("lines", kernel.Empty)
	case len(o.Plans) > mostLines:
		return kernel.Invalidf("plans", kernel.TooMany, "at most %d", mostLines)
	}
	for i := range o.Plans {
		if err := o.Plans[i].check(o.Plans[:i]); err != nil {
			return kernel.At(i, err)
		}
	}
	return nil
}

// enlarge adds the lines of an order and their amounts, and refuses what is less than what was settled.
func (s *Contracts) enlarge(ctx context.Context, c *kernel.Call[Tx], b *book, o ChangeOrder) error {
	x := b.x
	if len(x.Lines)+len(o.Lines) > mostLines {
		return kernel.Invalidf("lines", kernel.TooMany, "at most %d with those that there are", mostLines)
	}
	currency, err := c.Tx.PriceLists().Currency(ctx, c.Actor.Tenant)
	if err != nil {
		return err
	}
	delta := Body{Currency: x.Currency, PriceMode: x.PriceMode, Rules: x.Rules, Lines: o.Lines}
	delta.Rules.AllowReturns = true
	if err := settle(ctx, c, &delta, currency); err != nil {
		return err
	}
	x.Changes++
	for i := range delta.Lines {
		delta.Lines[i].Change = x.Changes
	}
	x.Lines = append(slices.Clone(x.Lines), delta.Lines...)
	x.Subtotal, x.NetTotal, x.TaxTotal = x.Subtotal.Add(delta.Subtotal), x.NetTotal.Add(delta.NetTotal), x.TaxTotal.Add(delta.TaxTotal)
	x.GrandTotal = x.GrandTotal.Add(delta.GrandTotal)
	err = kernel.FirstError(kernel.CheckAmount("subtotal", x.Subtotal), kernel.CheckAmount("grand_total", x.GrandTotal))
	if err == nil && !x.GrandTotal.IsPositive() {
		err = kernel.Invalidf("total", calc.ZeroTotal, "Terminate ends a contract")
	}
	if err == nil {
		err = b.settled()
	}
	if err != nil {
		return err
	}
	x.BaseAmount, err = calc.Base(x.GrandTotal, x.FXRate, calc.Currency(currency), x.Rules.Rounding)
	return err
}

// settled refuses a total below what was received or invoiced, in all or at one rate.
func (b *book) settled() error {
	low := b.x.GrandTotal.Cmp(b.x.Received) < 0
	for _, r := range b.left() {
		low = low || r.Net.IsNegative() || r.Tax.IsNegative()
	}
	if !low {
		return nil
	}
	return &kernel.Error{
		Code: kernel.ErrRefused, Field: "lines", Reason: BelowSettled, Err: fmt.Errorf("%s is left of %s", b.x.GrandTotal, b.was.GrandTotal),
	}
}

func (s *Contracts) amend(ctx context.Context, c *kernel.Call[Tx], b *book, o ChangeOrder) error {
	x := b.x
	if err := b.plans(o.Plans); err != nil {
		return err
	}
	if err := s.replan(ctx, c, b.was, x); err != nil {
		return err
	}
	event := x.conclude(b.was, c.Today())
	x.Version, x.UpdatedAt, x.UpdatedBy = b.was.Version+1, c.Now, c.Actor.User
	if err := c.Tx.Contracts().Settle(ctx, c.Actor.Tenant, x); err != nil {
		return err
	}
	if err := c.Tx.Contracts().AddLines(ctx, c.Actor.Tenant, x, len(b.was.Lines)); err != nil {
		return err
	}
	before, after := kernel.Diff(b.was.amended("", nil), x.amended(o.Reason, x.Lines[len(b.was.Lines):]))
	changes := []kernel.Change{{Subject: subjectOf(x.CustomerID), Ref: x.Ref(), Type: "contract.amended", Before: before, After: after}}
	if event != "" {
		changes = append(changes, kernel.Change{Subject: subjectOf(x.CustomerID), Ref: x.Ref(), Type: event, Before: state{b.was.Status}, After: state{x.Status}})
		if err := countActive(ctx, c, map[customer.ID]int64{x.CustomerID: x.activity() - b.was.activity()}); err != nil {
			return err
		}
	}
	return c.Record(ctx, changes...)
}

// state is the status of a contract in the audit trail.
type state struct {
	Status ContractStatus `json:"status"`
}

// plans gives the contract the instalments of an order, or brings those that it has to the new total.
func (b *book) plans(given []Plan) error {
	x := b.x
	if len(given) > 0 {
		if err := x.checkPlans(given); err != nil {
			return err
		}
		x.Plans = given
		return x.planSum()
	}
	had := make([]calc.Instalment, len(x.Plans))
	for i, p := range x.Plans {
		had[i] = calc.Instalment{ID: int64(p.ID), Date: p.Date, Amount: p.Amount}
	}
	now, err := calc.Rebalance(calc.Currency(x.Currency), x.GrandTotal, had...)
	if err != nil {
		return err
	}
	plans := unpaid(x.Plans)
	x.Plans = nil
	for _, p := range now {
		i := slices.IndexFunc(plans, func(q Plan) bool { return int64(q.ID) == p.ID })
		plans[i].Amount = p.Amount
		x.Plans = append(x.Plans, plans[i])
	}
	return nil
}

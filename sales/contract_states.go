package sales

import (
	"context"
	"fmt"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// contractTransition refuses an action in a state that does not have it.
func contractTransition(x *Contract, action string, from ...ContractStatus) error {
	if slices.Contains(from, x.Status) {
		return nil
	}
	return &kernel.Error{
		Code: kernel.ErrRefused, Field: "status", Reason: InvalidTransition, Err: fmt.Errorf("%s is not possible when it is %s", action, x.Status),
	}
}

// planSum refuses instalments that do not add up to the total.
func (x *Contract) planSum() error {
	sum := decimal.Zero
	for _, p := range x.Plans {
		sum = sum.Add(p.Amount)
	}
	if sum.Equal(x.GrandTotal) {
		return nil
	}
	return &kernel.Error{Code: kernel.ErrRefused, Field: "plans", Reason: PlanSum, Err: fmt.Errorf("they add up to %s of %s", sum, x.GrandTotal)}
}

// Approve makes a draft approved; the version is the one that was read. Its total must be above 0, and its instalments, if it
// has any, must add up to it (refused, NoLines and PlanSum). It needs the permission contract.approve.
func (s *Contracts) Approve(ctx context.Context, a kernel.Actor, id ContractID, version int64) error {
	const op = "sales.Contracts.Approve"
	if version <= 0 {
		return kernel.Wrap(op, kernel.Invalid("version", kernel.Empty))
	}
	_, err := s.change(ctx, a, op, kernel.ContractApprove, id, version, nil, func(_ context.Context, _ *kernel.Call[Tx], x *Contract) (string, error) {
		err := contractTransition(x, "approving", ContractDraft)
		if err == nil && !x.GrandTotal.IsPositive() {
			err = &kernel.Error{Code: kernel.ErrRefused, Field: "lines", Reason: NoLines}
		}
		if err == nil && len(x.Plans) > 0 {
			err = x.planSum()
		}
		x.Status, x.ApprovedBy = ContractApproved, a.User
		return "contract.approved", err
	})
	return err
}

// Unapprove makes an approved contract a draft again, unless money came for it or an invoice was made (refused, BelowSettled).
func (s *Contracts) Unapprove(ctx context.Context, a kernel.Actor, id ContractID) error {
	const op = "sales.Contracts.Unapprove"
	_, err := s.change(ctx, a, op, kernel.ContractApprove, id, 0, nil, func(_ context.Context, _ *kernel.Call[Tx], x *Contract) (string, error) {
		err := kernel.FirstError(contractTransition(x, "taking approval back", ContractApproved), x.untouched())
		x.Status, x.ApprovedBy = ContractDraft, ""
		return "contract.unapproved", err
	})
	return err
}

// Sign makes an approved contract binding from a day on (today when empty, not in the future). It needs instalments that add
// up to its total exactly (refused, PlanSum), and a rate where it is in another currency than the tenant. In the same
// transaction the customer becomes won, and so does the opportunity unless Options.WinOn says otherwise; other sent quotes of
// the opportunity are rejected.
func (s *Contracts) Sign(ctx context.Context, a kernel.Actor, id ContractID, on kernel.Date) error {
	const op = "sales.Contracts.Sign"
	if err := on.Check("sign_date"); err != nil {
		return kernel.Wrap(op, err)
	}
	_, err := kernel.Do(ctx, &s.core, a, op, kernel.ContractWrite, []any{id, on}, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.None, error) {
		return kernel.None{}, s.sign(ctx, c, id, on)
	})
	return err
}

func (s *Contracts) sign(ctx context.Context, c *kernel.Call[Tx], id ContractID, on kernel.Date) error {
	cur, err := lockContract(ctx, c, id)
	if err != nil {
		return err
	}
	if err := kernel.FirstError(contractTransition(cur, "signing", ContractApproved), cur.planSum()); err != nil {
		return err
	}
	next := *cur
	if next.Status, next.SignDate = ContractSigned, on; on == "" {
		next.SignDate = c.Today()
	}
	if next.SignDate > c.Today() {
		return kernel.Invalid("sign_date", kernel.InFuture)
	}
	if next.FXRate, next.BaseAmount, err = rated(ctx, c, &next.Body, next.FXRate); err != nil {
		return err
	}
	if err := s.win(ctx, c, cur.CustomerID); err != nil { // before all else that raises the customer's seq
		return err
	}
	signed, err := saveContract(ctx, c, cur, &next, "contract.signed")
	if err != nil {
		return err
	}
	done := *signed
	if event := done.conclude(signed, c.Today()); event != "" { // it was paid and invoiced before
		if _, err := saveContract(ctx, c, signed, &done, event); err != nil {
			return err
		}
	}
	if next.OpportunityID == 0 || s.o.WinOn == WonByHand {
		return nil
	}
	return winOpportunity(ctx, c, next.OpportunityID, next.QuoteID)
}

// win makes the customer won with its first contract.
func (s *Contracts) win(ctx context.Context, c *kernel.Call[Tx], id customer.ID) error {
	found, err := c.Tx.Customers().Lock(ctx, c.Actor.Tenant, kernel.Scope{All: true}, false, id)
	if err == nil && len(found) == 0 {
		err = kernel.ErrNotFound
	}
	if err != nil {
		return err
	}
	return customer.Win(ctx, asCustomers(c), found[0])
}

// winOpportunity moves an open opportunity into its pipeline's first won stage, whatever stages require: what is signed is
// won. The other quotes that the customer could still accept are rejected.
func winOpportunity(ctx context.Context, c *kernel.Call[Tx], id OpportunityID, but QuoteID) error {
	found, err := c.Tx.Opportunities().Get(ctx, c.Actor.Tenant, kernel.Scope{All: true}, id)
	if err != nil || len(found) == 0 || found[0].Status != Open {
		return err
	}
	p, err := only(c.Tx.Pipelines().Get(ctx, c.Actor.Tenant, found[0].PipelineID))
	if err != nil {
		return err
	}
	i := slices.IndexFunc(p.Stages, func(s Stage) bool { return s.Kind == Won }) // every pipeline has one
	if err := (&Opportunities{}).apply(ctx, c, found[0], p.Stages[i].ID, &p.Stages[i], ""); err != nil {
		return err
	}
	open, err := c.Tx.Quotes().Sent(ctx, c.Actor.Tenant, id)
	if err != nil {
		return err
	}
	for _, q := range open {
		if q.ID == but {
			continue
		}
		next := *q
		next.Status, next.RejectReason = QuoteRejected, wonByOther
		if _, err := (&Quotes{}).save(ctx, c, q, &next, "quote.rejected"); err != nil {
			return err
		}
	}
	return nil
}

// Terminate ends a signed contract before its time, for a reason of at most 500 characters: what is not paid of its
// instalments is no receivable any more.
func (s *Contracts) Terminate(ctx context.Context, a kernel.Actor, id ContractID, reason string) error {
	return s.end(ctx, a, "sales.Contracts.Terminate", "terminating", id, reason, ContractTerminated, ContractSigned)
}

// Complete ends a signed contract that is fulfilled as far as it will be: what is not paid of it is no receivable any more.
// One that is paid and invoiced in full completes by itself.
func (s *Contracts) Complete(ctx context.Context, a kernel.Actor, id ContractID) error {
	const op = "sales.Contracts.Complete"
	_, err := s.change(ctx, a, op, kernel.ContractWrite, id, 0, nil, func(_ context.Context, c *kernel.Call[Tx], x *Contract) (string, error) {
		err := contractTransition(x, "completing", ContractSigned)
		x.Status, x.EndedOn = ContractCompleted, c.Today()
		return "contract.completed", err
	})
	return err
}

// Void gives up a contract that was not signed, for a reason of at most 500 characters, unless money came for it or an invoice
// was made (refused, BelowSettled): that goes back first.
func (s *Contracts) Void(ctx context.Context, a kernel.Actor, id ContractID, reason string) error {
	return s.end(ctx, a, "sales.Contracts.Void", "voiding", id, reason, ContractVoided, ContractDraft, ContractApproved)
}

func (s *Contracts) end(ctx context.Context, a kernel.Actor, op, action string, id ContractID, reason string, to ContractStatus, from ...ContractStatus) error {
	err := kernel.CheckText("end_reason", reason, 500)
	if err == nil && reason == "" {
		err = kernel.Invalid("end_reason", kernel.Empty)
	}
	if err != nil {
		return kernel.Wrap(op, err)
	}
	_, err = s.change(ctx, a, op, kernel.ContractWrite, id, 0, reason, func(_ context.Context, c *kernel.Call[Tx], x *Contract) (string, error) {
		err := contractTransition(x, action, from...)
		if err == nil && to == ContractVoided {
			err = x.untouched()
		}
		x.Status, x.EndReason, x.EndedOn = to, reason, c.Today()
		return "contract." + to.String(), err
	})
	return err
}

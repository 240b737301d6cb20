package sales

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

var one = decimal.NewFromInt(1)

// AskApproval puts a draft before those who may approve it (permission quote.approve): approval is pending.
func (s *Quotes) AskApproval(ctx context.Context, a kernel.Actor, id QuoteID) error {
	_, err := s.change(ctx, a, "sales.Quotes.AskApproval", id, 0, nil, func(_ context.Context, _ *kernel.Call[Tx], q *Quote) (string, error) {
		q.Approval, q.ApprovedBy = ApprovalPending, ""
		return "quote.approval_asked", transition(q, "asking for approval", QuoteDraft)
	})
	return err
}

// Approve says yes to a draft, or no, whether or not somebody asked. Nobody approves a quote of its own (denied). Its amounts
// are those that were read: the version must be the last.
func (s *Quotes) Approve(ctx context.Context, a kernel.Actor, id QuoteID, version int64, yes bool) error {
	const op = "sales.Quotes.Approve"
	if version <= 0 {
		return kernel.Wrap(op, kernel.Invalid("version", kernel.Empty))
	}
	_, err := s.changeAs(ctx, a, op, kernel.QuoteApprove, id, version, yes, func(_ context.Context, _ *kernel.Call[Tx], q *Quote) (string, error) {
		if q.OwnerID == a.User || q.CreatedBy == a.User {
			return "", &kernel.Error{Code: kernel.ErrDenied, Field: string(kernel.QuoteApprove), Err: errors.New("a second person approves")}
		}
		q.Approval, q.ApprovedBy = ApprovalRefused, a.User
		event := "quote.approval_refused"
		if yes {
			q.Approval, event = Approved, "quote.approved"
		}
		return event, transition(q, "approving", QuoteDraft)
	})
	return err
}

// Send makes a draft an offer: from now on only a new revision changes it. It needs lines (refused, NoLines), a last day that
// is not over (QuoteExpired), approval where Options.NeedsApproval says so (ApprovalRequired), a customer that is not
// blacklisted, an opportunity, if it names one, that was not lost or deleted (OpportunityClosed), and a rate where it is in
// another currency than the tenant (invalid, "fx_rate"). The revision that was sent before is superseded.
func (s *Quotes) Send(ctx context.Context, a kernel.Actor, id QuoteID) error {
	_, err := s.change(ctx, a, "sales.Quotes.Send", id, 0, nil, func(ctx context.Context, c *kernel.Call[Tx], q *Quote) (string, error) {
		if err := transition(q, "sending", QuoteDraft); err != nil {
			return "", err
		}
		if err := s.sendable(ctx, c, q); err != nil {
			return "", err
		}
		if err := s.supersede(ctx, c, q); err != nil {
			return "", err
		}
		q.Status, q.SentAt = QuoteSent, c.Now
		var err error
		q.FXRate, q.BaseAmount, err = rated(ctx, c, &q.Body, q.FXRate)
		return "quote.sent", err
	})
	return err
}

func (s *Quotes) sendable(ctx context.Context, c *kernel.Call[Tx], q *Quote) error {
	refused := func(field string, why kernel.Reason) error {
		return &kernel.Error{Code: kernel.ErrRefused, Field: field, Reason: why}
	}
	found, err := c.Tx.Customers().Get(ctx, c.Actor.Tenant, kernel.Scope{All: true}, q.CustomerID)
	switch {
	case err != nil:
		return err
	case len(found) == 0:
		return kernel.ErrNotFound
	case found[0].Standing == customer.Blacklisted:
		return refused("customer_id", Blacklisted)
	case len(q.Lines) == 0:
		return refused("lines", NoLines)
	case q.ValidUntil != "" && q.ValidUntil < c.Today():
		return refused("valid_until", QuoteExpired)
	case s.o.NeedsApproval != nil && q.Approval != Approved && s.o.NeedsApproval(q):
		return refused("approval", ApprovalRequired)
	case q.OpportunityID == 0:
		return nil
	}
	of, err := c.Tx.Opportunities().Get(ctx, c.Actor.Tenant, kernel.Scope{All: true}, q.OpportunityID)
	if err == nil && (len(of) == 0 || of[0].Status == Lost) {
		err = refused("opportunity_id", OpportunityClosed)
	}
	return err
}

// supersede puts the older living revision of the same quote out of force.
func (s *Quotes) supersede(ctx context.Context, c *kernel.Call[Tx], q *Quote) error {
	older, err := c.Tx.Quotes().Revisions(ctx, c.Actor.Tenant, q.RootID)
	if err != nil {
		return err
	}
	for _, old := range older {
		if old.ID == q.ID || old.Status != QuoteSent && old.Status != QuoteAccepted && old.Status != QuoteRejected && old.Status != QuoteLapsed {
			continue
		}
		if err := s.withdraw(ctx, c, old.ID, q.Number); err != nil {
			return err
		}
		next := *old
		next.Status = QuoteSuperseded
		if _, err := s.save(ctx, c, old, &next, "quote.superseded"); err != nil {
			return err
		}
	}
	return nil
}

// withdraw voids the draft of a contract that a revision has been made into. One that is approved or signed stands: a new
// revision is refused then.
func (s *Quotes) withdraw(ctx context.Context, c *kernel.Call[Tx], id QuoteID, by string) error {
	found, err := c.Tx.Contracts().OfQuote(ctx, c.Actor.Tenant, id)
	if err != nil {
		return err
	}
	for _, x := range found {
		switch x.Status {
		case ContractVoided:
		case ContractDraft:
			next := *x
			next.Status, next.EndReason = ContractVoided, "superseded by "+by
			if _, err := saveContract(ctx, c, x, &next, "contract.voided"); err != nil {
				return err
			}
		default:
			return &kernel.Error{
				Code: kernel.ErrRefused, Field: "status", Reason: InvalidTransition, Err: fmt.Errorf("the contract %s is %s", x.Number, x.Status),
			}
		}
	}
	return nil
}

// Accept notes that the customer said yes, through whom, on a day up to the quote's last (refused, QuoteExpired). The
// opportunity takes over the total; it has at most one accepted quote (OpportunityHasAcceptedQuote) unless
// Options.ManyAccepted. A contract is drafted with the same lines, to the cent, unless Options.NoContract; by is at most 200
// characters.
func (s *Quotes) Accept(ctx context.Context, a kernel.Actor, id QuoteID, by string) error {
	const op = "sales.Quotes.Accept"
	if err := kernel.CheckLine("accepted_by", by, 200); err != nil {
		return kernel.Wrap(op, err)
	}
	number, err := s.contractNumber(ctx, a)
	if err != nil {
		return kernel.Wrap(op, err)
	}
	_, err = s.change(ctx, a, op, id, 0, by, func(ctx context.Context, c *kernel.Call[Tx], q *Quote) (string, error) {
		if q.on(c.Today()); q.Status == QuoteLapsed {
			return "", &kernel.Error{Code: kernel.ErrRefused, Field: "valid_until", Reason: QuoteExpired, Err: fmt.Errorf("its last day was %s", q.ValidUntil)}
		}
		if err := transition(q, "accepting", QuoteSent); err != nil {
			return "", err
		}
		q.Status, q.AcceptedAt, q.AcceptedBy = QuoteAccepted, c.Now, by
		if err := s.agreed(ctx, c, q); err != nil || number == "" {
			return "quote.accepted", err
		}
		return "quote.accepted", draftContract(ctx, c, q, number)
	})
	return err
}

// contractNumber draws the number of the contract that an acceptance drafts; empty where it drafts none.
func (s *Quotes) contractNumber(ctx context.Context, a kernel.Actor) (string, error) {
	rights, _, err := s.core.Enter(ctx, a, kernel.QuoteWrite)
	if err != nil || s.o.NoContract {
		return "", err
	}
	return draw(ctx, &s.core, a, ContractKind, s.o.ContractNumbers.or("HT"), rights.Zone)
}

// agreed lets the opportunity take over the total of its accepted quote.
func (s *Quotes) agreed(ctx context.Context, c *kernel.Call[Tx], q *Quote) error {
	if q.OpportunityID == 0 {
		return nil
	}
	if !s.o.ManyAccepted {
		n, err := c.Tx.Quotes().Accepted(ctx, c.Actor.Tenant, q.OpportunityID)
		if err != nil {
			return err
		}
		if n > 0 {
			return &kernel.Error{Code: kernel.ErrRefused, Field: "opportunity_id", Reason: OpportunityHasAcceptedQuote}
		}
	}
	cur, err := only(c.Tx.Opportunities().Get(ctx, c.Actor.Tenant, kernel.Scope{All: true}, q.OpportunityID))
	if errors.Is(err, kernel.ErrNotFound) { // deleted since
		return nil
	}
	if err != nil {
		return err
	}
	next := *cur
	next.Amount, next.Currency = q.GrandTotal, q.Currency
	if was, is := kernel.Diff(cur, &next); is != nil {
		next.Version, next.UpdatedAt, next.UpdatedBy = cur.Version+1, c.Now, c.Actor.User
		if err := c.Tx.Opportunities().Update(ctx, c.Actor.Tenant, &next); err != nil {
			return err
		}
		if err := tellCustomer(ctx, c, next.CustomerID, kernel.Change{Ref: next.Ref(), Type: "opportunity.updated", Before: was, After: is}); err != nil {
			return err
		}
	}
	if s.o.WinOn != WonWhenAccepted {
		return nil
	}
	return winOpportunity(ctx, c, next.ID, q.ID)
}

// Reject notes that the customer said no, and why: at most 500 characters.
func (s *Quotes) Reject(ctx context.Context, a kernel.Actor, id QuoteID, reason string) error {
	const op = "sales.Quotes.Reject"
	if err := kernel.CheckText("reject_reason", reason, 500); err != nil {
		return kernel.Wrap(op, err)
	}
	_, err := s.change(ctx, a, op, id, 0, reason, func(_ context.Context, c *kernel.Call[Tx], q *Quote) (string, error) {
		q.on(c.Today())
		err := transition(q, "rejecting", QuoteSent)
		q.Status, q.RejectReason = QuoteRejected, reason
		return "quote.rejected", err
	})
	return err
}

// Extend gives a sent or expired quote a later last day, today or later.
func (s *Quotes) Extend(ctx context.Context, a kernel.Actor, id QuoteID, until kernel.Date) error {
	const op = "sales.Quotes.Extend"
	err := until.Check("valid_until")
	if err == nil && until == "" {
		err = kernel.Invalid("valid_until", kernel.Empty)
	}
	if err != nil {
		return kernel.Wrap(op, err)
	}
	_, err = s.change(ctx, a, op, id, 0, until, func(_ context.Context, c *kernel.Call[Tx], q *Quote) (string, error) {
		if err := transition(q, "extending", QuoteSent, QuoteLapsed); err != nil {
			return "", err
		}
		if until < c.Today() {
			return "", kernel.Invalidf("valid_until", kernel.OutOfRange, "it is over")
		}
		q.Status, q.ValidUntil = QuoteSent, until
		return "quote.extended", nil
	})
	return err
}

// Cancel gives a draft up.
func (s *Quotes) Cancel(ctx context.Context, a kernel.Actor, id QuoteID) error {
	_, err := s.change(ctx, a, "sales.Quotes.Cancel", id, 0, nil, func(_ context.Context, _ *kernel.Call[Tx], q *Quote) (string, error) {
		err := transition(q, "cancelling", QuoteDraft)
		q.Status = QuoteCancelled
		return "quote.cancelled", err
	})
	return err
}

// Delete deletes a draft: it is in no list any more. The version is the one that was read.
func (s *Quotes) Delete(ctx context.Context, a kernel.Actor, id QuoteID, version int64) error {
	const op = "sales.Quotes.Delete"
	if version <= 0 {
		return kernel.Wrap(op, kernel.Invalid("version", kernel.Empty))
	}
	_, err := s.change(ctx, a, op, id, version, nil, func(_ context.Context, c *kernel.Call[Tx], q *Quote) (string, error) {
		err := transition(q, "deleting", QuoteDraft)
		q.DeletedAt = c.Now
		return "quote.deleted", err
	})
	return err
}

// Revise makes a new draft of a quote that was sent, rejected, accepted or has expired: the next revision, with its lines as
// they are. The old one stays in force until the new one is sent.
func (s *Quotes) Revise(ctx context.Context, a kernel.Actor, id QuoteID) (*Quote, error) {
	const op = "sales.Quotes.Revise"
	return kernel.Do(ctx, &s.core, a, op, kernel.QuoteWrite, id, func(ctx context.Context, c *kernel.Call[Tx]) (*Quote, error) {
		cur, err := s.lock(ctx, c, id)
		if err != nil {
			return nil, err
		}
		if err := transition(cur, "revising", QuoteSent, QuoteAccepted, QuoteRejected, QuoteLapsed); err != nil {
			return nil, err
		}
		if err := s.unbound(ctx, c, cur); err != nil {
			return nil, err
		}
		all, err := c.Tx.Quotes().Revisions(ctx, a.Tenant, cur.RootID)
		if err != nil {
			return nil, err
		}
		next := *cur
		next.Body = cur.Body.copied()
		for _, x := range all {
			if x.Status == QuoteDraft && x.ID != cur.ID {
				return nil, &kernel.Error{Code: kernel.ErrConflict, Field: "revision", Reason: kernel.Duplicate, Err: fmt.Errorf("%s is a draft of it already", x.Number)}
			}
			next.Revision = max(next.Revision, x.Revision)
			if x.ID == cur.RootID {
				next.Number = x.Number
			}
		}
		next.Revision++
		next.Number = fmt.Sprintf("%s-R%d", next.Number, next.Revision)
		next.Status, next.Approval, next.ApprovedBy, next.RejectReason, next.AcceptedBy = QuoteDraft, NotAsked, "", "", ""
		next.SentAt, next.AcceptedAt, next.Date = time.Time{}, time.Time{}, c.Today()
		if next.ValidUntil != "" && next.ValidUntil < next.Date {
			next.ValidUntil = ""
		}
		next.Masked = false // as it is written
		if err := s.insert(ctx, c, &next, "quote.revised"); err != nil {
			return nil, err
		}
		next.Masked = cur.Masked
		veilAll(c, &next)
		return &next, nil
	})
}

const mostExpired = 1_000

// unbound refuses to revise what a contract that is more than a draft stands on.
func (s *Quotes) unbound(ctx context.Context, c *kernel.Call[Tx], q *Quote) error {
	found, err := c.Tx.Contracts().OfQuote(ctx, c.Actor.Tenant, q.ID)
	for _, x := range found {
		if x.Status != ContractDraft && x.Status != ContractVoided {
			return &kernel.Error{
				Code: kernel.ErrRefused, Field: "status", Reason: InvalidTransition, Err: fmt.Errorf("the contract %s is %s", x.Number, x.Status),
			}
		}
	}
	return err
}

// ExpireReport is what a run of Expire did.
type ExpireReport struct {
	Expired int `json:"expired"`
}

// Expire writes down which sent quotes' last day is over, at most 1,000 in one call, so that an event tells it; they were
// shown as expired before. It needs the permission quote.write over all, and is for a nightly job: call it until it returns 0.
func (s *Quotes) Expire(ctx context.Context, a kernel.Actor) (ExpireReport, error) {
	const op = "sales.Quotes.Expire"
	return kernel.Do(ctx, &s.core, a, op, kernel.QuoteWrite, nil, func(ctx context.Context, c *kernel.Call[Tx]) (r ExpireReport, err error) {
		if !c.Scope.All {
			return r, &kernel.Error{Code: kernel.ErrDenied, Field: string(kernel.QuoteWrite), Err: errors.New("only a role that reaches all may run it")}
		}
		over, err := c.Tx.Quotes().Over(ctx, a.Tenant, c.Today(), c.Now, mostExpired)
		if err != nil {
			return r, err
		}
		var changes []kernel.Change
		for _, q := range over {
			changes = append(changes, kernel.Change{
				Subject: subjectOf(q.CustomerID), Ref: q.Ref(), Type: "quote.expired",
				Before: map[string]any{"status": QuoteSent}, After: map[string]any{"status": QuoteLapsed},
			})
		}
		r.Expired = len(over)
		return r, c.Record(ctx, changes...)
	})
}

package storagetest

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales"
	"github.com/openseas/crm/sales/calc"
)

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func null(s string) decimal.NullDecimal { return decimal.NewNullDecimal(dec(s)) }

// quote makes a draft over three at 33.33 with 13 % tax on top: 99.99 net, 12.999 → 13.00 tax.
func (b *bundle) quote(who crm.Actor, of customer.ID, change func(q *sales.Quote)) *sales.Quote {
	b.t.Helper()
	q := &sales.Quote{CustomerID: of, ValidUntil: "2026-03-31", Body: sales.Body{
		Lines: []sales.Line{{Name: "pump", Quantity: dec("3"), UnitPrice: null("33.33"), TaxRate: null("13")}},
	}}
	if change != nil {
		change(q)
	}
	require.NoError(b.t, b.Sales.Quotes.Create(b.t.Context(), who, q))
	return q
}

func (b *bundle) getQuote(id sales.QuoteID) *sales.Quote {
	b.t.Helper()
	q, err := b.Sales.Quotes.Get(b.t.Context(), boss, id)
	require.NoError(b.t, err)
	return q
}

// act is every action on a quote, by name.
func (b *bundle) act(who crm.Actor, action string, id sales.QuoteID) error {
	ctx := b.t.Context()
	switch action {
	case "ask":
		return b.Sales.Quotes.AskApproval(ctx, who, id)
	case "approve":
		return b.Sales.Quotes.Approve(ctx, head, id, b.getQuote(id).Version, true)
	case "send":
		return b.Sales.Quotes.Send(ctx, who, id)
	case "accept":
		return b.Sales.Quotes.Accept(ctx, who, id, "Mrs Zhou")
	case "reject":
		return b.Sales.Quotes.Reject(ctx, who, id, "too dear")
	case "extend":
		return b.Sales.Quotes.Extend(ctx, who, id, "2027-12-31")
	case "revise":
		_, err := b.Sales.Quotes.Revise(ctx, who, id)
		return err
	case "cancel":
		return b.Sales.Quotes.Cancel(ctx, who, id)
	case "delete":
		return b.Sales.Quotes.Delete(ctx, who, id, b.getQuote(id).Version)
	}
	return errors.New("no such action")
}

func testQuotes(t *testing.T, open Open) {
	t.Run("made with number, products' words and every amount", func(t *testing.T) {
		b := setup(t, open)
		of := b.create(1, "li")[0]
		p := &sales.Product{Name: "Ball bearing", Specification: "6204", Unit: "pcs", Price: dec("12.5934"), TaxRate: null("13")}
		require.NoError(t, b.Sales.Products.Create(t.Context(), admin, p))
		q := b.quote(li, of, func(q *sales.Quote) {
			q.Title, q.Terms = "bearings", "30 days"
			q.Lines = []sales.Line{
				{ProductID: p.ID, Quantity: dec("3"), Discount: null("93")},
				{Name: "mounting", Quantity: dec("1"), UnitPrice: null("0"), TaxKind: calc.Exempt},
			}
			q.HeaderDiscountAmount = dec("0.14")
			q.Fees = []sales.Fee{{Fee: calc.Fee{Name: "freight", Amount: dec("10"), TaxRate: dec("9")}}}
		})
		require.Equal(t, "QT202602280001", q.Number)
		require.Equal(t, kernel.Date("2026-02-28"), q.Date)
		require.Equal(t, "CNY", q.Currency)
		require.EqualValues(t, "li", q.OwnerID)
		l := q.Lines[0]
		require.Equal(t, []string{"Ball bearing", "6204", "pcs"}, []string{l.Name, l.Specification, l.Unit})
		requireMoney(t, "35.14", l.Amount)
		requireMoney(t, "35.00", l.Net)
		requireMoney(t, "4.55", l.Tax)
		requireMoney(t, "35.14", q.Subtotal)
		requireMoney(t, "0.9", q.Fees[0].Tax)
		requireMoney(t, "50.45", q.GrandTotal)
		requireSame(t, q, b.getQuote(q.ID))
		p.Price = dec("99")
		require.NoError(t, b.Sales.Products.Update(t.Context(), admin, p))
		requireSame(t, q, b.getQuote(q.ID))
		b.agree()
	})
	t.Run("bad input names line and field, and nothing is written but a gap in the numbers", func(t *testing.T) {
		b := setup(t, open)
		of := b.create(2, "li")
		require.NoError(t, b.Customers.Blacklist(t.Context(), boss, of[1], "pays nobody"))
		for _, x := range []struct {
			change func(q *sales.Quote)
			code   kernel.Code
			reason kernel.Reason
			field  string
		}{
			{func(q *sales.Quote) { q.Lines[0].Quantity = decimal.Zero }, crm.ErrInvalid, calc.ZeroQuantity, "quantity"},
			{func(q *sales.Quote) { q.Lines[0].Quantity = dec("-1") }, crm.ErrInvalid, calc.NegativeQuantity, "quantity"},
			{func(q *sales.Quote) { q.Lines[0].UnitPrice = null("0.00001") }, crm.ErrInvalid, calc.Scale, "unit_price"},
			{func(q *sales.Quote) { q.Lines[0].UnitPrice = null("1e400") }, crm.ErrInvalid, calc.AmountOverflow, "unit_price"},
			{func(q *sales.Quote) { q.Lines[0].Discount = null("100.01") }, crm.ErrInvalid, calc.DiscountRange, "discount"},
			{func(q *sales.Quote) { q.Lines[0].UnitPrice = decimal.NullDecimal{} }, crm.ErrInvalid, kernel.Empty, "unit_price"},
			{func(q *sales.Quote) { q.Lines[0].ProductID = 1 << 40 }, crm.ErrInvalid, kernel.Unknown, "product_id"},
			{func(q *sales.Quote) { q.HeaderDiscountAmount = dec("100") }, crm.ErrInvalid, calc.DiscountExceedsSubtotal, "header_discount_amount"},
			{func(q *sales.Quote) { q.ValidUntil = "2026-02-27" }, crm.ErrInvalid, kernel.OutOfRange, "valid_until"},
			{func(q *sales.Quote) { q.Currency = "yuan" }, crm.ErrInvalid, calc.UnknownCurrency, "currency"},
			{func(q *sales.Quote) { q.OwnerID = "nobody" }, crm.ErrInvalid, kernel.Unknown, "owner_id"},
			{func(q *sales.Quote) { q.OpportunityID = 1 << 40 }, crm.ErrInvalid, kernel.Unknown, "opportunity_id"},
			{func(q *sales.Quote) { q.CustomerID = 1 << 40 }, crm.ErrNotFound, "", "customer_id"},
			{func(q *sales.Quote) { q.CustomerID = of[1] }, crm.ErrRefused, sales.Blacklisted, "customer_id"},
		} {
			q := &sales.Quote{CustomerID: of[0], Body: sales.Body{Lines: []sales.Line{
				{Name: "a", Quantity: dec("1"), UnitPrice: null("1")}, {Name: "b", Quantity: dec("1"), UnitPrice: null("1")},
			}}}
			q.Lines[0], q.Lines[1] = q.Lines[1], q.Lines[0]
			x.change(q)
			requireError(t, b.Sales.Quotes.Create(t.Context(), li, q), x.code, x.reason, x.field)
		}
		require.Zero(t, b.count("SELECT count(*) FROM crm_quotes"))
		require.Zero(t, b.count("SELECT count(*) FROM crm_quote_lines"))
	})
	t.Run("every action in every state is in the table, or refused", func(t *testing.T) {
		b := setup(t, open)
		of := b.create(1, "li")[0]
		reach := map[string][]string{
			"draft": {}, "sent": {"send"}, "accepted": {"send", "accept"}, "rejected": {"send", "reject"}, "cancelled": {"cancel"},
		}
		allowed := map[string][]string{
			"draft": {"ask", "approve", "send", "cancel", "delete"}, "sent": {"accept", "reject", "extend", "revise"},
			"accepted": {"revise"}, "rejected": {"revise"}, "cancelled": {}, "expired": {"extend", "revise"}, "superseded": {},
		}
		for _, state := range []string{"draft", "sent", "accepted", "rejected", "cancelled", "expired", "superseded"} {
			for _, action := range []string{"ask", "approve", "send", "accept", "reject", "extend", "revise", "cancel", "delete"} {
				q := b.quote(li, of, nil)
				for _, step := range reach[state] {
					require.NoError(t, b.act(li, step, q.ID))
				}
				if state == "superseded" {
					require.NoError(t, b.act(li, "send", q.ID))
					next, err := b.Sales.Quotes.Revise(t.Context(), li, q.ID)
					require.NoError(t, err)
					require.NoError(t, b.act(li, "send", next.ID))
				}
				back := b.micros.Load()
				if state == "expired" {
					require.NoError(t, b.act(li, "send", q.ID))
					b.wait(60 * day)
				}
				require.Equal(t, state, b.getQuote(q.ID).Status.String())
				err := b.act(li, action, q.ID)
				b.micros.Store(back)
				switch {
				case slices.Contains(allowed[state], action):
					require.NoError(t, err, "%s: %s", state, action)
				case state == "expired" && action == "accept":
					require.ErrorIs(t, err, sales.QuoteExpired)
				default:
					require.ErrorIs(t, err, sales.InvalidTransition, "%s: %s", state, action)
					require.ErrorIs(t, err, crm.ErrRefused)
				}
			}
		}
		b.agree()
	})
	t.Run("accepted on its last day, not on the next", func(t *testing.T) {
		b := setup(t, open)
		of := b.create(1, "li")[0]
		x, y := b.quote(li, of, nil), b.quote(li, of, nil)
		for _, q := range []*sales.Quote{x, y} {
			require.NoError(t, b.act(li, "send", q.ID))
		}
		b.until("2026-03-31T15:59:59.999999Z") // a microsecond before midnight in Shanghai
		require.NoError(t, b.act(li, "accept", x.ID))
		b.wait(1000)
		require.Equal(t, sales.QuoteLapsed, b.getQuote(y.ID).Status, "shown as expired though nobody wrote it down")
		require.ErrorIs(t, b.act(li, "accept", y.ID), sales.QuoteExpired)
		requireError(t, func() error { _, err := b.Sales.Quotes.Expire(t.Context(), li); return err }(), crm.ErrDenied, "", string(kernel.QuoteWrite))
		for _, want := range []int{1, 0} {
			r, err := b.Sales.Quotes.Expire(t.Context(), boss)
			require.NoError(t, err)
			require.Equal(t, want, r.Expired)
		}
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_outbox WHERE type = 'quote.expired'"))
		require.NoError(t, b.act(li, "extend", y.ID))
		require.NoError(t, b.act(li, "accept", y.ID))
		b.agree()
	})
	t.Run("a new revision takes the place of the old when it is sent", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		of := b.create(1, "li")[0]
		q := b.quote(li, of, nil)
		require.NoError(t, b.act(li, "send", q.ID))
		next, err := b.Sales.Quotes.Revise(ctx, li, q.ID)
		require.NoError(t, err)
		require.Equal(t, q.Number+"-R2", next.Number)
		_, err = b.Sales.Quotes.Revise(ctx, li, q.ID)
		requireError(t, err, crm.ErrConflict, kernel.Duplicate, "revision")
		require.Equal(t, sales.QuoteSent, b.getQuote(q.ID).Status)
		next.Lines[0].Quantity = dec("4")
		require.NoError(t, b.Sales.Quotes.Update(ctx, li, next))
		requireMoney(t, "150.65", next.GrandTotal) // 133.32 and 17.33
		require.NoError(t, b.act(li, "send", next.ID))
		require.Equal(t, sales.QuoteSuperseded, b.getQuote(q.ID).Status)
		require.ErrorIs(t, b.act(li, "accept", q.ID), sales.InvalidTransition)
		require.NoError(t, b.act(li, "accept", next.ID))
		third, err := b.Sales.Quotes.Revise(ctx, li, next.ID)
		require.NoError(t, err)
		require.Equal(t, q.Number+"-R3", third.Number)
		require.Len(t, b.getQuote(third.ID).Lines, 1)
		b.agree()
	})
	t.Run("what is sent does not change but for remark and owner", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		q := b.quote(li, b.create(1, "li")[0], nil)
		q.Currency = "USD"
		requireError(t, b.Sales.Quotes.Update(ctx, li, q), crm.ErrInvalid, kernel.ReadOnly, "currency")
		require.NoError(t, b.act(li, "send", q.ID))
		sent := b.getQuote(q.ID)
		for field, change := range map[string]func(q *sales.Quote){
			"lines": func(q *sales.Quote) { q.Lines[0].Quantity = dec("4") }, "title": func(q *sales.Quote) { q.Title = "x" },
			"valid_until": func(q *sales.Quote) { q.ValidUntil = "" }, "terms": func(q *sales.Quote) { q.Terms = "x" },
			"header_discount_amount": func(q *sales.Quote) { q.HeaderDiscountAmount = dec("1") },
		} {
			given := *sent
			given.Lines = slices.Clone(sent.Lines)
			change(&given)
			requireError(t, b.Sales.Quotes.Update(ctx, li, &given), crm.ErrInvalid, kernel.ReadOnly, field)
		}
		sent.Remark, sent.OwnerID = "call on Monday", "wang"
		require.NoError(t, b.Sales.Quotes.Update(ctx, li, sent))
		require.EqualValues(t, "wang", b.getQuote(q.ID).OwnerID)
		stale := *sent
		stale.Version--
		requireError(t, b.Sales.Quotes.Update(ctx, li, &stale), crm.ErrConflict, kernel.Stale, "version")
		b.agree()
	})
	t.Run("a discount that needs a second person waits for one", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		b.CRM = b.open(func(o *crm.Options) {
			o.Sales.NeedsApproval = func(q *sales.Quote) bool {
				return slices.ContainsFunc(q.Lines, func(l sales.Line) bool { return l.Discount.Decimal.LessThan(dec("80")) })
			}
		})
		q := b.quote(li, b.create(1, "li")[0], func(q *sales.Quote) { q.Lines[0].Discount = null("79.99") })
		requireError(t, b.Sales.Quotes.Send(ctx, li, q.ID), crm.ErrRefused, sales.ApprovalRequired, "approval")
		require.NoError(t, b.Sales.Quotes.AskApproval(ctx, li, q.ID))
		requireError(t, b.Sales.Quotes.Approve(ctx, li, q.ID, 2, true), crm.ErrDenied, "", string(kernel.QuoteApprove))
		requireError(t, b.Sales.Quotes.Approve(ctx, head, q.ID, 1, true), crm.ErrConflict, kernel.Stale, "version")
		require.NoError(t, b.Sales.Quotes.Approve(ctx, head, q.ID, 2, true))
		q = b.getQuote(q.ID)
		require.EqualValues(t, "head", q.ApprovedBy)
		q.Title = "pumps"
		require.NoError(t, b.Sales.Quotes.Update(ctx, li, q))
		require.Equal(t, sales.Approved, b.getQuote(q.ID).Approval, "no amount has changed")
		q.Lines[0].Quantity = dec("300")
		require.NoError(t, b.Sales.Quotes.Update(ctx, li, q))
		requireError(t, b.Sales.Quotes.Send(ctx, li, q.ID), crm.ErrRefused, sales.ApprovalRequired, "approval")
		require.NoError(t, b.Sales.Quotes.Approve(ctx, head, q.ID, q.Version, true))
		require.NoError(t, b.Sales.Quotes.Send(ctx, li, q.ID))
		own := b.quote(head, b.create(1, "head")[0], nil)
		requireError(t, b.Sales.Quotes.Approve(ctx, head, own.ID, 1, true), crm.ErrDenied, "", string(kernel.QuoteApprove))
		b.agree()
	})
	t.Run("the opportunity takes over the total, and has one accepted quote", func(t *testing.T) {
		b := setup(t, open)
		b.pipeline()
		of := b.create(1, "li")[0]
		x := b.opportunity(li, of, "1")
		for i, want := range []kernel.Reason{"", sales.OpportunityHasAcceptedQuote} {
			q := b.quote(li, of, func(q *sales.Quote) { q.OpportunityID = x.ID })
			require.NoError(t, b.act(li, "send", q.ID))
			err := b.act(li, "accept", q.ID)
			if i == 0 {
				require.NoError(t, err)
				continue
			}
			requireError(t, err, crm.ErrRefused, want, "opportunity_id")
		}
		got, err := b.Sales.Opportunities.Get(t.Context(), li, x.ID)
		require.NoError(t, err)
		requireMoney(t, "112.99", got.Amount)
		b.agree()
	})
	t.Run("nothing is sent for an opportunity that was lost or deleted", func(t *testing.T) {
		b := setup(t, open)
		_, stage := b.pipeline()
		of := b.create(1, "li")[0]
		lost, gone := b.opportunity(li, of, "1"), b.opportunity(li, of, "1")
		about := func(id sales.OpportunityID) *sales.Quote {
			return b.quote(li, of, func(q *sales.Quote) { q.OpportunityID = id })
		}
		x, y := about(lost.ID), about(gone.ID)
		require.NoError(t, b.Sales.Opportunities.Move(t.Context(), li, lost.ID, stage["Lost"], &sales.MoveOptions{LostReason: "price"}))
		require.NoError(t, b.Sales.Opportunities.Delete(t.Context(), li, gone.ID, gone.Version))
		requireError(t, b.act(li, "send", x.ID), crm.ErrRefused, sales.OpportunityClosed, "opportunity_id")
		requireError(t, b.act(li, "send", y.ID), crm.ErrRefused, sales.OpportunityClosed, "opportunity_id")
		require.NoError(t, b.Sales.Opportunities.Move(t.Context(), li, lost.ID, stage["Needs"], nil))
		require.NoError(t, b.act(li, "send", x.ID), "it is open again")
	})
	t.Run("another currency needs a rate when it is sent, and keeps it", func(t *testing.T) {
		b := setup(t, open)
		q := b.quote(li, b.create(1, "li")[0], func(q *sales.Quote) { q.Currency = "USD" })
		requireError(t, b.act(li, "send", q.ID), crm.ErrInvalid, kernel.Empty, "fx_rate")
		q.FXRate = dec("7.12345678")
		require.NoError(t, b.Sales.Quotes.Update(t.Context(), li, q))
		require.NoError(t, b.act(li, "send", q.ID))
		got := b.getQuote(q.ID)
		requireMoney(t, "7.12345678", got.FXRate)
		requireMoney(t, "804.88", got.BaseAmount) // 112.99 × 7.12345678 = 804.879…
		b.agree()
	})
	t.Run("within reach by its owner or by its customer", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		of := b.create(1, "li")[0]
		q := b.quote(li, of, nil)
		for _, who := range []crm.Actor{wang, otherLi, otherBoss} {
			_, err := b.Sales.Quotes.Get(ctx, who, q.ID)
			require.ErrorIs(t, err, crm.ErrNotFound)
			require.ErrorIs(t, b.act(who, "send", q.ID), crm.ErrNotFound)
			l, err := b.Sales.Quotes.List(ctx, who, sales.QuoteFilter{Customer: of}, crm.Page{})
			require.NoError(t, err)
			require.Empty(t, l.Items)
		}
		l, err := b.Sales.Quotes.List(ctx, head, sales.QuoteFilter{Statuses: []sales.QuoteStatus{sales.QuoteDraft}}, crm.Page{})
		require.NoError(t, err)
		require.Len(t, l.Items, 1)
		require.Empty(t, l.Items[0].Lines, "a list has heads only")
	})
}

func testQuoteNumbers(t *testing.T, open Open) {
	t.Run("unique and dense for each tenant and day, whoever draws at once", func(t *testing.T) {
		b := setup(t, open)
		of := b.create(1, "li")[0]
		theirs := &customer.Customer{Name: "x", Ownership: customer.Ownership{OwnerID: "li"}}
		require.NoError(t, b.Customers.Create(t.Context(), otherLi, theirs))
		var mu sync.Mutex
		numbers := map[string]int{}
		together(50, func(i int) {
			who, id := li, of
			if i%2 == 1 {
				who, id = otherLi, theirs.ID
			}
			q := &sales.Quote{CustomerID: id}
			err := insist(func() error { return b.Sales.Quotes.Create(t.Context(), who, q) })
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			numbers[string(who.Tenant)+q.Number]++
			mu.Unlock()
		})
		require.Len(t, numbers, 50)
		last := b.count("SELECT max(n) FROM crm_numbers")
		require.GreaterOrEqual(t, last, 25)
		b.until("2026-02-28T16:00:00Z") // midnight in Shanghai
		require.Equal(t, "QT202603010001", b.quote(li, of, nil).Number)
	})
	t.Run("after 9999 comes 10000; the same request draws none", func(t *testing.T) {
		b := setup(t, open)
		of := b.create(1, "li")[0]
		b.quote(li, of, nil)
		_, err := b.db.ExecContext(t.Context(), "UPDATE crm_numbers SET n = 9998")
		require.NoError(t, err)
		require.Equal(t, "QT202602289999", b.quote(li, of, nil).Number)
		require.Equal(t, "QT2026022810000", b.quote(li, of, nil).Number)
		who := li
		who.Request = "once"
		first := b.quote(who, of, nil)
		require.Equal(t, first.Number, b.quote(who, of, nil).Number)
		require.Equal(t, 4, b.count("SELECT count(*) FROM crm_quotes"))
	})
	t.Run("a form of one's own", func(t *testing.T) {
		b := setup(t, open)
		b.CRM = b.open(func(o *crm.Options) { o.Sales.QuoteNumbers = sales.NumberFormat{Prefix: "A", Date: "-", Width: 2} })
		require.Equal(t, "A01", b.quote(li, b.create(1, "li")[0], nil).Number)
		_, err := crm.New(t.Context(), b.store, &crm.Options{Sales: sales.Options{QuoteNumbers: sales.NumberFormat{Prefix: "报价"}}})
		require.Error(t, err)
		_, err = crm.New(t.Context(), b.store, &crm.Options{Sales: sales.Options{Rules: calc.Options{Rounding: "up"}}})
		require.Error(t, err)
	})
	t.Run("inside a host's transaction the number is drawn in it", func(t *testing.T) {
		b := setup(t, open)
		of := b.create(1, "li")[0]
		for range 2 {
			tx, err := b.db.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			q := &sales.Quote{CustomerID: of}
			require.NoError(t, b.In(tx).Sales.Quotes.Create(t.Context(), li, q))
			require.Equal(t, "QT202602280001", q.Number)
			require.NoError(t, tx.Rollback())
		}
		require.Equal(t, "QT202602280001", b.quote(li, of, nil).Number)
	})
}

// until moves the clock to an instant.
func (b *bundle) until(instant string) {
	b.t.Helper()
	at, err := time.Parse(time.RFC3339Nano, instant)
	require.NoError(b.t, err)
	b.micros.Store(at.UnixMicro())
}

func requireMoney(t *testing.T, want string, got decimal.Decimal) {
	t.Helper()
	require.True(t, dec(want).Equal(got), "want %s, got %s", want, got)
}

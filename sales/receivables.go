package sales

import (
	"context"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales/calc"
	"github.com/openseas/crm/team"
)

// AgeingQuery is an AgeingFilter as a repository needs it: the day is there, and Past tells that payments may have come since.
type AgeingQuery struct {
	AgeingFilter
	Past bool
}

// ReceivableRepository adds up what is receivable.
type ReceivableRepository interface {
	// Ageing must tell visit, group by group in the order of their keys, what is open of the instalments of contracts that
	// were signed on the day, and the contracts' credit: those within the scope by owner or by the region of the customer; of
	// a customer that is named, by owner or customer. It begins behind w.After and ends after w.Limit+1 groups at most. Memory
	// must not grow with the number of rows.
	Ageing(ctx context.Context, t kernel.TenantID, s kernel.Scope, q AgeingQuery, w kernel.Window, visit func(Aged)) error
}

// Receivables is what customers owe, and what follows from it. It only reads.
type Receivables struct {
	core kernel.Service[Tx]
	o    Options
}

// Ageing returns a page of what is receivable on a day, by how long it has been overdue (quote-to-cash.md §3.4): the rest of
// every instalment of contracts that were signed then, with the payments dated up to it; groups with nothing to pay and no
// credit are left out, so a page may have fewer lines than it could. What was changed since (instalments, departments) counts
// as it is now. Groups come in the order of the ids of customers, members or departments.
func (s *Receivables) Ageing(ctx context.Context, a kernel.Actor, f AgeingFilter, p kernel.Page) (kernel.List[AgeingLine], error) {
	const op = "sales.Receivables.Ageing"
	w, err := p.Open("ageing-"+string(f.By), 1)
	err = kernel.FirstError(f.AsOf.Check("as_of"), kernel.OneOf("by", f.By, ByCustomer, ByOwner, ByDepartment), err)
	if err != nil {
		return kernel.List[AgeingLine]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[AgeingLine], error) {
		lines, keys, err := s.age(ctx, c, f, w)
		if err != nil {
			return kernel.List[AgeingLine]{}, err
		}
		cut := kernel.Cut("ageing-"+string(f.By), w, keys, func(k int64) []int64 { return []int64{k} })
		list := kernel.List[AgeingLine]{Next: cut.Next}
		for i := range cut.Items {
			if x := &lines[i]; !x.Base.Total.IsZero() || !x.Base.Credit.IsZero() || len(x.owed()) > 0 {
				list.Items = append(list.Items, *x)
			}
		}
		return list, nil
	})
}

// owed are the currencies in which there is anything.
func (x *AgeingLine) owed() (all []CurrencyAgeing) {
	for _, c := range x.Currencies {
		if !c.Total.IsZero() || !c.Credit.IsZero() {
			all = append(all, c)
		}
	}
	return all
}

func (s *Receivables) age(ctx context.Context, c *kernel.Call[Tx], f AgeingFilter, w kernel.Window) (lines []AgeingLine, keys []int64, err error) {
	if f.AsOf == "" {
		f.AsOf = c.Today()
	}
	currency, err := c.Tx.PriceLists().Currency(ctx, c.Actor.Tenant)
	if err != nil {
		return nil, nil, err
	}
	digits, err := calc.Currency(currency).Digits()
	if err != nil {
		return nil, nil, err
	}
	q := AgeingQuery{AgeingFilter: f, Past: f.AsOf < c.Today()}
	err = c.Tx.Receivables().Ageing(ctx, c.Actor.Tenant, c.Scope, q, w, func(x Aged) {
		if n := len(keys); n == 0 || keys[n-1] != x.Key {
			keys, lines = append(keys, x.Key), append(lines, lineOf(f.By, x, currency))
		}
		lines[len(lines)-1].add(x)
	})
	for i := range lines {
		lines[i].Base.round(digits)
	}
	return lines, keys, err
}

func lineOf(by AgeingBy, x Aged, currency string) AgeingLine {
	line := AgeingLine{Base: CurrencyAgeing{Currency: currency}}
	switch by {
	case ByCustomer:
		line.Customer = customer.ID(x.Key)
	case ByOwner:
		line.Owner = x.Owner
	case ByDepartment:
		line.Department = team.DepartmentID(x.Key)
	}
	return line
}

// add adds a sum of the group; those of one currency come one after the other.
func (x *AgeingLine) add(a Aged) {
	if n := len(x.Currencies); n == 0 || x.Currencies[n-1].Currency != a.Currency {
		x.Currencies = append(x.Currencies, CurrencyAgeing{Currency: a.Currency})
	}
	x.Currencies[len(x.Currencies)-1].plus(a.Ageing, a.Credit, one)
	x.Base.plus(a.Ageing, a.Credit, a.Rate)
	if a.Oldest != "" && (x.Oldest == "" || a.Oldest < x.Oldest) {
		x.Oldest = a.Oldest
	}
}

// Risk is how far a customer's receivables say today that it may not pay, with what decided it (rules.md, Orders and credit):
// of the contracts that the actor may see. Not found ("customer_id") for a customer out of reach.
func (s *Receivables) Risk(ctx context.Context, a kernel.Actor, id customer.ID) (CustomerRisk, error) {
	const op = "sales.Receivables.Risk"
	return kernel.Ask(ctx, &s.core, a, op, kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) (CustomerRisk, error) {
		r := CustomerRisk{Customer: id, AsOf: c.Today()}
		if _, err := reach(ctx, c, id); err != nil {
			return r, err
		}
		lines, _, err := s.age(ctx, c, AgeingFilter{Customer: id}, kernel.Window{Limit: 1})
		if err != nil {
			return r, err
		}
		if len(lines) > 0 {
			r.Ageing, r.Oldest = lines[0].Base, lines[0].Oldest
		}
		r.Risk = calc.RiskOf(r.Ageing.Ageing)
		return r, nil
	})
}

// Terms are the days to pay that a customer is granted for its credit rating, with what decided it: see Options.Terms. Not
// found ("customer_id") for a customer out of reach.
func (s *Receivables) Terms(ctx context.Context, a kernel.Actor, id customer.ID) (Terms, error) {
	const op = "sales.Receivables.Terms"
	return kernel.Ask(ctx, &s.core, a, op, kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) (Terms, error) {
		of, err := reach(ctx, c, id)
		if err != nil {
			return Terms{}, err
		}
		return s.o.Terms.Of(of.CreditRating), nil
	})
}

// reach is a customer within the scope of the call.
func reach(ctx context.Context, c *kernel.Call[Tx], id customer.ID) (*customer.Customer, error) {
	found, err := c.Tx.Customers().Get(ctx, c.Actor.Tenant, c.Scope, id)
	if err == nil && len(found) == 0 {
		err = &kernel.Error{Code: kernel.ErrNotFound, Field: "customer_id"}
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

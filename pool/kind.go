package pool

import (
	"slices"

	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
)

// customersOnly are the facts that no lead has: of what was ordered, signed or complained about, and of a life cycle that
// begins with a customer.
var customersOnly = []condition.Fact{
	condition.LastOrderDays, condition.Standing, condition.Stage, condition.OpenOpportunities, condition.ActiveContracts,
	condition.OpenCases, condition.Orders, condition.Spend,
}

// knows refuses a condition that names a fact which records of the kind never have: a rule on it would do nothing, or act on
// all of them. What cannot be parsed is refused elsewhere.
func (k Kind) knows(field, text string) error {
	if k == Customers {
		return nil
	}
	for _, f := range factsIn(text) {
		if slices.Contains(customersOnly, f) {
			return kernel.Invalidf(field, kernel.Unknown, "no %s has the fact %s", k, f)
		}
	}
	return nil
}

func factsIn(text string) []condition.Fact {
	if parsed, err := condition.Parse(text); err == nil {
		return parsed.Facts()
	}
	return nil
}

// DefaultRules are those of [DefaultRules] that mean something for records of the kind: no lead is won.
func (k Kind) DefaultRules() []Rule {
	return slices.DeleteFunc(DefaultRules(), func(r Rule) bool { return k.knows("condition", r.Condition) != nil })
}

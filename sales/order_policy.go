package sales

import (
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// OrderPolicy says from which total on somebody must approve an order, by the level of its customer (rules.md, Orders and
// credit). It is a value: hosts may keep one for each tenant and ask it without a database.
type OrderPolicy struct {
	Limits  map[customer.Level]decimal.Decimal // an order needs approval when its total exceeds the limit; none is below 0
	Default decimal.Decimal                    // of customers whose level is in no limit, or that have none
}

// DefaultOrderPolicy is A 200,000; B 100,000; C 50,000; D and no level 20,000.
func DefaultOrderPolicy() OrderPolicy {
	return OrderPolicy{
		Limits: map[customer.Level]decimal.Decimal{
			customer.LevelA: decimal.NewFromInt(200_000), customer.LevelB: decimal.NewFromInt(100_000),
			customer.LevelC: decimal.NewFromInt(50_000), customer.LevelD: decimal.NewFromInt(20_000),
		},
		Default: decimal.NewFromInt(20_000),
	}
}

// OrderApproval is what an OrderPolicy decides about an order, with what it decided by.
type OrderApproval struct {
	Needed bool            `json:"needed"`
	Level  customer.Level  `json:"level,omitempty"` // the customer's
	Total  decimal.Decimal `json:"total"`
	Limit  decimal.Decimal `json:"limit"` // a total of this much needs none
	Why    string          `json:"why"`   // a sentence for people
}

// Explain decides about an order of this total by a customer of this level.
func (p OrderPolicy) Explain(level customer.Level, total decimal.Decimal) OrderApproval {
	limit, named := p.Limits[level]
	if !named {
		limit = p.Default
	}
	x := OrderApproval{Needed: total.GreaterThan(limit), Level: level, Total: total, Limit: limit}
	who, does := "level "+string(level), "does not exceed"
	if level == "" {
		who = "no level"
	}
	if x.Needed {
		does = "exceeds"
	}
	x.Why = fmt.Sprintf("%s %s %s, the limit of %s", total, does, limit, who)
	return x
}

// orderPolicy is the one that is in force.
func (o Options) orderPolicy() OrderPolicy {
	if o.OrderApproval == nil {
		return DefaultOrderPolicy()
	}
	return *o.OrderApproval
}

func (o Options) checkOrders() error {
	for word, status := range o.OrderStatuses {
		err := kernel.FirstError(kernel.CheckName("OrderStatuses", word, 100), kernel.OneOf("OrderStatuses", status, orderStatuses...))
		if err != nil || status == "" {
			return fmt.Errorf("OrderStatuses: %.40q is not mapped to one of %q", word, orderStatuses)
		}
	}
	p := o.orderPolicy()
	for level, limit := range p.Limits {
		if err := kernel.CheckPositive("OrderApproval", limit); err != nil {
			return fmt.Errorf("the limit of level %q: %w", level, err)
		}
	}
	return kernel.CheckPositive("OrderApproval", p.Default)
}

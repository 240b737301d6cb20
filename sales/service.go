package sales

import (
	"context"

	"github.com/openseas/crm/kernel"
)

// Service is the use cases of this package.
type Service struct {
	Categories *Categories
	Products   *Products
	PriceLists *PriceLists

	Pipelines     *Pipelines
	Opportunities *Opportunities
	Quotes        *Quotes
	Contracts     *Contracts

	Payments    *Payments
	Invoices    *Invoices
	Receivables *Receivables
	Leads       *Leads // crm.New sets it: they need the module of customers
	Analysis    *Analysis
	Orders      *Orders
}

// NewService is for crm.New.
func NewService(core kernel.Service[Tx], o Options) *Service {
	return &Service{
		Categories: &Categories{core}, Products: &Products{core}, PriceLists: &PriceLists{core},
		Pipelines: &Pipelines{core}, Opportunities: &Opportunities{core}, Quotes: &Quotes{core, o}, Contracts: &Contracts{core, o},
		Payments: &Payments{core, o}, Invoices: &Invoices{core, o}, Receivables: &Receivables{core, o},
		Analysis: &Analysis{core},
		Orders:   &Orders{core, o},
	}
}

// only is the only one of a list, or not found.
func only[T any](found []*T, err error) (*T, error) {
	if err == nil && len(found) == 0 {
		err = kernel.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// named turns the false of a repository into the conflict of a name that another has.
func named(free bool, err error) error {
	if err == nil && !free {
		err = kernel.Taken("name")
	}
	return err
}

// manage runs a change of what is sold.
func manage[R any](ctx context.Context, core *kernel.Service[Tx], a kernel.Actor, op string, input any,
	fn func(ctx context.Context, c *kernel.Call[Tx]) (R, error),
) (R, error) {
	return kernel.Do(ctx, core, a, op, kernel.ProductManage, input, fn)
}

package customer

import (
	"context"

	"github.com/openseas/crm/kernel"
)

// Assigner gives new customers that nobody owns to members, in the transaction that makes them (rules.md, Assignment). The
// pool implements it; crm.New wires it.
type Assigner interface {
	// Plan must tell who may get one of these customers, which have their home pools and are not written yet; nil when none
	// of the pools wants that. It must lock nothing.
	Plan(ctx context.Context, c *kernel.Call[Tx], cs []*Customer) (AssignPlan, error)
}

// AssignPlan is what an Assigner found out about some customers.
type AssignPlan interface {
	// Users must be all whose counters Assign will lock: those of explicit owners are locked with them, in one order.
	Users() []kernel.UserID
	// Assign must give those of the customers, now written and without an owner, that somebody can get, with operation log,
	// audit and events, and note it in them. Places that are in use are those of the counters then.
	Assign(ctx context.Context, made []*Customer) error
}

// planFor asks the assigner about those of the customers that have no owner, or may lose it for want of a place.
func (s *Service) planFor(ctx context.Context, c *kernel.Call[Tx], cs []*Customer, toPool bool) (AssignPlan, error) {
	var free []*Customer
	for _, x := range cs {
		if toPool || x.OwnerID == "" {
			free = append(free, x)
		}
	}
	if len(free) == 0 {
		return nil, nil
	}
	return s.assigner.Plan(ctx, c, free)
}

// assignNew gives the customers that were made without an owner, as planned.
func assignNew(ctx context.Context, plan AssignPlan, cs []*Customer, outcomes []Outcome) error {
	var made []*Customer
	for i, x := range cs {
		if outcomes[i].Err == nil && x.OwnerID == "" {
			made = append(made, x)
		}
	}
	if plan == nil || len(made) == 0 {
		return nil
	}
	return plan.Assign(ctx, made)
}

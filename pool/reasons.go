package pool

import (
	"context"
	"slices"

	"github.com/openseas/crm/kernel"
)

// mostReasons bounds the list: people choose from it.
const mostReasons = 200

// Reasons returns the tenant's reasons for releases and transfers, in the order they were set; none: any text will do.
func (s *Pools) Reasons(ctx context.Context, a kernel.Actor) ([]string, error) {
	return kernel.Ask(ctx, &s.core, a, "pool.Pools.Reasons", kernel.TeamRead, func(ctx context.Context, c *kernel.Call[Tx]) ([]string, error) {
		return c.Tx.Policies(s.kind).Reasons(ctx, a.Tenant)
	})
}

// SetReasons replaces the list, at most 200 of 100 characters. While it is not empty, a reason that a release, an
// assignment or a transfer gives must be one of them, letter by letter, else it is invalid ("reason", Unknown); giving
// none is always possible. Reasons that stand in the operation log stay as they are.
func (s *Pools) SetReasons(ctx context.Context, a kernel.Actor, reasons []string) error {
	const op = "pool.Pools.SetReasons"
	if err := checkReasons(reasons); err != nil {
		return kernel.Wrap(op, err)
	}
	_, err := kernel.Do(ctx, &s.core, a, op, kernel.PoolManage, reasons, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.None, error) {
		if _, err := s.lock(ctx, c, 0); err != nil { // the list has no row of its own that two could wait for
			return kernel.None{}, err
		}
		before, err := c.Tx.Policies(s.kind).Reasons(ctx, a.Tenant)
		if err != nil || slices.Equal(before, reasons) {
			return kernel.None{}, err
		}
		if err := c.Tx.Policies(s.kind).SetReasons(ctx, a.Tenant, reasons...); err != nil {
			return kernel.None{}, err
		}
		ref := kernel.Ref{Kind: "policy"}
		return kernel.None{}, c.Record(ctx, kernel.Change{
			Subject: ref, Ref: ref, Type: "reasons.set", Before: map[string]any{"reasons": before}, After: map[string]any{"reasons": reasons},
		})
	})
	return err
}

func checkReasons(reasons []string) error {
	if len(reasons) > mostReasons {
		return kernel.Invalidf("reasons", kernel.TooMany, "at most %d", mostReasons)
	}
	for i, r := range reasons {
		err := kernel.CheckName("reasons", r, 100)
		if err == nil && slices.Contains(reasons[:i], r) {
			err = kernel.Invalid("reasons", kernel.Duplicate)
		}
		if err != nil {
			return kernel.At(i, err)
		}
	}
	return nil
}

// knownReason refuses a reason that is given and not in the tenant's list, if there is one.
func (s *Service[I]) knownReason(ctx context.Context, c *kernel.Call[Tx], reason string) error {
	if reason == "" {
		return nil
	}
	known, err := c.Tx.Policies(s.kind).Reasons(ctx, c.Actor.Tenant)
	if err == nil && len(known) > 0 && !slices.Contains(known, reason) {
		err = kernel.Invalidf("reason", kernel.Unknown, "not in the tenant's list of %d", len(known))
	}
	return err
}

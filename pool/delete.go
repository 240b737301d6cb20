package pool

import (
	"context"
	"errors"
	"fmt"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// DefaultPool is why the tenant's default pool is not deleted: what has no other home has it.
const DefaultPool kernel.Reason = "default_pool"

// Delete deletes a pool with its members and rules. Without into (0) it must be empty: the home of no record, owned or not
// (InUse otherwise).
//
// With into, that pool takes its records first, owned ones too, as MoveToPool does, in batches that each commit; the pool
// goes last. Inside a host's transaction this is refused. Killed or cancelled half way, every record is at home in one of
// the two pools, with its line of the operation log; called again it goes on. Records that come into the pool meanwhile are
// taken too.
//
// The default pool cannot be deleted (DefaultPool), and no pool can take its own records. Records that were deleted move
// silently: to into, or to the default pool; there they are when they are restored.
func (s *Pools) Delete(ctx context.Context, a kernel.Actor, id, into ID) error {
	const op = "pool.Pools.Delete"
	if id == into && id != 0 {
		return kernel.Wrap(op, kernel.Invalidf("into", kernel.Malformed, "a pool does not take its own records"))
	}
	if into == 0 {
		_, err := kernel.Do(ctx, &s.core, a, op, kernel.PoolManage, id, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.None, error) {
			return kernel.None{}, s.deleteEmpty(ctx, c, id, 0)
		})
		return err
	}
	rights, _, err := s.core.Enter(ctx, a, kernel.PoolManage)
	if err != nil {
		return kernel.Wrap(op, err)
	}
	e := emptying{s: s, by: a, rights: rights, id: id, into: into}
	return kernel.Wrap(op, e.run(ctx))
}

// deleteEmpty deletes a pool under its lock. Whoever makes it the home of a record holds a share of that lock until the end
// of its transaction: either it is seen here, or it waits and then finds no pool.
func (s *Pools) deleteEmpty(ctx context.Context, c *kernel.Call[Tx], id, into ID) error {
	p, err := s.deletable(ctx, c, id, into)
	if err != nil {
		return err
	}
	left, err := c.Tx.Pool(s.kind).AtHome(ctx, c.Actor.Tenant, p.ID, 0, 1)
	if err == nil && len(left) > 0 {
		err = &kernel.Error{Code: kernel.ErrRefused, Field: "id", Reason: kernel.InUse, Err: errors.New("it is the home of records: name the pool that takes them")}
	}
	if err != nil {
		return err
	}
	for more := 1; more > 0; {
		if more, err = c.Tx.Pool(s.kind).RehomeDeleted(ctx, c.Actor.Tenant, p.ID, into, defaultBatch); err != nil {
			return err
		}
	}
	if err := c.Tx.Pools(s.kind).Delete(ctx, c.Actor.Tenant, p.ID); err != nil {
		return err
	}
	return c.Record(ctx, kernel.Change{Subject: p.Ref(), Ref: p.Ref(), Type: "pool.deleted", Before: p, After: map[string]any{"into": into}})
}

// deletable locks the pool, and refuses what cannot be deleted however many records it has.
func (s *Pools) deletable(ctx context.Context, c *kernel.Call[Tx], id, into ID) (*Pool, error) {
	p, err := s.lock(ctx, c, id)
	if err != nil {
		return nil, err
	}
	if p.IsDefault {
		return nil, &kernel.Error{Code: kernel.ErrRefused, Field: "id", Reason: DefaultPool}
	}
	if into == 0 {
		return p, nil
	}
	found, err := c.Tx.Pools(s.kind).Get(ctx, c.Actor.Tenant, into)
	if err == nil && len(found) == 0 {
		err = kernel.Invalidf("into", kernel.Unknown, "the tenant has no such pool")
	}
	return p, err
}

// emptying is a deletion under way of a pool that may have very many records.
type emptying struct {
	s        *Pools
	by       kernel.Actor
	rights   kernel.Rights
	id, into ID
	name     string
}

// unit runs fn in a transaction that commits by itself; deadlocks and busy writers pass.
func (e *emptying) unit(ctx context.Context, fn func(ctx context.Context, c *kernel.Call[Tx]) error) (err error) {
	for range 5 {
		err = e.s.core.Unit(ctx, kernel.OwnCommit, func(ctx context.Context, tx Tx) error {
			return fn(ctx, &kernel.Call[Tx]{Tx: tx, Actor: e.by, Now: e.s.core.Clock.Now(), Rights: e.rights})
		})
		if ctx.Err() != nil || !errors.Is(err, kernel.ErrRetry) {
			break
		}
	}
	return err
}

func (e *emptying) run(ctx context.Context) error {
	err := e.unit(ctx, func(ctx context.Context, c *kernel.Call[Tx]) error {
		p, err := e.s.deletable(ctx, c, e.id, e.into)
		if err == nil {
			e.name = p.Name
		}
		return err
	})
	if err != nil {
		return err
	}
	const rounds = 10
	for range rounds { // somebody may be quicker with a new record than the deletion
		if err := e.empty(ctx); err != nil {
			return err
		}
		err := e.unit(ctx, func(ctx context.Context, c *kernel.Call[Tx]) error { return e.s.deleteEmpty(ctx, c, e.id, e.into) })
		if !errors.Is(err, kernel.InUse) {
			return err
		}
	}
	return &kernel.Error{Code: kernel.ErrRetry, Field: "id", Err: fmt.Errorf("records kept coming into the pool during %d rounds", rounds)}
}

// empty moves what is at home in the pool, in the order of the ids, so that every page of the table is touched once.
func (e *emptying) empty(ctx context.Context) error {
	for after, more := int64(0), true; more; {
		err := e.unit(ctx, func(ctx context.Context, c *kernel.Call[Tx]) error {
			ids, err := c.Tx.Pool(e.s.kind).AtHome(ctx, e.by.Tenant, e.id, after, defaultBatch)
			if err != nil || len(ids) == 0 {
				more = false
				return err
			}
			records, err := c.Tx.Pool(e.s.kind).Lock(ctx, e.by.Tenant, ids...)
			if err != nil {
				return err
			}
			mv := Move{Action: customer.Moved, By: e.by, Now: c.Now, Pool: e.into, Reason: "pool deleted", Note: e.name}
			for _, x := range records {
				if x.PoolID == e.id { // as it is now
					mv.Records = append(mv.Records, x)
				}
			}
			if err := c.Tx.Pool(e.s.kind).Rehome(ctx, mv); err != nil {
				return err
			}
			after, more = ids[len(ids)-1], true
			return nil
		})
		if err != nil {
			return err
		}
	}
	for more := 1; more > 0; {
		err := e.unit(ctx, func(ctx context.Context, c *kernel.Call[Tx]) (err error) {
			more, err = c.Tx.Pool(e.s.kind).RehomeDeleted(ctx, e.by.Tenant, e.id, e.into, defaultBatch)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

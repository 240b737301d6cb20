package pool

import (
	"context"
	"errors"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// MoveOptions may be nil, and so may each field.
type MoveOptions struct {
	Reason string // at most 100
	Note   string // at most 500: free text
}

// MovedMany has every id that was asked for, in the order asked, in one of its lists.
type MovedMany[I RecordID] struct {
	Moved   []I          `json:"moved"`
	Refused []Refused[I] `json:"refused,omitempty"`
}

// MoveToPool makes a pool (0: the default one) the home of at most 10,000 records, owned or not, in one transaction, with
// a line of the operation log each. Owner, follow-up clocks, lock and the instant from which protection and cool-down count
// stay as they are; from now on the new home's settings and rules apply, to an owned record only if its owner belongs to
// it. It needs the permission pool.manage, from a role that reaches all, or an administrator of both pools; of a record
// whose pool the actor does not administer it is refused (NotAdmin), or not found if the actor may not see it. A record
// that is at home there already is refused (SamePool).
func (s *Service[I]) MoveToPool(ctx context.Context, a kernel.Actor, ids []I, to ID, how Several, opts *MoveOptions) (res MovedMany[I], err error) {
	const op = "pool.MoveToPool"
	var o MoveOptions
	if opts != nil {
		o = *opts
	}
	if err := kernel.FirstError(kernel.CheckItems("ids", len(ids)), kernel.CheckLine("reason", o.Reason, 100), kernel.CheckText("note", o.Note, 500)); err != nil {
		return res, kernel.Wrap(op, err)
	}
	rights, _, err := s.core.Enter(ctx, a, kernel.PoolManage)
	missing, _ := errors.AsType[*kernel.Error](err)
	if err != nil && (missing == nil || missing.Field != string(kernel.PoolManage)) {
		return res, kernel.Wrap(op, err)
	}
	m := mover{kind: s.kind, missing: err}
	var all MovedMany[I]
	err = s.core.Unit(ctx, kernel.Write, func(ctx context.Context, tx Tx) error {
		c := &kernel.Call[Tx]{Tx: tx, Actor: a, Now: s.core.Clock.Now(), Rights: rights}
		res, err = kernel.Once(ctx, c, op, []any{ids, to, how, o}, func(ctx context.Context, c *kernel.Call[Tx]) (MovedMany[I], error) {
			res, err := s.moveLocked(ctx, c, m, ids, to, how, o)
			all = res
			return res, err
		})
		return err
	})
	if err != nil {
		return MovedMany[I]{Refused: all.Refused}, kernel.Wrap(op, err) // every reason is listed, though nothing was done
	}
	return res, nil
}

func (s *Service[I]) moveLocked(
	ctx context.Context, c *kernel.Call[Tx], m mover, ids []I, to ID, how Several, o MoveOptions,
) (res MovedMany[I], err error) {
	found, err := c.Tx.Pools(s.kind).Get(ctx, c.Actor.Tenant, to)
	if err == nil && len(found) == 0 {
		err = kernel.Invalidf("to", kernel.Unknown, "the tenant has no such pool")
	}
	if err != nil {
		return res, err
	}
	m.to = found[0].ID
	records, err := c.Tx.Pool(s.kind).Lock(ctx, c.Actor.Tenant, numbers(ids)...)
	if err != nil {
		return res, err
	}
	pools := []ID{m.to}
	m.records = make(map[int64]Record, len(records))
	for _, x := range records {
		m.records[x.ID] = x
		pools = append(pools, x.PoolID)
	}
	if m.belongs, err = c.Tx.Pools(s.kind).Belongs(ctx, c.Actor.Tenant, c.Actor.User, pools...); err != nil {
		return res, err
	}
	if m.missing != nil && !m.belongs[m.to].Admin {
		return res, m.missing
	}
	m.sees, _ = c.Rights.Scope(kernel.CustomerRead)
	mv := Move{Action: customer.Moved, By: c.Actor, Now: c.Now, Pool: m.to, Reason: o.Reason, Note: o.Note}
	for _, id := range ids {
		x := m.records[int64(id)]
		if no := m.decide(int64(id)); no != "" {
			res.Refused = append(res.Refused, Refused[I]{id, &Refusal{Ref: kernel.Ref{Kind: string(s.kind), ID: int64(id)}, Reason: no}})
			continue
		}
		mv.Records = append(mv.Records, x)
		res.Moved = append(res.Moved, id)
		x.PoolID = m.to
		m.records[x.ID] = x
	}
	if how == AllOrNothing && len(res.Refused) > 0 {
		res.Moved = nil
		return res, refusedAt(ids, res.Refused[0])
	}
	return res, c.Tx.Pool(s.kind).Rehome(ctx, mv)
}

// mover decides which records the actor may move.
type mover struct {
	kind    Kind
	to      ID
	missing error // the permission, if the actor lacks it
	sees    kernel.Scope
	belongs map[ID]Member
	records map[int64]Record
}

func (m *mover) decide(id int64) kernel.Reason {
	x, ok := m.records[id]
	mine, belongs := m.belongs[x.PoolID]
	may := mine.Admin || m.missing == nil
	visible := m.sees.Sees(x.OwnerID, x.Region, int64(x.PoolID)) || belongs && x.OwnerID == ""
	switch {
	case !ok, !may && !visible:
		return NotFound
	case !may:
		return NotAdmin
	case x.PoolID == m.to:
		return SamePool
	}
	return ""
}

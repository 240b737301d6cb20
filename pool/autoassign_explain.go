package pool

import (
	"context"
	"slices"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team/fairshare"
)

// TerritoryExplanation is all that the territories say about one record, at one instant.
type TerritoryExplanation struct {
	Ref   kernel.Ref    `json:"ref"`
	Owner kernel.UserID `json:"owner,omitempty"` // who has it; the rest is as if it lay in its pool
	Pool  ID            `json:"pool"`            // its home pool
	VIP   bool          `json:"vip"`             // level A, or the tag VIP
	// To is whom AutoAssign would give it, and Territory by which; empty and 0 where it would stay, and Why says why.
	To        kernel.UserID `json:"to,omitempty"`
	Territory TerritoryID   `json:"territory,omitempty"`
	Why       kernel.Reason `json:"why,omitempty"`
	// Territories are all, those that match first, in the order in which they win.
	Territories []TerritoryVerdict `json:"territories"`
}

// TerritoryVerdict is what a territory says about a record, and whom it could give it to.
type TerritoryVerdict struct {
	Territory Territory `json:"territory"`
	Verdict
	// Asked tells that its team is asked: of the matching ones, the first that is for VIPs and the first that is not.
	Asked bool `json:"asked"`
	// Candidates are the active members of its team who belong to the record's home pool, in the order in which they would
	// get records; full ones come last, and get nothing. Only where Asked is set.
	Candidates []fairshare.Member `json:"candidates,omitempty"`
}

// ExplainTerritory tells which territories match a record and why the others do not, who is in the team, with places in use,
// cap and last turn, and whom AutoAssign would give it now. It decides by the function that assigns, and changes nothing.
// It needs the permission pool.assign; a record that the actor may not read is not found.
func (s *Service[I]) ExplainTerritory(ctx context.Context, a kernel.Actor, id I) (TerritoryExplanation, error) {
	const op = "pool.ExplainTerritory"
	return kernel.Ask(ctx, &s.core, a, op, kernel.PoolAssign, func(ctx context.Context, c *kernel.Call[Tx]) (x TerritoryExplanation, err error) {
		records, err := c.Tx.Pool(s.kind).Look(ctx, a.Tenant, int64(id))
		if err != nil {
			return x, err
		}
		j, err := s.judge(ctx, c, records)
		if err != nil {
			return x, err
		}
		if !j.readable(int64(id)) {
			return x, kernel.ErrNotFound
		}
		d, err := s.dispatch(ctx, c, records, j.pools)
		if err != nil {
			return x, err
		}
		counters, err := c.Tx.Counters(string(s.kind)).Look(ctx, a.Tenant, d.users()...)
		if err != nil {
			return x, err
		}
		d.startRound(roundOf(counters))
		return d.explain(records[0]), nil
	})
}

func (d *dispatcher) explain(r Record) TerritoryExplanation {
	x := TerritoryExplanation{Ref: kernel.Ref{Kind: string(d.kind), ID: r.ID}, Owner: r.OwnerID, Pool: r.PoolID, VIP: d.traits[r.ID].vip}
	chain := d.matcher.chain(d.traits[r.ID])
	for _, m := range d.matcher.matches(d.traits[r.ID]) {
		v := TerritoryVerdict{Territory: *m.Territory, Verdict: m.Verdict}
		if v.Asked = slices.ContainsFunc(chain, func(asked match) bool { return asked.ID == m.ID }); v.Asked {
			v.Candidates = d.round.Members(d.staff.candidates(m.Territory, r.PoolID)...)
		}
		x.Territories = append(x.Territories, v)
	}
	for _, t := range d.matcher.all {
		if v := t.judge(d.traits[r.ID]); !v.Matches {
			x.Territories = append(x.Territories, TerritoryVerdict{Territory: *t, Verdict: v})
		}
	}
	if no := d.give(r.ID); no != nil {
		x.Why = no.Reason
	} else {
		x.To, x.Territory = d.giving.Gifts[0].To, d.giving.Gifts[0].Territory
	}
	return x
}

package pool

import (
	"context"
	"slices"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team"
	"github.com/openseas/crm/team/fairshare"
)

// Why territories leave a record in its pool, besides the reasons of claims.
const (
	NoTerritory kernel.Reason = "no_territory" // no enabled territory matches it
	NobodyFree  kernel.Reason = "nobody_free"  // in the territory's team nobody is an active member of its home pool with a place free
)

// AutoAssigned has every id that was asked for, in the order asked, in one of its lists.
type AutoAssigned[I RecordID] struct {
	Assigned []ByTerritory[I] `json:"assigned"`
	Left     []Refused[I]     `json:"left,omitempty"` // they stay as they are
}

// ByTerritory is a record that a member got.
type ByTerritory[I RecordID] struct {
	ID        I             `json:"id"`
	To        kernel.UserID `json:"to"`
	Territory TerritoryID   `json:"territory"`
}

// AutoAssign gives at most 10,000 records out of the pool to members, by the territories (rules.md, Assignment), in one
// transaction. Of a territory's team a record goes to the member with the smallest share of its cap in use, of equals to
// the one who waited longest for one, of equals to the lowest id; nobody goes above the cap, and who has no place left gets
// nothing. Who gets one is an active member of the record's home pool. Calls at once, of several processes too, share as
// evenly as one after the other.
//
// It needs the permission pool.assign, and membership of the record's pool or a reach over the whole tenant. Like an
// assignment it asks the blacklist and the pool's claim condition, but neither protection nor cool-down nor quota. What is
// left says why: NotFound, ForeignPool, Taken, Blacklisted, Condition, NoTerritory, NobodyFree.
func (s *Service[I]) AutoAssign(ctx context.Context, a kernel.Actor, ids []I) (AutoAssigned[I], error) {
	const op = "pool.AutoAssign"
	if err := kernel.CheckItems("ids", len(ids)); err != nil {
		return AutoAssigned[I]{}, kernel.Wrap(op, err)
	}
	return kernel.Do(ctx, &s.core, a, op, kernel.PoolAssign, ids, func(ctx context.Context, c *kernel.Call[Tx]) (res AutoAssigned[I], err error) {
		if len(ids) == 0 {
			return res, nil
		}
		return s.autoAssign(ctx, c, ids)
	})
}

func (s *Service[I]) autoAssign(ctx context.Context, c *kernel.Call[Tx], ids []I) (res AutoAssigned[I], err error) {
	records, err := c.Tx.Pool(s.kind).Lock(ctx, c.Actor.Tenant, numbers(ids)...)
	if err != nil {
		return res, err
	}
	j, err := s.judge(ctx, c, records)
	if err != nil {
		return res, err
	}
	free := slices.DeleteFunc(slices.Clone(records), func(r Record) bool { return r.OwnerID != "" })
	d, err := s.dispatch(ctx, c, free, j.pools)
	if err != nil {
		return res, err
	}
	if err := d.begin(ctx, c); err != nil {
		return res, err
	}
	for _, id := range ids {
		no := j.mayDispatch(c, int64(id))
		if no == nil {
			no = d.give(int64(id))
		}
		if no != nil {
			res.Left = append(res.Left, Refused[I]{id, no})
			continue
		}
		last := d.giving.Gifts[len(d.giving.Gifts)-1]
		j.records[last.Record.ID] = d.records[last.Record.ID] // the same id again in one call is taken
		res.Assigned = append(res.Assigned, ByTerritory[I]{id, last.To, last.Territory})
	}
	return res, c.Tx.Pool(s.kind).Give(ctx, d.giving)
}

// mayDispatch refuses records that the actor has no right to give, as Assign does, and those that somebody has.
func (j *judge) mayDispatch(c *kernel.Call[Tx], id int64) *Refusal {
	x, ok := j.records[id]
	mine, belongs := j.belongs[x.PoolID]
	visible := j.sees.Sees(x.OwnerID, x.Region, int64(x.PoolID))
	may := c.Rights.System || mine.Admin || c.Scope.Sees(x.OwnerID, x.Region, int64(x.PoolID)) || belongs
	no := &Refusal{Ref: kernel.Ref{Kind: string(j.kind), ID: id}, Reason: NotFound}
	switch {
	case !ok, !may && !visible:
	case !may:
		no.Reason = ForeignPool
	case x.OwnerID != "":
		if no.Reason = Taken; visible {
			no.By = x.OwnerID
		}
	default:
		return nil
	}
	return no
}

// dispatch reads what territories need to know of records that lie in their pools, and who is in the teams.
func (s *Service[I]) dispatch(ctx context.Context, c *kernel.Call[Tx], records []Record, pools map[ID]*Pool) (*dispatcher, error) {
	d := newDispatcher(c, s.kind, pools)
	if len(records) == 0 {
		return d, nil
	}
	ids, subjects := make([]int64, len(records)), make([]subject, len(records))
	for i, r := range records {
		ids[i] = r.ID
	}
	if err := d.readFacts(ctx, c, ids); err != nil {
		return nil, err
	}
	for i, r := range records {
		subjects[i] = subject{traitsOf(d.facts[r.ID]), r.PoolID}
		d.add(r, subjects[i].traits)
	}
	if err := d.match(ctx, c, subjects); err != nil {
		return nil, err
	}
	return d, nil
}

// dispatcher decides who gets which record that lies in its pool. What it depends on is read after the records are locked;
// the counters of all who may get one are locked last.
type dispatcher struct {
	kind    Kind
	base    Attempt
	records map[int64]Record
	traits  map[int64]traits
	pools   map[ID]*Pool
	facts   map[int64]condition.Facts
	days    map[ID]condition.Counting
	matcher *matcher
	groups  map[group]*Territory
	staff   staffing
	round   *fairshare.Round
	teams   map[group]*fairshare.Team
	giving  Giving
}

// subject is a record as territories see it.
type subject struct {
	traits
	home ID
}

// group is who may get the records of a territory that lie in a pool.
type group struct {
	territory TerritoryID
	home      ID
}

func newDispatcher(c *kernel.Call[Tx], k Kind, pools map[ID]*Pool) *dispatcher {
	return &dispatcher{
		kind: k, base: Attempt{Now: c.Now, Zone: c.Rights.Zone}, pools: pools, records: map[int64]Record{}, traits: map[int64]traits{},
		groups: map[group]*Territory{}, teams: map[group]*fairshare.Team{}, giving: Giving{By: c.Actor, Now: c.Now},
	}
}

func (d *dispatcher) add(r Record, x traits) { d.records[r.ID], d.traits[r.ID] = r, x }

// readFacts reads what conditions see of records, and how the pools that have a claim condition count days.
func (d *dispatcher) readFacts(ctx context.Context, c *kernel.Call[Tx], ids []int64) (err error) {
	from, until := trailingYear(c.Now, c.Rights.Zone)
	if d.facts, err = c.Tx.Pool(d.kind).Facts(ctx, c.Actor.Tenant, from, until, ids...); err != nil {
		return err
	}
	var conditional []*Pool
	for _, p := range d.pools {
		if p.ClaimCondition != "" {
			conditional = append(conditional, p)
		}
	}
	if len(conditional) > 0 {
		d.days, err = countings(ctx, c.Tx, c.Actor.Tenant, c.Rights.Zone, conditional...)
	}
	return err
}

// match finds the territories of the records, and who is in their teams.
func (d *dispatcher) match(ctx context.Context, c *kernel.Call[Tx], subjects []subject) error {
	all, err := c.Tx.Territories(d.kind).List(ctx, c.Actor.Tenant, kernel.Window{Limit: mostTerritories})
	if err != nil {
		return err
	}
	d.matcher = newMatcher(all)
	for _, x := range subjects {
		for _, m := range d.matcher.chain(x.traits) {
			d.groups[group{m.ID, x.home}] = m.Territory
		}
	}
	d.staff, err = staffOf(ctx, c, d.kind, d.groups, d.pools)
	return err
}

// users are all who may get one of the records.
func (d *dispatcher) users() (users []kernel.UserID) {
	for g, t := range d.groups {
		users = append(users, d.staff.candidates(t, g.home)...)
	}
	return distinct(users)
}

// begin locks the counters, and begins the round.
func (d *dispatcher) begin(ctx context.Context, c *kernel.Call[Tx]) error {
	counters, err := c.Tx.Counters(string(d.kind)).Lock(ctx, c.Actor.Tenant, d.users()...)
	if err != nil {
		return err
	}
	d.startRound(roundOf(counters))
	return nil
}

func (d *dispatcher) startRound(r *fairshare.Round) {
	d.round = r
	for g, t := range d.groups {
		d.teams[g] = r.Team(d.staff.candidates(t, g.home)...)
	}
}

// roundOf leaves out whose counter is closed: it was made inactive after the staff was read.
func roundOf(counters []customer.Counter) *fairshare.Round {
	members := make([]fairshare.Member, 0, len(counters))
	for _, m := range counters {
		if !m.Closed {
			members = append(members, fairshare.Member{User: m.User, Used: m.Places, Cap: m.Cap, Last: m.AssignedAt})
		}
	}
	return fairshare.NewRound(members...)
}

// staffing is who is in the teams of territories, and belongs to pools.
type staffing struct {
	Staff
	homes   map[ID]*Pool
	belongs map[ID]map[kernel.UserID]bool // of the pools that are not public
}

func staffOf(ctx context.Context, c *kernel.Call[Tx], k Kind, groups map[group]*Territory, pools map[ID]*Pool) (s staffing, err error) {
	s.homes = pools
	if len(groups) == 0 {
		return s, nil
	}
	var departments []team.DepartmentID
	var users []kernel.UserID
	var closed []ID
	for g, t := range groups {
		if users = append(users, t.Members...); t.Department != 0 {
			departments = append(departments, t.Department)
		}
		if p := pools[g.home]; p != nil && !p.Public {
			closed = append(closed, p.ID)
		}
	}
	if s.Staff, err = c.Tx.Territories(k).Staff(ctx, c.Actor.Tenant, distinct(departments), distinct(users)); err != nil {
		return s, err
	}
	if closed = distinct(closed); len(closed) > 0 {
		users = users[:0]
		for user := range s.Active {
			users = append(users, user)
		}
		s.belongs, err = c.Tx.Territories(k).Belonging(ctx, c.Actor.Tenant, closed, distinct(users))
	}
	return s, err
}

func distinct[T int64 | ID | team.DepartmentID | kernel.UserID](items []T) []T {
	slices.Sort(items)
	return slices.Compact(items)
}

// candidates are the active members of a territory's team who belong to a pool.
func (s staffing) candidates(t *Territory, home ID) (users []kernel.UserID) {
	all := t.Members
	if t.Department != 0 {
		all = s.Of[t.Department]
	}
	for _, user := range all {
		if s.Active[user] && s.belongsTo(user, home) {
			users = append(users, user)
		}
	}
	return users
}

func (s staffing) belongsTo(user kernel.UserID, home ID) bool {
	p := s.homes[home]
	return p != nil && (p.Public || s.belongs[home][user])
}

// give gives a record that the actor may give, or tells why it stays.
func (d *dispatcher) give(id int64) *Refusal {
	x := d.records[id]
	if reason := d.stays(x); reason != "" {
		return d.refusal(id, reason)
	}
	chain := d.matcher.chain(d.traits[id])
	if len(chain) == 0 {
		return d.refusal(id, NoTerritory)
	}
	for _, m := range chain {
		to, ok := d.teams[group{m.ID, x.PoolID}].Give(weight(x))
		if !ok {
			continue
		}
		d.giving.Gifts = append(d.giving.Gifts, TerritoryGift{Record: x, To: to, Territory: m.ID, Rule: m.text()})
		x.OwnerID = to
		d.records[id] = x
		return nil
	}
	return d.refusal(id, NobodyFree)
}

// stays is why a record in its pool is given to nobody, whatever the territories say.
func (d *dispatcher) stays(x Record) kernel.Reason {
	t := d.base
	t.Record, t.Settings, t.Days = x, d.pools[x.PoolID].Settings, d.days[x.PoolID]
	if facts, ok := d.facts[x.ID]; ok {
		t.Facts = &facts
	}
	for _, reason := range []kernel.Reason{Blacklisted, Condition} {
		if !t.check(reason).Holds {
			return reason
		}
	}
	return ""
}

// weight is how many places a record takes: a won one none, but even that nobody gets who is full.
func weight(x Record) int {
	if x.TakesPlace {
		return 1
	}
	return 0
}

func (d *dispatcher) refusal(id int64, reason kernel.Reason) *Refusal {
	return &Refusal{Ref: kernel.Ref{Kind: string(d.kind), ID: id}, Reason: reason}
}

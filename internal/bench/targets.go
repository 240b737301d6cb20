package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
)

// target is a customer to work on, and who does it.
type target struct {
	who
	id int64
}

// targets are customers in no order. Writes take each once, whoever asks; reads look at them as often as they like.
type targets struct {
	all  []target
	next atomic.Int64
}

var errUsedUp = errors.New("all customers that this works on are used up: give -fresh, or more -rows")

func (t *targets) take() (target, error) {
	n := t.next.Add(1) - 1
	if n >= int64(len(t.all)) {
		return target{}, errUsedUp
	}
	return t.all[n], nil
}

func (t *targets) look(i int) target { return t.all[i%len(t.all)] }

// mostTargets is how many customers a case takes at the most; what it does not take is not kept in mind.
const mostTargets = 50_000

// aim finds customers that lie in the default pools, and some whose owners have not followed them up today and that no rule
// takes.
func (b *bench) aim(ctx context.Context) error {
	var pools []string
	for _, h := range b.d.houses {
		pools = append(pools, strconv.FormatInt(h.pools[0], 10))
	}
	var err error
	if b.pool, err = b.targets(ctx, `SELECT tenant_id, id, '' FROM crm_customers WHERE owner_id IS NULL AND deleted_at IS NULL
		AND pool_id IN (`+strings.Join(pools, ", ")+`) AND (pool_entered_at IS NULL OR pool_entered_at < {month})`); err != nil {
		return err
	}
	if err := b.aimBulk(ctx, strings.Join(pools, ", ")); err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(3, 4))
	for i := range b.pool.all { // who claims it
		b.pool.all[i].user = seller(random.IntN(b.d.sellers))
	}
	b.own, err = b.targets(ctx, `SELECT tenant_id, id, owner_id FROM crm_customers WHERE owner_id LIKE 's%' AND deleted_at IS NULL
		AND last_followup_at < {now} AND last_followup_at > {due}`)
	return err
}

// targets reads some of the customers that a query finds, in no order; the same ones from the same data.
func (b *bench) targets(ctx context.Context, text string) (*targets, error) {
	tenants := map[int64]int{}
	for t, h := range b.d.houses {
		tenants[h.number] = t
	}
	// A multiplication by a prime mixes the ids, in the database.
	text = b.words().Replace(text) + fmt.Sprintf(" ORDER BY id * 7919 %% 1000003, id LIMIT %d", min(mostTargets, b.d.rows/10))
	rows, err := b.db.QueryContext(ctx, text)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := &targets{}
	for rows.Next() {
		var x target
		var tenant int64
		if err := rows.Scan(&tenant, &x.id, &x.user); err != nil {
			return nil, err
		}
		x.tenant = tenants[tenant]
		found.all = append(found.all, x)
	}
	return found, rows.Err()
}

// words are instants as the engine writes them in SQL.
func (b *bench) words() *strings.Replacer {
	const day = 24 * 3_600_000_000
	at := func(us int64) string {
		if b.e.pg {
			return fmt.Sprintf("(timestamptz 'epoch' + interval '1 microsecond' * %d)", us)
		}
		return fmt.Sprint(us)
	}
	n := now.UnixMicro()
	return strings.NewReplacer("{now}", at(n), "{month}", at(n-30*day), "{due}", at(n-3*day))
}

// supply is customers to take many at a time.
type supply struct {
	all  []int64
	next atomic.Int64
}

func (s *supply) take(n int) ([]int64, error) {
	end := s.next.Add(int64(n))
	if end > int64(len(s.all)) {
		return nil, errUsedUp
	}
	return s.all[end-int64(n) : end], nil
}

// aimBulk finds customers of every tenant's default pool that aim leaves aside.
func (b *bench) aimBulk(ctx context.Context, pools string) error {
	b.bulk = make([]*supply, b.d.tenants)
	skip := min(mostTargets, b.d.rows/10) // there are twice as many in these pools
	for t := range b.d.houses {
		b.bulk[t] = &supply{}
		text := b.words().Replace(`SELECT id FROM crm_customers WHERE owner_id IS NULL AND deleted_at IS NULL
			AND pool_id IN (` + pools + `) AND (pool_entered_at IS NULL OR pool_entered_at < {month})`)
		text = fmt.Sprintf("SELECT id FROM (%s ORDER BY id * 7919 %% 1000003, id LIMIT %d OFFSET %d) AS x WHERE id %% %d = %d", text, mostTargets, skip, b.d.tenants,
			b.d.id(t, 0)%int64(b.d.tenants))
		if err := b.ids(ctx, text, &b.bulk[t].all); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) ids(ctx context.Context, text string, into *[]int64) error {
	rows, err := b.db.QueryContext(ctx, text)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return err
		}
		*into = append(*into, id)
	}
	return rows.Err()
}

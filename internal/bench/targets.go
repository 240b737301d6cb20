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
	text = b.words().Replace(text) + fmt.Sprintf(" ORDER BY id * 7919 %% 1000003, id LIMIT %d", mostTargets)
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

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/openseas/crm"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

// privateCursor is that of a list of private customers: after the part, the due instant and the id.
func privateCursor(list string, keys ...int64) string {
	return kernel.Cut(list, kernel.Window{Limit: 1}, []int{0, 0}, func(int) []int64 { return keys }).Next
}

// noted sees to it that the first tenant has notes: of what is due within a day, and of what is overdue.
func (x *explained) noted(ctx context.Context) error {
	var n int
	if err := x.db.QueryRowContext(ctx, fmt.Sprintf("SELECT count(*) FROM crm_due WHERE tenant_id = %d", x.d.houses[0].number)).Scan(&n); err != nil || n > 0 {
		return err
	}
	_, err := x.kept.Pool.Warn(ctx, boss(0), &pool.WarnOptions{Steps: []time.Duration{24 * time.Hour}})
	return err
}

func privateCall(name string, a crm.Actor, f pool.PrivateFilter, due bool, after string) explainCall {
	return explainCall{name, func(ctx context.Context, x *explained) error {
		if err := x.noted(ctx); err != nil {
			return err
		}
		list := x.kept.Pool.Private
		if due {
			list = x.kept.Pool.DueList
		}
		l, err := list(ctx, a, f, crm.Page{Limit: 100, After: after})
		if err == nil && len(l.Items) == 0 {
			err = fmt.Errorf("%s: nothing is listed", name)
		}
		return err
	}}
}

// warningCalls are those of the warning run and of what it notes.
var warningCalls = []explainCall{
	{"Warnings of a tenant, none noted yet (Pool.Warn)", func(ctx context.Context, x *explained) error {
		x.spy.dry = true
		defer func() { x.spy.dry = false }()
		report, err := x.kept.Pool.Warn(ctx, boss(0), &pool.WarnOptions{Steps: []time.Duration{24 * time.Hour}})
		if err == nil && report.Looked == 0 {
			err = errors.New("nothing was due")
		}
		return err
	}},
	privateCall("Superior's view of a head with 20 sellers (Pool.Private), first page", boss0, pool.PrivateFilter{Subordinates: true}, false, ""),
	privateCall("Superior's view, in the middle of what is due", boss0, pool.PrivateFilter{Subordinates: true}, false,
		privateCursor("private", 0, now.Add(-36*time.Hour).UnixMicro(), 0)),
	privateCall("Superior's view, among the others", boss0, pool.PrivateFilter{Subordinates: true}, false, privateCursor("private", 1, 0, 0)),
	privateCall("Private customers of the whole tenant (admin), first page", admin, pool.PrivateFilter{}, false, ""),
	privateCall("Private customers of the whole tenant, level A, idle for a day", admin,
		pool.PrivateFilter{Levels: levelA, IdleSince: now.Add(-24 * time.Hour)}, false, privateCursor("private", 1, 0, 0)),
	privateCall("Due list of a seller (Pool.DueList)", li, pool.PrivateFilter{}, true, ""),
	privateCall("Due list of the whole tenant, before an instant", admin, pool.PrivateFilter{DueBefore: now}, true, ""),
}

package bunstore

import (
	"context"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
)

// private lists owned records of one kind.
type private struct{ records }

// Private is the repository of that.
func (t *tx) Private(k pool.Kind) pool.PrivateRepository {
	return &private{records{t, k, recordTables[k]}}
}

// mostArms is how many owners are each asked for by themselves. An index has the records of one owner in the order of the
// list, not those of many: of each owner a page is read, and the pages are merged. Of more owners than that the whole
// tenant is walked in the order of the list instead, of which they are then a large part.
const mostArms = 100

// privateItem is a row of a list.
type privateItem struct {
	ID    int64
	Name  string
	DueAt moment
}

// Private see [pool.PrivateRepository].
func (r *private) Private(ctx context.Context, tenant kernel.TenantID, q pool.PrivateQuery, w kernel.Window) ([]pool.PrivateItem, error) {
	n, err := r.tenant(ctx, tenant)
	if err != nil || q.Owners != nil && len(q.Owners) == 0 {
		return nil, err
	}
	var items []pool.PrivateItem
	if len(w.After) == 0 || w.After[0] == 0 {
		if items, err = r.part(ctx, n, q, notedArm, w.After, w.Limit+1); err != nil {
			return nil, err
		}
		w.After = nil // the second part begins at its begin
	}
	if q.Noted || len(items) > w.Limit {
		return items, nil
	}
	more, err := r.part(ctx, n, q, otherArm, w.After, w.Limit+1-len(items))
	return append(items, more...), err
}

// The two parts of the list. Each walks one table by the index that has the order of the list, and asks the other one by
// its key for each row: a join would be planned by what is known of a table that fills in one run. {owner} and {after} are
// the conditions that the index serves.
const (
	notedArm = `SELECT d.record_id AS id, d.due_at AS due_at FROM crm_due AS d
		WHERE d.tenant_id = ?tenant AND d.kind = ?kind AND d.due_at IS NOT NULL{owner}{after}
			AND (SELECT ` + countsSQL + `{filter} FROM {table} AS t WHERE t.tenant_id = ?tenant AND t.id = d.record_id) IS TRUE
		ORDER BY due_at, id LIMIT ?most`
	otherArm = `SELECT t.id AS id, NULL AS due_at FROM {table} AS t
		WHERE t.tenant_id = ?tenant AND t.deleted_at IS NULL AND t.owner_id IS NOT NULL{owner}{after}
			AND (SELECT d.due_at IS NOT NULL AND ` + countsSQL + ` FROM crm_due AS d
				WHERE d.tenant_id = ?tenant AND d.kind = ?kind AND d.record_id = t.id) IS NOT TRUE{filter}
		ORDER BY id LIMIT ?most`
)

func (r *private) part(ctx context.Context, n int64, q pool.PrivateQuery, arm string, after []int64, atMost int) ([]pool.PrivateItem, error) {
	args := binds{"tenant": n, "kind": string(r.kind), "most": atMost}
	beyond, owner, order := "", " AND d.owner_id", "due_at, id"
	if arm == otherArm {
		owner, order = " AND t.owner_id", "id"
	}
	if after != nil {
		args["at"], args["after"] = moment(time.UnixMicro(after[1])), after[2]
		if beyond = " AND (d.due_at, d.record_id) > (?at, ?after)"; arm == otherArm {
			beyond = " AND t.id > ?after"
		}
	}
	if due := q.Filter.DueBefore; arm == notedArm && q.Noted && !due.IsZero() { // a bound of the index
		args["before"] = moment(due)
		beyond += " AND d.due_at < ?before"
	}
	arm = strings.NewReplacer("{table}", r.table, "{after}", beyond, "{filter}", filterPrivate(q, args)).Replace(arm)
	whose := func(condition string) string { return strings.ReplaceAll(arm, "{owner}", condition) }
	var text string
	switch {
	case q.Owners == nil:
		text = whose("")
	case len(q.Owners) > mostArms:
		args["owners"] = bun.List(q.Owners)
		text = whose(owner + " IN (?owners)")
	case len(q.Owners) == 1:
		args["owner0"] = q.Owners[0]
		text = whose(owner + " = ?owner0")
	default:
		arms := make([]string, len(q.Owners))
		for i, user := range q.Owners {
			name := "owner" + string(rune('a'+i/26)) + string(rune('a'+i%26))
			args[name] = user
			arms[i] = "SELECT * FROM (" + whose(owner+" = ?"+name) + ") AS " + name
		}
		text = strings.Join(arms, " UNION ALL ") + " ORDER BY " + order + " LIMIT ?most"
	}
	text = "SELECT x.id, t.name, x.due_at FROM (" + text + ") AS x CROSS JOIN " + r.table + ` AS t
		WHERE t.tenant_id = ?tenant AND t.id = x.id ORDER BY x.due_at, x.id`
	var rows []privateItem
	err := r.raw(text, args).Scan(ctx, &rows)
	items := make([]pool.PrivateItem, len(rows))
	for i, x := range rows {
		items[i] = pool.PrivateItem{ID: x.ID, Name: x.Name, Noted: time.Time(x.DueAt)}
	}
	return items, err
}

// filterPrivate is the conditions of scope and filter on the records; their values go to args.
func filterPrivate(q pool.PrivateQuery, args binds) (text string) {
	add := func(condition, name string, value any) {
		text += " AND " + condition
		args[name] = value
	}
	if len(q.Scope.Regions) > 0 { // otherwise the owners say it all
		where, values := scopeSQL(q.Scope)
		add("(?scope)", "scope", schema.SafeQuery(where, values))
	}
	f := q.Filter
	if len(f.Pools) > 0 {
		add("t.pool_id IN (?pools)", "pools", bun.List(f.Pools))
	}
	if len(f.Levels) > 0 {
		add("t.level IN (?levels)", "levels", bun.List(f.Levels))
	}
	if len(f.Stages) > 0 {
		add("t.stage IN (?stages)", "stages", bun.List(f.Stages))
	}
	if len(f.Regions) > 0 {
		where, values := regionsSQL(f.Regions)
		add("(?regions)", "regions", schema.SafeQuery(where, values))
	}
	if !f.IdleSince.IsZero() {
		add("coalesce(t.last_followup_at, t.owned_since) < ?idle", "idle", moment(f.IdleSince))
	}
	return text
}

// In see [pool.PrivateRepository].
func (r *private) In(ctx context.Context, tenant kernel.TenantID, departments ...team.DepartmentID) (users []kernel.UserID, err error) {
	n, err := r.tenant(ctx, tenant)
	if err != nil || len(departments) == 0 {
		return nil, err
	}
	err = r.raw(`SELECT DISTINCT m.user_id FROM crm_department_tree b CROSS JOIN crm_members m
		WHERE b.tenant_id = ?tenant AND b.ancestor_id IN (?ids) AND m.tenant_id = ?tenant AND m.department_id = b.department_id ORDER BY m.user_id`,
		binds{"tenant": n, "ids": bun.List(departments)}).Scan(ctx, &users)
	return users, err
}

// Superiors see [pool.PrivateRepository].
func (r *private) Superiors(ctx context.Context, tenant kernel.TenantID, users ...kernel.UserID) (map[kernel.UserID]kernel.UserID, error) {
	n, err := r.tenant(ctx, tenant)
	if err != nil || len(users) == 0 {
		return nil, err
	}
	var rows []struct{ UserID, Superior kernel.UserID }
	err = r.raw(`SELECT s.user_id, s.superior FROM (
			SELECT m.user_id, m.superior, -1 AS far FROM crm_members m WHERE m.tenant_id = ?tenant AND m.user_id IN (?users) AND m.superior IS NOT NULL
			UNION ALL SELECT m.user_id, d.head, b.depth FROM crm_members m
				CROSS JOIN crm_department_tree b CROSS JOIN crm_departments d
				WHERE m.tenant_id = ?tenant AND m.user_id IN (?users) AND b.tenant_id = ?tenant AND b.department_id = m.department_id
					AND d.tenant_id = ?tenant AND d.id = b.ancestor_id AND d.head IS NOT NULL) AS s
		WHERE s.superior <> s.user_id
			AND EXISTS (SELECT 1 FROM crm_members h WHERE h.tenant_id = ?tenant AND h.user_id = s.superior AND h.inactive_since IS NULL)
		ORDER BY s.user_id, s.far`, binds{"tenant": n, "users": bun.List(users)}).Scan(ctx, &rows)
	superiors := make(map[kernel.UserID]kernel.UserID, len(rows))
	for _, x := range rows {
		if _, has := superiors[x.UserID]; !has { // the nearest comes first
			superiors[x.UserID] = x.Superior
		}
	}
	return superiors, err
}

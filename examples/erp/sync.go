package erp

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/storage"
	"github.com/openseas/crm/team"
)

// System is how the CRM calls the ERP among all systems that have keys for a customer.
const System = "erp"

func (e *ERP) job(reason string) crm.Actor { return crm.System(e.Company, reason) }

// jobs are the ERP's jobs that have something to do with customers, and what they may do.
var jobs = map[string]team.RoleName{"salesman": team.Seller, "sales manager": team.Head, "service": team.Agent, "it": team.Admin}

// SyncDirectory mirrors departments and people into the CRM: who is new, who moved, who left. The same directory again
// changes nothing.
func (e *ERP) SyncDirectory(ctx context.Context) (team.SyncReport, error) {
	departments, err := query(ctx, e.DB, func(rows *sql.Rows) (d team.DirectoryDepartment, err error) {
		return d, rows.Scan(&d.Key, &d.Name, &d.Parent, &d.Head)
	}, "SELECT code, name, parent, head FROM erp_departments ORDER BY code")
	if err != nil {
		return team.SyncReport{}, err
	}
	members, err := query(ctx, e.DB, func(rows *sql.Rows) (m team.DirectoryMember, err error) {
		var job string
		err = rows.Scan(&m.User, &m.Name, &m.Department, &job, &m.Inactive)
		m.Role = jobs[job]
		return m, err
	}, "SELECT login, name, department, job, locked <> 0 FROM erp_users WHERE job IN ('salesman', 'sales manager', 'service', 'it') ORDER BY login")
	if err != nil {
		return team.SyncReport{}, err
	}
	return e.CRM.Team.Sync(ctx, e.job("nightly directory sync"), team.Directory{
		Departments: departments, Members: members,
		Complete: true, // whoever has left the company, or has another job, is no member any more
	})
}

// Synced counts what SyncCustomers did, with a sentence for every customer that it left out.
type Synced struct {
	Done    map[customer.Did]int
	LeftOut []string
}

// SyncCustomers mirrors the ERP's customers into the CRM and notes their ids, a page at a time, each page one transaction of
// the ERP: no customer is in the CRM whose id the ERP does not know. New customers come with their salesman, and into the
// pool where they have none, or one without a free place. From then on the CRM says whose they are.
func (e *ERP) SyncCustomers(ctx context.Context) (Synced, error) {
	const page = 1000
	report := Synced{Done: map[customer.Did]int{}}
	for last := ""; ; {
		items, err := e.syncPage(ctx, last, page, &report)
		if err != nil || len(items) < page {
			return report, err
		}
		last = items[page-1].ExternalID
	}
}

func (e *ERP) syncPage(ctx context.Context, after string, limit int, report *Synced) ([]*customer.Customer, error) {
	tx, err := e.DB.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	items, err := query(ctx, tx, func(rows *sql.Rows) (*customer.Customer, error) {
		c := &customer.Customer{ExternalSystem: System}
		return c, rows.Scan(&c.ExternalID, &c.Name, &c.Region, &c.Industry, &c.OwnerID)
	}, "SELECT number, name, region, industry, salesman FROM erp_customers WHERE number > $1 ORDER BY number LIMIT $2", after, limit)
	if err != nil {
		return nil, err
	}
	good, outcomes, err := e.syncGood(ctx, e.CRM.In(tx), slices.Clone(items), report)
	if err != nil {
		return nil, err
	}
	for i, o := range outcomes {
		report.Done[o.Did]++
		switch o.Did {
		case customer.WasCreated:
			if _, err := tx.ExecContext(ctx, "UPDATE erp_customers SET crm_id = $1 WHERE number = $2", int64(o.ID), good[i].ExternalID); err != nil {
				return nil, err
			}
		case customer.WasRefused: // by a rule, as things stand now
			report.LeftOut = append(report.LeftOut, fmt.Sprintf("customer %s: %v", good[i].ExternalID, o.Err))
		}
	}
	return items, tx.Commit()
}

// syncGood syncs what the CRM can accept. Malformed input refuses the whole call and names the item; one bad row must not
// stop the night, so it is left out and the rest is tried again. The transaction is as usable as before.
func (e *ERP) syncGood(ctx context.Context, in *crm.CRM, items []*customer.Customer, report *Synced) ([]*customer.Customer, []customer.Outcome, error) {
	for {
		outcomes, err := in.Customers.Sync(ctx, e.job("nightly customer sync"), items, &customer.SyncOptions{ToPool: true})
		invalid, ok := errors.AsType[*crm.Error](err)
		if !ok || !errors.Is(err, crm.ErrInvalid) {
			return items, outcomes, err
		}
		i, one := invalid.Item()
		if !one {
			return items, nil, err
		}
		report.LeftOut = append(report.LeftOut, fmt.Sprintf("customer %s: %v", items[i].ExternalID, err))
		items = slices.Delete(items, i, i+1)
	}
}

// query reads rows into a list.
func query[T any](ctx context.Context, db storage.Conn, scan func(*sql.Rows) (T, error), text string, args ...any) (all []T, err error) {
	rows, err := db.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		item, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, item)
	}
	return all, rows.Err()
}

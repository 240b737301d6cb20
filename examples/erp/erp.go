// Package erp is a host: a program with its own users, customers and orders, which embeds the CRM in its own database. An
// order and what it means for the CRM are one transaction of the ERP; people and customers are mirrored every night.
//
// To read first: PlaceOrder in order.go. The ERP goes on to work with its own keys, logins and customer numbers; the CRM
// knows customers by them (ExternalSystem, ExternalID), and the ERP keeps the CRM's id beside its own row.
package erp

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/openseas/crm"
	"github.com/openseas/crm/storage"
	"github.com/openseas/crm/team"
)

// ERP is the program. It opened the database and will close it: the CRM closes nothing that it did not open.
type ERP struct {
	DB      *sql.DB
	CRM     *crm.CRM
	Company crm.TenantID
}

// tables are the ERP's own, in the dialect that both engines share. They may refer to the CRM's: (tenant, id) is stable.
const tables = `
CREATE TABLE IF NOT EXISTS erp_departments (code TEXT PRIMARY KEY, name TEXT NOT NULL, parent TEXT NOT NULL, head TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS erp_users (login TEXT PRIMARY KEY, name TEXT NOT NULL, department TEXT NOT NULL, job TEXT NOT NULL, locked BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS erp_customers (number TEXT PRIMARY KEY, name TEXT NOT NULL, region TEXT NOT NULL, industry TEXT NOT NULL,
	salesman TEXT NOT NULL, crm_id BIGINT NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS erp_orders (number TEXT PRIMARY KEY, customer TEXT NOT NULL REFERENCES erp_customers (number), fen BIGINT NOT NULL,
	placed_by TEXT NOT NULL, form TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS erp_notes (order_number TEXT NOT NULL, note TEXT NOT NULL);`

// Start brings the tables of both up to date and opens the CRM. It can be called at every start of the program, by several
// processes at once.
func Start(ctx context.Context, db *sql.DB, store storage.Store, company crm.TenantID, name string) (*ERP, error) {
	if _, err := db.ExecContext(ctx, tables); err != nil {
		return nil, fmt.Errorf("the tables of the ERP: %w", err)
	}
	if err := store.Migrate(ctx); err != nil {
		return nil, fmt.Errorf("the tables of the CRM: %w", err)
	}
	c, err := crm.New(ctx, store, nil)
	if err != nil {
		return nil, err
	}
	err = c.Team.CreateTenant(ctx, crm.System(company, "set-up"), team.Tenant{Name: name})
	if err != nil && !errors.Is(err, crm.ErrConflict) { // it is there since the first start
		return nil, err
	}
	return &ERP{DB: db, CRM: c, Company: company}, nil
}

// Session is who is logged in, as the ERP knows it.
type Session struct{ Login string }

// actor is how the CRM knows who asks. The form is the key of the form that the user sent: a form that is sent twice, since
// the answer was lost, is one request.
func (e *ERP) actor(by Session, form string) crm.Actor {
	return crm.Actor{Tenant: e.Company, User: crm.UserID(by.Login), Request: form}
}

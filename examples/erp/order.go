package erp

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/pool"
)

// Order is an order of the ERP.
type Order struct {
	Number   string
	Customer string // the ERP's number
	Fen      int64
	At       time.Time
	Form     string // the key of the form that it came with
}

// What PlaceOrder tells the clerk.
var (
	ErrTaken           = errors.New("a colleague looks after this customer")
	ErrUnknownCustomer = errors.New("no such customer")
	ErrNumberUsed      = errors.New("another order has this number")
)

// PlaceOrder books an order. A customer that lies in the public pool becomes the clerk's with it: claim, order, operation
// log, audit trail and events become visible together, or never.
func (e *ERP) PlaceOrder(ctx context.Context, by Session, o Order) error {
	tx, err := e.DB.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after the commit it does nothing
	if err := e.PlaceOrderIn(ctx, tx, by, o); err != nil {
		return err
	}
	return tx.Commit()
}

// PlaceOrderIn is PlaceOrder for callers with more to write in their transaction. After an error it is theirs to roll back.
func (e *ERP) PlaceOrderIn(ctx context.Context, tx *sql.Tx, by Session, o Order) error {
	var id customer.ID
	err := tx.QueryRowContext(ctx, "SELECT crm_id FROM erp_customers WHERE number = $1", o.Customer).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrUnknownCustomer
	}
	if err != nil {
		return err
	}
	fresh, err := insertOrder(ctx, tx, by, o)
	if err != nil || !fresh {
		return err
	}
	in := e.CRM.In(tx) // the same CRM with the same methods, inside the ERP's transaction
	who, err := e.claim(ctx, tx, in, by, id, o)
	if err != nil {
		return err
	}
	// The order makes the customer won, which frees its place under the owner's cap, and stands on its timeline.
	_, err = in.Customers.RecordDeal(ctx, who, customer.Deal{
		CustomerID: id, System: System, Number: o.Number, At: o.At, Amount: decimal.New(o.Fen, -2),
	})
	return err
}

// claim makes the clerk the owner of a customer that lies in the pool, if the rules of the pool let it. It returns who may
// write the order on the customer.
func (e *ERP) claim(ctx context.Context, tx *sql.Tx, in *crm.CRM, by Session, id customer.ID, o Order) (crm.Actor, error) {
	who := e.actor(by, o.Form)
	err := in.Pool.Claim(ctx, who, id)
	refusal, refused := errors.AsType[*pool.Refusal](err)
	switch {
	case !refused:
		return who, err // claimed, or an error that is no matter of rules
	case refusal.Reason == pool.NotFound:
		return who, ErrUnknownCustomer
	case refusal.Reason == pool.Taken && refusal.By == who.User:
		return who, nil // it is the clerk's already
	case refusal.Reason == pool.Taken:
		return who, ErrTaken
	}
	// Protected, cool-down, cap, quota: the customer stays in the pool, and is free to buy all the same. The refused claim
	// has undone only itself, so the transaction goes on: somebody will read the note.
	note := fmt.Sprintf("%s could not claim customer %s: %s", by.Login, o.Customer, refusal.Reason)
	_, err = tx.ExecContext(ctx, "INSERT INTO erp_notes (order_number, note) VALUES ($1, $2)", o.Number, note)
	// What lies in the pool is nobody's to change, so the ERP itself writes the order there.
	return e.job("order of " + by.Login), err
}

// insertOrder is false for an order that is there already, from the same form: the user has sent it twice.
func insertOrder(ctx context.Context, tx *sql.Tx, by Session, o Order) (bool, error) {
	res, err := tx.ExecContext(ctx, `INSERT INTO erp_orders (number, customer, fen, placed_by, form) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (number) DO NOTHING`, o.Number, o.Customer, o.Fen, by.Login, o.Form)
	if err != nil {
		return false, err
	}
	if n, err := res.RowsAffected(); n == 1 || err != nil {
		return n == 1, err
	}
	var form string
	if err := tx.QueryRowContext(ctx, "SELECT form FROM erp_orders WHERE number = $1", o.Number).Scan(&form); err != nil {
		return false, err
	}
	if form != o.Form {
		return false, ErrNumberUsed
	}
	return false, nil
}

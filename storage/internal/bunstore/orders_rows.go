package bunstore

import (
	"time"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales"
)

// orderRow is a host's order.
type orderRow struct {
	bun.BaseModel `bun:"table:crm_orders,alias:o"`
	TenantID      int64
	ID            int64
	CustomerID    customer.ID
	System        string
	Number        string
	Status        string
	Amount        amount
	OrderedAt     moment
	CreatedAt     moment
	CreatedBy     kernel.UserID
	Sequence      int64 // -1: it comes from Customers.RecordDeal
	UpdatedAt     moment
	UpdatedBy     kernel.UserID
}

type orderLineRow struct {
	bun.BaseModel `bun:"table:crm_order_lines,alias:ol"`
	TenantID      int64
	OrderID       sales.OrderID
	Sort          int
	Code          string
	Name          string
	Quantity      amount
	UnitPrice     amount
	Amount        amount
}

type orderRefundRow struct {
	bun.BaseModel `bun:"table:crm_order_refunds,alias:orf"`
	TenantID      int64
	OrderID       sales.OrderID
	Sort          int
	CustomerID    customer.ID
	At            moment
	Amount        amount
}

type orderReportRow struct {
	bun.BaseModel `bun:"table:crm_order_reports,alias:orp"`
	TenantID      int64
	OrderID       sales.OrderID
	Sequence      int64
	Status        sales.OrderStatus
	Amount        amount
	OrderedAt     moment
	Hash          string
	Stale         bool
	ReportedAt    moment
	ReportedBy    kernel.UserID
}

func orderRowOf(tenant int64, x *sales.Order) orderRow {
	return orderRow{
		TenantID: tenant, ID: int64(x.ID), CustomerID: x.CustomerID, System: x.System, Number: x.Number, Status: string(x.Status),
		Amount: amountOf(x.Total), OrderedAt: moment(x.OrderedAt), CreatedAt: moment(x.CreatedAt), CreatedBy: x.CreatedBy, Sequence: x.Sequence,
		UpdatedAt: moment(x.UpdatedAt), UpdatedBy: x.UpdatedBy,
	}
}

func (r *orderRow) domain() *sales.Order {
	return &sales.Order{
		ID: sales.OrderID(r.ID), System: r.System, Number: r.Number, Sequence: r.Sequence, CustomerID: r.CustomerID, Status: sales.OrderStatus(r.Status),
		Total: r.Amount.Decimal, OrderedAt: time.Time(r.OrderedAt), CreatedAt: time.Time(r.CreatedAt), CreatedBy: r.CreatedBy,
		UpdatedAt: time.Time(r.UpdatedAt), UpdatedBy: r.UpdatedBy,
	}
}

func (r *orderReportRow) domain() sales.OrderReport {
	return sales.OrderReport{
		OrderID: r.OrderID, Sequence: r.Sequence, Status: r.Status, Total: r.Amount.Decimal, OrderedAt: time.Time(r.OrderedAt), Hash: r.Hash,
		Stale: r.Stale, ReportedAt: time.Time(r.ReportedAt), ReportedBy: r.ReportedBy,
	}
}

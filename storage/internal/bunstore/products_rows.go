package bunstore

import (
	"time"

	"github.com/shopspring/decimal"
	"github.com/uptrace/bun"

	"github.com/openseas/crm/sales"
)

type categoryRow struct {
	bun.BaseModel `bun:"table:crm_product_categories,alias:pc"`
	TenantID      int64
	ID            sales.CategoryID
	Name          string
	ParentID      nullID
	Sort          int
	Version       int64
	CreatedAt     moment
	UpdatedAt     moment
}

func categoryRowOf(tenant int64, x *sales.Category) categoryRow {
	return categoryRow{
		TenantID: tenant, ID: x.ID, Name: x.Name, ParentID: nullID(x.Parent), Sort: x.Sort,
		Version: x.Version, CreatedAt: moment(x.CreatedAt), UpdatedAt: moment(x.UpdatedAt),
	}
}

func (r *categoryRow) domain() *sales.Category {
	return &sales.Category{
		ID: r.ID, Name: r.Name, Parent: sales.CategoryID(r.ParentID), Sort: r.Sort,
		Version: r.Version, CreatedAt: time.Time(r.CreatedAt), UpdatedAt: time.Time(r.UpdatedAt),
	}
}

type productRow struct {
	bun.BaseModel  `bun:"table:crm_products,alias:pr"`
	TenantID       int64
	ID             sales.ProductID
	Code           string
	Name           string
	Type           sales.Type
	CategoryID     nullID
	Specification  string
	Unit           string
	Price          amount
	Cost           amount
	TaxRate        amount
	Inactive       bool
	Description    string
	ExternalSystem nullText
	ExternalID     nullText
	Version        int64
	CreatedAt      moment
	UpdatedAt      moment
	DeletedAt      moment
}

func productRowOf(tenant int64, x *sales.Product) productRow {
	return productRow{
		TenantID: tenant, ID: x.ID, Code: x.Code, Name: x.Name, Type: x.Type, CategoryID: nullID(x.Category), Specification: x.Specification,
		Unit: x.Unit, Price: amountOf(x.Price), Cost: amount(x.Cost), TaxRate: amount(x.TaxRate), Inactive: x.Inactive,
		Description: x.Description, ExternalSystem: nullText(x.ExternalSystem), ExternalID: nullText(x.ExternalID),
		Version: x.Version, CreatedAt: moment(x.CreatedAt), UpdatedAt: moment(x.UpdatedAt), DeletedAt: moment(x.DeletedAt),
	}
}

func (r *productRow) domain() *sales.Product {
	return &sales.Product{
		ID: r.ID, Code: r.Code, Name: r.Name, Type: r.Type, Category: sales.CategoryID(r.CategoryID), Specification: r.Specification,
		Unit: r.Unit, Price: r.Price.Decimal, Cost: decimal.NullDecimal(r.Cost), TaxRate: decimal.NullDecimal(r.TaxRate), Inactive: r.Inactive,
		Description: r.Description, ExternalSystem: string(r.ExternalSystem), ExternalID: string(r.ExternalID),
		Version: r.Version, CreatedAt: time.Time(r.CreatedAt), UpdatedAt: time.Time(r.UpdatedAt), DeletedAt: time.Time(r.DeletedAt),
	}
}

type priceListRow struct {
	bun.BaseModel `bun:"table:crm_price_lists,alias:pl"`
	TenantID      int64
	sales.PriceList
	CreatedAt moment
	UpdatedAt moment
}

func priceListRowOf(tenant int64, x *sales.PriceList) priceListRow {
	return priceListRow{TenantID: tenant, PriceList: *x, CreatedAt: moment(x.CreatedAt), UpdatedAt: moment(x.UpdatedAt)}
}

func (r *priceListRow) domain() *sales.PriceList {
	x := r.PriceList
	x.CreatedAt, x.UpdatedAt = time.Time(r.CreatedAt), time.Time(r.UpdatedAt)
	return &x
}

type priceRow struct {
	bun.BaseModel `bun:"table:crm_prices,alias:pp"`
	TenantID      int64
	ListID        sales.PriceListID
	ProductID     sales.ProductID
	FromQuantity  amount
	Price         amount
}

// mapped is rows as the domain has them.
func mapped[R, D any](rows []R, domain func(*R) D) []D {
	all := make([]D, len(rows))
	for i := range rows {
		all[i] = domain(&rows[i])
	}
	return all
}

// checked is mapped of rows with columns that may not be readable: those of JSON, and rates.
func checked[R, D any](rows []R, domain func(*R) (D, error)) ([]D, error) {
	all := make([]D, len(rows))
	for i := range rows {
		x, err := domain(&rows[i])
		if err != nil {
			return nil, err
		}
		all[i] = x
	}
	return all, nil
}

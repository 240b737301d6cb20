package sales

import (
	"time"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/kernel"
)

// CategoryID is a category's number, unique in the database and below 2^53.
type CategoryID int64

// ProductID is a product's number.
type ProductID int64

// PriceListID is a price list's number.
type PriceListID int64

// How references name what this package keeps.
const (
	CategoryKind  = "product_category"
	ProductKind   = "product"
	PriceListKind = "price_list"
)

// Category is a node of the tree that products hang on (seed 003, crm_product_category).
type Category struct {
	ID        CategoryID `json:"id"`
	Name      string     `json:"name"`             // at most 100, unique among its siblings
	Parent    CategoryID `json:"parent,omitempty"` // 0: a root
	Sort      int        `json:"sort"`             // among its siblings, smallest first
	Version   int64      `json:"version"`
	CreatedAt time.Time  `json:"created_at"`
	UpdatedAt time.Time  `json:"updated_at"`
}

// MostCategories bounds the tree of a tenant.
const MostCategories = 10_000

// Ref names the category in audit and events.
func (x *Category) Ref() kernel.Ref { return kernel.Ref{Kind: CategoryKind, ID: int64(x.ID)} }

func (x *Category) check() error {
	if x.Sort < -1_000_000 || x.Sort > 1_000_000 {
		return kernel.Invalidf("sort", kernel.OutOfRange, "between -1,000,000 and 1,000,000")
	}
	return kernel.CheckName("name", x.Name, 100)
}

// Type tells goods from services.
type Type string

// The types. The default is TypeProduct.
const (
	TypeProduct Type = "product"
	TypeService Type = "service"
)

// Product is something that is sold: the union of the product tables of seeds 000, 003 and 004 (mission.md, S3). Its price
// may change at any time: documents that are written keep the one they were written with. Lengths are in characters.
type Product struct {
	ID             ProductID           `json:"id"`
	Code           string              `json:"code"`                    // at most 50, unique in the tenant; made from the id when empty
	Name           string              `json:"name"`                    // at most 200, never empty
	Type           Type                `json:"type"`                    // TypeProduct when empty
	Category       CategoryID          `json:"category,omitempty"`      // 0: none
	Specification  string              `json:"specification,omitempty"` // at most 500
	Unit           string              `json:"unit,omitempty"`          // at most 20
	Price          decimal.Decimal     `json:"price"`                   // in the tenant's currency, 0 ≤ x < 10^14, 4 decimals
	Cost           decimal.NullDecimal `json:"cost"`                    // likewise; null: not known
	TaxRate        decimal.NullDecimal `json:"tax_rate"`                // percent, 0 ≤ x < 1,000, 4 decimals; null: not stated
	Inactive       bool                `json:"inactive,omitempty"`      // 下架: not for new documents
	Description    string              `json:"description,omitempty"`   // at most 10,000, of several lines
	ExternalSystem string              `json:"external_system,omitempty"`
	ExternalID     string              `json:"external_id,omitempty"` // at most 100: the key in the host's system, unique together in the tenant
	Version        int64               `json:"version"`
	CreatedAt      time.Time           `json:"created_at"`
	UpdatedAt      time.Time           `json:"updated_at"`
	DeletedAt      time.Time           `json:"deleted_at,omitzero"`
}

// Ref names the product in audit and events.
func (x *Product) Ref() kernel.Ref { return kernel.Ref{Kind: ProductKind, ID: int64(x.ID)} }

var thousand = decimal.NewFromInt(1000)

func (x *Product) check() error {
	if x.Type == "" {
		x.Type = TypeProduct
	}
	err := kernel.FirstError(kernel.CheckName("name", x.Name, 200), kernel.OneOf("type", x.Type, TypeProduct, TypeService),
		kernel.CheckLine("code", x.Code, 50), kernel.CheckLine("specification", x.Specification, 500), kernel.CheckLine("unit", x.Unit, 20),
		kernel.CheckText("description", x.Description, 10_000), kernel.CheckLine("external_system", x.ExternalSystem, 50),
		kernel.CheckLine("external_id", x.ExternalID, 100), kernel.CheckPositive("price", x.Price))
	if err == nil && x.Code != "" {
		err = kernel.CheckName("code", x.Code, 50)
	}
	if err == nil && x.Cost.Valid {
		err = kernel.CheckPositive("cost", x.Cost.Decimal)
	}
	if err == nil && x.TaxRate.Valid {
		err = kernel.CheckPositive("tax_rate", x.TaxRate.Decimal)
	}
	switch {
	case err != nil:
		return err
	case x.TaxRate.Valid && x.TaxRate.Decimal.Cmp(thousand) >= 0:
		return kernel.Invalidf("tax_rate", kernel.OutOfRange, "0 to below 1,000")
	case (x.ExternalSystem == "") != (x.ExternalID == ""):
		return kernel.Invalidf("external_id", kernel.Empty, "system and key of the host go together")
	}
	return nil
}

// ProductFilter says which products a list has: all conditions hold together; an empty one is no condition.
type ProductFilter struct {
	Categories []CategoryID // one of these, or below one of these
	Types      []Type
	Active     bool // without the inactive ones
}

// PriceList is a set of prices for some time (mission.md, S3), such as those of a season or of dealers.
type PriceList struct {
	ID        PriceListID `json:"id"`
	Name      string      `json:"name"`                 // at most 100, unique in the tenant
	Currency  string      `json:"currency"`             // ISO 4217
	ValidFrom kernel.Date `json:"valid_from,omitempty"` // first day; empty: since ever
	ValidTo   kernel.Date `json:"valid_to,omitempty"`   // last day; empty: for ever
	Inactive  bool        `json:"inactive,omitempty"`
	Version   int64       `json:"version"`
	CreatedAt time.Time   `json:"created_at"`
	UpdatedAt time.Time   `json:"updated_at"`
}

// Ref names the price list in audit and events.
func (x *PriceList) Ref() kernel.Ref { return kernel.Ref{Kind: PriceListKind, ID: int64(x.ID)} }

// Holds tells whether the list's prices may be used on a day.
func (x *PriceList) Holds(on kernel.Date) bool {
	return !x.Inactive && (x.ValidFrom == "" || x.ValidFrom <= on) && (x.ValidTo == "" || on <= x.ValidTo)
}

// Price is what a product costs by a list, from some quantity on. Of several lines of a product the one with the largest
// quantity that is reached holds.
type Price struct {
	Product ProductID       `json:"product"`
	From    decimal.Decimal `json:"from"`  // quantity, 0 ≤ x < 10^14, 4 decimals; 0: any
	Price   decimal.Decimal `json:"price"` // 0 ≤ x < 10^14, 4 decimals
}

func (p *Price) check() error {
	if p.Product <= 0 {
		return kernel.Invalid("product", kernel.Empty)
	}
	return kernel.FirstError(kernel.CheckPositive("from", p.From), kernel.CheckPositive("price", p.Price))
}

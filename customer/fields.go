package customer

import "github.com/shopspring/decimal"

// Field names a field that hosts may edit, by its JSON name.
type Field string

// field is one editable field: how it is copied, whether a value says something, whether two are the same, and what of it is
// in a customer's JSON, if anything is.
type field struct {
	name  Field
	copy  func(to, from *Customer)
	says  func(c *Customer) bool
	same  func(a, b *Customer) bool
	value func(c *Customer) (v any, there bool)
}

func fieldOf[T comparable](name Field, at func(*Customer) *T) field {
	var zero T
	says := func(c *Customer) bool { return *at(c) != zero }
	return field{
		name, func(to, from *Customer) { *at(to) = *at(from) }, says, func(a, b *Customer) bool { return *at(a) == *at(b) },
		func(c *Customer) (any, bool) { return *at(c), says(c) },
	}
}

// amountOf is a field that JSON has also where it says nothing, as null.
func amountOf(name Field, at func(*Customer) *decimal.NullDecimal) field {
	return field{
		name, func(to, from *Customer) { *at(to) = *at(from) }, func(c *Customer) bool { return at(c).Valid },
		func(a, b *Customer) bool { return at(a).Valid == at(b).Valid && at(a).Decimal.Equal(at(b).Decimal) },
		func(c *Customer) (any, bool) { return *at(c), true },
	}
}

// allFields is what Update and Sync may write: the one list of editable fields.
var allFields = []field{
	fieldOf("code", func(c *Customer) *string { return &c.Code }),
	fieldOf("name", func(c *Customer) *string { return &c.Name }),
	fieldOf("type", func(c *Customer) *Type { return &c.Type }),
	fieldOf("level", func(c *Customer) *Level { return &c.Level }),
	fieldOf("industry", func(c *Customer) *string { return &c.Industry }),
	fieldOf("size", func(c *Customer) *Size { return &c.Size }),
	amountOf("annual_revenue", func(c *Customer) *decimal.NullDecimal { return &c.AnnualRevenue }),
	amountOf("annual_potential", func(c *Customer) *decimal.NullDecimal { return &c.AnnualPotential }),
	fieldOf("credit_rating", func(c *Customer) *CreditRating { return &c.CreditRating }),
	fieldOf("source", func(c *Customer) *string { return &c.Source }),
	fieldOf("referred_by", func(c *Customer) *ID { return &c.ReferredBy }),
	fieldOf("region", func(c *Customer) *string { return &c.Region }),
	fieldOf("province", func(c *Customer) *string { return &c.Province }),
	fieldOf("city", func(c *Customer) *string { return &c.City }),
	fieldOf("district", func(c *Customer) *string { return &c.District }),
	fieldOf("acquired_on", func(c *Customer) *string { return (*string)(&c.AcquiredOn) }),
	fieldOf("service_agent", func(c *Customer) *string { return (*string)(&c.ServiceAgent) }),
	fieldOf("source_lead", func(c *Customer) *int64 { return &c.SourceLead }),
	fieldOf("brand", func(c *Customer) *string { return &c.Brand }),
	fieldOf("remarks", func(c *Customer) *string { return &c.Remarks }),
	fieldOf("external_system", func(c *Customer) *string { return &c.ExternalSystem }),
	fieldOf("external_id", func(c *Customer) *string { return &c.ExternalID }),
}

package customer

// Field names a field that hosts may edit, by its JSON name.
type Field string

// field is one editable field: how it is copied, and whether a value says something.
type field struct {
	name Field
	copy func(to, from *Customer)
	says func(c *Customer) bool
}

func fieldOf[T comparable](name Field, at func(*Customer) *T) field {
	var zero T
	return field{name, func(to, from *Customer) { *at(to) = *at(from) }, func(c *Customer) bool { return *at(c) != zero }}
}

// allFields is what Update and Sync may write: the one list of editable fields.
var allFields = []field{
	fieldOf("code", func(c *Customer) *string { return &c.Code }),
	fieldOf("name", func(c *Customer) *string { return &c.Name }),
	fieldOf("type", func(c *Customer) *Type { return &c.Type }),
	fieldOf("level", func(c *Customer) *Level { return &c.Level }),
	fieldOf("industry", func(c *Customer) *string { return &c.Industry }),
	fieldOf("size", func(c *Customer) *Size { return &c.Size }),
	{"annual_revenue", func(to, from *Customer) { to.AnnualRevenue = from.AnnualRevenue }, func(c *Customer) bool { return c.AnnualRevenue.Valid }},
	{"annual_potential", func(to, from *Customer) { to.AnnualPotential = from.AnnualPotential }, func(c *Customer) bool { return c.AnnualPotential.Valid }},
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

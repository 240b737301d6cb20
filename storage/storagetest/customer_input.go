package storagetest

import (
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// badTexts are texts that no name takes.
var badTexts = map[string]string{
	"NUL": "a\x00b", "invalid UTF-8": "a\xffb", "control": "a\x07b", "line break": "a\nb", "override": "a\u202eb", "isolate": "a\u2066b",
	"escape": "a\x1b[31m", "byte order mark": "\ufeffa",
}

func testCustomerInput(t *testing.T, open Open) {
	b := setup(t, open)
	money := func(s string) decimal.NullDecimal { return decimal.NewNullDecimal(decimal.RequireFromString(s)) }
	for name, bad := range map[string]struct {
		c      customer.Customer
		field  string
		reason kernel.Reason
	}{
		"no name":              {customer.Customer{}, "name", kernel.Empty},
		"only white space":     {customer.Customer{Name: " \u3000"}, "name", kernel.Empty},
		"white space at ends":  {customer.Customer{Name: " a"}, "name", kernel.BadText},
		"over-long name":       {customer.Customer{Name: strings.Repeat("蓝", 201)}, "name", kernel.TooLong},
		"ten megabytes":        {customer.Customer{Name: "a", Remarks: strings.Repeat("x", 10<<20)}, "remarks", kernel.TooLong},
		"over-long code":       {customer.Customer{Name: "a", Code: strings.Repeat("x", 33)}, "code", kernel.TooLong},
		"unknown type":         {customer.Customer{Name: "a", Type: "company"}, "type", kernel.Unknown},
		"unknown level":        {customer.Customer{Name: "a", Level: "E"}, "level", kernel.Unknown},
		"unknown standing":     {customer.Customer{Name: "a", Standing: "gone"}, "standing", kernel.Unknown},
		"unknown size":         {customer.Customer{Name: "a", Size: "huge"}, "size", kernel.Unknown},
		"unknown rating":       {customer.Customer{Name: "a", CreditRating: "AAAA"}, "credit_rating", kernel.Unknown},
		"begins as won":        {customer.Customer{Name: "a", Stage: customer.Won}, "stage", kernel.ReadOnly},
		"begins blacklisted":   {customer.Customer{Name: "a", Standing: customer.Blacklisted}, "standing", kernel.ReadOnly},
		"negative revenue":     {customer.Customer{Name: "a", AnnualRevenue: money("-0.0001")}, "annual_revenue", kernel.OutOfRange},
		"five decimals":        {customer.Customer{Name: "a", AnnualPotential: money("0.00001")}, "annual_potential", kernel.OutOfRange},
		"ten to the 14th":      {customer.Customer{Name: "a", AnnualPotential: money("100000000000000")}, "annual_potential", kernel.OutOfRange},
		"astronomic exponent":  {customer.Customer{Name: "a", AnnualPotential: decimal.NewNullDecimal(decimal.New(1, 9000))}, "annual_potential", kernel.OutOfRange},
		"region of letters":    {customer.Customer{Name: "a", Region: "ZJ"}, "region", kernel.Malformed},
		"region of one digit":  {customer.Customer{Name: "a", Region: "3"}, "region", kernel.Malformed},
		"no date":              {customer.Customer{Name: "a", AcquiredOn: "2026-02-29"}, "acquired_on", kernel.Malformed},
		"key without a system": {customer.Customer{Name: "a", ExternalID: "1"}, "external_id", kernel.Empty},
		"system without a key": {customer.Customer{Name: "a", ExternalSystem: "erp"}, "external_id", kernel.Empty},
	} {
		t.Run(name+" is refused, and nothing is written", func(t *testing.T) {
			c := bad.c
			e := requireError(t, b.Customers.Create(t.Context(), boss, &c), crm.ErrInvalid, bad.reason, bad.field)
			_, many := e.Item()
			require.False(t, many)
			_, err := b.Customers.CreateMany(t.Context(), boss, []*customer.Customer{{Name: "good"}, &c}, kernel.WhatCanBeHad)
			e = requireError(t, err, crm.ErrInvalid, bad.reason, bad.field)
			i, many := e.Item()
			require.True(t, many)
			require.Equal(t, 1, i)
			require.Zero(t, b.count("SELECT count(*) FROM crm_customers"))
		})
	}
	for name, text := range badTexts {
		t.Run("text with "+name+" is refused in every field", func(t *testing.T) {
			for field, c := range map[string]customer.Customer{
				"name": {Name: text}, "code": {Name: "a", Code: text}, "industry": {Name: "a", Industry: text}, "source": {Name: "a", Source: text},
				"province": {Name: "a", Province: text}, "city": {Name: "a", City: text}, "district": {Name: "a", District: text}, "brand": {Name: "a", Brand: text},
				"service_agent": {Name: "a", ServiceAgent: kernel.UserID(text)}, "external_id": {Name: "a", ExternalSystem: "erp", ExternalID: text},
				"owner_id": {Name: "a", Ownership: customer.Ownership{OwnerID: kernel.UserID(text)}},
			} {
				requireError(t, b.Customers.Create(t.Context(), boss, &c), crm.ErrInvalid, kernel.BadText, field)
			}
			if name != "line break" {
				c := customer.Customer{Name: "a", Remarks: text}
				requireError(t, b.Customers.Create(t.Context(), boss, &c), crm.ErrInvalid, kernel.BadText, "remarks")
			}
		})
	}
	t.Run("hostile text comes back as it was", func(t *testing.T) {
		for _, text := range []string{
			`'); DROP TABLE crm_customers;--`, `\' OR 1=1--`, "?", "?0", "?TableAlias", ":tenant", "$1", `%_\`, "a;b", `"quoted"`, "😀👨‍👩‍👧", "İı", "ﬁ", "{{.}}",
		} {
			c := &customer.Customer{Name: text, Remarks: text, ExternalSystem: "erp", ExternalID: text, Code: text}
			require.NoError(t, b.Customers.Create(t.Context(), boss, c), text)
			require.Equal(t, c, b.get(c.ID))
			l, err := b.Customers.List(t.Context(), boss, customer.Filter{TagsAny: []string{text}, Brands: []string{text}}, crm.Page{})
			require.NoError(t, err)
			require.Empty(t, l.Items)
		}
	})
	t.Run("filters and calls are bounded", func(t *testing.T) {
		_, err := b.Customers.List(t.Context(), boss, customer.Filter{Owners: make([]kernel.UserID, 201)}, crm.Page{})
		requireError(t, err, crm.ErrInvalid, kernel.TooMany, "owners")
		_, err = b.Customers.List(t.Context(), boss, customer.Filter{Levels: []customer.Level{"E"}}, crm.Page{})
		requireError(t, err, crm.ErrInvalid, kernel.Unknown, "levels")
		_, err = b.Customers.List(t.Context(), boss, customer.Filter{CreatedFrom: time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)}, crm.Page{})
		requireError(t, err, crm.ErrInvalid, kernel.OutOfRange, "created_from")
		_, err = b.Customers.CreateMany(t.Context(), boss, make([]*customer.Customer, kernel.MaxItems+1), kernel.AllOrNothing)
		requireError(t, err, crm.ErrInvalid, kernel.TooMany, "customers")
		_, err = b.Customers.CreateMany(t.Context(), boss, []*customer.Customer{nil}, kernel.AllOrNothing)
		requireError(t, err, crm.ErrInvalid, kernel.Empty, "customer")
		none, err := b.Customers.CreateMany(t.Context(), boss, nil, kernel.AllOrNothing)
		require.NoError(t, err)
		require.Empty(t, none)
	})
}

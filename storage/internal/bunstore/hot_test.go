package bunstore

import (
	"database/sql"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// A bare parameter makes SQLite parse the statement anew whenever its value changes.
func TestHotStatementsHideTheirValuesFromThePlanner(t *testing.T) {
	bare := regexp.MustCompile(`[^+]\?\d`)
	for name, q := range New(&sql.DB{}, Engine{Dialect: sqlitedialect.New()}).hot {
		require.NotRegexp(t, bare, q.text, name)
	}
}

func TestListsAreTakenApartIntoBranchesWithoutACommonCustomer(t *testing.T) {
	seller := kernel.Scope{Owners: []kernel.UserID{"li"}, Pools: []int64{2, 1, 2}}
	li, pools := where{"t.owner_id = ?", []any{kernel.UserID("li")}}, []where{
		{"t.owner_id IS NULL AND t.pool_id = ?", []any{customer.PoolID(1)}}, {"t.owner_id IS NULL AND t.pool_id = ?", []any{customer.PoolID(2)}},
	}
	for name, c := range map[string]struct {
		sc   kernel.Scope
		f    customer.Filter
		want []where
	}{
		"mine":                      {seller, customer.Filter{Owners: []kernel.UserID{"li", "li"}}, []where{li}},
		"in my pools":               {seller, customer.Filter{InPool: true}, pools},
		"whatever I see":            {seller, customer.Filter{}, append([]where{li}, pools...)},
		"a stranger's":              {seller, customer.Filter{Owners: []kernel.UserID{"wang"}}, nil},
		"everything":                {kernel.Scope{All: true}, customer.Filter{}, nil},
		"nothing":                   {kernel.Scope{}, customer.Filter{}, nil},
		"by tag":                    {seller, customer.Filter{TagsAny: []string{"x"}}, nil},
		"deleted ones":              {seller, customer.Filter{Deleted: true}, nil},
		"a region sees beyond them": {kernel.Scope{Owners: seller.Owners, Regions: []string{"33"}}, customer.Filter{}, nil},
		"a contradiction":           {seller, customer.Filter{InPool: true, Owners: []kernel.UserID{"li"}}, nil},
	} {
		parts, rest := New(&sql.DB{}, Engine{Dialect: sqlitedialect.New()}).branches(narrowed(c.sc, c.f))
		require.Equal(t, c.want, parts, name)
		if len(parts) > 0 {
			require.Equal(t, customer.Filter{}, rest, name)
		}
	}
}

func TestArrayLiterals(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 1_000, time.FixedZone("", 8*3600))
	for want, v := range map[string]any{
		"NULL": nil, "-7": int64(-7), "true": true, `""`: "", `"NULL"`: "NULL", `"{a,b}"`: "{a,b}", `"a\"b\\c"`: `a"b\c`, `"公海"`: "公海",
		`"2026-03-02 01:00:00.000001+00"`: at,
	} {
		require.Equal(t, want, string(appendElement(nil, v)))
	}
}

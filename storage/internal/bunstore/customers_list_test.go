package bunstore

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

func TestScopesAreNarrowedByTheFilter(t *testing.T) {
	seller := kernel.Scope{Owners: []kernel.UserID{"li", "wang"}, Pools: []int64{1, 2}}
	all, none := kernel.Scope{All: true}, kernel.Scope{}
	for name, c := range map[string]struct {
		sc     kernel.Scope
		f      customer.Filter
		wantSc kernel.Scope
		want   customer.Filter
	}{
		"mine":                     {seller, customer.Filter{Owners: []kernel.UserID{"li"}}, all, customer.Filter{Owners: []kernel.UserID{"li"}}},
		"mine and a stranger's":    {seller, customer.Filter{Owners: []kernel.UserID{"zhao", "li"}}, all, customer.Filter{Owners: []kernel.UserID{"li"}}},
		"a stranger's":             {seller, customer.Filter{Owners: []kernel.UserID{"zhao"}}, none, customer.Filter{Owners: []kernel.UserID{}}},
		"in my pools":              {seller, customer.Filter{InPool: true}, all, customer.Filter{InPool: true, Pools: []customer.PoolID{1, 2}}},
		"in one of them":           {seller, customer.Filter{InPool: true, Pools: []customer.PoolID{2, 3}}, all, customer.Filter{InPool: true, Pools: []customer.PoolID{2}}},
		"in a stranger's pool":     {seller, customer.Filter{InPool: true, Pools: []customer.PoolID{3}}, none, customer.Filter{InPool: true, Pools: []customer.PoolID{}}},
		"whatever I see":           {seller, customer.Filter{}, seller, customer.Filter{}},
		"a contradiction stays":    {seller, customer.Filter{InPool: true, Owners: []kernel.UserID{"li"}}, seller, customer.Filter{InPool: true, Owners: []kernel.UserID{"li"}}},
		"everything stays":         {all, customer.Filter{InPool: true}, all, customer.Filter{InPool: true}},
		"nothing stays nothing":    {none, customer.Filter{InPool: true}, none, customer.Filter{InPool: true, Pools: []customer.PoolID{}}},
		"regions are not narrowed": {kernel.Scope{Regions: []string{"33"}}, customer.Filter{InPool: true}, kernel.Scope{Regions: []string{"33"}}, customer.Filter{InPool: true}},
	} {
		sc, f := narrowed(c.sc, c.f)
		require.Equal(t, c.wantSc, sc, name)
		require.Equal(t, c.want, f, name)
	}
}

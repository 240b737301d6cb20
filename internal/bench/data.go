package main

import (
	"fmt"
	"time"

	"github.com/openseas/crm"
	"github.com/openseas/crm/kernel"
)

// shape is how much data there is. The same shape is the same data, row by row, on both engines.
type shape struct{ rows, tenants, sellers int }

// data is what was built. Customer number i, from 0, has the id first+i; it is the k-th of tenant t, where i = k*tenants+t:
// the tenants lie mixed, as they come. What a customer is follows from k%10:
//
//	0        owned by seller s0, who has a tenth of the house
//	1 to 6   owned by all sellers alike; 3 is due for the rule "no follow-up for 3 days", the others are not
//	7, 8     in the default pool, where everybody may claim them: 7 was released a month ago or longer, 8 never had an owner
//	9        in the pool of one of the departments
type data struct {
	shape
	first  int64
	houses []house
}

// house is a tenant: its number, and its pools, first the default one, then those of the departments.
type house struct {
	number int64
	pools  []int64
}

// now is the time of every CRM here: the rules find the same customers due whenever the bench runs.
var now = time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC)

func clock() time.Time { return now }

// hot is how many interactions the first two customers of a tenant have, for pages of a long timeline.
func (s shape) hot() int { return min(1_000, s.rows/10) }

// departments have 20 sellers each, a head, and a pool of their own.
func (s shape) departments() int { return (s.sellers + 19) / 20 }

func (s shape) departmentOf(seller int) int { return seller / 20 }

func tenantKey(t int) crm.TenantID { return crm.TenantID(fmt.Sprintf("t%d", t)) }

func seller(n int) crm.UserID { return crm.UserID(fmt.Sprintf("s%d", n)) }

func head(n int) crm.UserID { return crm.UserID(fmt.Sprintf("h%d", n)) }

// boss is the system actor of a tenant.
func boss(t int) crm.Actor { return kernel.System(tenantKey(t), "bench") }

// who is a member of a tenant, for contestants that know no actors.
type who struct {
	tenant int
	user   crm.UserID
}

func (w who) actor() crm.Actor { return crm.Actor{Tenant: tenantKey(w.tenant), User: w.user} }

// poolsOf are the pools that a member belongs to: the default one, and that of the department of a seller or head.
func (d *data) poolsOf(w who) []int64 {
	pools := d.houses[w.tenant].pools
	var n int
	if _, err := fmt.Sscanf(string(w.user), "h%d", &n); err == nil {
		return []int64{pools[0], pools[1+n]}
	}
	if _, err := fmt.Sscanf(string(w.user), "s%d", &n); err == nil {
		return []int64{pools[0], pools[1+d.departmentOf(n)]}
	}
	return pools[:1]
}

// id is that of the k-th customer of a tenant.
func (d *data) id(t, k int) int64 { return d.first + int64(k*d.tenants+t) }

// perTenant is how many customers the smallest tenant has.
func (s shape) perTenant() int { return s.rows / s.tenants }

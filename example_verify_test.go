package crm_test

import (
	"context"
	"fmt"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
)

// A nightly job counts again what is kept twice. Here somebody has repaired a customer by hand.
func ExampleCRM_Verify() {
	ctx := context.Background()
	o := openOffice(ctx)
	blue := &customer.Customer{Name: "蓝鲸机械有限公司"}
	check(o.Customers.Create(ctx, li, blue))
	check(o.Pool.Claim(ctx, li, blue.ID))
	nightly := crm.System("acme", "nightly check")

	report, err := o.Verify(ctx, nightly, nil)
	check(err)
	fmt.Println(report.Done, report.Total)

	_, err = o.db.ExecContext(ctx, "UPDATE crm_customers SET owner_id = 'wang' WHERE id = ?", int64(blue.ID))
	check(err)
	report, err = o.Verify(ctx, nightly, nil)
	check(err)
	for _, f := range report.Findings {
		fmt.Println(f.Check, f.Ref.Kind, f.Key, "expected", f.Expected+", found", f.Found)
	}
	// Output:
	// true 0
	// places member li expected 0, found 1
	// owner_counter customer  expected a counter, found wang
	// owner_log customer  expected li, found wang
}

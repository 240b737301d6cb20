package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFirstMirrorsDoTheSame(t *testing.T) {
	engines(t, func(t *testing.T, open func(t *testing.T) engine) {
		wrote := map[string]string{}
		for i, name := range []string{raw, "crm"} {
			d := &data{shape: small}
			b, err := d.unfilled(t.Context(), open(t), t.Logf)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, b.close()) })
			require.Equal(t, name, b.all[i].name)
			var steps []int
			_, err = d.mirror(t.Context(), b.all[i], func(done int) { steps = append(steps, done) })
			require.NoError(t, err)
			require.Equal(t, []int{d.rows / 2, d.rows}, steps)
			wrote[name] = "\n" + strings.Join(dump(t, b), "\n")
			for _, table := range []string{"crm_customers", "crm_customer_facts", "crm_operations"} {
				require.Equal(t, d.rows, strings.Count(wrote[name], "\n"+table+" "), table)
			}
		}
		require.Equal(t, wrote[raw], wrote["crm"])
		e := open(t)
		var out strings.Builder
		require.NoError(t, firstMirrors(t.Context(), e, small, &out, t.Logf))
		require.Equal(t, 2, strings.Count(out.String(), "crm  1000 customers"))
	})
}

package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each filter of the audit trail stands on its own index, whose order is that of the list: a page costs what it shows, however
// long the trail is.
func TestThePagesOfTheTrailStandOnIndexes(t *testing.T) {
	engines(t, func(t *testing.T, open func(t *testing.T) engine) {
		e, d := built(t, open(t))
		db, err := e.open()
		require.NoError(t, err)
		defer db.Close()
		const rows, minute = 40_000, 60_000_000
		at := fmt.Sprintf("%d - i * %d", clock().UnixMicro(), 5*minute)
		if e.pg {
			at = fmt.Sprintf("to_timestamp(%d - i * 300.0)", clock().Unix())
		}
		_, err = db.Exec(fmt.Sprintf(`INSERT INTO crm_audit (tenant_id, subject_kind, subject_id, kind, record_id, type, actor, at)
			SELECT %d, 'customer', i %% 1000, 'customer', i %% 1000, CASE WHEN i %% 500 = 0 THEN 'role.put' ELSE 'customer.claimed' END, 's' || i %% 10, %s
			FROM (WITH RECURSIVE n (i) AS (SELECT %d UNION ALL SELECT i - 1 FROM n WHERE i > 1) SELECT i FROM n) AS n`, d.houses[0].number, at, rows))
		require.NoError(t, err)
		if e.pg { // SQLite is to choose without statistics, as hosts seldom gather them
			_, err = db.Exec("ANALYZE crm_audit")
			require.NoError(t, err)
		}
		all, err := plans(context.Background(), e, d)
		require.NoError(t, err)
		for _, c := range trailCalls {
			found := 0
			for _, p := range all {
				if !strings.HasSuffix(c.index, strings.TrimPrefix(p.call, "Audit trail by ")) || !strings.Contains(p.statement.text, "crm_audit") {
					continue
				}
				found++
				plan := strings.Join(p.lines, "\n")
				require.Contains(t, plan, c.index, "%s\n%s", p.call, plan)
				require.NotContains(t, plan, "TEMP B-TREE", p.call)
				require.NotContains(t, plan, "Sort", p.call)
			}
			require.Positive(t, found, c.index)
		}
	})
}

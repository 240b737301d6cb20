package storagetest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

func testReasons(t *testing.T, open Open) {
	t.Run("while the list is empty any text will do; then a reason must be in it, or not be given", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(4, "li")
		reasons, err := b.Pool.Pools.Reasons(t.Context(), li)
		require.NoError(t, err)
		require.Empty(t, reasons)
		require.NoError(t, b.Pool.Release(t.Context(), li, ids[0], &pool.ReleaseOptions{Reason: "anything"}))
		want := []string{"没有预算", "no answer", "Region changed"}
		require.NoError(t, b.Pool.Pools.SetReasons(t.Context(), admin, want))
		require.NoError(t, b.Pool.Pools.SetReasons(t.Context(), admin, want), "the same again is no change")
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_audit WHERE type = 'reasons.set'"))
		reasons, err = b.Pool.Pools.Reasons(t.Context(), li)
		require.NoError(t, err)
		require.Equal(t, want, reasons, "in their order")
		reasons, err = b.Pool.Pools.Reasons(t.Context(), otherLi)
		require.NoError(t, err)
		require.Empty(t, reasons)
		for _, bad := range []string{"anything", "No answer", "no answer ", "regio"} {
			requireError(t, b.Pool.Release(t.Context(), li, ids[1], &pool.ReleaseOptions{Reason: bad}), crm.ErrInvalid, kernel.Unknown, "reason")
			requireError(t, b.Pool.Assign(t.Context(), head, ids[1], "wang", &pool.AssignOptions{Reason: bad}), crm.ErrInvalid, kernel.Unknown, "reason")
		}
		require.NoError(t, b.Pool.Release(t.Context(), li, ids[1], &pool.ReleaseOptions{Reason: "没有预算", Note: "any text"}))
		require.NoError(t, b.Pool.Assign(t.Context(), head, ids[2], "wang", &pool.AssignOptions{Reason: "Region changed"}))
		require.NoError(t, b.Pool.Release(t.Context(), li, ids[3], nil))
		require.NoError(t, b.Pool.Release(t.Context(), boss, ids[2], nil), "the system actor's own reason is none of them")
		require.Equal(t, "set-up", b.last(ids[2]).Reason)
		require.NoError(t, b.Pool.Pools.SetReasons(t.Context(), admin, nil))
		require.Equal(t, "没有预算", b.last(ids[1]).Reason)
		b.agree()
	})
	t.Run("at most 200 different names", func(t *testing.T) {
		b := setup(t, open)
		many := make([]string, 201)
		for i := range many {
			many[i] = fmt.Sprint("reason ", i)
		}
		requireError(t, b.Pool.Pools.SetReasons(t.Context(), boss, many), crm.ErrInvalid, kernel.TooMany, "reasons")
		require.NoError(t, b.Pool.Pools.SetReasons(t.Context(), boss, many[:200]))
		e := requireError(t, b.Pool.Pools.SetReasons(t.Context(), boss, []string{"a", "b", "a"}), crm.ErrInvalid, kernel.Duplicate, "reasons")
		require.Equal(t, 2, e.Index)
		for name, text := range badTexts {
			require.ErrorIs(t, b.Pool.Pools.SetReasons(t.Context(), boss, []string{text}), crm.ErrInvalid, name)
		}
		require.ErrorIs(t, b.Pool.Pools.SetReasons(t.Context(), boss, []string{""}), crm.ErrInvalid)
		require.ErrorIs(t, b.Pool.Pools.SetReasons(t.Context(), li, nil), crm.ErrDenied)
		require.Equal(t, 200, b.count("SELECT count(*) FROM crm_reasons"))
	})
}

package storagetest

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/storage"
)

// testTrailOrder is about changes of several subjects in one unit of work: customers, whose rows hold their seq, and others.
func testTrailOrder(t *testing.T, open Open) {
	t.Run("units of work that write about the same subjects, each in its own order, wait for each other and never deadlock", func(t *testing.T) {
		b := setup(t, open)
		var about []kernel.Change
		for _, id := range b.create(12, "li") {
			ref := kernel.Ref{Kind: "customer", ID: int64(id)}
			about = append(about,
				kernel.Change{Subject: ref, Ref: ref, Type: "x", After: 1},
				kernel.Change{Subject: kernel.Ref{Kind: "report", ID: int64(id)}, Ref: ref, Type: "x", After: 1})
		}
		backwards := slices.Clone(about)
		slices.Reverse(backwards)
		together(6, func(i int) {
			changes := [][]kernel.Change{about, backwards}[i%2]
			for range 5 {
				err := b.store.Do(t.Context(), kernel.Write, func(ctx context.Context, tx storage.Tx) error {
					return tx.Journal().Record(ctx, boss, b.now(), changes...)
				})
				if err != nil { // a deadlock would be one to retry
					t.Error(err)
				}
			}
		})
		require.Equal(t, 30*len(about), b.count("SELECT count(*) FROM crm_outbox WHERE type = 'x'"))
		require.Equal(t, len(about)/2, b.count("SELECT count(*) FROM crm_subjects WHERE kind = 'report' AND seq = 30"))
		b.agree()
	})
}

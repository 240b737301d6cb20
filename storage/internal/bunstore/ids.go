package bunstore

import (
	"context"
	"sync"
)

const blockSize = 64 // as in the Postgres sequence

// maxSpare bounds what a process keeps of blocks that it did not use up.
const maxSpare = 4_096

type span struct{ next, end int64 }

// blocks are ids that nobody else will be given.
type blocks struct {
	mu   sync.Mutex
	free []span
}

func (b *blocks) give(spans ...span) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.free) < maxSpare/blockSize { // ids are not scarce, memory and long scans are worse than a gap
		b.free = append(b.free, spans...)
	}
}

func (b *blocks) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free = nil
}

func (b *blocks) take(n int) (ids []int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	ids, b.free = spend(b.free, n)
	return ids
}

func spend(spans []span, n int) (ids []int64, rest []span) {
	ids = make([]int64, 0, n)
	for i := range spans {
		for ; len(ids) < n && spans[i].next < spans[i].end; spans[i].next++ {
			ids = append(ids, spans[i].next)
		}
		if spans[i].next < spans[i].end {
			rest = append(rest, spans[i])
		}
	}
	return ids, rest
}

// newIDs takes ids before the insert, so that whole graphs can be written in one go.
func (t *tx) newIDs(ctx context.Context, n int) ([]int64, error) {
	if n == 0 {
		return nil, nil
	}
	ids := t.ids.take(n)
	more, err := t.laterIDs(ctx, n-len(ids))
	return append(ids, more...), err
}

// laterIDs takes ids above all that any process was given before, for rows that are read in the order of their ids: newIDs
// may give one of a block that was taken earlier.
func (t *tx) laterIDs(ctx context.Context, missing int) ([]int64, error) {
	if missing == 0 {
		return nil, nil
	}
	var spans []span
	if t.pg {
		var starts []int64
		err := t.raw("SELECT nextval('crm_ids') FROM generate_series(1, ?)", (missing+blockSize-1)/blockSize).Scan(ctx, &starts)
		if err != nil {
			return nil, err
		}
		for _, s := range starts {
			spans = append(spans, span{s, s + blockSize})
		}
	} else {
		size := max(missing, blockSize)
		if t.joined != nil { // the host may roll the counter back: keep nothing beyond this call
			size = missing
		}
		var end int64
		if err := t.raw("UPDATE crm_ids SET next = next + ? RETURNING next", size).Scan(ctx, &end); err != nil {
			return nil, err
		}
		spans = []span{{end - int64(size), end}}
	}
	more, rest := spend(spans, missing)
	if t.pg { // a sequence does not roll back
		t.ids.give(rest...)
	} else {
		t.spare = append(t.spare, rest...)
	}
	return more, nil
}

package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/openseas/crm"
)

// result is what a contestant did in a case. Its JSON is a line of the file that -json names.
type result struct {
	Case       string  `json:"case"`
	Engine     string  `json:"engine"`
	Contestant string  `json:"contestant"`
	N          int     `json:"n"`                 // operations that were measured
	P50        float64 `json:"p50_us"`            // of one operation, in microseconds
	P99        float64 `json:"p99_us"`            // likewise
	OpsPerS    float64 `json:"ops_per_s"`         // of all workers together
	Allocs     float64 `json:"allocs"`            // of this process, for one operation
	RatioToRaw float64 `json:"ratio_to_raw"`      // median time of a round by that of raw, the median of the rounds; 0: raw does not take part
	HeapMB     float64 `json:"heap_mb,omitempty"` // the most that this process had in use
}

// bench is a run: what all contestants share.
type bench struct {
	e   engine
	d   *data
	db  *sql.DB // for preparing, which nobody measures
	all []*contestant
	say func(format string, args ...any)

	share     float64        // of the operations that a case asks for; tests do a few
	by        *regexp.Regexp // who is measured; nil: all
	own, pool *targets
	one       *crm.CRM // see shared
	closers   []io.Closer
	bulk      []*supply // of each tenant's default pool, apart from pool
}

func newBench(ctx context.Context, e engine, d *data, say func(format string, args ...any)) (*bench, error) {
	db, err := e.open()
	if err != nil {
		return nil, err
	}
	b := &bench{e: e, d: d, db: db, say: say, share: 1}
	if b.all, err = contestants(ctx, e, d); err == nil {
		err = b.aim(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *bench) close() error {
	errs := []error{b.db.Close()}
	for _, c := range b.all {
		errs = append(errs, c.close())
	}
	for _, c := range b.closers {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// benchCase is one kind of work.
type benchCase struct {
	name    string
	workers int
	ops     int // of each contestant and worker in a round
	rounds  int
	// of makes an operation of a contestant: the i-th of a worker; nil when the contestant does not take part.
	of func(b *bench, c *contestant) operation
	// after undoes a round of a contestant, unmeasured.
	after func(b *bench, ctx context.Context) error
	heap  bool // its peak is measured
	// beside starts what goes on during a round, and tells how to end it.
	beside func(b *bench, ctx context.Context, c *contestant) (stop func() error, err error)
	pause  time.Duration // of each worker after an operation, not measured
}

// measure runs the cases that match, one after the other. In each the contestants take turns, round by round.
func (b *bench) measure(ctx context.Context, cases []benchCase, match *regexp.Regexp) ([]result, error) {
	var all []result
	for _, c := range cases {
		if !match.MatchString(c.name) {
			continue
		}
		results, err := b.run(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		all = append(all, results...)
		for _, r := range results {
			b.say("%-34s %-5s p50 %10.0f µs  ratio %.2f", r.Case, r.Contestant, r.P50, r.RatioToRaw)
		}
	}
	return all, nil
}

// lap is the rounds of a contestant in a case.
type lap struct {
	c      *contestant
	op     operation
	spent  []time.Duration // of every operation
	rounds []time.Duration // the median of every round
	wall   time.Duration
	allocs uint64
	heap   uint64
	next   int
}

func (b *bench) run(ctx context.Context, c benchCase) ([]result, error) {
	var laps []*lap
	for _, x := range b.all {
		if b.by != nil && !b.by.MatchString(x.name) {
			continue
		}
		if op := c.of(b, x); op != nil {
			laps = append(laps, &lap{c: x, op: op})
		}
	}
	ops, rounds := max(1, int(float64(c.ops)*b.share)), max(1, int(float64(c.rounds)*b.share))
	for round := range rounds + 1 { // the first one warms up
		for i := range laps {
			l := laps[(round+i)%len(laps)]
			if err := b.round(ctx, c, l, ops, round > 0); err != nil {
				return nil, fmt.Errorf("%s: %w", l.c.name, err)
			}
			if c.after != nil {
				if err := c.after(b, ctx); err != nil {
					return nil, err
				}
			}
		}
	}
	return b.results(c, laps), nil
}

// round lets a contestant do its operations with all workers at once.
func (b *bench) round(ctx context.Context, c benchCase, l *lap, ops int, counts bool) error {
	spent := make([][]time.Duration, c.workers)
	errs := make([]error, c.workers)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	peak := func() uint64 { return 0 }
	if c.heap {
		peak = watchHeap()
	}
	stop := func() error { return nil }
	if c.beside != nil {
		var err error
		if stop, err = c.beside(b, ctx, l.c); err != nil {
			return err
		}
	}
	begin := time.Now()
	var all sync.WaitGroup
	for w := range c.workers {
		all.Go(func() {
			spent[w] = make([]time.Duration, 0, ops)
			for i := range ops {
				at := time.Now()
				if errs[w] = l.op(ctx, w, l.next+i); errs[w] != nil {
					return
				}
				spent[w] = append(spent[w], time.Since(at))
				time.Sleep(c.pause)
			}
		})
	}
	all.Wait()
	wall := time.Since(begin)
	runtime.ReadMemStats(&after)
	if err := stop(); err != nil {
		return err
	}
	l.heap = max(l.heap, peak())
	l.next += ops
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		return errs[i]
	}
	if counts {
		all := slices.Concat(spent...)
		slices.Sort(all)
		l.spent = append(l.spent, all...)
		l.rounds = append(l.rounds, all[len(all)/2])
		l.wall += wall
		l.allocs += after.Mallocs - before.Mallocs
	}
	return nil
}

// watchHeap looks at the heap until it is asked how large it was.
func watchHeap() (peak func() uint64) {
	stop, most := make(chan struct{}), make(chan uint64)
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		var now runtime.MemStats
		for top := uint64(0); ; {
			runtime.ReadMemStats(&now)
			top = max(top, now.HeapInuse)
			select {
			case <-tick.C:
			case <-stop:
				most <- top
				return
			}
		}
	}()
	return func() uint64 { close(stop); return <-most }
}

func (b *bench) results(c benchCase, laps []*lap) []result {
	var base *lap
	for _, l := range laps {
		if l.c.name == raw {
			base = l
		}
	}
	all := make([]result, len(laps))
	for i, l := range laps {
		slices.Sort(l.spent)
		n := len(l.spent)
		us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
		all[i] = result{
			Case: c.name, Engine: b.e.String(), Contestant: l.c.name, N: n, P50: us(l.spent[n/2]), P99: us(l.spent[n*99/100]),
			OpsPerS: float64(n) / l.wall.Seconds(), Allocs: float64(l.allocs) / float64(n), HeapMB: float64(l.heap) / (1 << 20),
		}
		if base != nil {
			ratios := make([]float64, len(l.rounds))
			for k := range ratios {
				ratios[k] = float64(l.rounds[k]) / float64(base.rounds[k])
			}
			slices.Sort(ratios)
			all[i].RatioToRaw = ratios[len(ratios)/2]
		}
	}
	return all
}

// printTable writes the results for people.
func printTable(w io.Writer, all []result) error {
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "case\t by\t n\t p50 µs\t p99 µs\t ops/s\t allocs\t to raw\t heap MB\t")
	for _, r := range all {
		ratio := "–"
		if r.RatioToRaw > 0 {
			ratio = fmt.Sprintf("%.2f", r.RatioToRaw)
		}
		heap := ""
		if r.HeapMB > 0 {
			heap = fmt.Sprintf("%.0f", r.HeapMB)
		}
		fmt.Fprintf(t, "%s\t %s\t %d\t %.0f\t %.0f\t %.4g\t %.0f\t %s\t %s\t\n", r.Case, r.Contestant, r.N, r.P50, r.P99, r.OpsPerS, r.Allocs, ratio, heap)
	}
	return t.Flush()
}

func printJSON(w io.Writer, all []result) error {
	lines := json.NewEncoder(w)
	for _, r := range all {
		if err := lines.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"runtime/pprof"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	var want shape
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	db := flags.String("db", "", "a file of SQLite, or the data source name of an empty PostgreSQL database")
	flags.IntVar(&want.rows, "rows", 1_000_000, "customers")
	flags.IntVar(&want.tenants, "tenants", 10, "tenants that share them")
	flags.IntVar(&want.sellers, "sellers", 100, "sellers of each tenant")
	fresh := flags.Bool("fresh", false, "build the data anew")
	match := flags.String("cases", ".", "a regular expression: the names of the cases to measure")
	by := flags.String("by", ".", "a regular expression: the names of those who do it")
	share := flags.Float64("share", 1, "of the operations: 0.1 is a tenth of the time")
	file := flags.String("json", "", "a file for the results, a line of JSON each")
	cpu := flags.String("cpu", "", "a file for a profile of where this process spends its time, for go tool pprof")
	explain := flags.Bool("explain", false, "show by which indexes the engine answers the statements, and measure nothing")
	whole := flags.Bool("plans", false, "as -explain, with the whole plans")
	past := flags.Bool("simulate", false, "give the customers a past of ten lines each, replay it by other rules, and measure nothing else")
	first := flags.Bool("first", false, "mirror the customers of a host into a database of its own that is empty before and after, and measure nothing else")
	if err := flags.Parse(args); err != nil {
		return err
	}
	e := engineOf(*db)
	if *first {
		return firstMirrors(ctx, e, want, os.Stdout, sayf)
	}
	if *fresh {
		if err := e.drop(ctx); err != nil {
			return err
		}
	}
	d, err := load(ctx, e, want, sayf)
	if err != nil {
		return err
	}
	if *explain || *whole {
		all, err := plans(ctx, e, d)
		if err != nil {
			return err
		}
		printPlans(os.Stdout, e, all, *whole)
		return nil
	}
	if *past {
		if err := d.live(ctx, e, sayf); err != nil {
			return err
		}
		return simulate(ctx, e, d, os.Stdout)
	}
	wanted, err := regexp.Compile(*match)
	if err != nil {
		return err
	}
	b, err := newBench(ctx, e, d, sayf)
	if err != nil {
		return err
	}
	defer b.close()
	b.share = *share
	if b.by, err = regexp.Compile(*by); err != nil {
		return err
	}
	if *cpu != "" {
		stop, err := profile(*cpu)
		if err != nil {
			return err
		}
		defer stop()
	}
	results, err := b.measure(ctx, cases(), wanted)
	if err != nil {
		return err
	}
	if *file != "" {
		f, err := os.Create(*file)
		if err != nil {
			return err
		}
		if err := errors.Join(printJSON(f, results), f.Close()); err != nil {
			return err
		}
	}
	return printTable(os.Stdout, results)
}

// profile writes a profile until it is stopped.
func profile(file string) (stop func(), err error) {
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	return func() { pprof.StopCPUProfile(); _ = f.Close() }, pprof.StartCPUProfile(f) // a profile is looked at, not relied upon
}

// sayf tells a person what goes on; what is measured goes to the standard output.
func sayf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

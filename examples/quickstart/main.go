// Quickstart lives sixty days of a small sales team with the public pool (公海): sellers claim customers, follow up, sell and
// give back; every night the rules put back what was neglected, and warn a day before. One locks a customer, one leaves and
// has successors, leads of a fair go to whom their region belongs, and the head takes back what is neglected; in the end it
// explains one customer and tries another policy on what happened. In a second act a lead becomes a customer, a quote, a
// contract, payments and invoices, printed as a ledger. It makes a database of its own and prints all that.
//
//	go run ./examples/quickstart
//	go run ./examples/quickstart -db shop.db
//	go run ./examples/quickstart -db postgres://localhost/shop -customers companies.csv.gz
//
// The clock and the dice are the program's own, so it prints the same every time, on both engines. To read first: setup.go
// (tenant, team, rules, customers), then seller.go (claim, follow up, sell, release), story.go (the nightly runs), scenes.go
// (all that is out of the ordinary), explain.go (why, when, and what if) and cash.go (from a lead to the last cent).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // a tenant has a time zone, and a bare machine may know none

	"github.com/openseas/crm"
)

func main() { os.Exit(program(os.Args[1:], os.Stdout, os.Stderr)) }

// program is main with everything it touches as an argument. The exit code is 1 for an error and 2 for a wrong call.
func program(args []string, out, errs io.Writer) int {
	// Closing the terminal, or the pipe in "quickstart | head", interrupts like Ctrl-C: the database is tidied up.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once

	o, err := parse(args, errs)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil: // parse has said what is wrong
		return 2
	}
	err = run(ctx, o, out)
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(errs, "quickstart: interrupted; what it made in the database is gone again")
	default:
		fmt.Fprintf(errs, "quickstart: %v\n", err)
	}
	return 1
}

type options struct {
	db        string
	customers string
	days      int
}

const mostDays = 366

func parse(args []string, errs io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.StringVar(&o.db, "db", "", "a SQLite `file` that does not exist yet, or a postgres:// URL, where a schema of its own comes and goes\n"+
		"(default: a temporary SQLite file)")
	flags.StringVar(&o.customers, "customers", "", "a CSV `file`, plain or gzipped, with a header: full_name or name; code, level, industry or\n"+
		"industry_section with industry_code, region or district_code, … (default: a list of forty)")
	flags.IntVar(&o.days, "days", 60, fmt.Sprintf("how many days the story goes on, 1 to %d", mostDays))
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case o.days < 1 || o.days > mostDays:
		err = fmt.Errorf("-days is 1 to %d", mostDays)
	}
	if err != nil {
		fmt.Fprintln(errs, err)
		flags.Usage()
	}
	return o, err
}

// run opens the database, lives the story and tidies up, whatever happened.
func run(ctx context.Context, o options, out io.Writer) (err error) {
	db, err := openDatabase(ctx, o.db)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.leave(err != nil)) }()

	// What every host does when it starts: bring the tables up to date, open the CRM. Nothing runs in the background.
	if err := db.store.Migrate(ctx); err != nil {
		return err
	}
	clock := &clock{now: firstDay}
	c, err := crm.New(ctx, db.store, &crm.Options{Clock: clock.Now}) // a host that lives in real time passes nil
	if err != nil {
		return err
	}

	s := &story{crm: c, clock: clock, out: out, days: o.days}
	if err := s.setUp(ctx, o.customers); err != nil {
		return err
	}
	if err := s.live(ctx); err != nil {
		return err
	}
	return s.tell(ctx)
}

package check

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/openseas/crm/internal/testpostgres"
)

var (
	long   = flag.Bool("check.long", false, "look at many more cases, for minutes; with -run Long, rounds of everything for an hour")
	during = flag.Duration("check.for", time.Hour, "how long -run Long goes on")
	seed   = flag.Uint64("check.seed", 0, "repeat the random choices of another run; 0 makes new ones")
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run is the program: one of the parent's children, or the tests.
func run(m *testing.M) int {
	if role := os.Getenv(childRole); role != "" {
		return child(role)
	}
	flag.Parse()
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	setDefault("rapid.checks", choose("100", "2000"))
	setDefault("rapid.steps", "50")
	setDefault("rapid.seed", fmt.Sprint(*seed))
	setDefault("rapid.nofailfile", "true")
	code := testpostgres.Main(m)
	// The CRM starts no goroutine, so none may be left once every test has closed what it opened.
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

// setDefault sets a flag that the command line does not.
func setDefault(name, value string) {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	if !given {
		flag.Set(name, value) //nolint:errcheck // a flag that is gone shows in the tests' times
	}
}

// choose is what a run takes by default, or with -check.long.
func choose[T any](short, longer T) T {
	if *long {
		return longer
	}
	return short
}

// chance is a source of random choices for one test, which says how to repeat them.
func chance(t testing.TB) *rand.Rand {
	t.Helper()
	t.Logf("repeat with -check.seed=%d", *seed)
	return rand.New(rand.NewPCG(*seed, uint64(len(roundless(t.Name())))))
}

// pick is one of a list.
func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

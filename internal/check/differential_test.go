package check

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/storage"
)

// A rule is one text that three read: Go for one customer, and SQL for many on two engines. They must say the same about
// every customer, also where they say unknown, and expr-lang must agree with them where it can.
func TestRulesSayTheSameEverywhere(t *testing.T) {
	r := chance(t)
	people := crowdOf(r, choose(200, 1000))
	cases := casesOf(t, r, choose(1000, 20_000))
	heard := 0
	for _, c := range cases {
		heard += requireOracle(t, c, people)
	}
	t.Logf("expr-lang was asked %d times", heard)
	sweeps := sweepsOf(t, r, choose(200, 3000))
	onBoth(t, func(t *testing.T, fresh func(t *testing.T) place) {
		p := fresh(t)
		s := settle(build(t, p), p, people)
		for _, now := range judged {
			for i, f := range s.facts(now) {
				require.Equal(t, show(people[i].facts(now)), show(f), "what the store tells of customer %d at %v", i, now)
			}
		}
		said := map[condition.Truth]int{}
		for i, c := range cases {
			requireSame(t, s, c, pageOf(i), said)
		}
		t.Logf("%d rules, %d customers: %v", len(cases), len(people), said)
		for _, truth := range []condition.Truth{condition.True, condition.False, condition.Unknown} {
			require.Greater(t, said[truth], len(cases), "%v is too rare to mean something", truth)
		}
		for i, sw := range sweeps {
			requireWinners(t, s, sw, i%3 == 0)
		}
		requireRuns(t, s, rand.New(rand.NewPCG(*seed, 7)))
	})
}

// pageOf is how many candidates are asked for at once: nearly always more than there are.
func pageOf(i int) int {
	if i%10 == 0 {
		return 40 + i%7
	}
	return 5000
}

// ruleCase is one rule, and when and where it is asked.
type ruleCase struct {
	text   string
	rule   *condition.Condition
	not    *condition.Condition // nil where the opposite would be too long or too deep
	now    time.Time
	second bool // in the second pool
}

func casesOf(t *testing.T, r *rand.Rand, n int) []ruleCase {
	t.Helper()
	g := grammar{r}
	cases := make([]ruleCase, n)
	used := map[condition.Fact]int{}
	for i := range cases {
		text, rule, err := g.condition()
		require.NoError(t, err, "Parse refuses what its grammar says: %s", text)
		not, _ := condition.Parse("not (" + text + ")")
		cases[i] = ruleCase{text, rule, not, pick(r, judged...), r.IntN(6) == 0}
		for _, f := range rule.Facts() {
			used[f]++
		}
	}
	for _, f := range condition.AllFacts() {
		require.Greater(t, used[f], n/50, "%s is too rare to mean something", f)
	}
	return cases
}

// requireOracle demands that expr-lang accepts the text, and says what Eval says of everybody whose facts it can know.
func requireOracle(t *testing.T, c ruleCase, people []*person) (asked int) {
	t.Helper()
	program, err := oracle(c.text)
	require.NoError(t, err, "expr-lang refuses what Parse accepts: %s", c.text)
	for _, x := range people {
		f := x.facts(c.now)
		yes, ok, err := ask(program, c.rule, f, c.now)
		require.NoError(t, err, c.text)
		if !ok {
			continue
		}
		asked++
		want := condition.False
		if yes {
			want = condition.True
		}
		if got := c.rule.Eval(f, c.now, nil); got != want {
			t.Fatalf("rule:     %s\nat:       %v\ncustomer: %s\nGo says %v, expr-lang says %v", c.text, c.now, show(f), got, yes)
		}
	}
	return asked
}

// requireSame asks the store for whom the rule is true and for whom its opposite is, and compares with Eval.
func requireSame(t *testing.T, s *town, c ruleCase, page int, said map[condition.Truth]int) {
	t.Helper()
	p := s.poolOf(c.second)
	ask := func(rule *condition.Condition) map[int]bool {
		return s.due(s.sweep(p, c.now, pool.SweepRule{Rule: pool.Rule{ID: 1, Action: pool.Release}, Parsed: rule, Acts: true}), page)
	}
	yes, no := ask(c.rule), map[int]bool{}
	if c.not != nil {
		no = ask(c.not)
	}
	for i, x := range s.people {
		sql := condition.Unknown
		if yes[i] {
			sql = condition.True
		} else if no[i] {
			sql = condition.False
		}
		f := x.facts(c.now)
		want := c.rule.Eval(f, c.now, nil)
		if !s.mayLose(x, p) || c.not == nil && want == condition.False {
			want = condition.Unknown // is among neither
		} else {
			said[want]++
		}
		if sql != want || yes[i] && no[i] {
			t.Fatalf("rule:     %s\nat:       %v\ncustomer: %d: %s\nmay be taken: %v\nGo says %v; %s says %v (true %v, opposite true %v)",
				c.text, c.now, i, show(f), s.mayLose(x, p), want, s.place.Driver, sql, yes[i], no[i])
		}
	}
}

// sweepCase is several rules at once.
type sweepCase struct {
	rules []pool.SweepRule
	now   time.Time
}

func sweepsOf(t *testing.T, r *rand.Rand, n int) []sweepCase {
	t.Helper()
	sweeps := make([]sweepCase, n)
	for i := range sweeps {
		sw := sweepCase{now: pick(r, judged...)}
		for len(sw.rules) < 2+r.IntN(5) || !slices.ContainsFunc(sw.rules, func(x pool.SweepRule) bool { return x.Acts }) {
			text, parsed, err := grammar{r}.condition()
			require.NoError(t, err, text)
			rule := pool.Rule{ID: pool.RuleID(100 + len(sw.rules)), Name: fmt.Sprint("rule ", len(sw.rules)), Condition: text, Action: pick(r, pool.Release, pool.Release, pool.Keep, pool.Warn)}
			sw.rules = append(sw.rules, pool.SweepRule{Rule: rule, Parsed: parsed, Acts: rule.Action == pool.Release && r.IntN(5) > 0})
		}
		sweeps[i] = sw
	}
	return sweeps
}

// winner is the first rule that is true, or -1.
func winner(rules []pool.SweepRule, f condition.Facts, now time.Time) int {
	return slices.IndexFunc(rules, func(x pool.SweepRule) bool { return x.Parsed.Eval(f, now, nil) == condition.True })
}

var errUndo = errors.New("undo")

// requireWinners demands that the store releases exactly those whose first rule acts; with really it also lets it do so,
// which names the rule, and takes it back.
func requireWinners(t *testing.T, s *town, sw sweepCase, really bool) {
	t.Helper()
	p := s.pools[0]
	sweep := s.sweep(p, sw.now, sw.rules...)
	due := s.due(sweep, 1000)
	var swept []pool.Swept
	if really {
		err := s.store.Do(t.Context(), kernel.Write, func(ctx context.Context, tx storage.Tx) (err error) {
			if swept, err = tx.Pool(pool.Customers).Release(ctx, sweep, s.ids...); err != nil {
				return err
			}
			return errUndo
		})
		require.ErrorIs(t, err, errUndo)
		require.Len(t, swept, len(due))
	}
	for i, x := range s.people {
		f := x.facts(sw.now)
		first := winner(sw.rules, f, sw.now)
		want := s.mayLose(x, p) && first >= 0 && sw.rules[first].Acts
		var by pool.RuleID
		if at := slices.IndexFunc(swept, func(r pool.Swept) bool { return r.ID == s.ids[i] }); at >= 0 {
			by = swept[at].Rule
		}
		if due[i] != want || really && want && by != sw.rules[first].ID {
			t.Fatalf("rules:\n%sat:       %v\ncustomer: %d: %s\nGo says that rule %d wins (released: %v); %s says released: %v, by rule %d",
				ruleList(sw.rules), sw.now, i, show(f), first, want, s.place.Driver, due[i], by-100)
		}
	}
}

func ruleList(rules []pool.SweepRule) string {
	var b strings.Builder
	for i, x := range rules {
		fmt.Fprintf(&b, "  %d %-7s acts=%-5v %s\n", i, x.Action, x.Acts, x.Condition)
	}
	return b.String()
}

// requireRuns goes the whole way: rules are put with priorities, and Recycle releases for good, by the rule that wins by
// priority and then by age. Go sorts the rules itself.
func requireRuns(t *testing.T, s *town, r *rand.Rand) {
	t.Helper()
	lost := map[int]bool{}
	for round := range 4 {
		now := judged[round%len(judged)]
		var rules []*pool.Rule
		for i := range 8 {
			s.micros.Store(lately.Add(time.Duration(round*10+i) * time.Second).UnixMicro())
			text, _, err := grammar{r}.condition()
			require.NoError(t, err)
			rule := &pool.Rule{Name: fmt.Sprint(round, " ", i), Condition: text, Action: pick(r, pool.Release, pool.Release, pool.Keep, pool.Warn), Priority: r.IntN(4) - 1, Enabled: r.IntN(5) > 0}
			require.NoError(t, s.Pool.Pools.PutRule(t.Context(), boss, rule))
			rules = append(rules, rule)
		}
		slices.SortStableFunc(rules, func(a, b *pool.Rule) int { return b.Priority - a.Priority }) // they are in the order of their age
		var enabled []pool.SweepRule
		for _, rule := range rules {
			if rule.Enabled {
				parsed, err := condition.Parse(rule.Condition)
				require.NoError(t, err)
				enabled = append(enabled, pool.SweepRule{Rule: *rule, Parsed: parsed, Acts: rule.Action == pool.Release})
			}
		}
		s.micros.Store(now.UnixMicro())
		run := boss
		run.Request = fmt.Sprint("run ", round)
		report, err := s.Pool.Recycle(t.Context(), run, &pool.RecycleOptions{MaxShare: 100, Batch: 1 + r.IntN(60)})
		require.NoError(t, err)
		by := map[int64]int64{}
		for _, line := range texts(t, s.db, "SELECT concat(record_id, ' ', rule_id) FROM crm_operations WHERE request = '"+run.Request+"'") {
			var record, rule int64
			fmt.Sscan(line, &record, &rule)
			by[record] = rule
		}
		require.Len(t, by, report.Released)
		for i, x := range s.people {
			f := x.facts(now)
			first := winner(enabled, f, now)
			want := int64(0)
			if first >= 0 && enabled[first].Acts && s.mayLose(x, s.pools[0]) && !lost[i] {
				want = int64(enabled[first].ID)
				lost[i] = true
			}
			require.Equal(t, want, by[s.ids[i]], "rules:\n%sat:       %v\ncustomer: %s", ruleList(enabled), now, show(f))
		}
		for _, rule := range rules {
			require.NoError(t, s.Pool.Pools.DeleteRule(t.Context(), boss, rule.ID))
		}
	}
	t.Logf("%d customers recycled", len(lost))
	s.agree()
}

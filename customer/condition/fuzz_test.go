package condition

import (
	"slices"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/kernel"
)

var seeds = []string{
	`followup_days > 7 and (level in ["C", "D"] or spend < 50000.5) and not ("VIP" in tags) and region == "33"`,
	`deal_days >= 90 or last_order_days < 0.0001 and last_interaction_days <= 36500`,
	`stage=="won"and(not(orders==-0)or"a\"b"not in tags)`,
	`industry not in ['零售', "C13", 'it\'s', "\\\n\t"] or source != "?0"`,
	`((((((((level == "A"))))))))`,
	`spend > 00or level == "A"`,
	`level not == "A"`,
	`level in ["A",]`,
	"region == '33\x00'",
	`not not not (type == "individual")`,
}

// Whatever the text, Parse refuses it with a sentence that names a place in it, or the condition is one that parses again
// to an equal tree within the limits, and decides about any customer.
func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add(s, "A", int64(3), int64(10))
	}
	f.Fuzz(func(t *testing.T, text, word string, n, days int64) {
		c, err := Parse(text)
		if err != nil {
			var e *kernel.Error
			var s *SyntaxError
			require.ErrorAs(t, err, &e)
			require.ErrorAs(t, err, &s)
			require.Equal(t, kernel.ErrInvalid, e.Code)
			require.NotEmpty(t, e.Reason)
			require.LessOrEqual(t, s.Offset, len(text))
			require.True(t, s.Why != "" || len(s.Expected) > 0)
			return
		}
		again, err := Parse(c.String())
		require.NoError(t, err)
		require.Equal(t, c.Root(), again.Root())
		require.LessOrEqual(t, size(c.Root()), MaxNodes)
		require.NotEmpty(t, c.Facts())

		at := time.UnixMicro(days % (1 << 50)).UTC()
		amount := decimal.New(n, -4)
		for _, facts := range []Facts{{}, {
			FollowupFrom: at, OwnedSince: at, FirstFollowupAt: at, LastOrderAt: at.Add(time.Duration(n)), LastInteractionAt: at,
			Level: word, Standing: word, Stage: word, Type: word, Industry: word, Source: word, Region: word,
			Tags: []string{word}, OpenOpportunities: n, ActiveContracts: n, OpenCases: n, Orders: n,
			Spend: amount, Potential: decimal.NewNullDecimal(amount),
		}} {
			require.Contains(t, []Truth{True, False, Unknown}, c.Eval(facts, now, nil))
		}
	})
}

func size(n Node) int {
	sum := func(nodes []Node) (total int) {
		for _, n := range nodes {
			total += size(n)
		}
		return total
	}
	switch n := n.(type) {
	case And:
		return 1 + sum(n.Nodes)
	case Or:
		return 1 + sum(n.Nodes)
	case Not:
		return 1 + size(n.Node)
	case In:
		if slices.Contains(n.Texts, "") || len(n.Texts) > MaxItems {
			panic("a list that is none")
		}
	}
	return 1
}

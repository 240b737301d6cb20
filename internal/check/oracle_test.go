package check

import (
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"
	"github.com/shopspring/decimal"

	"github.com/openseas/crm/customer/condition"
)

// The oracle is expr-lang: it reads the same text by a parser that nobody here wrote. It has no decimals and no prefixes of
// regions, so numbers are made integers on both sides of a comparison (ten-thousandths, and microseconds of days), and a
// region the list of its prefixes. What is absent it cannot know; it is asked about present facts only.

// oracle is a condition as expr-lang understands it.
func oracle(text string) (*vm.Program, error) {
	env := map[string]any{}
	for _, fact := range condition.AllFacts() {
		switch fact.Kind() {
		case condition.KindText, condition.KindRegion:
			env[string(fact)] = ""
		case condition.KindTags:
			env[string(fact)] = []string{}
		default:
			env[string(fact)] = 0
		}
	}
	env["region_prefixes"] = []string{}
	return expr.Compile(text, expr.Env(env), expr.AsBool(), expr.DisableAllBuiltins(), expr.Patch(scaler{[]rune(text)}))
}

// scaler rewrites comparisons of numbers and of regions.
type scaler struct{ text []rune }

// Visit is called with every node.
func (s scaler) Visit(node *ast.Node) {
	test, ok := (*node).(*ast.BinaryNode)
	if !ok {
		return
	}
	name, ok := test.Left.(*ast.IdentifierNode)
	if !ok {
		return
	}
	switch kind := condition.Fact(name.Value).Kind(); kind {
	case condition.KindDays, condition.KindCount, condition.KindAmount:
		n := s.number(test.Right)
		if kind == condition.KindDays {
			n = n.Mul(decimal.NewFromInt(day.Microseconds()))
		} else {
			n = n.Shift(4)
		}
		test.Right = &ast.IntegerNode{Value: int(n.IntPart())}
	case condition.KindRegion:
		ast.Patch(node, startsWithOne(test.Right))
	}
}

// number is the literal as it stands in the text: expr has made a float of it.
func (s scaler) number(n ast.Node) decimal.Decimal {
	if minus, ok := n.(*ast.UnaryNode); ok {
		return s.number(minus.Node).Neg()
	}
	at := n.Location()
	return decimal.RequireFromString(string(s.text[at.From:at.To]))
}

// startsWithOne asks whether one of the codes is a prefix of the region.
func startsWithOne(codes ast.Node) (found ast.Node) {
	list := []ast.Node{codes}
	if array, ok := codes.(*ast.ArrayNode); ok {
		list = array.Nodes
	}
	for _, code := range list {
		var one ast.Node = &ast.BinaryNode{Operator: "in", Left: code, Right: &ast.IdentifierNode{Value: "region_prefixes"}}
		if found != nil {
			one = &ast.BinaryNode{Operator: "or", Left: found, Right: one}
		}
		found = one
	}
	return found
}

// ask is the oracle's answer about one customer; ok is false where a fact that the condition uses is absent.
func ask(program *vm.Program, c *condition.Condition, f condition.Facts, now time.Time) (yes, ok bool, err error) {
	deal := f.FirstFollowupAt
	if !f.LastOrderAt.IsZero() && !f.LastOrderAt.Before(deal) {
		deal = time.Time{}
	}
	env := map[string]any{"region_prefixes": prefixes(f.Region)}
	for _, fact := range c.Facts() {
		var value any
		switch fact {
		case condition.FollowupDays:
			value = since(f.FollowupFrom, now)
		case condition.OwnedDays:
			value = since(f.OwnedSince, now)
		case condition.DealDays:
			value = since(deal, now)
		case condition.LastOrderDays:
			value = since(f.LastOrderAt, now)
		case condition.LastInteractionDays:
			value = since(f.LastInteractionAt, now)
		case condition.Tags:
			value = f.Tags
		case condition.OpenOpportunities:
			value = int(f.OpenOpportunities) * 10_000
		case condition.ActiveContracts:
			value = int(f.ActiveContracts) * 10_000
		case condition.OpenCases:
			value = int(f.OpenCases) * 10_000
		case condition.Orders:
			value = int(f.Orders) * 10_000
		case condition.Spend:
			value = int(f.Spend.Shift(4).IntPart())
		case condition.Potential:
			if f.Potential.Valid {
				value = int(f.Potential.Decimal.Shift(4).IntPart())
			}
		default:
			if text := textOf(f, fact); text != "" {
				value = text
			}
		}
		if value == nil {
			return false, false, nil
		}
		env[string(fact)] = value
	}
	out, err := expr.Run(program, env)
	if err != nil {
		return false, true, err
	}
	return out.(bool), true, nil
}

// since is the time from an instant in microseconds, or nil when there is none.
func since(from, now time.Time) any {
	if from.IsZero() {
		return nil
	}
	return int(now.UnixMicro() - from.UnixMicro())
}

func textOf(f condition.Facts, fact condition.Fact) string {
	return map[condition.Fact]string{
		condition.Level: f.Level, condition.Standing: f.Standing, condition.Stage: f.Stage, condition.Type: f.Type,
		condition.Industry: f.Industry, condition.Source: f.Source, condition.Region: f.Region,
	}[fact]
}

func prefixes(s string) (list []string) {
	for i := range s {
		list = append(list, s[:i+1])
	}
	return list
}

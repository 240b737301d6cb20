package calc

import "github.com/shopspring/decimal"

// RiskLevel is how much a customer's overdue receivables say that it may not pay (rules.md, Orders and credit).
type RiskLevel string

// The levels, lowest first.
const (
	NoRisk       RiskLevel = "none"     // nothing is overdue
	WatchRisk    RiskLevel = "watch"    // overdue by 30 days at most
	HighRisk     RiskLevel = "high"     // by 90 days at most
	CriticalRisk RiskLevel = "critical" // by more, or more than 30 % of what is receivable is overdue
)

// Risk is a level with what decided it.
type Risk struct {
	Level      RiskLevel       `json:"level"`
	Rule       string          `json:"rule"` // the line of the table that decided, such as "overdue by more than 90 days"
	Receivable decimal.Decimal `json:"receivable"`
	Overdue    decimal.Decimal `json:"overdue"`
	Share      decimal.Decimal `json:"share"` // of it that is overdue, in percent, rounded to 2 decimals; the rule compares exactly
}

// criticalShare is the percent of receivables above which what is overdue is critical, whatever its age.
var criticalShare = decimal.NewFromInt(30)

// RiskOf is the risk of receivables of one currency.
func RiskOf(a Ageing) Risk {
	r := Risk{Level: NoRisk, Rule: "nothing is overdue", Receivable: a.Total, Overdue: a.Total.Sub(a.Current)}
	if !r.Overdue.IsPositive() {
		return r
	}
	r.Share = HalfUp.divide(r.Overdue.Shift(2), a.Total, 2)
	switch {
	case a.Older.IsPositive():
		r.Level, r.Rule = CriticalRisk, "overdue by more than 90 days"
	case r.Overdue.Shift(2).Cmp(a.Total.Mul(criticalShare)) > 0:
		r.Level, r.Rule = CriticalRisk, "more than 30 % of what is receivable is overdue"
	case a.Days60.IsPositive() || a.Days90.IsPositive():
		r.Level, r.Rule = HighRisk, "overdue by 31 to 90 days"
	default:
		r.Level, r.Rule = WatchRisk, "overdue by at most 30 days"
	}
	return r
}

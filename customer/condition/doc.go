// Package condition is the condition language (rules.md, The condition language): one text that pool rules, claim
// conditions, audiences and alerts share, such as
//
//	followup_days > 7 and (level in ["C", "D"] or potential < 50000.5) and not ("VIP" in tags)
//
// [Parse] checks a text and makes a [Condition] of it. [Condition.Eval] decides about one customer; adapters compile
// [Condition.Root] to SQL for many, and the two agree on every customer. The package is pure: no clock, no store.
//
// # Grammar
//
//	condition = all { "or" all }
//	all       = one { "and" one }
//	one       = "not" ( "not" … | "(" condition ")" ) | "(" condition ")" | test
//	test      = days    ( "<" | "<=" | ">" | ">=" ) number
//	          | number  ( "==" | "!=" | "<" | "<=" | ">" | ">=" ) number
//	          | text    ( "==" | "!=" ) "text" | text   [ "not" ] "in" list
//	          | region  "==" "code"            | region [ "not" ] "in" list
//	          | "text"  [ "not" ] "in" "tags"
//	list      = "[" "text" { "," "text" } "]"
//
// A text stands in double or single quotes, with the escapes \\, \n, \t and that of its own quote. A number is written
// in digits, with at most 4 decimals and a minus sign if need be: 7, 2.5, -1000. Words are lower case, and only spaces
// stand between them.
//
// It is a strict subset of the syntax of expr-lang, so that expr can serve as its oracle: a text that both accept means
// the same to both. Hence the parentheses after "not", which in expr binds tighter than a comparison.
//
// # Three values
//
// A customer may lack a fact: no industry, no order yet. A comparison with an absent fact is [Unknown], and so is its
// opposite; "and", "or" and "not" then work as in SQL. A rule acts on [True] only.
package condition

package condition

import (
	"slices"

	"github.com/shopspring/decimal"
)

// The limits of a text (rules.md, The condition language). What exceeds one is refused by [Parse], with reason TooLong or
// TooMany.
const (
	MaxBytes = 512 // of the text
	MaxNodes = 64  // of the tree: each test, each "not" (also that in "!=" and "not in") and each run of "and" or of "or" is one
	MaxDepth = 8   // parentheses and "not" inside one another; "not (…)" is two
	MaxItems = 50  // of one list
)

// Condition is a text that [Parse] accepted. It never changes, and many goroutines may use it at once.
type Condition struct {
	text  string
	root  Node
	facts []Fact
}

// String is the text as it was given to [Parse]; it parses again to an equal tree.
func (c *Condition) String() string { return c.text }

// Root is the tree, for adapters that compile it. It must not be changed.
func (c *Condition) Root() Node { return c.root }

// Facts are the facts that the condition uses, each once, in the order in which the text names them.
func (c *Condition) Facts() []Fact { return slices.Clone(c.facts) }

// Node is a part of a condition: [And], [Or], [Not], [Compare], [In] or [HasTag], never anything else. Adapters switch
// over the six.
type Node interface{ node() }

// And is true when all of at least two nodes are, and false when one of them is false.
type And struct{ Nodes []Node }

// Or is true when one of at least two nodes is, and false when all are false.
type Or struct{ Nodes []Node }

// Not is the opposite of a node; the opposite of unknown is unknown. The parser also makes it of "!=" and "not in".
type Not struct{ Node Node }

// Compare is a fact of [KindDays], [KindCount] or [KindAmount] against a number.
type Compare struct {
	Fact   Fact
	Op     Op              // with KindDays never Equal or NotEqual
	Number decimal.Decimal // at most 4 decimals; days are 0 to 36500, all others smaller than 10^14 in size
}

// In is a fact of [KindText] that is one of the texts, or of [KindRegion] that starts with one of them. The parser makes
// it of "==" too.
type In struct {
	Fact  Fact
	Texts []string // 1 to MaxItems, none empty
}

// HasTag tells whether the customer carries the tag of exactly this name. It is true or false, never unknown.
type HasTag struct{ Tag string }

func (And) node()     {}
func (Or) node()      {}
func (Not) node()     {}
func (Compare) node() {}
func (In) node()      {}
func (HasTag) node()  {}

// Op is a comparison with a number, as the language spells it.
type Op string

// The comparisons.
const (
	Equal    Op = "=="
	NotEqual Op = "!="
	Less     Op = "<"
	AtMost   Op = "<="
	Greater  Op = ">"
	AtLeast  Op = ">="
)

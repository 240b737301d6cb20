package calc_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales/calc"
)

// vector is one case of a vectors.json. What others get, and why, is in the file for people.
type vector struct {
	ID        string          `json:"id"`
	Op        string          `json:"op"`
	Input     json.RawMessage `json:"input"`
	Expected  json.RawMessage `json:"expected"`
	AgreeWith *struct {
		Rounding       calc.Rounding       `json:"rounding"`
		InclusiveSplit calc.InclusiveSplit `json:"inclusive_split"`
		ClampDiscount  bool                `json:"clamp_discount"`
	} `json:"agree_with"`
	PeerExpected json.RawMessage `json:"peer_expected"`
}

// TestVectors runs the figures that come with the package, and those of the file that CRM_VECTORS names.
func TestVectors(t *testing.T) {
	files := []string{"testdata/vectors.json"}
	if own := os.Getenv("CRM_VECTORS"); own != "" {
		files = append(files, own)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var all struct {
			Format  string   `json:"format"`
			Vectors []vector `json:"vectors"`
		}
		require.NoError(t, json.Unmarshal(text, &all))
		require.Equal(t, "quote-vectors/1", all.Format)
		require.NotEmpty(t, all.Vectors)
		for _, v := range all.Vectors {
			t.Run(v.ID, func(t *testing.T) {
				run, ok := ops[v.Op]
				require.True(t, ok, "an op that nobody knows: %s", v.Op)
				got, err := run(v.Input, calc.Options{})
				requireVector(t, v.Expected, got, err)
				if v.AgreeWith != nil && (v.AgreeWith.Rounding != "" || v.AgreeWith.InclusiveSplit != "" || v.AgreeWith.ClampDiscount) {
					got, err := run(v.Input, calc.Options{
						Rounding: v.AgreeWith.Rounding, InclusiveSplit: v.AgreeWith.InclusiveSplit, ClampDiscount: v.AgreeWith.ClampDiscount,
					})
					requireVector(t, v.PeerExpected, got, err) // with their option, what the peer gets
				}
			})
		}
	}
}

// requireVector compares every figure that the vector names, as a number.
func requireVector(t *testing.T, expected json.RawMessage, got any, err error) {
	t.Helper()
	var want any
	require.NoError(t, json.Unmarshal(expected, &want))
	if m, ok := want.(map[string]any); ok && m["error"] != nil {
		e, typed := errors.AsType[*kernel.Error](err)
		require.True(t, typed, "%v", err)
		require.Equal(t, m["error"], string(e.Reason))
		return
	}
	require.NoError(t, err)
	text, err := json.Marshal(got)
	require.NoError(t, err)
	var have any
	require.NoError(t, json.Unmarshal(text, &have))
	requireSame(t, "", want, have)
}

func requireSame(t *testing.T, at string, want, have any) {
	t.Helper()
	switch w := want.(type) {
	case map[string]any:
		h, ok := have.(map[string]any)
		require.True(t, ok, "%s: %v", at, have)
		for k, v := range w {
			require.Contains(t, h, k, at)
			requireSame(t, at+"."+k, v, h[k])
		}
	case []any:
		h, ok := have.([]any)
		require.True(t, ok, "%s: %v", at, have)
		require.Len(t, h, len(w), at)
		for i := range w {
			requireSame(t, at+"."+strconv.Itoa(i), w[i], h[i])
		}
	default:
		a, errA := decimal.NewFromString(fmt.Sprint(want))
		b, errB := decimal.NewFromString(fmt.Sprint(have))
		if errA != nil || errB != nil {
			require.Equal(t, fmt.Sprint(want), fmt.Sprint(have), at)
			return
		}
		require.True(t, a.Equal(b), "%s: want %s, got %s", at, a, b)
	}
}

var ops = map[string]func(input json.RawMessage, o calc.Options) (any, error){
	"round": func(input json.RawMessage, o calc.Options) (any, error) {
		in := read[struct {
			Value  decimal.Decimal `json:"value"`
			Digits int32           `json:"digits"`
		}](input)
		return o.Rounding.Round(in.Value, in.Digits), nil
	},
	"line": func(input json.RawMessage, o calc.Options) (any, error) {
		in := read[struct {
			calc.Item
			Currency     calc.Currency `json:"currency"`
			AllowReturns bool          `json:"allow_returns"`
		}](input)
		o.AllowReturns = in.AllowReturns
		return calc.Line(in.Currency, in.Item, o)
	},
	"allocate": func(input json.RawMessage, _ calc.Options) (any, error) {
		in := read[struct {
			Total   decimal.Decimal   `json:"total"`
			Digits  int32             `json:"digits"`
			Weights []decimal.Decimal `json:"weights"`
		}](input)
		return calc.Allocate(in.Total, in.Digits, in.Weights...)
	},
	"document": document,
	"schedule": func(input json.RawMessage, o calc.Options) (any, error) {
		in := read[struct {
			Currency calc.Currency   `json:"currency"`
			Total    decimal.Decimal `json:"total"`
			Equal    int             `json:"equal"`
			Terms    []calc.Term     `json:"terms"`
		}](input)
		if in.Equal > 0 {
			return calc.SplitEqual(in.Currency, in.Total, in.Equal)
		}
		return calc.SplitTerms(in.Currency, in.Total, o.Rounding, in.Terms...)
	},
	"receipts": receipts,
	"aging": func(input json.RawMessage, _ calc.Options) (any, error) {
		in := read[struct {
			AsOf  kernel.Date       `json:"as_of"`
			Items []calc.Receivable `json:"items"`
		}](input)
		return calc.Age(in.AsOf, in.Items...)
	},
	"forecast": func(input json.RawMessage, o calc.Options) (any, error) {
		in := read[struct {
			Currency      calc.Currency   `json:"currency"`
			Opportunities []calc.Prospect `json:"opportunities"`
		}](input)
		weighted, total, err := calc.Forecast(in.Currency, o.Rounding, in.Opportunities...)
		return map[string]any{"weighted": weighted, "total": total}, err
	},
	"invoice_cap": invoiceCap,
}

// read is the input as a value; a file that is not of the format fails the test by its zero value.
func read[T any](input json.RawMessage) (in T) {
	if err := json.Unmarshal(input, &in); err != nil {
		panic(err)
	}
	return in
}

// A document's line may state its amount alone: it is one piece at that price.
func document(input json.RawMessage, o calc.Options) (any, error) {
	in := read[struct {
		Currency     calc.Currency    `json:"currency"`
		PriceMode    calc.PriceMode   `json:"price_mode"`
		TaxRounding  calc.TaxRounding `json:"tax_rounding"`
		AllowReturns bool             `json:"allow_returns"`
		Lines        []calc.Item      `json:"lines"`
		Header       struct {
			Rate   decimal.NullDecimal `json:"rate"`
			Amount decimal.Decimal     `json:"amount"`
		} `json:"header_discount"`
		Fees []calc.Fee `json:"fees"`
	}](input)
	o.TaxRounding, o.AllowReturns = in.TaxRounding, in.AllowReturns
	d := calc.Draft{
		Currency: in.Currency, PriceMode: in.PriceMode, Options: o, Items: in.Lines,
		HeaderDiscountRate: in.Header.Rate, HeaderDiscountAmount: in.Header.Amount, Fees: in.Fees,
	}
	for i := range d.Items {
		it := &d.Items[i]
		if it.Amount.Valid && it.Quantity.IsZero() {
			it.Quantity, it.UnitPrice = decimal.NewFromInt(1), it.Amount.Decimal.Abs()
			if it.Amount.Decimal.IsNegative() {
				it.Quantity, d.AllowReturns = it.Quantity.Neg(), true
			}
		}
	}
	return calc.Document(d)
}

// named numbers the ids of a vector, which are words.
type named map[string]int64

func (n named) id(word string) int64 {
	if word == "" {
		return 0
	}
	if n[word] == 0 {
		n[word] = int64(len(n) + 1)
	}
	return n[word]
}

func receipts(input json.RawMessage, _ calc.Options) (any, error) {
	in := read[struct {
		Currency calc.Currency `json:"currency"`
		Plans    []struct {
			ID     string          `json:"id"`
			Date   kernel.Date     `json:"date"`
			Amount decimal.Decimal `json:"amount"`
		} `json:"plans"`
		Payments []struct {
			Date   kernel.Date     `json:"date"`
			Amount decimal.Decimal `json:"amount"`
			Plan   string          `json:"plan"`
		} `json:"payments"`
	}](input)
	ids := named{}
	var plans []calc.Instalment
	for _, p := range in.Plans {
		plans = append(plans, calc.Instalment{ID: ids.id(p.ID), Date: p.Date, Amount: p.Amount})
	}
	var payments []calc.Payment
	for i, p := range in.Payments {
		payments = append(payments, calc.Payment{ID: int64(i + 1), Date: p.Date, Amount: p.Amount, Plan: ids.id(p.Plan)})
	}
	s, err := calc.Replay(in.Currency, plans, payments, "")
	states := make([]map[string]any, len(s.Plans))
	for i, p := range s.Plans {
		states[i] = map[string]any{"id": in.Plans[i].ID, "paid": p.Paid, "outstanding": p.Outstanding, "status": p.Status}
	}
	return map[string]any{"plans": states, "received": s.Received, "unallocated": s.Unallocated, "outstanding": s.Outstanding}, err
}

func invoiceCap(input json.RawMessage, _ calc.Options) (any, error) {
	in := read[struct {
		Currency calc.Currency   `json:"currency"`
		Total    decimal.Decimal `json:"contract_total"`
		Invoices []struct {
			ID     string           `json:"id"`
			Kind   calc.InvoiceKind `json:"kind"`
			Of     string           `json:"of"`
			Amount decimal.Decimal  `json:"amount"`
		} `json:"invoices"`
	}](input)
	ids := named{}
	var all []calc.Invoice
	for _, x := range in.Invoices {
		all = append(all, calc.Invoice{ID: ids.id(x.ID), Kind: x.Kind, Of: ids.id(x.Of), Amount: x.Amount})
	}
	return calc.InvoiceCap(in.Currency, in.Total, all...)
}

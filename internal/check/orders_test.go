package check

import (
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/sales"
)

// dataFile opens a file of the data sets, or skips the test.
func dataFile(t *testing.T, path string) io.Reader {
	t.Helper()
	data := os.Getenv("CRM_DATA")
	if data == "" {
		t.Skipf("CRM_DATA is not set: it names the folder that has %s", path)
	}
	f, err := os.Open(filepath.Join(data, path))
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	if !strings.HasSuffix(path, ".gz") {
		return f
	}
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	return z
}

// eachRow reads at most that many rows of a file with a head, as maps by its names.
func eachRow(t *testing.T, path string, atMost int, do func(row map[string]string)) {
	t.Helper()
	r := csv.NewReader(dataFile(t, path))
	head, err := r.Read()
	require.NoError(t, err)
	for range atMost {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
		row := make(map[string]string, len(head))
		for i, name := range head {
			row[name] = fields[i]
		}
		do(row)
	}
}

func orderLine(t *testing.T, code, name, quantity, price, share string) sales.OrderLine {
	t.Helper()
	var n [3]decimal.Decimal
	for i, text := range []string{quantity, price, share} {
		var err error
		n[i], err = decimal.NewFromString(text)
		require.NoError(t, err)
	}
	return sales.OrderLine{
		Code: code, Name: strings.TrimSpace(name), Quantity: n[0], UnitPrice: n[1], Amount: n[0].Mul(n[1]).Mul(decimal.NewFromInt(1).Sub(n[2])),
	}
}

// shop makes the customers that orders name by their keys, and records the orders, a thousand at once. What has no customer
// goes to a walk-in customer.
func (h *house) shop(orders []*sales.Order) (outcomes []sales.OrderOutcome) {
	h.t.Helper()
	ctx := context.Background()
	seen, fresh := map[string]bool{}, []*customer.Customer(nil)
	for _, x := range orders {
		if x.CustomerKey == "" {
			x.CustomerKey = "walk-in"
		}
		if !seen[x.CustomerKey] {
			seen[x.CustomerKey] = true
			fresh = append(fresh, &customer.Customer{Name: x.CustomerKey, ExternalSystem: x.System, ExternalID: x.CustomerKey})
		}
	}
	_, err := h.Customers.Sync(ctx, boss, fresh, nil)
	require.NoError(h.t, err)
	for part := range slices.Chunk(orders, 1_000) {
		out, err := h.Sales.Orders.Record(ctx, boss, part...)
		require.NoError(h.t, err)
		outcomes = append(outcomes, out...)
	}
	return outcomes
}

// linesSum is the exact sum of all lines, told by the orders as they are read back.
func (h *house) linesSum(outcomes []sales.OrderOutcome) (sum decimal.Decimal, lines int) {
	h.t.Helper()
	for _, x := range outcomes {
		o, err := h.Sales.Orders.Get(context.Background(), boss, x.ID)
		require.NoError(h.t, err)
		for _, l := range o.Lines {
			sum = sum.Add(l.Amount)
		}
		lines += len(o.Lines)
	}
	return sum, lines
}

// All orders of Northwind, with lines of four decimals, come to the total that its authors' data has.
func TestNorthwindOrdersComeToTheirTotal(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(t *testing.T) place) {
		lines := map[string][]sales.OrderLine{}
		eachRow(t, "northwind/csv/order_details.csv", 1_000_000, func(r map[string]string) {
			lines[r["order_id"]] = append(lines[r["order_id"]], orderLine(t, r["product_id"], "", r["quantity"], r["unit_price"], r["discount"]))
		})
		var orders []*sales.Order
		eachRow(t, "northwind/csv/orders.csv", 1_000_000, func(r map[string]string) {
			at, err := time.Parse(time.DateOnly, r["order_date"])
			require.NoError(t, err)
			x := &sales.Order{
				System: "northwind", Number: r["order_id"], CustomerKey: r["customer_id"], Status: sales.OrderPaid, OrderedAt: at, Lines: lines[r["order_id"]],
			}
			if r["shipped_date"] != "" {
				x.Status = sales.OrderShipped
			}
			for _, l := range x.Lines {
				x.Total = x.Total.Add(l.Amount)
			}
			orders = append(orders, x)
		})
		h := build(t, fresh(t))
		outcomes := h.shop(orders)
		require.Len(t, outcomes, 830)
		for _, x := range outcomes {
			require.Equal(t, sales.OrderRecorded, x.Result)
			require.Empty(t, x.Warning)
		}
		sum, n := h.linesSum(outcomes)
		require.Equal(t, "1265793.0395", sum.String())
		require.Equal(t, 2155, n)
		for _, x := range h.shop(orders) {
			require.Equal(t, sales.OrderUnchanged, x.Result, "the whole import again changes nothing")
		}
		require.Equal(t, 2155, h.count("SELECT count(*) FROM crm_order_lines"))
		h.sound()
	})
}

// The first lines of a real shop, with its credit notes and customers that nobody knows, come to the sum of the file.
func TestOnlineRetailOrdersComeToTheirTotal(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(t *testing.T) place) {
		var orders []*sales.Order
		want, rows, of := decimal.Zero, 0, map[string]*sales.Order{}
		eachRow(t, "online-retail/online_retail.csv.gz", choose(20_000, 541_909), func(r map[string]string) {
			at, err := time.Parse(time.DateTime, r["invoice_date"])
			require.NoError(t, err)
			x := of[r["invoice_no"]]
			if x == nil {
				x = &sales.Order{System: "retail", Number: r["invoice_no"], CustomerKey: r["customer_id"], Status: sales.OrderCompleted, OrderedAt: at}
				of[x.Number], orders = x, append(orders, x)
			}
			l := orderLine(t, r["stock_code"], r["description"], r["quantity"], r["unit_price"], "0")
			x.Lines, x.Total = append(x.Lines, l), x.Total.Add(l.Amount)
			want, rows = want.Add(l.Amount), rows+1
		})
		for _, x := range orders {
			if x.Total.IsNegative() { // credit notes and adjustments
				x.Status = sales.OrderCancelled
			}
		}
		h := build(t, fresh(t))
		outcomes := h.shop(orders)
		sum, n := h.linesSum(outcomes)
		require.Equal(t, want.String(), sum.String())
		require.Equal(t, rows, n)
		require.Equal(t, len(orders), h.count("SELECT count(*) FROM crm_orders"))
		h.sound()
	})
}

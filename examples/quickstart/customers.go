package main

import (
	"bufio"
	"compress/gzip"
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/customer"
)

// builtIn is a list of forty companies. They do not exist.
//
//go:embed customers.csv
var builtIn string

// customerFile reads customers from a CSV file one by one: the file may be larger than the memory.
type customerFile struct {
	io.Closer

	csv     *csv.Reader
	columns map[string]int
}

// badRow is a row that cannot become a customer. The rest of the file can.
type badRow struct {
	line int
	why  string
}

func (b *badRow) Error() string { return fmt.Sprintf("line %d: %s", b.line, b.why) }

// openCustomers opens a file, plain or gzipped; no name is the built-in list.
func openCustomers(name string) (*customerFile, error) {
	if name == "" {
		return newCustomerFile(strings.NewReader(builtIn), io.NopCloser(nil))
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	in := bufio.NewReader(f)
	var text io.Reader = in
	if magic, _ := in.Peek(2); string(magic) == "\x1f\x8b" {
		text, err = gzip.NewReader(in)
	}
	var file *customerFile
	if err == nil {
		file, err = newCustomerFile(text, f)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
	}
	return file, nil
}

func newCustomerFile(text io.Reader, closer io.Closer) (*customerFile, error) {
	r := csv.NewReader(text)
	r.ReuseRecord = true
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("the header cannot be read: %w", err)
	}
	columns := map[string]int{}
	for i, name := range header {
		name = strings.TrimPrefix(name, "\ufeff") // Excel begins UTF-8 with a mark
		columns[strings.ToLower(strings.TrimSpace(name))] = i
	}
	f := &customerFile{Closer: closer, csv: r, columns: columns}
	if !f.has("full_name") && !f.has("name") {
		return nil, fmt.Errorf("the header has neither full_name nor name, but %q", slices.Clone(header))
	}
	return f, nil
}

func (f *customerFile) has(column string) bool { _, ok := f.columns[column]; return ok }

// next returns a customer and the line it stands on; a *badRow, after which the next row can be read; or io.EOF.
func (f *customerFile) next() (*customer.Customer, int, error) {
	record, err := f.csv.Read()
	if e, ok := errors.AsType[*csv.ParseError](err); ok {
		return nil, 0, &badRow{e.StartLine, e.Err.Error()}
	}
	if err != nil {
		return nil, 0, err
	}
	line, _ := f.csv.FieldPos(0)
	// The first of the columns that the file has and the row fills.
	value := func(names ...string) string {
		for _, name := range names {
			if i, ok := f.columns[name]; ok && strings.TrimSpace(record[i]) != "" {
				return strings.Clone(strings.TrimSpace(record[i])) // the record is used again
			}
		}
		return ""
	}
	c := &customer.Customer{
		Code: value("code"), Name: value("full_name", "name"), Level: customer.Level(strings.ToUpper(value("level"))),
		Region:   value("district_code", "city_code", "province_code", "region"),
		Province: value("province"), City: value("city"), District: value("district"),
		Industry: value("industry"), Source: "list",
	}
	if code := value("industry_code"); code != "" {
		c.Industry = value("industry_section") + code // GB/T 4754: C and 35 are C35
	}
	if potential := value("potential"); potential != "" {
		d, err := decimal.NewFromString(potential)
		if err != nil {
			return nil, line, &badRow{line, fmt.Sprintf("potential: %q is no amount", potential)}
		}
		c.AnnualPotential = decimal.NewNullDecimal(d)
	}
	return c, line, nil
}

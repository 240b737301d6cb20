package bunstore

import (
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/shopspring/decimal"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"
)

// moment is a time column: INTEGER microseconds on SQLite, where one instant has several spellings as TEXT, and timestamptz
// on Postgres. The zero time is NULL.
type moment time.Time

// AppendQuery writes the time as the engine keeps it.
func (m moment) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) {
	t := time.Time(m).UTC()
	switch {
	case t.IsZero():
		return dialect.AppendNull(b), nil
	case gen.Dialect().Name() == dialect.PG:
		return append(gen.Dialect().AppendTime(b, t), "::timestamptz"...), nil
	default: // in parentheses: a negative number after a minus sign would start a comment
		return append(strconv.AppendInt(append(b, '('), t.UnixMicro(), 10), ')'), nil
	}
}

// Scan reads what AppendQuery wrote, in UTC.
func (m *moment) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*m = moment{}
	case int64:
		*m = moment(time.UnixMicro(v).UTC())
	case time.Time:
		*m = moment(v.UTC())
	default:
		return fmt.Errorf("a time column came back as %T", src)
	}
	return nil
}

// amount is a column of money: ten-thousandths as INTEGER on SQLite, whose NUMERIC loses digits beyond the fifteenth, and
// NUMERIC(18, 4) on Postgres. Not valid is NULL. What is written was checked to have 4 decimals and to be below 10^14.
type amount decimal.NullDecimal

func amountOf(d decimal.Decimal) amount { return amount{Decimal: d, Valid: true} }

// scaled is the amount in ten-thousandths.
func scaled(d decimal.Decimal) (int64, error) {
	n := d.Shift(4)
	if !n.IsInteger() || n.BigInt().BitLen() > 62 {
		return 0, fmt.Errorf("the amount %s has more than 4 decimals or is too large", d)
	}
	return n.IntPart(), nil
}

// AppendQuery writes the amount as the engine keeps it.
func (a amount) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) {
	if !a.Valid {
		return dialect.AppendNull(b), nil
	}
	n, err := scaled(a.Decimal)
	switch {
	case err != nil:
		return nil, err
	case gen.Dialect().Name() == dialect.PG:
		return append(append(append(b, '\''), a.Decimal.StringFixed(4)...), "'::numeric"...), nil
	}
	return append(strconv.AppendInt(append(b, '('), n, 10), ')'), nil
}

// Scan reads ten-thousandths or a decimal text. A float has lost digits already, so it is refused.
func (a *amount) Scan(src any) error {
	var text string
	switch v := src.(type) {
	case nil:
		*a = amount{}
		return nil
	case int64:
		*a = amountOf(decimal.New(v, -4))
		return nil
	case string:
		text = v
	case []byte:
		text = string(v)
	default:
		return fmt.Errorf("an amount column came back as %T", src)
	}
	d, err := decimal.NewFromString(text)
	*a = amountOf(d)
	return err
}

// nullText is a text column where empty is NULL. (bun's nullzero would add a RETURNING to every insert.)
type nullText string

// AppendQuery writes the text, or NULL.
func (s nullText) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) {
	if s == "" {
		return dialect.AppendNull(b), nil
	}
	return gen.Dialect().AppendString(b, string(s)), nil
}

// Scan reads text, or NULL as empty.
func (s *nullText) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*s = ""
	case string:
		*s = nullText(v)
	case []byte:
		*s = nullText(v)
	default:
		return fmt.Errorf("a text column came back as %T", src)
	}
	return nil
}

// nullID is a number column where 0 is NULL: a foreign key to nothing.
type nullID int64

// AppendQuery writes the number, or NULL.
func (n nullID) AppendQuery(_ schema.QueryGen, b []byte) ([]byte, error) {
	if n == 0 {
		return dialect.AppendNull(b), nil
	}
	return strconv.AppendInt(b, int64(n), 10), nil
}

// Scan reads a number, or NULL as 0.
func (n *nullID) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*n = 0
	case int64:
		*n = nullID(v)
	default:
		return fmt.Errorf("a number column came back as %T", src)
	}
	return nil
}

// list is a column of a short list of texts, as JSON.
type list[S ~string] []S

// AppendQuery writes the list; an empty one as [].
func (l list[S]) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) {
	if l == nil {
		l = list[S]{}
	}
	text, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	return gen.Dialect().AppendString(b, string(text)), nil
}

// Scan reads the list; an empty one is nil.
func (l *list[S]) Scan(src any) error {
	var text nullText
	if err := text.Scan(src); err != nil {
		return err
	}
	*l = nil
	if text == "" || text == "[]" {
		return nil
	}
	return json.Unmarshal([]byte(text), (*[]S)(l))
}

func asJSON(v any) (nullText, error) {
	if v == nil {
		return "", nil
	}
	b, err := json.Marshal(v)
	return nullText(b), err
}

// isDriverBad tells the two ways in which drivers say that the other end is gone.
func isDriverBad(err error) bool {
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// numbers is a column of a short list of ids, as JSON.
type numbers []int64

func numbersOf[I ~int64](ids []I) numbers {
	all := make(numbers, len(ids))
	for i, id := range ids {
		all[i] = int64(id)
	}
	return all
}

// AppendQuery writes the list.
func (l numbers) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) {
	text, err := json.Marshal([]int64(l))
	if err != nil {
		return nil, err
	}
	return gen.Dialect().AppendString(b, string(text)), nil
}

// Scan reads the list.
func (l *numbers) Scan(src any) error {
	var text nullText
	if err := text.Scan(src); err != nil {
		return err
	}
	*l = nil
	return json.Unmarshal([]byte(text), (*[]int64)(l))
}

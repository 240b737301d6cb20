package check

import (
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
)

// Whatever number or instant is given to whichever use case: the answer is a result or a typed error, and what is refused
// has written nothing.
func TestNoNumberIsMoreThanANumber(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(t *testing.T) place) {
		x := trespassers(t, fresh(t))
		asked := 0
		for _, u := range useCases(t) {
			by := x.speaker(t, u)
			for i, arg := range x.own.arguments(t, u) {
				for j, path := range extremesOf(arg, fmt.Sprint("#", i), nil) {
					for n := range extremes {
						asked++
						got := x.ask(t, u, by, func(args []reflect.Value) {
							at := -1
							extremesOf(args[i], "", func(set func(n int)) {
								if at++; at == j {
									set(n)
								}
							})
						})
						if got.err == nil {
							continue
						}
						if wrong := untyped(got); wrong != "" {
							t.Errorf("%s%s, extreme %d: %s", u.name, path, n, wrong)
						}
					}
				}
			}
		}
		x.sound()
		t.Logf("%d numbers", asked)
		require.Greater(t, asked, 500)
	})
}

// extremes are numbers, with an instant for each.
var extremes = []struct {
	number int64
	at     time.Time
}{
	{math.MaxInt64, time.Unix(1<<55, 0)},
	{math.MinInt64, time.Unix(-1<<55, 0)},
	{-1, time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)},
	{math.MaxInt32 + 1, time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)},
}

// extremesOf walks a value, and returns the paths of its numbers and instants; visit gets each to set it to an extreme.
func extremesOf(v reflect.Value, path string, visit func(set func(n int))) (paths []string) {
	found := func(set func(n int)) []string {
		if visit != nil {
			visit(set)
		}
		return []string{path}
	}
	switch v.Type() {
	case reflect.TypeFor[time.Time]():
		return found(func(n int) { v.Set(reflect.ValueOf(extremes[n].at)) })
	case reflect.TypeFor[decimal.Decimal](), reflect.TypeFor[decimal.NullDecimal]():
		return nil
	}
	switch v.Kind() {
	case reflect.Int, reflect.Int64:
		return found(func(n int) { v.SetInt(extremes[n].number) })
	case reflect.Pointer:
		if !v.IsNil() {
			return extremesOf(v.Elem(), path, visit)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				paths = append(paths, extremesOf(v.Field(i), path+"."+v.Type().Field(i).Name, visit)...)
			}
		}
	case reflect.Slice:
		if v.Len() > 0 {
			return extremesOf(v.Index(0), path+"[0]", visit)
		}
		if k := v.Type().Elem().Kind(); k == reflect.Int || k == reflect.Int64 {
			return found(func(n int) {
				v.Set(reflect.MakeSlice(v.Type(), 1, 1))
				v.Index(0).SetInt(extremes[n].number)
			})
		}
	}
	return paths
}

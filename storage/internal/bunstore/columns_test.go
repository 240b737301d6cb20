package bunstore

import (
	"database/sql"
	"reflect"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
)

func TestHotStatementsNameTheTenant(t *testing.T) {
	for _, eng := range []Engine{{Dialect: sqlitedialect.New()}, {Dialect: pgdialect.New()}} {
		for name, q := range New(&sql.DB{}, eng).hot {
			require.Contains(t, q.args, "tenant", name)
			require.NotRegexp(t, `\{[a-z_.]+\}`, q.text, name)
		}
	}
}

// A host's bun.Tx must not rewrite the numbered placeholders of a hot statement.
func TestJoinTakesBunTxApart(t *testing.T) {
	host := bun.Tx{Tx: &sql.Tx{}}
	require.Same(t, host.Tx, New(&sql.DB{}, Engine{Dialect: sqlitedialect.New()}).Join(host).(*Store).joined)
}

func TestRowsHaveNoBareTimesOrAmounts(t *testing.T) {
	db := bun.NewDB(&sql.DB{}, sqlitedialect.New())
	for _, m := range models {
		fields := db.Table(reflect.TypeOf(m).Elem()).Fields
		require.NotEmpty(t, fields)
		for _, f := range fields {
			require.NotContains(t, []reflect.Type{
				reflect.TypeFor[time.Time](), reflect.TypeFor[decimal.Decimal](), reflect.TypeFor[decimal.NullDecimal](), reflect.TypeFor[time.Duration](),
			}, f.IndirectType, "%T.%s: the engines would spell it differently", m, f.GoName)
		}
	}
}

func TestAmountsSurviveTheirColumns(t *testing.T) {
	for _, text := range []string{"0", "0.0001", "-0.0001", "99999999999999.9999", "-99999999999999.9999", "1234.5"} {
		d := decimal.RequireFromString(text)
		n, err := scaled(d)
		require.NoError(t, err)
		var back amount
		require.NoError(t, back.Scan(n))
		require.True(t, d.Equal(back.Decimal), text)
		require.NoError(t, back.Scan([]byte(text)))
		require.True(t, d.Equal(back.Decimal), text)
	}
	for _, text := range []string{"0.00001", "1000000000000000"} {
		_, err := scaled(decimal.RequireFromString(text))
		require.Error(t, err, text)
	}
	var a amount
	require.Error(t, a.Scan(1.5), "a float has lost digits already")
}

func TestNames(t *testing.T) {
	text := "CREATE INDEX crm_ix_a ON crm_a (x); SELECT crm_a.x FROM crm_a -- not xcrm_a"
	require.Equal(t, text, Names{}.SQL(text))
	require.Equal(t, "CREATE INDEX shop_ix_a ON shop_a (x); SELECT shop_a.x FROM shop_a -- not xcrm_a", Names{Prefix: "shop_"}.SQL(text))
	require.Equal(t, "CREATE INDEX crm_ix_a ON s.crm_a (x); SELECT s.crm_a.x FROM s.crm_a -- not xcrm_a", Names{Schema: "s"}.SQL(text))
	for _, bad := range []Names{{Prefix: "A"}, {Schema: "a.b"}, {Prefix: "a b"}, {Prefix: "1a"}, {Schema: `a"`}} {
		require.Error(t, bad.Check())
	}
	require.NoError(t, Names{Schema: "house", Prefix: "crm_"}.Check())
}

package sales

import (
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/customer"
)

func TestOrderPolicyAtItsLimits(t *testing.T) {
	cent := decimal.New(1, -4)
	for level, limit := range map[customer.Level]int64{customer.LevelA: 200_000, customer.LevelB: 100_000, customer.LevelC: 50_000, customer.LevelD: 20_000, "": 20_000} {
		at := decimal.NewFromInt(limit)
		got := DefaultOrderPolicy().Explain(level, at)
		require.False(t, got.Needed, got.Why)
		require.True(t, got.Limit.Equal(at), got.Why)
		require.True(t, DefaultOrderPolicy().Explain(level, at.Add(cent)).Needed)
	}
	none := OrderPolicy{}
	require.True(t, none.Explain(customer.LevelA, cent).Needed, "without limits, every order needs approval")
	require.False(t, none.Explain(customer.LevelA, decimal.Zero).Needed)
}

func TestOptionsOfOrdersAreChecked(t *testing.T) {
	require.NoError(t, Options{OrderStatuses: map[string]OrderStatus{"done": OrderCompleted}}.Check())
	require.Error(t, Options{OrderStatuses: map[string]OrderStatus{"done": "finished"}}.Check())
	require.Error(t, Options{OrderStatuses: map[string]OrderStatus{"done": ""}}.Check())
	require.Error(t, Options{OrderApproval: &OrderPolicy{Default: decimal.NewFromInt(-1)}}.Check())
	require.Error(t, Options{OrderApproval: &OrderPolicy{Limits: map[customer.Level]decimal.Decimal{customer.LevelA: decimal.NewFromInt(-1)}}}.Check())
}

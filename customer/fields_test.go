package customer

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/kernel"
)

// full has a value in every field.
func full() Customer {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	money := decimal.NewNullDecimal(decimal.NewFromInt(5))
	return Customer{
		ID: 1, Code: "c", Name: "n", Type: Individual, Level: LevelA, Standing: Inactive, BlacklistReason: "b", Stage: Won, LostReason: "l", Industry: "i",
		Size: Small, AnnualRevenue: money, AnnualPotential: money, CreditRating: CreditAAA, Source: "s", ReferredBy: 2, Region: "33", Province: "p", City: "c",
		District: "d", AcquiredOn: "2026-01-01", ServiceAgent: "a", SourceLead: 3, Brand: "b", Remarks: "r", ExternalSystem: "e", ExternalID: "x",
		Ownership: Ownership{OwnerID: "o", OwnedSince: at, PoolID: 4, PoolEnteredAt: at, LastOwner: "l", FirstFollowupAt: at, LastFollowupAt: at},
		Version:   5, Seq: 6, CreatedAt: at, CreatedBy: "c", UpdatedAt: at, UpdatedBy: "u", DeletedAt: at,
	}
}

// A field that is added to Customer must be editable, or be named here as one that has a use case of its own.
func TestEveryFieldIsEditableOrHasAUseCase(t *testing.T) {
	others := []string{
		"id", "standing", "blacklist_reason", "stage", "lost_reason", "owner_id", "owned_since", "pool_id", "pool_entered_at", "last_owner",
		"first_followup_at", "last_followup_at", "version", "seq", "created_at", "created_by", "updated_at", "updated_by", "deleted_at",
	}
	text, err := json.Marshal(full())
	require.NoError(t, err)
	var fields map[string]any
	require.NoError(t, json.Unmarshal(text, &fields))
	for name := range fields {
		editable := slices.ContainsFunc(allFields, func(f field) bool { return string(f.name) == name })
		require.NotEqual(t, slices.Contains(others, name), editable, name)
	}
	require.Len(t, fields, len(allFields)+len(others))
}

func TestFieldsAreCopiedOneByOne(t *testing.T) {
	from := full()
	for _, f := range allFields {
		var to Customer
		require.False(t, f.says(&to), f.name)
		require.True(t, f.says(&from), f.name)
		f.copy(&to, &from)
		require.True(t, f.says(&to), f.name)
		for _, g := range allFields {
			require.Equal(t, g.name == f.name, g.says(&to), "%s copied with %s", g.name, f.name)
		}
	}
}

// What a sync tells of a change is what a comparison of whole customers would.
func TestChangesOfFieldsAreThoseOfTheWhole(t *testing.T) {
	some, none := full(), full()
	for _, f := range allFields {
		f.copy(&none, &Customer{})
	}
	none.Code = some.Code
	for _, c := range []struct{ from, to Customer }{{some, none}, {none, some}} {
		for i, f := range allFields {
			next, change, names := c.from.synced(&c.to, allFields[i:i+1])
			if f.name == "code" {
				require.Nil(t, next)
				continue
			}
			require.Equal(t, []Field{f.name}, names)
			after := c.from
			f.copy(&after, &c.to)
			was, is := kernel.Diff(&c.from, &after)
			if f.name == "name" || f.name == "type" { // JSON has them also when they are empty, which they never are
				continue
			}
			for want, got := range map[any]any{&was: change.Before, &is: change.After} {
				text, err := json.Marshal(want)
				require.NoError(t, err)
				mine, err := json.Marshal(got)
				require.NoError(t, err)
				require.JSONEq(t, string(text), string(mine), f.name)
			}
			require.Equal(t, change.Seq, next.Seq)
		}
	}
	same, _, names := some.synced(&some, nil)
	require.Nil(t, same)
	require.Empty(t, names)
}

func TestOutcomesOfRequestsComeBackAsTheyWere(t *testing.T) {
	c := full()
	text, err := json.Marshal(c)
	require.NoError(t, err)
	var back Customer
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, c, back)
}

func TestPlaces(t *testing.T) {
	for name, c := range map[string]struct {
		change func(c *Customer)
		want   bool
	}{
		"owned":   {func(*Customer) {}, true},
		"nobody":  {func(c *Customer) { c.OwnerID = "" }, false},
		"won":     {func(c *Customer) { c.Stage = Won }, false},
		"lost":    {func(c *Customer) { c.Stage = Lost }, true},
		"deleted": {func(c *Customer) { c.DeletedAt = time.Unix(1, 0) }, false},
	} {
		x := Customer{Stage: Potential, Ownership: Ownership{OwnerID: "li"}}
		c.change(&x)
		require.Equal(t, c.want, x.TakesPlace(), name)
	}
	require.Equal(t, 0, Counter{Places: 3, Cap: 2}.Free())
	require.Equal(t, 1, Counter{Places: 1, Cap: 2}.Free())
}

package pool

import (
	"encoding/csv"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
)

func TestTerritoryMatches(t *testing.T) {
	for _, c := range []struct {
		regions, industries []string
		vip                 bool
		x                   traits
		why                 kernel.Reason
		region, industry    string
	}{
		{nil, nil, false, traits{}, "", "", ""},
		{nil, nil, false, traits{region: "330106", industry: "C1391"}, "", "", ""},
		{[]string{"33"}, nil, false, traits{region: "330106"}, "", "33", ""},
		{[]string{"33"}, nil, false, traits{region: "33"}, "", "33", ""},
		{[]string{"33"}, nil, false, traits{region: "34"}, RegionDiffers, "", ""},
		{[]string{"33"}, nil, false, traits{region: "3"}, RegionDiffers, "", ""},
		{[]string{"33"}, nil, false, traits{}, RegionDiffers, "", ""},
		{[]string{"33", "330106", "3301"}, nil, false, traits{region: "330106"}, "", "330106", ""},
		{[]string{"33", "330106", "3301"}, nil, false, traits{region: "330107"}, "", "3301", ""},
		{nil, []string{"C13"}, false, traits{industry: "C13"}, "", "", "C13"},
		{nil, []string{"C13"}, false, traits{industry: "C1391"}, "", "", "C13"},
		{nil, []string{"C13"}, false, traits{industry: "C1"}, IndustryDiffers, "", ""},
		{nil, []string{"C13"}, false, traits{industry: "C14"}, IndustryDiffers, "", ""},
		{nil, []string{"C13"}, false, traits{industry: "C13x"}, IndustryDiffers, "", ""},
		{nil, []string{"C"}, false, traits{industry: "C3512"}, "", "", "C"},
		{nil, []string{"C"}, false, traits{industry: "Chemistry"}, IndustryDiffers, "", ""},
		{nil, []string{"C"}, false, traits{industry: "C35123"}, IndustryDiffers, "", ""}, // no code has 5 digits
		{nil, []string{"C35123"}, false, traits{industry: "C35123"}, "", "", "C35123"},
		{nil, []string{"C35123"}, false, traits{industry: "C351234"}, IndustryDiffers, "", ""},
		{nil, []string{"T"}, false, traits{industry: "T96"}, "", "", "T"},
		{nil, []string{"U"}, false, traits{industry: "U9"}, IndustryDiffers, "", ""}, // no section U: a word
		{nil, []string{"c"}, false, traits{industry: "c13"}, IndustryDiffers, "", ""},
		{nil, []string{"机械"}, false, traits{industry: "机械"}, "", "", "机械"},
		{nil, []string{"机械"}, false, traits{industry: "机械制造"}, IndustryDiffers, "", ""},
		{nil, []string{"机械"}, false, traits{}, IndustryDiffers, "", ""},
		{[]string{"33"}, []string{"C"}, false, traits{region: "34", industry: "D"}, RegionDiffers, "", ""},
		{[]string{"33"}, []string{"C"}, false, traits{region: "33", industry: "D"}, IndustryDiffers, "33", ""},
		{nil, nil, true, traits{}, NotVIP, "", ""},
		{nil, nil, true, traits{vip: true}, "", "", ""},
		{[]string{"33"}, nil, true, traits{vip: true, region: "34"}, RegionDiffers, "", ""},
	} {
		v := (&Territory{Regions: c.regions, Industries: c.industries, VIP: c.vip, Enabled: true}).judge(c.x)
		require.Equal(t, Verdict{Matches: c.why == "", Why: c.why, Region: c.region, Industry: c.industry}, v, c)
		v = (&Territory{Regions: c.regions, Industries: c.industries, VIP: c.vip}).judge(c.x)
		require.Equal(t, TerritoryOff, v.Why)
	}
}

func TestVIPs(t *testing.T) {
	require.True(t, traitsOf(condition.Facts{Level: "A"}).vip)
	require.True(t, traitsOf(condition.Facts{Level: "D", Tags: []string{"new", "VIP"}}).vip)
	require.False(t, traitsOf(condition.Facts{Level: "B", Tags: []string{"vip"}}).vip)
	require.False(t, traitsOf(condition.Facts{}).vip)
}

// inOrder has territories that all match a VIP in Hangzhou that makes food, the one that wins first; each loses by one thing.
func inOrder() []*Territory {
	older, newer := time.Unix(1, 0), time.Unix(2, 0)
	all := []*Territory{
		{VIP: true, Regions: []string{"33"}, Industries: []string{"C"}, Priority: -9},
		{VIP: true, Regions: []string{"330106"}},
		{VIP: true, Industries: []string{"C1391"}},
		{VIP: true},
		{Regions: []string{"330106"}, Industries: []string{"C"}},
		{Regions: []string{"33", "3301"}, Industries: []string{"C"}, Priority: 5},
		{Regions: []string{"33"}, Industries: []string{"C"}, Priority: 7, CreatedAt: newer},
		{Regions: []string{"33"}, Industries: []string{"C1391"}, Priority: 6, CreatedAt: older},
		{Regions: []string{"33"}, Industries: []string{"C"}, Priority: 6, CreatedAt: newer},
		{Regions: []string{"330106"}, Priority: -9},
		{Regions: []string{"3301"}, Priority: 9},
		{Regions: []string{"33"}, Priority: 9},
		{Industries: []string{"C"}, Priority: 2},
		{Industries: []string{"C1391"}, Priority: 1},
		{Priority: 100, CreatedAt: older},
		{Priority: 100, CreatedAt: newer},
		{Priority: 99, CreatedAt: older},
	}
	for i, x := range all {
		x.ID, x.Enabled = TerritoryID(100-i), true
	}
	return all
}

func TestTheMostSpecificWins(t *testing.T) {
	want := inOrder()
	x := traits{region: "330106", industry: "C1391", vip: true}
	for seed := range uint64(50) {
		all := slices.Clone(want)
		rand.New(rand.NewPCG(seed, 1)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		got := newMatcher(all).matches(x)
		require.Len(t, got, len(want))
		for i := range got {
			require.Equal(t, want[i].ID, got[i].ID, "place %d", i)
		}
	}
	same := []*Territory{{ID: 2, Enabled: true}, {ID: 1, Enabled: true}}
	require.EqualValues(t, 1, newMatcher(same).matches(x)[0].ID, "of one instant, the lower id is the older")
}

func TestVIPsFallBackToTheGeneralTerritory(t *testing.T) {
	all := inOrder()
	m := newMatcher(all)
	ids := func(x traits) (ids []TerritoryID) {
		for _, found := range m.chain(x) {
			ids = append(ids, found.ID)
		}
		return ids
	}
	require.Equal(t, []TerritoryID{all[0].ID, all[4].ID}, ids(traits{region: "330106", industry: "C1391", vip: true}))
	require.Equal(t, []TerritoryID{all[4].ID}, ids(traits{region: "330106", industry: "C1391"}))
	require.Equal(t, []TerritoryID{all[3].ID, all[14].ID}, ids(traits{vip: true}))
	m = newMatcher(all[:4])
	require.Empty(t, ids(traits{region: "330106"}))
	require.Equal(t, []TerritoryID{all[3].ID}, ids(traits{vip: true}))
	require.Equal(t, []TerritoryID{all[3].ID}, ids(traits{vip: true}), "from what was kept")
}

func TestTerritoryChecks(t *testing.T) {
	good := Territory{Name: "East", Regions: []string{"33", "3101", "330106001"}, Industries: []string{"C13", "机械"}, Members: []kernel.UserID{"li"}}
	require.NoError(t, good.check())
	many := make([]string, mostOfTerritory+1)
	for i := range many {
		many[i] = "3" + strings.Repeat("1", 1+i%11)
	}
	for name, c := range map[string]struct {
		change func(*Territory)
		reason kernel.Reason
		field  string
	}{
		"no name":            {func(x *Territory) { x.Name = "" }, kernel.Empty, "name"},
		"no team":            {func(x *Territory) { x.Members = nil }, kernel.Malformed, "members"},
		"two teams":          {func(x *Territory) { x.Department = 1 }, kernel.Malformed, "members"},
		"priority":           {func(x *Territory) { x.Priority = 1_000_001 }, kernel.OutOfRange, "priority"},
		"low priority":       {func(x *Territory) { x.Priority = -1_000_001 }, kernel.OutOfRange, "priority"},
		"a letter":           {func(x *Territory) { x.Regions = []string{"33A"} }, kernel.Malformed, "regions"},
		"one digit":          {func(x *Territory) { x.Regions = []string{"3"} }, kernel.Malformed, "regions"},
		"13 digits":          {func(x *Territory) { x.Regions = []string{"3301060010011"} }, kernel.Malformed, "regions"},
		"an empty region":    {func(x *Territory) { x.Regions = []string{""} }, kernel.Empty, "regions"},
		"a province's zeros": {func(x *Territory) { x.Regions = []string{"330000"} }, kernel.Malformed, "regions"},
		"a city's zeros":     {func(x *Territory) { x.Regions = []string{"330100"} }, kernel.Malformed, "regions"},
		"twice":              {func(x *Territory) { x.Regions = []string{"33", "33"} }, kernel.Duplicate, "regions"},
		"too many":           {func(x *Territory) { x.Regions = many }, kernel.TooMany, "regions"},
		"an empty industry":  {func(x *Territory) { x.Industries = []string{""} }, kernel.Empty, "industries"},
		"a long industry":    {func(x *Territory) { x.Industries = []string{strings.Repeat("x", 51)} }, kernel.TooLong, "industries"},
		"an empty member":    {func(x *Territory) { x.Members = []kernel.UserID{""} }, kernel.Empty, "members"},
		"a member twice":     {func(x *Territory) { x.Members = []kernel.UserID{"li", "li"} }, kernel.Duplicate, "members"},
	} {
		t.Run(name, func(t *testing.T) {
			x := good
			c.change(&x)
			var e *kernel.Error
			require.ErrorAs(t, x.check(), &e)
			require.Equal(t, []any{c.reason, c.field}, []any{e.Reason, e.Field})
		})
	}
	for _, region := range []string{"10", "20", "2000", "441900003", "330100001"} {
		err := checkPrefix("regions", region)
		require.Equal(t, region == "2000", err != nil, region)
	}
}

// rowsOf reads a data set, as maps by column.
func rowsOf(t *testing.T, path string) (rows []map[string]string) {
	t.Helper()
	data := os.Getenv("CRM_DATA")
	if data == "" {
		t.Skipf("CRM_DATA is not set: it names the folder that has %s", path)
	}
	f, err := os.Open(filepath.Join(data, path))
	require.NoError(t, err)
	defer f.Close()
	r := csv.NewReader(f)
	head, err := r.Read()
	require.NoError(t, err)
	for {
		line, err := r.Read()
		if err == io.EOF {
			return rows
		}
		require.NoError(t, err)
		row := map[string]string{}
		for i, name := range head {
			row[name] = line[i]
		}
		rows = append(rows, row)
	}
}

// TestIndustriesOfTheStandard: every code of GB/T 4754 matches its section, itself and what it lies in, and no other section.
func TestIndustriesOfTheStandard(t *testing.T) {
	rows := rowsOf(t, "gbt4754/gbt4754_2017.csv")
	require.Greater(t, len(rows), 1900)
	for _, row := range rows {
		code, parent := row["section"], row["section"]
		if row["level"] != "1" {
			code += row["code"]
		}
		if row["level"] > "2" {
			parent += row["parent_code"]
		}
		require.True(t, isIndustryCode(code), code)
		require.False(t, isIndustryCode(row["name"]), row["name"])
		require.True(t, sameIndustry(row["section"], code) && sameIndustry(parent, code) && sameIndustry(code, code), code)
		require.False(t, sameIndustry(code, row["name"]))
		other := "A"
		if row["section"] == "A" {
			other = "B"
		}
		require.False(t, sameIndustry(other, code), code)
	}
}

// TestRegionsOfChina: every district goes to the territory of its city, of its province where the city has none, and no
// further.
func TestRegionsOfChina(t *testing.T) {
	var all []*Territory
	byID := map[TerritoryID]string{}
	add := func(code string) {
		x := &Territory{ID: TerritoryID(len(all) + 1), Name: code, Enabled: true, Regions: []string{code}, Members: []kernel.UserID{"li"}}
		require.NoError(t, x.check())
		all, byID[x.ID] = append(all, x), code
	}
	for _, row := range rowsOf(t, "china-regions/provinces.csv") {
		require.Error(t, checkPrefix("regions", row["code"]), row["name"])
		add(strings.TrimSuffix(row["code"], "0000"))
	}
	cities := map[string]bool{}
	for i, row := range rowsOf(t, "china-regions/cities.csv") {
		if i%2 == 0 {
			cities[row["code"]] = true
			add(strings.TrimSuffix(row["code"], "00"))
		}
	}
	m := newMatcher(all)
	districts := rowsOf(t, "china-regions/districts.csv")
	require.Greater(t, len(districts), 2900)
	for _, row := range districts {
		chain := m.chain(traits{region: row["code"]})
		require.Len(t, chain, 1, row["code"])
		want := row["province_code"][:2]
		if cities[row["city_code"]] {
			want = row["city_code"][:4]
		}
		require.Equal(t, want, byID[chain[0].ID], row["name"])
	}
}

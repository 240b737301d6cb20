package pool

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team"
)

// TerritoryKind is how references and events name a territory.
const TerritoryKind = "territory"

// TerritoryID is a territory's number.
type TerritoryID int64

// Territory says which records go to which members when nobody owns them (mission.md, P10; rules.md, Assignment). Of the
// enabled ones that match a record the most specific wins: region and industry before region alone, before industry alone,
// before neither; of those the one with the longer region; then the higher priority; then the older.
type Territory struct {
	ID   TerritoryID `json:"id"`
	Name string      `json:"name"` // at most 100, unique in the tenant and kind
	// Regions are division codes, at most 200; a record matches with a region that starts with one of them: 33 is a province,
	// 3301 a city of it, 330106 a district. None: any region, and records without one.
	Regions []string `json:"regions,omitempty"`
	// Industries are words or codes of GB/T 4754, at most 200. A letter A to T with up to 4 digits is a code, and matches all
	// codes that start with it: C, C13, C1391; anything else must be the record's industry, letter by letter. None: any
	// industry, and records without one.
	Industries []string `json:"industries,omitempty"`
	// VIP makes it a territory for VIPs only: records of level A, or with the tag VIP. They go to such a territory before
	// any other, if somebody there has room; else as if they were none.
	VIP bool `json:"vip,omitempty"`
	// Department is the team: its members, and those of all departments below it. Either it or Members is needed.
	Department team.DepartmentID `json:"department,omitempty"`
	Members    []kernel.UserID   `json:"members,omitempty"` // at most 1,000; whoever is not active gets nothing
	Priority   int               `json:"priority"`          // between -1,000,000 and 1,000,000
	Enabled    bool              `json:"enabled"`
	Version    int64             `json:"version"`
	CreatedAt  time.Time         `json:"created_at"`
	UpdatedAt  time.Time         `json:"updated_at"`
}

// Ref names the territory in audit and events.
func (t *Territory) Ref() kernel.Ref { return kernel.Ref{Kind: TerritoryKind, ID: int64(t.ID)} }

// VIPTag is the tag that makes a record of any level a VIP.
const VIPTag = "VIP"

const (
	mostTerritories     = 500 // all are tested on every record
	mostOfTerritory     = 200 // regions, and industries, of one
	mostTerritoryPeople = 1_000
)

func (t *Territory) check() error {
	if err := kernel.CheckName("name", t.Name, 100); err != nil {
		return err
	}
	switch {
	case t.Priority < -1_000_000 || t.Priority > 1_000_000:
		return kernel.Invalidf("priority", kernel.OutOfRange, "between -1,000,000 and 1,000,000")
	case (t.Department == 0) == (len(t.Members) == 0):
		return kernel.Invalidf("members", kernel.Malformed, "either a department or members")
	}
	return kernel.FirstError(
		checkEach("regions", t.Regions, mostOfTerritory, checkPrefix),
		checkEach("industries", t.Industries, mostOfTerritory, func(field, s string) error { return kernel.CheckName(field, s, 50) }),
		checkEach("members", t.Members, mostTerritoryPeople, func(field string, u kernel.UserID) error {
			return kernel.CheckName(field, string(u), 200)
		}),
	)
}

func checkEach[S ~string](field string, items []S, most int, check func(field string, s S) error) error {
	if len(items) > most {
		return kernel.Invalidf(field, kernel.TooMany, "at most %d", most)
	}
	for i, s := range items {
		if err := check(field, s); err != nil {
			return err
		}
		if slices.Contains(items[:i], s) {
			return kernel.Invalidf(field, kernel.Duplicate, "%q comes twice", string(s))
		}
	}
	return nil
}

// checkPrefix also refuses the code of a province or a city with its zeros: as a prefix it would match none of the districts
// below, and nobody would notice.
func checkPrefix(field, region string) error {
	if region == "" {
		return kernel.Invalid(field, kernel.Empty)
	}
	if err := kernel.CheckRegion(field, region); err != nil {
		return err
	}
	short := region
	for len(short) > 2 && strings.HasSuffix(short, "00") {
		short = short[:len(short)-2]
	}
	if len(region) <= 6 && short != region {
		return kernel.Invalidf(field, kernel.Malformed, "no district starts with %s: %s is all of it", region, short)
	}
	return nil
}

// Verdict is what a territory says about a record.
type Verdict struct {
	Matches bool `json:"matches"`
	// Why says what does not match: TerritoryOff, NotVIP, RegionDiffers or IndustryDiffers, the first that holds.
	Why      kernel.Reason `json:"why,omitempty"`
	Region   string        `json:"region,omitempty"`   // the longest of its regions that the record's starts with
	Industry string        `json:"industry,omitempty"` // the first of its industries that matches
}

// Why a territory does not match a record.
const (
	TerritoryOff    kernel.Reason = "disabled"
	NotVIP          kernel.Reason = "not_vip"  // it is for VIPs, and the record is none
	RegionDiffers   kernel.Reason = "region"   // the record's region starts with none of its regions
	IndustryDiffers kernel.Reason = "industry" // the record's industry is none of its industries
)

// traits are what territories read of a record.
type traits struct {
	region, industry string
	vip              bool
}

func traitsOf(f condition.Facts) traits {
	return traits{f.Region, f.Industry, f.Level == string(customer.LevelA) || slices.Contains(f.Tags, VIPTag)}
}

// judge tells whether the territory matches.
func (t *Territory) judge(x traits) (v Verdict) {
	for _, prefix := range t.Regions {
		if strings.HasPrefix(x.region, prefix) && len(prefix) > len(v.Region) {
			v.Region = prefix
		}
	}
	if i := slices.IndexFunc(t.Industries, func(s string) bool { return sameIndustry(s, x.industry) }); i >= 0 {
		v.Industry = t.Industries[i]
	}
	switch {
	case !t.Enabled:
		v.Why = TerritoryOff
	case t.VIP && !x.vip:
		v.Why = NotVIP
	case len(t.Regions) > 0 && v.Region == "":
		v.Why = RegionDiffers
	case len(t.Industries) > 0 && v.Industry == "":
		v.Why = IndustryDiffers
	}
	v.Matches = v.Why == ""
	return v
}

// sameIndustry compares a territory's industry with a record's: codes by prefix, words whole.
func sameIndustry(mine, industry string) bool {
	if isIndustryCode(mine) && isIndustryCode(industry) {
		return strings.HasPrefix(industry, mine)
	}
	return mine == industry
}

// isIndustryCode tells codes of GB/T 4754 (a section A to T, then up to 4 digits) from words.
func isIndustryCode(s string) bool {
	return len(s) >= 1 && len(s) <= 5 && s[0] >= 'A' && s[0] <= 'T' && strings.Trim(s[1:], "0123456789") == ""
}

// match is a territory that matches a record.
type match struct {
	*Territory
	Verdict
}

// compareMatches puts the one that wins first. How long an industry's code is does not count.
func compareMatches(a, b match) int {
	return cmp.Or(
		cmp.Compare(rank(b), rank(a)),
		cmp.Compare(len(b.Region), len(a.Region)),
		cmp.Compare(b.Priority, a.Priority),
		a.CreatedAt.Compare(b.CreatedAt),
		cmp.Compare(a.ID, b.ID),
	)
}

// rank is how specific a match is: for VIPs, then region and industry, region, industry, any.
func rank(m match) (r int) {
	for _, x := range []struct {
		holds bool
		worth int
	}{{m.VIP, 4}, {m.Region != "", 2}, {m.Industry != "", 1}} {
		if x.holds {
			r += x.worth
		}
	}
	return r
}

// matcher finds the territories of records. Records with the same traits are many, so what was found is kept.
type matcher struct {
	all  []*Territory
	kept map[traits][]match
}

func newMatcher(all []*Territory) *matcher { return &matcher{all, map[traits][]match{}} }

// matches are the territories that match, the one that wins first.
func (m *matcher) matches(x traits) []match {
	found, ok := m.kept[x]
	if ok {
		return found
	}
	for _, t := range m.all {
		if v := t.judge(x); v.Matches {
			found = append(found, match{t, v})
		}
	}
	slices.SortFunc(found, compareMatches)
	m.kept[x] = found
	return found
}

// chain are the territories whose members may get a record, in this order: that of the VIPs, if it is one, and the one that
// wins among the others. Nobody free in the second means the pool, not a less specific territory.
func (m *matcher) chain(x traits) (chain []match) {
	for _, found := range m.matches(x) {
		if len(chain) == 0 || chain[0].VIP && !found.VIP {
			chain = append(chain, found)
		}
		if !found.VIP {
			break
		}
	}
	return chain
}

// text is what the operation log keeps of a territory: territories change, and the line must say what acted then.
func (t *Territory) text() string {
	s := "territory " + t.Name
	if t.VIP {
		s += " · VIP"
	}
	for _, x := range []struct {
		name  string
		items []string
	}{{"region", t.Regions}, {"industry", t.Industries}} {
		const most = 10
		if len(x.items) > 0 {
			s += " · " + x.name + " " + strings.Join(x.items[:min(len(x.items), most)], ", ")
		}
		if more := len(x.items) - most; more > 0 {
			s += " and " + strconv.Itoa(more) + " more"
		}
	}
	return s
}

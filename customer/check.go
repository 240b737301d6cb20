package customer

import (
	"github.com/openseas/crm/kernel"
)

// check refuses what can never be written. It also fills in the defaults, so that what is written is what was checked.
func (c *Customer) check() error {
	if c.Type == "" {
		c.Type = Enterprise
	}
	if c.Standing == "" {
		c.Standing = Active
	}
	if c.Stage == "" {
		c.Stage = Potential
	}
	return kernel.FirstError(
		whole(c.Masked),
		kernel.CheckName("name", c.Name, 200),
		checkCode("code", c.Code, 32),
		kernel.OneOf("type", c.Type, Enterprise, Individual),
		kernel.OneOf("level", c.Level, LevelA, LevelB, LevelC, LevelD),
		kernel.OneOf("standing", c.Standing, Active, Inactive, Blacklisted),
		kernel.OneOf("stage", c.Stage, Potential, Won, Lost),
		kernel.OneOf("size", c.Size, Small, Medium, Large),
		kernel.OneOf("credit_rating", c.CreditRating, CreditAAA, CreditAA, CreditA, CreditBBB, CreditBB, CreditB, CreditC),
		kernel.CheckLine("industry", c.Industry, 50),
		kernel.CheckPositive("annual_revenue", c.AnnualRevenue.Decimal),
		kernel.CheckPositive("annual_potential", c.AnnualPotential.Decimal),
		kernel.CheckLine("source", c.Source, 50),
		kernel.CheckRegion("region", c.Region),
		kernel.CheckLine("province", c.Province, 50),
		kernel.CheckLine("city", c.City, 50),
		kernel.CheckLine("district", c.District, 50),
		c.AcquiredOn.Check("acquired_on"),
		kernel.CheckLine("service_agent", string(c.ServiceAgent), 200),
		kernel.CheckLine("brand", c.Brand, 32),
		kernel.CheckText("remarks", c.Remarks, 10_000),
		kernel.CheckLine("lost_reason", c.LostReason, 500),
		kernel.CheckLine("blacklist_reason", c.BlacklistReason, 500),
		checkKey(c.ExternalSystem, c.ExternalID),
		kernel.CheckLine("owner_id", string(c.OwnerID), 200),
	)
}

// checkCode refuses codes with white space at the ends, where two would look the same.
func checkCode(field, code string, limit int) error {
	if code == "" {
		return nil
	}
	return kernel.CheckName(field, code, limit)
}

func checkKey(system, id string) error {
	if (system == "") != (id == "") {
		return kernel.Invalidf("external_id", kernel.Empty, "the external system and the id there go together")
	}
	return kernel.FirstError(checkCode("external_system", system, 50), checkCode("external_id", id, 100))
}

func (f Filter) check() error {
	errs := []error{
		kernel.CheckInstant("created_from", f.CreatedFrom), kernel.CheckInstant("created_to", f.CreatedTo),
		tooMany("owners", f.Owners), tooMany("pools", f.Pools), tooMany("agents", f.Agents),
		lines("owners", f.Owners), lines("agents", f.Agents),
		lines("industries", f.Industries), lines("sources", f.Sources), lines("brands", f.Brands),
		lines("tags_any", f.TagsAny), lines("tags_all", f.TagsAll),
	}
	errs = append(errs, oneOfEach("levels", f.Levels, LevelA, LevelB, LevelC, LevelD),
		oneOfEach("standings", f.Standings, Active, Inactive, Blacklisted),
		oneOfEach("stages", f.Stages, Potential, Won, Lost),
		oneOfEach("types", f.Types, Enterprise, Individual))
	for _, region := range f.Regions {
		errs = append(errs, kernel.CheckRegion("regions", region))
	}
	return kernel.FirstError(append(errs, tooMany("regions", f.Regions))...)
}

// filterItems bounds every list in a filter: longer ones are a sweep, not a question.
const filterItems = 200

func tooMany[T any](field string, items []T) error {
	if len(items) > filterItems {
		return kernel.Invalidf(field, kernel.TooMany, "at most %d", filterItems)
	}
	return nil
}

func lines[S ~string](field string, items []S) error {
	for _, s := range items {
		if err := kernel.CheckLine(field, string(s), 200); err != nil {
			return err
		}
	}
	return tooMany(field, items)
}

func oneOfEach[S ~string](field string, items []S, list ...S) error {
	for _, s := range items {
		if s == "" {
			return kernel.Invalid(field, kernel.Unknown)
		}
		if err := kernel.OneOf(field, s, list...); err != nil {
			return err
		}
	}
	return tooMany(field, items)
}

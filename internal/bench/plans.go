package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// printPlans writes what docs/explain.md shows: for every statement of every call how its tables are found, or the whole plan.
func printPlans(w io.Writer, e engine, all []plan, whole bool) {
	fmt.Fprintf(w, "## %s\n", map[bool]string{true: "PostgreSQL", false: "SQLite"}[e.pg])
	call := ""
	for _, p := range all {
		if p.call != call {
			call = p.call
			fmt.Fprintf(w, "\n### %s\n\n", call)
		}
		if whole {
			fmt.Fprintf(w, "`%s`\n\n```text\n%s\n```\n\n", shorten(p.statement.text), strings.Join(p.lines, "\n"))
			continue
		}
		text := shorten(p.statement.text)
		if r := []rune(text); len(r) > 150 {
			text = string(r[:150]) + " …"
		}
		fmt.Fprintf(w, "- `%s`\n  %s\n", text, strings.Join(p.found(), "; "))
	}
}

var (
	postgresIndex  = regexp.MustCompile(`Index (?:Only )?Scan (?:Backward )?using (\S+) on (\S+)`)
	postgresBitmap = regexp.MustCompile(`Bitmap Index Scan on (\S+)`)
	postgresWhole  = regexp.MustCompile(`Seq Scan on (\S+)`)
	postgresPassed = regexp.MustCompile(`Rows Removed by (?:Index Recheck|Filter): (\d{3,})`)
	postgresTime   = regexp.MustCompile(`Execution Time: (\S+ ms)`)
	sqliteIndex    = regexp.MustCompile(`SEARCH (\S+) USING (?:COVERING )?(INDEX \S+|INTEGER PRIMARY KEY|PRIMARY KEY) \(([^)]*)\)`)
	sqliteWhole    = regexp.MustCompile(`SCAN (\S+)`)
	sqliteTerm     = regexp.MustCompile(`\?| AND `)
)

// found tells by which index the plan finds rows, once for each way.
func (p *plan) found() (ways []string) {
	way := func(format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		if !slices.Contains(ways, text) {
			ways = append(ways, text)
		}
	}
	for _, line := range p.lines {
		switch {
		case postgresIndex.MatchString(line):
			way("%s", postgresIndex.FindStringSubmatch(line)[1])
		case postgresBitmap.MatchString(line):
			way("%s, sorted", postgresBitmap.FindStringSubmatch(line)[1])
		case postgresWhole.MatchString(line):
			way("all of %s", postgresWhole.FindStringSubmatch(line)[1])
		case postgresPassed.MatchString(line):
			way("**%s rows passed over**", postgresPassed.FindStringSubmatch(line)[1])
		case postgresTime.MatchString(line):
			way("%s", postgresTime.FindStringSubmatch(line)[1])
		case sqliteIndex.MatchString(line):
			m := sqliteIndex.FindStringSubmatch(line)
			way("%s by %s(%s)", m[1], strings.TrimPrefix(m[2], "INDEX "), strings.ReplaceAll(sqliteTerm.ReplaceAllString(m[3], " "), "  ", ", "))
		case sqliteWhole.MatchString(line):
			if name := sqliteWhole.FindStringSubmatch(line)[1]; name != "CONSTANT" {
				way("all of %s", name)
			}
		}
	}
	if len(ways) == 0 {
		ways = append(ways, "writes only")
	}
	return ways
}

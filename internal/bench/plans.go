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
	postgresIndex  = regexp.MustCompile(`(?:Index (?:Only )?Scan (?:Backward )?using|(Bitmap) Index Scan on) (\S+)`)
	postgresCond   = regexp.MustCompile(`Index Cond: (.*)`)
	postgresColumn = regexp.MustCompile(`\(+(?:ROW\()?(\w+(?:, \w+)?)\)? (?:=|<|>|<=|>=|IS)`)
	postgresWhole  = regexp.MustCompile(`Seq Scan on (\S+)`)
	postgresPassed = regexp.MustCompile(`Rows Removed by (?:Index Recheck|Filter): (\d{3,})`)
	postgresTime   = regexp.MustCompile(`Execution Time: (\S+ ms)`)
	sqliteIndex    = regexp.MustCompile(`SEARCH (\S+) USING (?:COVERING )?(INDEX \S+|INTEGER PRIMARY KEY|PRIMARY KEY) \((.*)\)`)
	sqliteWhole    = regexp.MustCompile(`SCAN (\S+)`)
	sqliteTerms    = strings.NewReplacer("=?", "", "?", "", " AND ", ", ")
)

// found tells by which columns of which index the plan finds rows, once for each way.
func (p *plan) found() (ways []string) {
	way := func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); !slices.Contains(ways, text) {
			ways = append(ways, text)
		}
	}
	index := ""
	for _, line := range p.lines {
		switch {
		case postgresIndex.MatchString(line):
			m := postgresIndex.FindStringSubmatch(line)
			if index = m[2] + "(%s)"; m[1] != "" {
				index += ", then sorted"
			}
		case postgresCond.MatchString(line) && index != "":
			var columns []string
			for _, m := range postgresColumn.FindAllStringSubmatch(line, -1) {
				columns = append(columns, m[1])
			}
			way(index, strings.Join(columns, ", "))
			index = ""
		case postgresWhole.MatchString(line):
			way("all of %s", postgresWhole.FindStringSubmatch(line)[1])
		case postgresPassed.MatchString(line):
			way("**%s rows passed over**", postgresPassed.FindStringSubmatch(line)[1])
		case postgresTime.MatchString(line):
			way("%s", postgresTime.FindStringSubmatch(line)[1])
		case sqliteIndex.MatchString(line):
			m := sqliteIndex.FindStringSubmatch(line)
			way("%s by %s(%s)", m[1], strings.TrimPrefix(m[2], "INDEX "), sqliteTerms.Replace(m[3]))
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

// Command bench measures the CRM beside other ways to do the same work, shows how the engines answer its statements, and builds
// the data for both. It is a module of its own, so that the contestants stay out of a host's go.mod.
//
//	go run ./internal/bench -db /var/tmp/bench.db                                  # SQLite: a million customers, all cases
//	go run ./internal/bench -db postgres://crm@localhost/bench                     # PostgreSQL: an empty database
//	go run ./internal/bench -db /var/tmp/bench.db -explain                         # the plans of docs/explain.md
//	go run ./internal/bench -db /var/tmp/bench.db -rows 100000 -cases 'claim|list' # some cases on less
//
// The data is built once and kept: another run on the same database uses it, -fresh builds it anew. Tests run every case on
// a few rows, and compare what the contestants wrote.
package main

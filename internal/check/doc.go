// Package check holds what only proves things about the CRM: models, races, crashes and oracles. It is a module of its own,
// so that the libraries it proves them with stay out of a host's go.mod.
//
//   - differential: rules say the same in Go, on SQLite, on PostgreSQL and to expr-lang
//   - claims, limits: two processes at once; histories are linearizable, no limit is exceeded
//   - model: random sequences of use cases against a model in some hundred lines
//   - walk: any use cases in any order, all of those that there are
//   - outcome, host, faults: any statement may fail; an operation is done or not begun, and its error says which
//   - proxy: and so may the network before PostgreSQL
//   - migrate, crash: processes and servers are killed at any instant
//   - scopes: nothing of another tenant, or outside the scope, is told, counted or changed
//   - garbage: no text is more than a text
//   - verify: CRM.Verify finds what is broken, and nothing else
//
// scopes, garbage, faults and walk find the use cases by reflection. A new one that they cannot call fails them: calls_test.go
// is where they learn it. docs/proof.md says more.
//
// Random choices print the seed that repeats them:
//
//	go test -run Rules -check.seed=42                  # the choices of another run
//	go test -run Model -check.long -timeout 2h         # many more cases
//	go test -timeout 90m -run Long . -check.long       # rounds of everything for an hour
package check

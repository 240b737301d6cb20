// Package check holds what only proves things about the CRM: models, races, crashes and oracles. It is a module of its own,
// so that the libraries it proves them with stay out of a host's go.mod.
//
//   - differential: rules say the same in Go, on SQLite, on PostgreSQL and to expr-lang
//   - claims, limits: two processes claim at once; histories are linearizable, no limit is exceeded
//   - outcome, host: any statement may fail; an operation is done or not begun, and its error says which
//   - migrate, crash: processes and servers are killed at any instant
//   - model: random sequences of use cases against a model in a hundred lines
//
// Random choices print the seed that repeats them:
//
//	go test -run Rules -check.seed=42    # the choices of another run
//	go test -check.long -timeout 2h      # many more cases
package check

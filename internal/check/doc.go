// Package check holds what only proves things about the CRM: models, races, crashes and oracles. It is a module of its own,
// so that the libraries it proves them with stay out of a host's go.mod.
package check

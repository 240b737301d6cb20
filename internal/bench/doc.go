// Package bench holds what only measures the CRM, beside other ways to do the same work. It is a module of its own, so that
// the contestants stay out of a host's go.mod.
package bench

// Package bunstore holds all models and queries of the CRM, for both engines; the adapters tell it what is special about
// theirs. A file holds one aggregate. Plain queries are bun's; the hot ones are constant SQL, prepared once and scanned
// with bun (hot.go says why). Every query names its connection: one that went through the pool inside a transaction would
// block for ever on a pool of one.
package bunstore

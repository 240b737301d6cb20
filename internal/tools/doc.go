// Package tools pins the programs that developers and CI run on the code. It is a module of its own and stands outside go.work,
// so that nothing else is built with their requirements:
//
//	GOWORK=off go tool -modfile=internal/tools/go.mod gofumpt -l .
//	GOWORK=off go tool -modfile=internal/tools/go.mod golangci-lint run ./...
package tools

//go:build !linux

package testpostgres

func memoryFolder() (string, bool) { return "", false }

//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package testpostgres

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
)

var errNotHere = errors.New("servers are not started on this system; name one by " + envDSN)

type user struct{ uid, gid int }

func unprivileged() (*user, error)        { return nil, errNotHere }
func lockFolder(string) (*os.File, error) { return nil, errNotHere }
func freeze(int) error                    { return errNotHere }
func end(int)                             {}
func exists(int) bool                     { return false }
func become(*exec.Cmd, *user)             {}
func session(*exec.Cmd)                   {}
func children(int) []int                  { return nil }
func alive(int) bool                      { return false }
func ownerOf(fs.FileInfo) (*user, bool)   { return nil, false }

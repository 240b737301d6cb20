//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package testpostgres

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	osuser "os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// user is whom a server runs as.
type user struct{ uid, gid int }

// unprivileged is who runs a server when we are root, which the server refuses; else nil.
func unprivileged() (*user, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // nil is who we are
	}
	for _, name := range []string{"nobody", "postgres"} {
		if found, err := osuser.Lookup(name); err == nil {
			uid, err1 := strconv.ParseUint(found.Uid, 10, 32)
			gid, err2 := strconv.ParseUint(found.Gid, 10, 32)
			if err1 == nil && err2 == nil {
				return &user{int(uid), int(gid)}, nil
			}
		}
	}
	return nil, errors.New("a server does not run as root, and there is no user nobody or postgres")
}

func become(cmd *exec.Cmd, who *user) {
	if who == nil {
		return
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(who.uid), Gid: uint32(who.gid)}}
}

// session gives a program a session of its own, away from the terminal.
func session(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setsid = true
}

// lockFolder locks a folder for as long as this process lives; the system lets go of the lock when it ends in any way.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "owner"), os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// ownerOf is who runs the server of a folder, and whether we may act for that user.
func ownerOf(info fs.FileInfo) (*user, bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil, false
	}
	if euid := os.Geteuid(); euid != 0 {
		return nil, int(stat.Uid) == euid
	}
	return &user{int(stat.Uid), int(stat.Gid)}, stat.Uid != 0
}

func freeze(pid int) error { return syscall.Kill(pid, syscall.SIGSTOP) }

func end(pid int) { syscall.Kill(pid, syscall.SIGKILL) } //nolint:errcheck // it may have ended by itself

func exists(pid int) bool { return syscall.Kill(pid, 0) == nil }

// children are the processes that a process has started, where the system has /proc.
func children(parent int) (pids []int) {
	found, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range found {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if _, of, ok := state(pid); err == nil && ok && of == parent {
			pids = append(pids, pid)
		}
	}
	return pids
}

// alive tells whether a process is there and not merely waiting to be collected by its parent.
func alive(pid int) bool {
	if !exists(pid) {
		return false
	}
	letter, _, ok := state(pid)
	return !ok || letter != "Z"
}

// state is the state and the parent of a process, where the system has /proc.
func state(pid int) (letter string, parent int, ok bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", 0, false
	}
	_, rest, _ := bytes.Cut(text[bytes.LastIndexByte(text, ')')+1:], []byte(" ")) // a name may hold anything, brackets too
	fields := bytes.Fields(rest)
	if len(fields) < 2 {
		return "", 0, false
	}
	parent, err = strconv.Atoi(string(fields[1]))
	return string(fields[0]), parent, err == nil
}

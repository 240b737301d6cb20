package testpostgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cluster is a server that this process started, with its folder. A watcher, a shell that reads from a pipe of ours, stops
// the server and removes the folder as soon as the pipe closes: when we close it, and also when the process is killed.
type cluster struct {
	bin    string // folder of the server's programs
	dir    string // everything is in here: the data, the socket, the log
	user   *user  // who runs it; nil is who we are
	lock   *os.File
	pipe   *os.File
	watch  *exec.Cmd
	killed bool // and not started again
}

const (
	folder  = "crm-pg-"   // all servers' folders start with that
	settled = time.Minute // a younger folder may be about to be locked by its owner
	port    = "5432"      // only part of the socket's name
)

// defaults are the settings of a server of ours: it has nothing to lose.
var defaults = map[string]string{
	"listen_addresses": "", "port": port, "max_connections": "300",
	"fsync": "off", "full_page_writes": "off", "max_wal_size": "256MB", "jit": "off",
	"timezone": "Asia/Kathmandu", "log_timezone": "UTC",
	"dynamic_shared_memory_type": "mmap", // in the folder, so that nothing is left elsewhere
}

// newCluster makes a cluster and starts it, in memory if there is some and inMemory says so.
func newCluster(settings map[string]string, inMemory bool) (*cluster, error) {
	bin, err := findServer()
	if err != nil {
		return nil, err
	}
	places := []string{"/tmp"} // not TMPDIR: the path of a socket has at most 103 bytes
	if spare, ok := memoryFolder(); ok {
		places = append(places, spare)
	}
	sweep(places, bin)
	parent := places[0]
	if inMemory {
		parent = places[len(places)-1]
	}
	c, err := makeFolder(bin, parent)
	if err != nil {
		return nil, fmt.Errorf("preparing a server: %w", err)
	}
	if err := c.initialize(settings); err != nil {
		c.remove()
		return nil, fmt.Errorf("preparing a server: %w", err)
	}
	if err := c.start(); err != nil {
		c.remove()
		return nil, err
	}
	return c, nil
}

// installed is where Debian keeps its servers, by version. A test says that there are none.
var installed = "/usr/lib/postgresql"

// findServer is the folder of the newest installed server.
func findServer() (string, error) {
	found, _ := filepath.Glob(filepath.Join(installed, "*", "bin", "pg_ctl"))
	if len(found) > 0 {
		return filepath.Dir(newest(found)), nil
	}
	if ctl, err := exec.LookPath("pg_ctl"); err == nil {
		if ctl, err = filepath.EvalSymlinks(ctl); err == nil {
			return filepath.Dir(ctl), nil
		}
	}
	return "", errors.New(envDSN + " is not set, and no server is installed in " + installed + " or PATH")
}

// makeFolder makes the folder, locks it for as long as this process lives, and sets the watcher on it.
func makeFolder(bin, parent string) (*cluster, error) {
	who, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(parent, folder)
	if err != nil {
		return nil, err
	}
	c := &cluster{bin: bin, dir: dir, user: who}
	fail := func(err error) (*cluster, error) {
		c.remove()
		return nil, err
	}
	if c.lock, err = lockFolder(dir); err != nil {
		return fail(err)
	}
	if who != nil {
		if err := os.Chown(dir, who.uid, who.gid); err != nil {
			return fail(err)
		}
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fail(err)
	}
	defer r.Close()
	c.watch = c.command("/bin/sh", "-c", `read -r _; "$1/pg_ctl" -D "$2/data" -m immediate stop; cd /; rm -rf "$2"`, "sh", bin, dir)
	c.watch.Stdin = r
	session(c.watch) // a Ctrl-C in the terminal must not reach it
	if err := c.watch.Start(); err != nil {
		c.watch = nil
		w.Close()
		return fail(err)
	}
	c.pipe = w
	return c, nil
}

// initialize fills the data folder.
func (c *cluster) initialize(settings map[string]string) error {
	args := []string{"-D", c.data(), "-U", "crm", "-A", "trust", "-E", "UTF8", "--no-sync"}
	// Version 15 and newer can sort by ICU's rules.
	if err := c.run("initdb", append(args, "--locale=C", "--locale-provider=icu", "--icu-locale=und")...); err != nil {
		if err := c.run("initdb", append(args, "--no-locale")...); err != nil {
			return err
		}
	}
	all := maps.Clone(defaults)
	all["unix_socket_directories"] = c.dir
	maps.Copy(all, settings)
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&text, "%s = '%s'\n", name, strings.ReplaceAll(all[name], "'", "''"))
	}
	f, err := os.OpenFile(filepath.Join(c.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString("\n" + text.String())
	return cmp.Or(err, f.Close())
}

func (c *cluster) start() error {
	log := filepath.Join(c.dir, "log")
	if err := c.run("pg_ctl", "-D", c.data(), "-l", log, "-w", "-t", "60", "start"); err != nil {
		text, _ := os.ReadFile(log)
		return fmt.Errorf("starting a server: %w\n%s", err, text[max(0, len(text)-2000):])
	}
	c.killed = false
	return nil
}

// stop stops the server in one of pg_ctl's modes: smart, fast, immediate.
func (c *cluster) stop(mode string) error {
	return c.run("pg_ctl", "-D", c.data(), "-m", mode, "-w", "-t", "60", "stop")
}

// kill ends the server and all its processes with SIGKILL at once, as a machine that goes down does.
func (c *cluster) kill() error {
	text, err := os.ReadFile(filepath.Join(c.data(), "postmaster.pid"))
	if err != nil {
		return fmt.Errorf("no server runs: %w", err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid <= 1 {
		return fmt.Errorf("postmaster.pid says %q", first)
	}
	if err := freeze(pid); err != nil { // no new children from now on
		return fmt.Errorf("stopping process %d: %w", pid, err)
	}
	all := append(children(pid), pid)
	for _, p := range all {
		end(p)
	}
	c.killed = true
	for deadline := time.Now().Add(10 * time.Second); slices.ContainsFunc(all, alive); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v do not end", all)
		}
	}
	if exists(pid) { // dead, but whoever should collect it has not yet: the next start would take it for alive
		os.Remove(filepath.Join(c.data(), "postmaster.pid"))
		os.Remove(filepath.Join(c.dir, ".s.PGSQL."+port+".lock"))
	}
	return nil
}

// remove stops the server and removes its folder.
func (c *cluster) remove() {
	if c.killed {
		c.start() //nolint:errcheck // a killed server leaves a bit of shared memory behind, which the next start takes away
	}
	if c.pipe != nil {
		c.pipe.Close()
		c.watch.Wait() //nolint:errcheck // the watcher says nothing
	}
	os.RemoveAll(c.dir)
	if c.lock != nil {
		c.lock.Close()
	}
}

func (c *cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *cluster) dsn() string {
	return "host=" + c.dir + " port=" + port + " user=crm sslmode=disable dbname=postgres"
}

// run runs one of the server's programs to its end.
func (c *cluster) run(program string, args ...string) error {
	cmd := c.command(filepath.Join(c.bin, program), args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", program, args[len(args)-1], err, strings.TrimSpace(string(out)))
	}
	return nil
}

// command is a program as the server's user, in the server's folder, with no PGPORT or the like from our environment.
func (c *cluster) command(program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), program, args...) // it must end by itself, whatever becomes of the test
	cmd.Dir = c.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	become(cmd, c.user)
	return cmd
}

// sweep stops and removes what earlier runs left whose process is gone, and whose watcher was killed too.
func sweep(parents []string, bin string) {
	for _, parent := range parents {
		dirs, _ := filepath.Glob(filepath.Join(parent, folder+"*"))
		for _, dir := range dirs {
			info, err := os.Lstat(dir)
			if err != nil || !info.IsDir() || time.Since(info.ModTime()) < settled {
				continue
			}
			who, mine := ownerOf(info)
			if !mine {
				continue
			}
			lock, err := lockFolder(dir)
			if err != nil {
				continue // its owner lives
			}
			c := &cluster{bin: bin, dir: dir, user: who, lock: lock}
			c.stop("immediate") //nolint:errcheck // it has stopped already
			c.remove()
		}
	}
}

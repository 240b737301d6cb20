//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package testpostgres

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	if run := os.Getenv(envChild); run != "" {
		os.Exit(child(run))
	}
	if folder := os.Getenv(envServers); folder != "" {
		installed = folder
	}
	os.Exit(Main(m))
}

// envServers tells a second process of a test where servers are installed.
const envServers = "TESTPOSTGRES_SERVERS"

// envChild tells the test binary that it is the second process of a test, and what to do.
const envChild = "TESTPOSTGRES_CHILD"

// child is what the second process does.
func child(what string) int {
	switch what {
	case "ping": // writes into the database it was given
		db, err := sql.Open("pgx", os.Getenv("CHILD_DSN"))
		if err == nil {
			_, err = db.ExecContext(context.Background(), "CREATE TABLE written_by_child AS SELECT 1 AS id")
		}
		if err != nil {
			fmt.Println(err)
			return 1
		}
		return 0
	case "wait": // starts a server, tells its folder, and lives until its input ends
		c, err := newCluster(nil, true)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		fmt.Println(c.dir)
		io.Copy(io.Discard, os.Stdin) //nolint:errcheck // however it ends
		return 0                      // without c.remove: it is the watcher's work
	}
	return 2
}

func childCommand(t *testing.T, what string, env ...string) *exec.Cmd {
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "CRM_TEST_POSTGRES") })
	cmd.Env = append(cmd.Env, env...)
	if what != "" {
		cmd.Env = append(cmd.Env, envChild+"="+what)
	}
	return cmd
}

func runChild(t *testing.T, what string, env ...string) (string, error) {
	out, err := childCommand(t, what, env...).CombinedOutput()
	return string(out), err
}

func TestDSNWorksForASecondProcess(t *testing.T) {
	dsn := DSN(t)
	out, err := runChild(t, "ping", "CHILD_DSN="+dsn)
	require.NoError(t, err, out)
	db := connect(t, "pgx", dsn)
	require.Equal(t, "1", one(t, db, "SELECT count(*) FROM written_by_child"))
}

func TestServerGoesWithItsProcess(t *testing.T) {
	for name, how := range map[string]func(cmd *exec.Cmd, stdin io.Closer) error{
		"that ends":                     func(_ *exec.Cmd, stdin io.Closer) error { return stdin.Close() },
		"that is killed":                func(cmd *exec.Cmd, _ io.Closer) error { return cmd.Process.Kill() },
		"that is interrupted":           func(cmd *exec.Cmd, _ io.Closer) error { return cmd.Process.Signal(os.Interrupt) },
		"that is killed with its group": func(cmd *exec.Cmd, _ io.Closer) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) },
		"that quits with stacks":        func(cmd *exec.Cmd, _ io.Closer) error { return cmd.Process.Signal(syscall.SIGQUIT) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, cmd, stdin := startChild(t)
			pid := postmaster(t, dir)
			require.True(t, alive(pid))
			require.NoError(t, how(cmd, stdin))
			cmd.Wait() //nolint:errcheck // it was killed
			require.Eventually(t, func() bool {
				_, err := os.Stat(dir)
				return os.IsNotExist(err) && !alive(pid)
			}, 20*time.Second, 10*time.Millisecond)
		})
	}
}

func TestSweepTakesWhatIsLeftBehind(t *testing.T) {
	dir, cmd, _ := startChild(t)
	pid := postmaster(t, dir)
	parent := filepath.Dir(dir)
	bin, err := findServer()
	require.NoError(t, err)
	sweepAt := func(age time.Duration) {
		born := time.Now().Add(-age)
		require.NoError(t, os.Chtimes(dir, born, born))
		sweep([]string{parent}, bin)
	}

	sweepAt(2 * settled) // its owner lives
	require.DirExists(t, dir)
	require.True(t, alive(pid))

	// kill the watcher and the owner: nobody is left to look after the server
	for _, p := range children(cmd.Process.Pid) {
		end(p)
	}
	require.NoError(t, cmd.Process.Kill())
	cmd.Wait()           //nolint:errcheck // it was killed
	sweepAt(settled / 2) // it may be about to be locked
	require.DirExists(t, dir)
	sweepAt(2 * settled)
	require.NoDirExists(t, dir)
	require.Eventually(t, func() bool { return !alive(pid) }, 10*time.Second, 10*time.Millisecond)
}

// startChild starts a second process with a server, and returns the server's folder.
func startChild(t *testing.T) (dir string, cmd *exec.Cmd, stdin io.Closer) {
	t.Helper()
	if _, err := findServer(); err != nil {
		shared.missing(t, err)
	}
	cmd = childCommand(t, "wait")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err, line)
	return strings.TrimSpace(line), cmd, stdin
}

func postmaster(t *testing.T, dir string) (pid int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	require.NoError(t, err)
	_, err = fmt.Fscan(bytes.NewReader(text), &pid)
	require.NoError(t, err)
	return pid
}

// TestWithoutAServer runs two tests of this file in a process that finds no server.
func TestWithoutAServer(t *testing.T) {
	const tests = "-test.run=^(TestEachTestHasAnEmptyDatabase|TestDSNWorksForASecondProcess|TestOwnServerKeepsWhatWasCommitted)$"
	run := func(env ...string) (string, error) {
		cmd := childCommand(t, "", append(env, envServers+"=/nonexistent", "PATH=/nonexistent")...)
		cmd.Args = append(cmd.Args, tests, "-test.v")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	t.Run("skips, and says so once", func(t *testing.T) {
		out, err := run()
		require.NoError(t, err, out)
		require.Equal(t, 1, strings.Count(out, "NOT TESTED ON POSTGRESQL: "+envDSN), out)
		require.Equal(t, 6, strings.Count(out, "--- SKIP"), out) // four of them sub-tests
		require.Contains(t, out, "no PostgreSQL: ")
	})
	t.Run("fails where a server is required", func(t *testing.T) {
		out, err := run(envMode + "=require")
		require.Error(t, err, out)
		require.Contains(t, out, "PostgreSQL is required: ")
		require.NotContains(t, out, "--- SKIP")
	})
	t.Run("refuses what it does not know", func(t *testing.T) {
		out, err := run(envMode + "=required")
		require.Error(t, err, out)
		require.Contains(t, out, `may only be "require"`)
	})
}

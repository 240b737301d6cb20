package check

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The test binary is also the program of its child processes. What one is to do stands in two environment variables; it
// begins when its standard input says so, tells what happened on its standard output, a line of JSON each, and ends by
// itself when its standard input closes, so that none outlives the tests.
const (
	childRole  = "CRM_CHECK_ROLE"
	childOrder = "CRM_CHECK_ORDER"
)

// order is what a child is told.
type order struct {
	Role    string
	Place   place
	Seed    uint64
	Tag     string // begins every Actor.Request of the child
	Workers int
	Steps   int
	IDs     []int64
	Offset  time.Duration // of the child's clock from the machine's
	Naive   bool
}

// told is where a child tells what happened.
type told struct {
	mu  sync.Mutex
	out *json.Encoder
}

func (t *told) say(v any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.out.Encode(v); err != nil {
		os.Exit(3) // nobody listens any more
	}
}

// roles are the programs of the children.
var roles = map[string]func(o order, t *told) error{
	"claim":     claimChild,
	"hammer":    hammerChild,
	"open":      openChild,
	"migrate":   migrateChild,
	"ack":       ackChild,
	"sweep":     sweepChild,
	"assign":    assignChild,
	"newcomers": newcomersChild,
	"leave":     leaveChild,
	"warn":      warnChild,
}

func child(role string) int {
	var o order
	if err := json.Unmarshal([]byte(os.Getenv(childOrder)), &o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	out := &told{out: json.NewEncoder(os.Stdout)}
	out.say("ready")
	gate := bufio.NewReader(os.Stdin)
	if _, err := gate.ReadString('\n'); err != nil {
		return 2
	}
	go func() {
		io.Copy(io.Discard, gate) //nolint:errcheck // it ends when the parent does
		os.Exit(4)
	}()
	if err := roles[role](o, out); err != nil {
		fmt.Fprintln(os.Stderr, role+":", err)
		return 1
	}
	return 0
}

// process is a child as its parent sees it.
type process struct {
	t     testing.TB
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
}

// spawn starts a child, which waits for begin.
func spawn(t testing.TB, o order) *process {
	t.Helper()
	text, err := json.Marshal(o)
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childRole+"="+o.Role, childOrder+"="+string(text))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	p := &process{t: t, cmd: cmd, in: in, lines: bufio.NewScanner(out)}
	p.lines.Buffer(nil, 1<<20)
	t.Cleanup(func() { p.kill(); cmd.Wait() }) //nolint:errcheck // it has ended already, or was killed
	require.True(t, p.lines.Scan(), "the child did not come up")
	return p
}

// begin lets the child go.
func (p *process) begin() {
	p.t.Helper()
	_, err := io.WriteString(p.in, "go\n")
	require.NoError(p.t, err)
}

// kill ends the child at once: SIGKILL where there are signals.
func (p *process) kill() { p.cmd.Process.Kill() } //nolint:errcheck // it may have ended by itself

// next is the next thing that the child tells; false when it has ended. A line that was cut off when the child was killed
// was never told.
func (p *process) next(v any) bool {
	return p.lines.Scan() && json.Unmarshal(p.lines.Bytes(), v) == nil
}

// end waits until the child has ended, and returns how.
func (p *process) end() error {
	for p.lines.Scan() { // nothing may be left in the pipe
	}
	err := p.cmd.Wait()
	p.in.Close()
	return err
}

// all is everything that is left to tell, until the child ends by itself.
func all[T any](p *process) (list []T) {
	p.t.Helper()
	for {
		var v T
		if !p.next(&v) {
			break
		}
		list = append(list, v)
	}
	require.NoError(p.t, p.end(), "the child failed")
	return list
}

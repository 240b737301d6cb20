package crm_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/openseas/crm"

// floors are the rooms of the house, lowest first; "" is the root. Imports run down only, and rooms on one floor never import
// each other. A new folder fails the test until it has a floor here.
var floors = [][]string{
	{"kernel"},
	pure,
	{"customer", "team"},
	{"sales", "service", "marketing", "pool"},
	{"storage"},
	{"storage/internal/bunstore"},
	{"", "storage/postgres", "storage/sqlite"},
	{"storage/storagetest"},
}

// pure rooms hold calculations of one module. They know the kernel only, and only their module and what stands above it know them.
var pure = []string{"customer/condition", "customer/tokens", "customer/value", "sales/calc", "team/calendar", "team/fairshare"}

// forTests are rooms that hosts never link: only tests import them, and they import nothing of ours.
var forTests = []string{"internal/testpostgres"}

// requirements are the direct ones of the core's go.mod, which hosts inherit; the last three serve its tests only.
var requirements = []string{
	"github.com/shopspring/decimal",
	"github.com/uptrace/bun", "github.com/uptrace/bun/dialect/pgdialect", "github.com/uptrace/bun/dialect/sqlitedialect",
	"github.com/jackc/pgx/v5", "github.com/stretchr/testify", "modernc.org/sqlite",
}

// linked are the modules whose code a host's program gets with ours: what we require and what bun requires. No driver, no
// telemetry.
var linked = []string{
	"github.com/jinzhu/inflection", "github.com/puzpuzpuz/xsync/v3", "github.com/shopspring/decimal",
	"github.com/tmthrgd/go-hex", "github.com/uptrace/bun", "github.com/uptrace/bun/dialect/pgdialect",
	"github.com/uptrace/bun/dialect/sqlitedialect", "github.com/vmihailenco/msgpack/v5", "github.com/vmihailenco/tagparser/v2",
	"golang.org/x/sys",
}

// wrong is what is wrong with an import in a file of a room, or nothing.
func wrong(room, imported string, test bool) string {
	to, ours := roomOf(imported)
	foreign := strings.Contains(strings.Split(imported, "/")[0], ".")
	switch {
	case test: // tests stand on top and may look anywhere; go.mod says what they may require
		return ""
	case ours:
		return wrongArrow(room, to)
	case foreign && !mayUse(room, imported):
		return "is not among what this room may use"
	case imported == "testing" && !slices.Contains(forTests, room) && room != "storage/storagetest":
		return "is for tests"
	case imported == "net/http" || strings.HasPrefix(imported, "net/http/"):
		return "is for hosts"
	case strings.HasPrefix(imported, "database/sql") && floor(room) < floor("storage") && !slices.Contains(forTests, room):
		return "begins at storage"
	}
	return ""
}

// wrongArrow is what is wrong with one room importing another, or nothing.
func wrongArrow(from, to string) string {
	owner, _, _ := strings.Cut(to, "/")
	switch {
	case slices.Contains(forTests, to):
		return "is for tests only"
	case slices.Contains(forTests, from):
		return "is ours, and this room knows nothing of ours"
	case floor(to) == -1:
		return "has no floor"
	case floor(to) >= floor(from):
		return "does not lie below"
	case from == "" && floor(to) > floor("storage"):
		return "is an adapter, and a host that brings another one links no bun"
	case slices.Contains(pure, from) && to != "kernel":
		return "is not the kernel"
	case slices.Contains(pure, to) && from != owner && floor(from) <= floor(owner):
		return "belongs to " + owner
	}
	return ""
}

// mayUse is the allow-list of foreign imports outside tests.
func mayUse(room, imported string) bool {
	within := func(path string) bool { return imported == path || strings.HasPrefix(imported, path+"/") }
	switch {
	case slices.Contains(forTests, room):
		return false
	case within("github.com/uptrace/bun/driver"):
		return false
	case within("github.com/uptrace/bun"):
		return slices.Contains([]string{"storage/internal/bunstore", "storage/postgres", "storage/sqlite"}, room)
	case within("github.com/stretchr/testify"):
		return room == "storage/storagetest"
	}
	return within("github.com/shopspring/decimal")
}

func floor(room string) int {
	return slices.IndexFunc(floors, func(rooms []string) bool { return slices.Contains(rooms, room) })
}

// roomOf is the room of an import path, and whether it is one of ours.
func roomOf(imported string) (room string, ours bool) {
	if imported == module {
		return "", true
	}
	return strings.CutPrefix(imported, module+"/")
}

// source is a Go file of the core.
type source struct {
	path, room string
	test       bool
	lines      int
	syntax     *ast.File
}

// sources are all Go files of the core, without those of the modules nested in it.
func sources(t *testing.T) (all []source) {
	t.Helper()
	set := token.NewFileSet()
	require.NoError(t, filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			_, nested := os.Stat(filepath.Join(path, "go.mod"))
			if path != "." && (nested == nil || name == "testdata" || name[0] == '.' || name[0] == '_') {
				return filepath.SkipDir
			}
			return nil
		case !strings.HasSuffix(name, ".go"):
			return nil
		}
		syntax, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		room := filepath.ToSlash(filepath.Dir(path))
		all = append(all, source{
			path: path, room: strings.TrimPrefix(room, "."), test: strings.HasSuffix(name, "_test.go"),
			lines: set.File(syntax.Pos()).LineCount(), syntax: syntax,
		})
		return nil
	}))
	return all
}

func TestArrowsRunDownOnly(t *testing.T) {
	arrows := 0
	for _, file := range sources(t) {
		for _, spec := range file.syntax.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			if why := wrong(file.room, imported, file.test); why != "" {
				t.Errorf("%s imports %s, which %s", file.path, imported, why)
			}
			if _, ours := roomOf(imported); ours && !file.test {
				arrows++
			}
		}
	}
	require.Greater(t, arrows, 15, "the walk has missed the house")
}

func TestEveryRoomHasAFloor(t *testing.T) {
	rooms := map[string]bool{}
	for _, file := range sources(t) {
		rooms[file.room] = true
	}
	for room := range rooms {
		require.True(t, floor(room) >= 0 || slices.Contains(forTests, room), "%q has no floor in arrows_test.go", room)
	}
}

// TestArrowsCanBeWrong keeps the tests above honest.
func TestArrowsCanBeWrong(t *testing.T) {
	ours := func(room string) string { return strings.TrimSuffix(module+"/"+room, "/") }
	for _, c := range []struct {
		room, imported string
		test           bool
		want           string
	}{
		{room: "customer", imported: ours("kernel")},
		{room: "pool", imported: ours("customer")},
		{room: "", imported: ours("storage")},
		{room: "", imported: ours("sales/calc")},
		{room: "customer", imported: ours("customer/condition")},
		{room: "pool", imported: ours("customer/condition")},
		{room: "storage/internal/bunstore", imported: ours("storage")},
		{room: "storage/storagetest", imported: ours("")},
		{room: "kernel", imported: ours("pool"), test: true},
		{room: "storage/postgres", imported: ours("internal/testpostgres"), test: true},
		{room: "kernel", imported: ours("customer"), want: "does not lie below"},
		{room: "customer", imported: ours("team"), want: "does not lie below"},
		{room: "sales", imported: ours("pool"), want: "does not lie below"},
		{room: "storage", imported: ours(""), want: "does not lie below"},
		{room: "storage/sqlite", imported: ours("storage/postgres"), want: "does not lie below"},
		{room: "", imported: ours("storage/postgres"), want: "does not lie below"},
		{room: "", imported: ours("storage/internal/bunstore"), want: "is an adapter, and a host that brings another one links no bun"},
		{room: "customer/value", imported: ours("customer/condition"), want: "does not lie below"},
		{room: "customer/value", imported: ours("customer"), want: "does not lie below"},
		{room: "team", imported: ours("customer/condition"), want: "belongs to customer"},
		{room: "customer", imported: ours("sales/calc"), want: "belongs to sales"},
		{room: "pool", imported: ours("sales/calc"), want: "belongs to sales"},
		{room: "customer", imported: ours("util"), want: "has no floor"},
		{room: "storage/storagetest", imported: ours("internal/testpostgres"), want: "is for tests only"},
		{room: "internal/testpostgres", imported: ours("kernel"), want: "is ours, and this room knows nothing of ours"},

		{room: "kernel", imported: "github.com/shopspring/decimal"},
		{room: "storage/internal/bunstore", imported: "github.com/uptrace/bun/schema"},
		{room: "storage/storagetest", imported: "github.com/stretchr/testify/require"},
		{room: "storage/storagetest", imported: "testing"},
		{room: "internal/testpostgres", imported: "database/sql"},
		{room: "pool", imported: "modernc.org/sqlite", test: true},
		{room: "customer", imported: "github.com/uptrace/bun", want: "is not among what this room may use"},
		{room: "storage", imported: "github.com/uptrace/bun", want: "is not among what this room may use"},
		{room: "", imported: "github.com/uptrace/bun", want: "is not among what this room may use"},
		{room: "storage/sqlite", imported: "github.com/uptrace/bun/driver/sqliteshim", want: "is not among what this room may use"},
		{room: "storage/sqlite", imported: "modernc.org/sqlite", want: "is not among what this room may use"},
		{room: "kernel", imported: "github.com/stretchr/testify/require", want: "is not among what this room may use"},
		{room: "internal/testpostgres", imported: "github.com/jackc/pgx/v5/stdlib", want: "is not among what this room may use"},
		{room: "kernel", imported: "testing", want: "is for tests"},
		{room: "", imported: "net/http", want: "is for hosts"},
		{room: "pool", imported: "database/sql", want: "begins at storage"},
	} {
		if got := wrong(c.room, c.imported, c.test); got != c.want {
			t.Errorf("%q importing %s: %q, want %q", c.room, c.imported, got, c.want)
		}
	}
}

func TestHostsInheritFewRequirements(t *testing.T) {
	direct := directRequirements(t, "go.mod")
	var names []string
	for name := range direct {
		names = append(names, name)
	}
	require.ElementsMatch(t, requirements, names)
}

// TestModulesAgree: in the workspace the highest version of all modules counts, so a pin that differs is tested nowhere.
func TestModulesAgree(t *testing.T) {
	core := directRequirements(t, "go.mod")
	nested, err := filepath.Glob("internal/*/go.mod")
	require.NoError(t, err)
	for _, mod := range append(nested, "examples/go.mod") {
		for name, version := range directRequirements(t, mod) {
			if want, shared := core[name]; shared {
				require.Equal(t, want, version, "%s requires %s", mod, name)
			}
		}
	}
}

// directRequirements are the versions that a go.mod names without "// indirect".
func directRequirements(t *testing.T, mod string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(mod)
	require.NoError(t, err)
	direct := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^(?:require )?\s*(\S+) (v\S+)$`).FindAllStringSubmatch(string(text), -1) {
		direct[m[1]] = m[2]
	}
	return direct
}

func TestHostsLinkNoDriver(t *testing.T) {
	args := []string{"list", "-deps", "-f", "{{.ImportPath}} {{with .Module}}{{.Path}}{{end}}"}
	seen := map[string]bool{}
	for _, file := range sources(t) {
		if seen[file.room] || file.test || file.room == "storage/storagetest" || slices.Contains(forTests, file.room) {
			continue
		}
		seen[file.room] = true
		args = append(args, strings.TrimSuffix(module+"/"+file.room, "/"))
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	for line := range strings.Lines(string(out)) {
		pkg, from, _ := strings.Cut(strings.TrimSpace(line), " ")
		require.NotEqual(t, "net/http", pkg, "a host without a web server would link one")
		if from != "" && from != module {
			require.Contains(t, linked, from, "%s would be linked into every host", pkg)
		}
	}
}

func TestFilesStayShort(t *testing.T) {
	for _, file := range sources(t) {
		if !file.test {
			require.Less(t, file.lines, 600, file.path)
		}
	}
}

// TestOneClock: whatever asks for the time goes through kernel.Clock, so that tests and hosts can set it.
func TestOneClock(t *testing.T) {
	for _, file := range sources(t) {
		if file.test || filepath.ToSlash(file.path) == "kernel/actor.go" || slices.Contains(forTests, file.room) {
			continue
		}
		ast.Inspect(file.syntax, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				pkg, _ := sel.X.(*ast.Ident)
				if pkg != nil && pkg.Name == "time" && slices.Contains([]string{"Now", "Since", "Until"}, sel.Sel.Name) {
					t.Errorf("%s asks time.%s and not a kernel.Clock", file.path, sel.Sel.Name)
				}
			}
			return true
		})
	}
}

package house_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// The rules of the lease protocol are functions of their arguments. Exploration
// visits their states and a simulation repeats them, which is only possible if
// they read no clock and no randomness, start no goroutine, take no lock and do
// no I/O.
const lease = "tokensource/grant/internal/lease"

var (
	impureImports = []string{
		"context", "crypto/rand", "io", "io/fs", "log", "log/slog", "math/rand", "math/rand/v2", "net", "net/http", "os",
		"os/exec", "runtime", "sync", "sync/atomic", "syscall", "unsafe",
	}
	impureTime = []string{"After", "AfterFunc", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until"}
)

func TestLeaseIsPure(t *testing.T) {
	for _, p := range list(t, "linux", "./tokensource/grant/...") {
		if p.short() != lease {
			continue
		}
		for _, name := range p.GoFiles {
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, fault := range impurities(fset, file) {
				t.Error(fault)
			}
		}
	}
}

// impurities returns what makes a file impure, with its place.
func impurities(fset *token.FileSet, file *ast.File) (faults []string) {
	ast.Inspect(file, func(n ast.Node) bool {
		fault := ""
		switch n := n.(type) {
		case *ast.ImportSpec:
			if path, _ := strconv.Unquote(n.Path.Value); slices.Contains(impureImports, path) {
				fault = "an import of " + path
			}
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(impureTime, n.Sel.Name) {
				fault = "time." + n.Sel.Name
			}
		case *ast.GoStmt:
			fault = "a goroutine"
		case *ast.ChanType:
			fault = "a channel"
		}
		if fault != "" {
			faults = append(faults, fmt.Sprintf("%s: %s", fset.Position(n.Pos()), fault))
		}
		return true
	})
	return faults
}

// TestImpurities makes sure that impurities finds what it must.
func TestImpurities(t *testing.T) {
	const head = "package p\n\nimport \"time\"\n\n"
	for source, want := range map[string]int{
		head + "func f(now time.Time) time.Time { return now.Add(time.Hour) }\n": 0,
		head + "func f() time.Time { return time.Now() }\n":                      1,
		head + "var clock = time.Now\n":                                          1,
		head + "func f(g func()) { go g() }\n":                                   1,
		head + "var c chan int\n":                                                1,
		"package p\n\nimport (\n\t\"os\"\n\t\"sync\"\n\t\"strings\"\n)\n":        2,
	} {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, "p.go", source, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := impurities(fset, file); len(got) != want {
			t.Errorf("impurities(%s) = %q, want %d", source, got, want)
		}
	}
}

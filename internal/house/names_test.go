package house_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// limits is how many names a package may export. Every package that is not here
// may export 25.
var limits = map[string]int{
	"middleware":            50,
	"storage":               50,
	"storage/storagetest":   50,
	"storage/postgresstore": 50,
	"storage/redisstore":    50,
	"storage/sqlitestore":   50,
	"tokensource":           50,
	"tokensource/grant":     40,
	"tokensource/oauth":     40,
	"tokensource/oauthtest": 50,
	"tokensource/provider":  50,
	"transport":             50,
}

const newPackage = 25

// TestExportedNames counts what a reader of the documentation has to look at:
// types, functions, methods, constants and variables. Fields of structs and
// methods of interfaces are not counted, as their type shows them.
func TestExportedNames(t *testing.T) {
	for _, p := range list(t, "linux", "work") {
		limit, ok := limits[p.short()]
		if !ok {
			limit = newPackage
		}
		names := exported(t, p)
		t.Logf("%-35s %3d of %d", p.short(), len(names), limit)
		if len(names) > limit {
			t.Errorf("%s exports %d names, at most %d are allowed: %s", p.short(), len(names), limit, strings.Join(names, " "))
		}
	}
}

func exported(t *testing.T, p listed) []string {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	if len(files) == 0 {
		return nil
	}
	return exportedNames(t, fset, files, p.ImportPath)
}

// exportedNames lists the names that go doc -all shows of a package. Package
// doc also shows the methods that a type has from an embedded type which is not
// exported.
func exportedNames(t *testing.T, fset *token.FileSet, files []*ast.File, path string) (names []string) {
	t.Helper()
	pkg, err := doc.NewFromFiles(fset, files, path)
	if err != nil {
		t.Fatal(err)
	}
	add := func(prefix string, list ...string) {
		for _, name := range list {
			if token.IsExported(name) {
				names = append(names, prefix+name)
			}
		}
	}
	values, funcs := slices.Concat(pkg.Consts, pkg.Vars), pkg.Funcs
	for _, typ := range pkg.Types {
		add("", typ.Name)
		values = slices.Concat(values, typ.Consts, typ.Vars)
		funcs = slices.Concat(funcs, typ.Funcs)
		for _, method := range typ.Methods {
			add(typ.Name+".", method.Name)
		}
	}
	for _, v := range values {
		add("", v.Names...)
	}
	for _, f := range funcs {
		add("", f.Name)
	}
	slices.Sort(names)
	return names
}

// TestExportedNamesCount makes sure that exportedNames counts what it must.
func TestExportedNamesCount(t *testing.T) {
	const source = `package p

const A, b = 1, 2

var (
	C = 3
	D, e = 4, 5
)

type F struct {
	G int // a field
	hidden
}

type hidden struct{}

func (hidden) H()  {}
func (*hidden) i() {}
func (F) J()       {}

type K interface{ L() } // a method of an interface

type M int

const (
	N M = iota
	O
	p
)

func NewF() F { return F{} }
func Q()      {}
func r()      {}
`
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "p.go", source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(exportedNames(t, fset, []*ast.File{file}, "example.com/p"))
	const want = "[A C D F F.H F.J K M N NewF O Q]"
	if got != want {
		t.Errorf("exportedNames(p) = %s, want %s", got, want)
	}
}

// TestEngineFiles limits the number of files that a reader of the engine has to
// know: those of package grant and of everything below it.
func TestEngineFiles(t *testing.T) {
	const limit = 16
	var files []string
	for _, p := range list(t, "linux", "./tokensource/grant/...") {
		for _, name := range p.GoFiles {
			files = append(files, p.short()+"/"+name)
		}
	}
	t.Logf("%d of %d files", len(files), limit)
	if len(files) > limit {
		t.Errorf("the engine has %d files, at most %d are allowed:\n%s", len(files), limit, strings.Join(files, "\n"))
	}
}

// TestFileLengths limits the lines of a file that is part of the product. A
// longer one holds more than one idea.
func TestFileLengths(t *testing.T) {
	const limit = 450
	for _, p := range list(t, "linux", "work") {
		for _, name := range p.GoFiles {
			source, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(source, []byte("\n")); n > limit {
				t.Errorf("%s/%s has %d lines, at most %d are allowed", p.short(), name, n, limit)
			}
		}
	}
}

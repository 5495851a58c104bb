package house_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestEveryOpIsDocumented looks for the field Op of each tokensource.Error that
// is made with a literal: programs read the field, and its comment lists the
// values.
func TestEveryOpIsDocumented(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(root, "tokensource", "errors.go"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(source), "// Op is ")
	documented, _, _ := strings.Cut(rest, "Op string")
	if !strings.Contains(documented, `"refresh"`) {
		t.Fatalf("the comment of Op is %q", documented)
	}
	found := 0
	for _, p := range list(t, "linux", "work") {
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, op := range ops(file) {
				found++
				if !strings.Contains(documented, strconv.Quote(op)) {
					t.Errorf("%s/%s: Op %q is not in the comment of tokensource.Error.Op", p.short(), name, op)
				}
			}
		}
	}
	if found == 0 {
		t.Error("no file makes a tokensource.Error")
	}
}

// ops returns the literals of the field Op in values of tokensource.Error.
func ops(file *ast.File) (found []string) {
	ast.Inspect(file, func(n ast.Node) bool {
		lit, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		typ, ok := lit.Type.(*ast.SelectorExpr)
		if !ok || typ.Sel.Name != "Error" {
			return true
		}
		if pkg, ok := typ.X.(*ast.Ident); !ok || pkg.Name != "tokensource" {
			return true
		}
		for _, e := range lit.Elts {
			field, ok := e.(*ast.KeyValueExpr)
			if !ok {
				continue
			}
			name, _ := field.Key.(*ast.Ident)
			value, ok := field.Value.(*ast.BasicLit)
			if name == nil || name.Name != "Op" || !ok {
				continue
			}
			if op, err := strconv.Unquote(value.Value); err == nil {
				found = append(found, op)
			}
		}
		return true
	})
	return found
}

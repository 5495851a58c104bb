package redact_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// hiding are the methods by which a value can hide what it holds when it is
// printed or encoded. A String method counts if its type has one of them.
var hiding = []string{"Format", "GoString", "LogValue", "MarshalJSON", "MarshalText", "MarshalBinary", "MarshalXML", "GobEncode"}

// maxHiding is the number of such methods in the whole repository. Secrets are
// hidden by construction instead, see package redact.
const maxHiding = 15

func TestFewMethodsHideSecrets(t *testing.T) {
	methods := map[string][]string{} // by package and type
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != "../.." && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv != nil {
				name := filepath.Dir(path) + "." + receiver(f.Recv.List[0].Type)
				methods[name] = append(methods[name], f.Name.Name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for name, list := range methods {
		hides := slices.ContainsFunc(list, func(m string) bool { return slices.Contains(hiding, m) })
		for _, m := range list {
			if hides && (m == "String" || slices.Contains(hiding, m)) {
				found = append(found, name+"."+m)
			}
		}
	}
	if len(methods) < 100 {
		t.Fatalf("only %d types with methods were found: this test looks in the wrong folder", len(methods))
	}
	t.Logf("%d methods", len(found))
	if slices.Sort(found); len(found) > maxHiding {
		t.Errorf("%d methods hide secrets, want at most %d:\n%s", len(found), maxHiding, strings.Join(found, "\n"))
	}
}

// receiver returns the name of a receiver's type.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return "?"
}

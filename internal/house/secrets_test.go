package house_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// secretName is the name of a value that a stranger may send and must not guess
// byte by byte.
var secretName = regexp.MustCompile(`(?i)^(state|nonce|verifier|secret|session_?id|cookie)$`)

// TestSecretsAreComparedInConstantTime looks for comparisons of such values
// with == or != in the packages that requests of strangers reach. A comparison
// with a constant, with a length or of two hashes tells nothing of a secret.
func TestSecretsAreComparedInConstantTime(t *testing.T) {
	for _, p := range list(t, "linux", "./middleware/...", "./storage/seal/...") {
		eachFile(t, p, func(fset *token.FileSet, file *ast.File) {
			for _, fault := range comparisons(fset, file) {
				t.Error(fault)
			}
		})
	}
}

func comparisons(fset *token.FileSet, file *ast.File) (faults []string) {
	ast.Inspect(file, func(n ast.Node) bool {
		b, ok := n.(*ast.BinaryExpr)
		if !ok || b.Op != token.EQL && b.Op != token.NEQ || constant(b.X) || constant(b.Y) {
			return true
		}
		for _, side := range []ast.Expr{b.X, b.Y} {
			if name := nameOf(side); secretName.MatchString(name) {
				faults = append(faults, fmt.Sprintf("%s: %s is compared byte by byte: use crypto/subtle", fset.Position(b.Pos()), name))
			}
		}
		return true
	})
	return faults
}

// constant reports whether an expression is a literal, nil, or an array that
// was made of a slice: only hashes are kept in arrays.
func constant(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name == "nil"
	case *ast.BasicLit:
		return true
	case *ast.CallExpr:
		_, array := e.Fun.(*ast.ArrayType)
		return array
	}
	return false
}

// nameOf is the last name of an expression, such as state in f.state.
func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

func TestComparisons(t *testing.T) {
	for source, want := range map[string]int{
		"if f.state == got { return }":                                     1,
		"if got != verifier { return }":                                    1,
		"if state == \"\" || nonce != nil { return }":                      0,
		"if subtle.ConstantTimeCompare(state, got) == 1 { return }":        0,
		"if len(state) == n || statement == other { return }":              0,
		"if [32]byte(e[at:]) == u.state { return }":                        0,
		"if a.Secret == b.Secret { return }":                               2,
		"if r.SessionID == want.id || session_id != want.other { return }": 2,
	} {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, "p.go", "package p\n\nfunc f() {\n"+source+"\n}\n", 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := comparisons(fset, file); len(got) != want {
			t.Errorf("comparisons(%s) = %q, want %d", source, got, want)
		}
	}
}

// weak are the files that may use weak randomness: they spread delays, or they
// repeat a run by its seed. No value of theirs is a secret.
var weak = []string{"backoff.go", "jitter.go", "tokensource/oauthtest/faults.go"}

func TestWeakRandomnessIsForDelaysOnly(t *testing.T) {
	for _, p := range list(t, "linux", "work") {
		eachFile(t, p, func(fset *token.FileSet, file *ast.File) {
			name := filepath.ToSlash(filepath.Join(p.short(), filepath.Base(fset.Position(file.Pos()).Filename)))
			for _, imported := range file.Imports {
				random := strings.Trim(imported.Path.Value, `"`)
				if strings.HasPrefix(random, "math/rand") && !slices.ContainsFunc(weak, func(w string) bool { return name == w || filepath.Base(name) == w }) {
					t.Errorf("%s imports %s: use crypto/rand, or move a delay into backoff.go or jitter.go", name, random)
				}
			}
		})
	}
}

// printing are the methods by which a type says what may be printed of it.
var printing = []string{"Format", "GobEncode", "GoString", "LogValue", "MarshalBinary", "MarshalJSON", "MarshalText", "MarshalXML", "String"}

// TestSecretsNeedNoMethods counts the methods by which types say what may be
// printed of them. Secrets are in closures, which print nothing: redaction that
// needs methods fails where one is forgotten.
func TestSecretsNeedNoMethods(t *testing.T) {
	const most = 15
	var found []string
	for _, p := range list(t, "linux", "work") {
		if strings.HasPrefix(p.short(), "examples") || strings.HasPrefix(p.short(), "bench") {
			continue
		}
		eachFile(t, p, func(_ *token.FileSet, file *ast.File) {
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil && slices.Contains(printing, f.Name.Name) {
					found = append(found, p.short()+": "+f.Name.Name)
				}
			}
		})
	}
	if len(found) == 0 || len(found) > most {
		t.Errorf("%d methods say what may be printed of a type, want 1 to %d: %q", len(found), most, found)
	}
}

// eachFile parses the files of a package that are no tests.
func eachFile(t *testing.T, p listed, do func(*token.FileSet, *ast.File)) {
	t.Helper()
	for _, name := range p.GoFiles {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		do(fset, file)
	}
}

// Package guarantees makes docs/guarantees.md from the tests of this module.
//
// A guarantee has a number, such as G3. One test states it in one sentence, at
// the beginning of its doc comment:
//
//	// G3: A refresh token is sent once per attempt.
//	func TestG3_NoSecondRequest(t *testing.T) {
//
// The other tests of the guarantee carry the number in their names only.
package guarantees

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A Guarantee is one promise with the tests that prove it.
type Guarantee struct {
	Number   string // such as "G3"
	Sentence string // empty if no test states it
	Tests    []Test // sorted by file and name
}

// A Test is one test function.
type Test struct {
	Name string
	File string // relative to the root, with slashes
}

var (
	stated = regexp.MustCompile(`(?s)^([GTM]\d+): (.+?\.)(\n\n|\n*$)`)
	named  = regexp.MustCompile(`^(?:Test|Fuzz)([GTM]\d+)_`)
)

// Collect reads every test file below root. It returns the guarantees in the
// order of their numbers, and an error if two tests state the same one.
func Collect(root string) ([]Guarantee, error) {
	found := map[string]*Guarantee{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != root:
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		return collectFile(found, root, path)
	})
	list := make([]Guarantee, 0, len(found))
	for _, g := range found {
		slices.SortFunc(g.Tests, func(a, b Test) int {
			return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Name, b.Name))
		})
		list = append(list, *g)
	}
	slices.SortFunc(list, func(a, b Guarantee) int { return compareNumbers(a.Number, b.Number) })
	return list, err
}

func collectFile(found map[string]*Guarantee, root, path string) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	relative, err := filepath.Rel(root, path)
	if err != nil {
		return err
	}
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Recv != nil {
			continue
		}
		if err := add(found, f, filepath.ToSlash(relative)); err != nil {
			return err
		}
	}
	return nil
}

// add records the test f. Its comment decides which guarantee it belongs to.
// Without a statement, its name decides.
func add(found map[string]*Guarantee, f *ast.FuncDecl, file string) error {
	number, sentence := "", ""
	if m := stated.FindStringSubmatch(f.Doc.Text()); m != nil {
		number, sentence = m[1], strings.Join(strings.Fields(m[2]), " ")
	} else if m := named.FindStringSubmatch(f.Name.Name); m != nil {
		number = m[1]
	} else {
		return nil
	}
	g := found[number]
	if g == nil {
		g = &Guarantee{Number: number}
		found[number] = g
	}
	if sentence != "" && g.Sentence != "" {
		return fmt.Errorf("%s: %s states %s, and another test does too", file, f.Name.Name, number)
	}
	if sentence != "" {
		g.Sentence = sentence
	}
	g.Tests = append(g.Tests, Test{Name: f.Name.Name, File: file})
	return nil
}

// compareNumbers orders G before T before M, and G2 before G10.
func compareNumbers(a, b string) int {
	const letters = "GTM"
	x, _ := strconv.Atoi(a[1:])
	y, _ := strconv.Atoi(b[1:])
	return cmp.Or(cmp.Compare(strings.IndexByte(letters, a[0]), strings.IndexByte(letters, b[0])), cmp.Compare(x, y))
}

var parts = map[byte]string{
	'G': "The engine keeps grants alive",
	'T': "The transport sends tokens",
	'M': "The middleware logs users in",
}

// Page returns docs/guarantees.md: the promises in tables, and below them the
// tests of each, because a cell with thirty names is not readable. Links are
// relative to the folder docs.
func Page(list []Guarantee) string {
	var b strings.Builder
	b.WriteString(`# Guarantees

Each row is a promise. Its number leads to the tests that fail if the promise
is broken. The sentences stand in the doc comments of those tests, and ` + "`go\ntest ./internal/guarantees -update`" + ` makes this page from them.

What these promises rest on is in [SECURITY.md](../SECURITY.md).
`)
	part := byte(0)
	for _, g := range list {
		if g.Number[0] != part {
			part = g.Number[0]
			fmt.Fprintf(&b, "\n## %s\n\n| | guarantee |\n|---|---|\n", parts[part])
		}
		fmt.Fprintf(&b, "| [%s](#%s) | %s |\n", g.Number, strings.ToLower(g.Number), g.Sentence)
	}
	b.WriteString("\n## The tests\n")
	for _, g := range list {
		fmt.Fprintf(&b, "\n### %s\n\n", g.Number)
		writeTests(&b, g.Tests)
	}
	return b.String()
}

// writeTests writes one line per file, with a link to the file.
func writeTests(b *strings.Builder, tests []Test) {
	byFile := map[string][]string{}
	for _, t := range tests {
		byFile[t.File] = append(byFile[t.File], t.Name)
	}
	for _, file := range slices.Sorted(maps.Keys(byFile)) {
		fmt.Fprintf(b, "- [%s](../%s): %s\n", file, file, strings.Join(byFile[file], ", "))
	}
}

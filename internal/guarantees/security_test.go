package guarantees_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// statement is one row of docs/security.md.
type statement struct {
	id, state, how, tests string
}

// TestEveryStatementIsAnswered compares docs/security.md with the tests of the
// tree: each row has an answer, and each test that it names exists.
func TestEveryStatementIsAnswered(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := statements(string(page))
	known := map[string][]string{}
	tests := func(dir string) (names []string, err error) {
		if known[dir] == nil {
			known[dir], err = testsOf(filepath.Join(root, dir))
		}
		return known[dir], err
	}
	for _, fault := range rowFaults(rows, tests) {
		t.Error(fault)
	}
	var ids []string
	for _, row := range rows {
		ids = append(ids, row.id)
	}
	if want := wantedIDs(); !slices.Equal(ids, want) {
		t.Errorf("docs/security.md has the rows %q, want %q", ids, want)
	}
}

// wantedIDs are the statements that this release answers, in their order.
func wantedIDs() (ids []string) {
	for _, r := range []struct {
		letter      string
		first, last int
	}{{"R", 1, 105}, {"R", 108, 200}, {"A", 1, 54}} {
		for n := r.first; n <= r.last; n++ {
			if r.letter == "R" {
				ids = append(ids, fmt.Sprintf("R%03d", n))
			} else {
				ids = append(ids, fmt.Sprintf("A%02d", n))
			}
		}
	}
	return ids
}

var rowOfTable = regexp.MustCompile(`^\| ([RA]\d+) \|`)

// statements reads the rows of the page. A row has the level as its second cell
// if it is not an attack.
func statements(page string) (rows []statement) {
	for line := range strings.Lines(page) {
		m := rowOfTable.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		row := statement{id: m[1]}
		if len(cells) >= 4 {
			last := cells[len(cells)-3:]
			row.state, row.how, row.tests = last[0], last[1], last[2]
		}
		rows = append(rows, row)
	}
	return rows
}

// rowFaults returns what is wrong with the rows. The function tests returns the
// names of the tests in a folder.
func rowFaults(rows []statement, tests func(dir string) ([]string, error)) (faults []string) {
	const reason = 30 // bytes of a reason, at least
	for _, row := range rows {
		add := func(format string, args ...any) {
			faults = append(faults, row.id+": "+fmt.Sprintf(format, args...))
		}
		switch row.state {
		case "met":
			if row.tests == "" {
				add("it is met, and no test proves it")
			}
		case "in part":
			if row.tests == "" || len(row.how) < reason {
				add("in part needs a reason and a test")
			}
		default:
			add("the state is %q, want met or in part", row.state)
		}
		for _, fault := range missingTests(row.tests, tests) {
			add("%s", fault)
		}
	}
	return faults
}

// missingTests reads a cell such as "storage: TestA, TestB; middleware: TestC".
func missingTests(cell string, tests func(dir string) ([]string, error)) (faults []string) {
	if cell == "" {
		return nil
	}
	for part := range strings.SplitSeq(cell, ";") {
		dir, names, ok := strings.Cut(strings.TrimSpace(part), ": ")
		if !ok {
			faults = append(faults, fmt.Sprintf("%q names no folder", part))
			continue
		}
		have, err := tests(dir)
		if err != nil {
			faults = append(faults, err.Error())
			continue
		}
		for name := range strings.SplitSeq(names, ", ") {
			if !slices.Contains(have, name) {
				faults = append(faults, fmt.Sprintf("%s has no test %s", dir, name))
			}
		}
	}
	return faults
}

// testsOf returns the names of the tests and fuzz targets in a folder.
func testsOf(dir string) (names []string, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
				names = append(names, f.Name.Name)
			}
		}
	}
	return names, nil
}

// TestRowFaults makes sure that rowFaults finds what it must.
func TestRowFaults(t *testing.T) {
	tests := func(dir string) ([]string, error) {
		if dir == "storage" {
			return []string{"TestA", "TestB"}, nil
		}
		return nil, nil
	}
	for row, want := range map[string]string{
		"| R001 | MUST | a | met | | storage: TestA, TestB |":                                                "",
		"| R001 | MUST | a | met | | storage: TestC |":                                                       "no test TestC",
		"| R001 | MUST | a | met | | oauth: TestA |":                                                         "no test TestA",
		"| R001 | MUST | a | met | | TestA |":                                                                "names no folder",
		"| R001 | MUST | a | met | how | |":                                                                  "no test proves it",
		"| R001 | MUST | a | not met | how | storage: TestA |":                                               "the state is",
		"| R001 | MUST | a | in part | so | storage: TestA |":                                                "needs a reason",
		"| R001 | MUST | a | in part | A long reason that says what is missing, and why. | storage: TestA |": "",
		"| A41 | a | no such feature | how | |":                                                              "the state is",
		"| A01 | a | met | how | storage: TestB |":                                                           "",
	} {
		got := strings.Join(rowFaults(statements(row), tests), "; ")
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("rowFaults(%s) = %q, want %q in it", row, got, want)
		}
	}
}

package guarantees_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/internal/guarantees"
)

var update = flag.Bool("update", false, "write docs/guarantees.md")

const root = "../.."

func TestThePageSaysWhatTheTestsSay(t *testing.T) {
	list, err := guarantees.Collect(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range list {
		if g.Sentence == "" {
			t.Errorf("no test states %s: begin the doc comment of one of %d tests with %q", g.Number, len(g.Tests), g.Number+": ")
		}
	}
	page, path := guarantees.Page(list), filepath.Join(root, "docs", "guarantees.md")
	if *update {
		if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(stored) != page {
		t.Errorf("%s differs from the tests: run go test ./internal/guarantees -update", path)
	}
}

func TestCollect(t *testing.T) {
	const stated, named = "// G2: It holds\n// on two lines.\n//\n// Why it does.\nfunc TestG2_Holds() {}\n", "func TestG2_Other() {}\n"
	tests := []struct{ name, source, want, err string }{
		{"a statement and a name", stated + named, "G2|It holds on two lines.|TestG2_Holds TestG2_Other", ""},
		{"a name alone", named, "G2||TestG2_Other", ""},
		{"two statements", stated + "// G2: Again.\nfunc TestAgain() {}\n", "", "states G2"},
		{"no number", "// A test.\nfunc TestIt() {}\n", "", ""},
	}
	for _, tt := range tests {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "a_test.go"), []byte("package a\n\n"+tt.source), 0o600); err != nil {
			t.Fatal(err)
		}
		list, err := guarantees.Collect(dir)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: Collect() = %v, want an error with %q", tt.name, err, tt.err)
			}
			continue
		}
		var got strings.Builder
		for _, g := range list {
			var names []string
			for _, test := range g.Tests {
				names = append(names, test.Name)
			}
			got.WriteString(g.Number + "|" + g.Sentence + "|" + strings.Join(names, " "))
		}
		if err != nil || got.String() != tt.want {
			t.Errorf("%s: Collect() = %q, %v, want %q", tt.name, got.String(), err, tt.want)
		}
	}
}

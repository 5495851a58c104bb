package main

import (
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// A mutant whose text has changed in the product code would break nothing.
func TestEveryMutantFitsTheCode(t *testing.T) {
	list, err := readMutants("mutants")
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range check(root, list) {
		t.Error(err)
	}
	if n, equivalent := len(list), count(list, func(m mutant) bool { return m.equivalent != "" }); n < 80 || equivalent > 5 {
		t.Errorf("%d mutants, of which %d are equivalent: want at least 80, at most 5", n, equivalent)
	}
}

func count(list []mutant, is func(mutant) bool) int {
	n := 0
	for _, m := range list {
		if is(m) {
			n++
		}
	}
	return n
}

func TestMutantsThatAreRefused(t *testing.T) {
	const good = "== a\nrule: r\nfile: internal/mutate/mutate_test.go\nproof: rules\n-- old\nconst root = \"../..\"\n-- new\nconst root = \"..\"\n"
	tests := []struct{ name, text, want string }{
		{"a good one", good, ""},
		{"a member that does not exist", "== a\ncolour: red\n", "no member"},
		{"a proof that does not exist", strings.Replace(good, "proof: rules", "proof: prayer", 1), "not one of"},
		{"two proofs", strings.Replace(good, "proof: rules", "proof: rules\nalso: explore, simulation", 1), ""},
		{"another proof that does not exist", strings.Replace(good, "proof: rules", "proof: rules\nalso: prayer", 1), "not one of"},
		{"a text that is not there", strings.Replace(good, "const root", "const stem", 1), "stands 0 times"},
		{"two of one name", good + good, "two mutants"},
		{"no change", strings.Replace(good, "\"..\"", "\"../..\"", 1), "missing"},
	}
	for _, tt := range tests {
		list, err := parseMutants("test", tt.text)
		got := ""
		if err != nil {
			got = err.Error()
		}
		for _, err := range check(filepath.FromSlash(root), list) {
			got += err.Error()
		}
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: check() = %q, want %q in it", tt.name, got, tt.want)
		}
	}
}

package readme_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTheCommandsOnThePagesWork: "go get MODULE" fetches what the package at
// the root of the module needs, and that is nothing. The program that a reader
// then writes would not build. And "go run" finds a program in a clone by its
// folder only.
func TestTheCommandsOnThePagesWork(t *testing.T) {
	const kit = "github.com/authtrip/authtrip"
	stores, err := filepath.Glob(filepath.Join(root, "storage", "*", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages(t), stores...) {
		for _, command := range regexp.MustCompile("go (get|run) [^`\n]+").FindAllString(read(t, page), -1) {
			command, _, _ = strings.Cut(command, "#")
			words := strings.Fields(command)
			for _, name := range words[2:] {
				if words[1] == "get" && strings.HasPrefix(name, kit) && !strings.HasSuffix(name, "/...") {
					t.Errorf("%s says %q, want %s/...", filepath.Base(page), command, name)
				}
			}
			if words[1] == "get" && strings.Contains(command, kit) && !slices.Contains(words, kit+"/...") {
				t.Errorf("%s says %q, which leaves out %s/...", filepath.Base(page), command, kit)
			}
			program := words[2]
			if words[1] != "run" || strings.Contains(page, "performance") || strings.Contains(program, "@") || program == "." {
				continue // the commands of performance.md are for the folder bench
			}
			if _, err := os.Stat(filepath.Join(root, program)); err != nil || !strings.HasPrefix(program, "./") {
				t.Errorf("%s says %q: no such folder in a clone", filepath.Base(page), command)
			}
		}
	}
}

// TestTheProgramInPythonIsTheOneThatRuns compares the page with the file that
// the test of the gateway runs.
func TestTheProgramInPythonIsTheOneThatRuns(t *testing.T) {
	want := read(t, filepath.Join(root, "examples", "gateway", "client.py"))
	if page := read(t, filepath.Join(root, "docs", "gateway.md")); !strings.Contains(page, "```python\n"+want+"```") {
		t.Error("docs/gateway.md shows another program than examples/gateway/client.py")
	}
}

// Package readme_test holds the Go code of the README, so that it compiles,
// runs, and stays what the README shows.
package readme_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../../"

func TestTheCodeInTheREADMEIsCompiledCode(t *testing.T) {
	readme := read(t, root+"README.md")
	source := flat(read(t, "code_test.go"))
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(readme, -1)
	if len(blocks) == 0 {
		t.Fatal("the README has no Go code")
	}
	for _, block := range blocks {
		if !strings.Contains(source, flat(block[1])) {
			t.Errorf("this code of the README does not stand in code_test.go:\n%s", block[1])
		}
	}
}

// flat removes indentation and empty lines: the README shows function bodies
// without their function.
func flat(code string) string {
	var b strings.Builder
	for line := range strings.Lines(code) {
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

func TestEveryLinkToAFileOfThisRepositoryLeadsSomewhere(t *testing.T) {
	documents, err := filepath.Glob(root + "*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range documents {
		prose := regexp.MustCompile("(?s)```.*?```").ReplaceAllString(read(t, document), "")
		for _, link := range regexp.MustCompile(`\]\(([^):#]+)\)`).FindAllStringSubmatch(prose, -1) {
			if _, err := os.Stat(root + link[1]); err != nil {
				t.Errorf("%s links to %s, which is not there", filepath.Base(document), link[1])
			}
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

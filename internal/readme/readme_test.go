// Package readme_test holds the Go code of the README and of the pages in docs.
// So it compiles, runs, and stays what a reader sees.
package readme_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// pages returns the README, the other documents beside it, and docs.
func pages(t *testing.T) (names []string) {
	t.Helper()
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, found...)
	}
	return names
}

// sources are the files whose code pages may show: those of this folder, and
// the examples of modules that the root module does not require.
var sources = []string{
	"*_test.go", "../../tokensource/*/example*_test.go", "../../tokensource/jose/*/example*_test.go",
	"../../tokensource/nativeapp/nativeapptest/example*_test.go", "../../examples/whoami/main.go", "../../examples/bot/main.go",
	"../../examples/moving/*.go", "../../examples/cli/commands.go", "../../examples/routers/*.go",
}

func TestTheCodeOnThePagesIsCompiledCode(t *testing.T) {
	var files []string
	for _, pattern := range sources {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	var source strings.Builder
	for _, name := range files {
		source.WriteString(flat(read(t, name)))
	}
	shown := 0
	for _, page := range pages(t) {
		for _, block := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(read(t, page), -1) {
			shown++
			if !strings.Contains(source.String(), flat(block[1])) {
				t.Errorf("this code of %s stands in no file that is compiled:\n%s", filepath.Base(page), block[1])
			}
		}
	}
	if shown == 0 {
		t.Error("no page has Go code")
	}
}

// flat removes indentation and empty lines: the pages show the bodies of
// functions without the functions.
func flat(code string) string {
	var b strings.Builder
	for line := range strings.Lines(code) {
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

func TestTheREADMEIsShort(t *testing.T) {
	const limit = 200
	if n := strings.Count(read(t, filepath.Join(root, "README.md")), "\n"); n > limit {
		t.Errorf("the README has %d lines, at most %d are allowed: move text to docs", n, limit)
	}
}

func TestEveryPageIsLinkedFromTheREADME(t *testing.T) {
	readme := read(t, filepath.Join(root, "README.md"))
	found, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range found {
		if name := "docs/" + filepath.Base(page); !strings.Contains(readme, "]("+name+")") {
			t.Errorf("the README has no link to %s", name)
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

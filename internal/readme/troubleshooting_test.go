package readme_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTheTextsOfErrorsStandInTheCode: the page has no other texts than those
// that programs print, so that a reader can search for them.
func TestTheTextsOfErrorsStandInTheCode(t *testing.T) {
	var source strings.Builder
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		source.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	page := read(t, filepath.Join(root, "docs", "troubleshooting.md"))
	texts := 0
	for _, row := range regexp.MustCompile(`(?m)^\| ([^|]*) \|`).FindAllStringSubmatch(page, -1) {
		for _, text := range regexp.MustCompile("`([^`]*)`").FindAllStringSubmatch(row[1], -1) {
			texts++
			if !strings.Contains(source.String(), text[1]) {
				t.Errorf("no error has the text %q", text[1])
			}
		}
	}
	if texts == 0 {
		t.Error("the page has no texts")
	}
}

package readme_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryExampleOfThePageOfDecisionsExists looks for each Example that the
// page names, in the file to which the link leads.
func TestEveryExampleOfThePageOfDecisionsExists(t *testing.T) {
	page := filepath.Join(root, "docs", "decisions.md")
	links := regexp.MustCompile(`\[([^\]]*)\]\(([^)]*_test\.go)\)`).FindAllStringSubmatch(read(t, page), -1)
	if len(links) == 0 {
		t.Fatal("the page has no link to an Example")
	}
	example := regexp.MustCompile("`(Example[A-Za-z0-9_]*)`")
	for _, link := range links {
		names := example.FindAllStringSubmatch(link[1], -1)
		if len(names) == 0 {
			t.Errorf("the link to %s names no Example", link[2])
		}
		source := read(t, filepath.Join(filepath.Dir(page), link[2]))
		for _, name := range names {
			if !strings.Contains(source, "\nfunc "+name[1]+"() {\n") {
				t.Errorf("%s has no %s", link[2], name[1])
			}
		}
	}
}

// TestEveryDecisionHasAnExample looks for a row of the page without one.
func TestEveryDecisionHasAnExample(t *testing.T) {
	for line := range strings.Lines(read(t, filepath.Join(root, "docs", "decisions.md"))) {
		heading := strings.HasPrefix(line, "| decision ") || strings.HasPrefix(line, "|---")
		if strings.HasPrefix(line, "|") && !heading && !strings.Contains(line, "`Example") {
			t.Errorf("no Example: %s", strings.TrimSpace(line))
		}
	}
}

package readme_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// allPages returns every page of the repository by its path from the root, the
// READMEs of nested modules too.
func allPages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (strings.HasPrefix(name, ".") && path != root || name == "node_modules" || name == "testdata"):
			return fs.SkipDir
		case filepath.Ext(name) != ".md":
			return nil
		}
		relative, err := filepath.Rel(root, path)
		found[filepath.ToSlash(relative)] = read(t, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 30 {
		t.Fatalf("only %d pages were found: this test looks in the wrong folder", len(found))
	}
	return found
}

var (
	fenced  = regexp.MustCompile("(?ms)^ *```.*?^ *```")
	written = regexp.MustCompile(`(?s)<!-- report: .*?<!-- end -->`) // by cmd/report
	inCode  = regexp.MustCompile("`[^`\n]*`")
	linked  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^(#+) (.*)$`)
)

// linksOf returns the files of this repository that a page links to, each with
// the anchors.
func linksOf(name, text string) map[string][]string {
	links := map[string][]string{}
	prose := inCode.ReplaceAllString(fenced.ReplaceAllString(text, ""), "")
	for _, m := range linked.FindAllStringSubmatch(prose, -1) {
		if strings.Contains(m[1], ":") {
			continue // to another site
		}
		file, anchor, _ := strings.Cut(m[1], "#")
		target := name
		if file != "" {
			target = filepath.ToSlash(filepath.Join(filepath.Dir(name), file))
		}
		links[target] = append(links[target], anchor)
	}
	return links
}

// anchors returns what a code host makes of the headings of a page.
func anchors(text string) map[string]bool {
	known := map[string]bool{"": true}
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		title := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(strings.ToLower(m[2]), "$1")
		title = regexp.MustCompile(`[^\p{L}\p{N}_ -]`).ReplaceAllString(title, "")
		known[strings.ReplaceAll(title, " ", "-")] = true
	}
	return known
}

func TestEveryLinkToAFileOrAHeadingOfThisRepositoryLeadsSomewhere(t *testing.T) {
	all := allPages(t)
	for page, text := range all {
		for target, wanted := range linksOf(page, text) {
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s links to %s, which is not there", page, target)
			}
			for _, anchor := range wanted {
				if known := anchors(all[target]); !known[anchor] {
					t.Errorf("%s links to the heading #%s of %s, which is not there", page, anchor, target)
				}
			}
		}
	}
}

func TestEveryPageIsTwoClicksFromTheREADME(t *testing.T) {
	all, near := allPages(t), map[string]bool{"README.md": true}
	for range 2 {
		for _, page := range slices.Collect(maps.Keys(near)) {
			for target := range linksOf(page, all[page]) {
				near[target] = true
			}
		}
	}
	for page := range all {
		if !near[page] {
			t.Errorf("%s is more than two clicks away from the README", page)
		}
	}
}

func TestTheHeadingsOfAPageAreInOrder(t *testing.T) {
	for page, text := range allPages(t) {
		level := 0
		for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
			next := len(m[1])
			if next > level+1 || next == 1 && level > 0 {
				t.Errorf("%s: %q follows a heading of level %d", page, m[0], level)
			}
			level = next
		}
	}
}

// TestTablesFitOnAPage: a table that a person writes has at most six columns,
// and its cells are at most 300 characters long.
func TestTablesFitOnAPage(t *testing.T) {
	const columns, characters = 6, 300
	for page, text := range allPages(t) {
		text = fenced.ReplaceAllString(written.ReplaceAllString(text, ""), "")
		for line := range strings.Lines(text) {
			if !strings.HasPrefix(line, "|") {
				continue
			}
			line = strings.ReplaceAll(strings.TrimSpace(line), `\|`, "/")
			cells := strings.Split(strings.Trim(line, "|"), "|")
			if len(cells) > columns {
				t.Errorf("%s: %.60q has %d columns, at most %d are readable", page, line, len(cells), columns)
			}
			for _, cell := range cells {
				if n := len([]rune(strings.TrimSpace(cell))); n > characters {
					t.Errorf("%s: a cell of %.60q has %d characters, at most %d are readable", page, line, n, characters)
				}
			}
		}
	}
}

// TestCodeFitsIntoItsBlock: a code host scrolls longer lines sideways.
func TestCodeFitsIntoItsBlock(t *testing.T) {
	const limit = 100
	for page, text := range allPages(t) {
		for _, block := range fenced.FindAllString(text, -1) {
			for line := range strings.Lines(block) {
				line = strings.ReplaceAll(strings.TrimRight(line, "\n"), "\t", "    ")
				if n := len([]rune(line)); n > limit {
					t.Errorf("%s: %q has %d columns, at most %d fit", page, line, n, limit)
				}
			}
		}
	}
}

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// page is docs/performance.md, whose blocks between markers are replaced.
type page struct {
	dir  string
	text string
}

func openPage(dir string) (*page, error) {
	text, err := os.ReadFile(filepath.Join(dir, "performance.md"))
	return &page{dir, string(text)}, err
}

// replace puts content between the markers of a block.
func (p *page) replace(block, content string) error {
	begin, end := "<!-- report: "+block+" -->", "<!-- end -->"
	before, rest, ok := strings.Cut(p.text, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return fmt.Errorf("performance.md has no block %q, from %q to %q", block, begin, end)
	}
	p.text = before + begin + "\n\n" + strings.TrimSpace(content) + "\n\n" + end + after
	return nil
}

func (p *page) save() error {
	return os.WriteFile(filepath.Join(p.dir, "performance.md"), []byte(p.text), 0o644) //nolint:gosec // a page for everybody
}

// show prints tables below the conditions they were measured under, and puts
// them into the page's block.
func (r *report) show(block string, tables ...fmt.Stringer) error {
	var b strings.Builder
	b.WriteString(r.when + "\n\n")
	for _, t := range tables {
		b.WriteString(t.String() + "\n")
	}
	return r.put(block, b.String())
}

// put prints text, and puts it into the page's block.
func (r *report) put(block, text string) error {
	if _, err := fmt.Fprintf(r.out, "## %s\n\n%s\n", block, text); err != nil {
		return err
	}
	if r.page == nil {
		return nil
	}
	return r.page.replace(block, text)
}

// draw writes a plot beside the page.
func (r *report) draw(name string, svg []byte) error {
	if r.page == nil {
		return nil
	}
	dir := filepath.Join(r.page.dir, "performance")
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // pictures for everybody
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), svg, 0o644) //nolint:gosec // a picture for everybody
}

func known(name string) bool {
	for _, s := range sections {
		if s.name == name {
			return true
		}
	}
	return false
}

func contains(list []string, name string) bool { return slices.Contains(list, name) }

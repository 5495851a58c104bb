package postgresstore_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/storage/postgresstore"
)

func TestTheREADMEShowsCompiledCodeAndTheSchema(t *testing.T) {
	readme, source := read(t, "README.md"), flat(read(t, "example_test.go"))
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(readme, -1)
	if len(blocks) == 0 {
		t.Error("the README has no Go code")
	}
	for _, block := range blocks {
		for line := range strings.Lines(flat(block[1])) {
			if !strings.Contains(source, line) {
				t.Errorf("this line of the README does not stand in example_test.go:\n%s", line)
			}
		}
	}
	schema, err := postgresstore.Schema("")
	if err != nil || !strings.Contains(flat(readme), flat(schema)) {
		t.Errorf("the README does not show what Schema returns: %v\n%s", err, schema)
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

// flat removes indentation and empty lines.
func flat(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

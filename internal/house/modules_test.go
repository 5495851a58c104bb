package house_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRootModuleRequiresThreeModules keeps the root module light: everybody who
// imports one of its packages gets all its requirements. What needs more is a
// module of its own.
func TestRootModuleRequiresThreeModules(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"github.com/hashicorp/go-retryablehttp", "golang.org/x/oauth2", "golang.org/x/sync"}
	if got := direct(string(text)); !slices.Equal(got, want) {
		t.Errorf("the root module requires %q, want %q", got, want)
	}
}

// direct returns the modules that a go.mod requires directly, sorted.
func direct(mod string) (paths []string) {
	block := false
	for line := range strings.Lines(mod) {
		line = strings.TrimSpace(line)
		single, isSingle := strings.CutPrefix(line, "require ")
		switch {
		case line == "require (":
			block = true
		case line == ")":
			block = false
		case strings.HasSuffix(line, "// indirect") || line == "" || strings.HasPrefix(line, "//"):
		case isSingle:
			paths = append(paths, strings.Fields(single)[0])
		case block:
			paths = append(paths, strings.Fields(line)[0])
		}
	}
	slices.Sort(paths)
	return paths
}

func TestDirect(t *testing.T) {
	const mod = "module m\n\nrequire b.example/b v1.0.0\n\nrequire (\n\ta.example/a v1.0.0\n\t// a comment\n\tc.example/c v1.0.0 // indirect\n)\n\nrequire d.example/d v1.0.0 // indirect\n"
	if got, want := direct(mod), []string{"a.example/a", "b.example/b"}; !slices.Equal(got, want) {
		t.Errorf("direct() = %q, want %q", got, want)
	}
}

package modtree_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/authtrip/authtrip/.ci/tools/internal/modtree"
)

// TestTheGoCommandAddsNoLine makes sure that go.work.sum is complete: in a new
// copy of the tree, commands that read all modules change no file.
func TestTheGoCommandAddsNoLine(t *testing.T) {
	const root = "../../../.."
	files, err := modtree.Present(root)
	if err != nil {
		t.Fatal(err)
	}
	tree := t.TempDir()
	before := map[string][]byte{}
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		target := filepath.Join(tree, name)
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(target, text, 0o600); err != nil {
			t.Fatal(err)
		}
		switch filepath.Base(name) {
		case "go.mod", "go.sum", "go.work", "go.work.sum":
			before[name] = text
		}
	}
	for _, args := range [][]string{
		{"list", "-deps", "-test", "work"},
		{"list", "-m", "all"},
		{"mod", "graph"},
	} {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir, cmd.Env = tree, append(os.Environ(), "GOWORK=")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %q: %v\n%s", args, err, out)
		}
	}
	for name, text := range before {
		after, err := os.ReadFile(filepath.Join(tree, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(after, text) {
			t.Errorf("the go command has changed %s: run make tidy, and commit what it changes", name)
		}
	}
	if before["go.work.sum"] == nil {
		t.Error("there is no go.work.sum")
	}
}

package modtree_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"github.com/authtrip/authtrip/.ci/tools/internal/modtree"
)

// TestInstall serves this source tree as a module proxy from a folder and does
// what users do, each time from an empty folder: it gets and builds every
// library, installs grantctl, and runs the quickstart.
func TestInstall(t *testing.T) {
	const root = "../../../.."
	files, err := modtree.Present(root)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := modtree.Open(root, files)
	if err != nil {
		t.Fatal(err)
	}
	u := newUser(t)
	release, err := tree.Release(u.version, u.proxy)
	if err != nil {
		t.Fatal(err)
	}
	modules := tree.Modules()
	kit := modules[0].Path
	t.Cleanup(func() { u.remove(t, modules) })

	for _, m := range modules {
		if m.Dir != "." && !strings.HasPrefix(m.Dir, "storage/") && !strings.HasPrefix(m.Dir, "tokensource/") {
			continue
		}
		t.Run("get "+m.Dir, func(t *testing.T) {
			dir := t.TempDir()
			u.run(t, dir, "go", "mod", "init", "example.com/app")
			u.run(t, dir, "go", "get", m.Path+"/...@"+u.version)
			u.run(t, dir, "go", "build", m.Path+"/...")
			sums, err := os.ReadFile(filepath.Join(dir, "go.sum"))
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(release.Files["cmd/grantctl/go.sum"])) {
				if strings.HasPrefix(line, m.Path+" ") && !strings.Contains(string(sums), line) {
					t.Errorf("go.sum lacks the line that the release computed: %s", line)
				}
			}
		})
	}
	for page, program := range map[string]string{"command-line": "whoami", "bots": "bot"} {
		t.Run("follow docs/"+page, func(t *testing.T) { u.follow(t, root, page, program) })
	}
	t.Run("install grantctl", func(t *testing.T) {
		dir := t.TempDir()
		u.run(t, dir, "go", "install", kit+"/cmd/grantctl@"+u.version)
		if out := u.run(t, dir, filepath.Join(u.bin, "grantctl"), "-h"); !strings.Contains(out, "reseal") {
			t.Errorf("grantctl -h printed %s, want its commands", out)
		}
	})
	t.Run("run quickstart", func(t *testing.T) {
		if out := u.run(t, t.TempDir(), "go", "run", kit+"/examples/quickstart@"+u.version, "-h"); !strings.Contains(out, "-addr") {
			t.Errorf("quickstart -h printed %s, want its flags", out)
		}
	})
}

// user is somebody who has Go and this module proxy.
//
// Modules of others come from the module cache of this machine, which is warm.
// Our modules come from the folder. Their version exists nowhere else. They
// leave the cache when the test ends.
type user struct {
	version, proxy, bin, cache string
	env                        []string
}

func newUser(t *testing.T) *user {
	t.Helper()
	u := &user{
		version: fmt.Sprintf("v0.0.0-install.%d", time.Now().UnixNano()),
		proxy:   t.TempDir(),
		bin:     t.TempDir(),
	}
	u.cache = u.run(t, ".", "go", "env", "GOMODCACHE")
	u.env = []string{
		"GOWORK=off", "GOSUMDB=off", "GOBIN=" + u.bin,
		"GOFLAGS=" + u.run(t, ".", "go", "env", "GOFLAGS") + " -modcacherw",
		"GOPROXY=file://" + u.proxy + ",file://" + filepath.Join(u.cache, "cache", "download") + "," + u.run(t, ".", "go", "env", "GOPROXY"),
	}
	return u
}

// follow runs the first "go get" of a page in an empty folder, and builds the
// program that the page shows. The newest version is this one.
func (u *user) follow(t *testing.T, root, page, program string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", page+".md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "go get ")
	if !found {
		t.Fatalf("docs/%s.md has no go get", page)
	}
	modules, _, _ := strings.Cut(rest, "\n")
	source, err := os.ReadFile(filepath.Join(root, "examples", program, "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), source, 0o600); err != nil {
		t.Fatal(err)
	}
	u.run(t, dir, "go", "mod", "init", "example.com/app")
	u.run(t, dir, "go", append([]string{"get"}, strings.Fields(modules)...)...)
	u.run(t, dir, "go", "build", ".")
}

// run runs a command and returns everything it printed, without the spaces
// around it.
func (u *user) run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), u.env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out.String())
	}
	return strings.TrimSpace(out.String())
}

// remove removes what the module cache holds of the modules in this version.
func (u *user) remove(t *testing.T, modules []*modtree.Module) {
	t.Helper()
	for _, m := range modules {
		escaped, err := module.EscapePath(m.Path)
		if err != nil {
			continue // such a module is not published
		}
		saved, err := filepath.Glob(filepath.Join(u.cache, "cache", "download", escaped, "@v", u.version+".*"))
		if err != nil {
			t.Error(err)
		}
		for _, name := range append(saved, filepath.Join(u.cache, escaped+"@"+u.version)) {
			if err := os.RemoveAll(name); err != nil {
				t.Error(err)
			}
		}
	}
}

package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	release "github.com/authtrip/authtrip/.ci/tools/release"

	"github.com/authtrip/authtrip/.ci/tools/internal/modtree"
)

// tree is a small source tree: a library, a store that requires it, a command
// that requires both, and a module that is not published. The store has no
// LICENSE, so its archive gets the one of the root.
var tree = map[string]string{
	"LICENSE": "Everything is allowed.\n",
	"kit.go":  "package kit\n",
	"go.mod":  "module example.com/kit.git\n\ngo 1.26.0\n",
	"go.work": "go 1.26.0\n\nuse (\n\t.\n\t./cmd/tool\n\t./internal/load\n\t./store\n)\n\nreplace (\n\texample.com/kit.git v0.0.0 => ./\n\texample.com/kit.git/store v0.0.0 => ./store\n)\n",

	"store/go.mod":   "module example.com/kit.git/store\n\ngo 1.26.0\n\nrequire example.com/kit.git v0.0.0\n",
	"store/store.go": "package store\n\nimport _ \"example.com/kit.git\"\n",

	"cmd/tool/go.mod":  "module example.com/kit.git/cmd/tool\n\ngo 1.26.0\n\nrequire (\n\texample.com/kit.git v0.0.0\n\texample.com/kit.git/store v0.0.0\n)\n",
	"cmd/tool/main.go": "package main\n\nimport (\n\t_ \"example.com/kit.git\"\n\t_ \"example.com/kit.git/store\"\n)\n\nfunc main() {}\n",

	"internal/load/go.mod":  "module example.com/kit.git/internal/load\n\ngo 1.26.0\n\nrequire example.com/kit.git v0.0.0\n",
	"internal/load/load.go": "package load\n\nimport _ \"example.com/kit.git\"\n",
}

// repository puts the tree, with the given changes, into a new git repository.
func repository(t *testing.T, changes map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for _, files := range []map[string]string{tree, changes} {
		for name, text := range files {
			write(t, filepath.Join(root, name), text)
		}
	}
	run(t, root, nil, "git", "init", "--quiet", "--initial-branch=main")
	run(t, root, nil, "git", "config", "user.name", "Somebody")
	run(t, root, nil, "git", "config", "user.email", "somebody@example.com")
	run(t, root, nil, "git", "add", ".")
	run(t, root, nil, "git", "commit", "--quiet", "--message", "first")
	return root
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, dir string, env []string, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s%s", name, args, err, out, stderr.Bytes())
	}
	return out
}

// TestRun releases the tree, sets the tags that Run printed, and lets the go
// command fetch every module from the repository. The go command refuses a
// module whose hash is not the one in go.sum.
func TestRun(t *testing.T) {
	root := repository(t, nil)
	var out bytes.Buffer
	if err := release.Run(t.Context(), root, "v0.1.0", &out); err != nil {
		t.Fatal(err)
	}
	tags := strings.Fields(out.String())
	want := []string{"v0.1.0", "store/v0.1.0", "cmd/tool/v0.1.0"}
	if !slices.Equal(tags, want) {
		t.Fatalf("Run printed the tags %q, want %q", tags, want)
	}
	if status := run(t, root, nil, "git", "status", "--porcelain"); len(status) > 0 {
		t.Errorf("after Run, git status = %q, want nothing", status)
	}
	for _, tag := range tags {
		run(t, root, nil, "git", "tag", tag)
	}

	env := fetched(t, root)
	for _, dir := range []string{"store", "cmd/tool", "internal/load"} {
		run(t, filepath.Join(root, dir), env, "go", "build", "-mod=readonly", "./...")
		run(t, filepath.Join(root, dir), env, "go", "mod", "tidy", "-diff")
	}
	for _, path := range []string{"example.com/kit.git", "example.com/kit.git/store"} {
		var got struct{ Sum, GoModSum string }
		if err := json.Unmarshal(run(t, t.TempDir(), env, "go", "mod", "download", "-json", path+"@v0.1.0"), &got); err != nil {
			t.Fatal(err)
		}
		sums, err := os.ReadFile(filepath.Join(root, "cmd/tool/go.sum"))
		if err != nil {
			t.Fatal(err)
		}
		want := path + " v0.1.0 " + got.Sum + "\n" + path + " v0.1.0/go.mod " + got.GoModSum + "\n"
		if !strings.Contains(string(sums), want) {
			t.Errorf("go.sum = %s, want it to contain %s", sums, want)
		}
	}
	run(t, root, append(env, "GOWORK="), "go", "vet", "work")
}

// fetched is an environment in which the go command fetches the modules of the
// tree from the repository at root, and nothing else.
func fetched(t *testing.T, root string) []string {
	t.Helper()
	return []string{
		"GOWORK=off", "GOPROXY=direct", "GOSUMDB=off", "GOMODCACHE=" + t.TempDir(), "GOFLAGS=-modcacherw",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=url.file://" + root + ".insteadOf", "GIT_CONFIG_VALUE_0=https://example.com/kit",
	}
}

// TestRunAgain releases a second version: the hashes of the first one leave
// go.sum, and the hashes of other modules stay.
func TestRunAgain(t *testing.T) {
	const other = "example.org/other v1.0.0/go.mod h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	root := repository(t, map[string]string{"store/go.sum": other})
	for _, version := range []string{"v0.1.0", "v0.2.0"} {
		if err := release.Run(t.Context(), root, version, &bytes.Buffer{}); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]int{"store/go.mod": 1, "store/go.sum": 2, "cmd/tool/go.mod": 2, "cmd/tool/go.sum": 4, "internal/load/go.mod": 1, "go.work": 2} {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(string(data), "v0.2.0"); got != want || strings.Contains(string(data), "v0.1.0") {
			t.Errorf("%s names v0.2.0 %d times, want %d, and v0.1.0 not at all:\n%s", name, got, want, data)
		}
	}
	if sums, err := os.ReadFile(filepath.Join(root, "store/go.sum")); err != nil || !strings.HasSuffix(string(sums), other) {
		t.Errorf("store/go.sum = %s (%v), want it to end with %s", sums, err, other)
	}
}

func TestRunRefuses(t *testing.T) {
	circle := "module example.com/kit.git\n\ngo 1.26.0\n\nrequire example.com/kit.git/store v0.0.0\n"
	replace := tree["store/go.mod"] + "\nreplace example.com/kit.git => ../\n"
	hidden := tree["store/go.mod"] + "\nrequire example.com/kit.git/internal/load v0.0.0\n"
	for _, test := range []struct {
		name, version string
		changes       map[string]string
		prepare       func(root string)
		want          error  // what the error matches, or
		text          string // what it contains
	}{
		{name: "no v", version: "0.1.0", want: modtree.ErrVersion},
		{name: "no patch", version: "v0.1", want: modtree.ErrVersion},
		{name: "build metadata", version: "v0.1.0+linux", want: modtree.ErrVersion},
		{name: "another path", version: "v2.0.0", want: modtree.ErrVersion},
		{name: "changes", version: "v0.1.0", want: release.ErrChanges, prepare: func(root string) {
			write(t, filepath.Join(root, "kit.go"), "package other\n")
		}},
		{name: "a new file", version: "v0.1.0", want: release.ErrChanges, prepare: func(root string) {
			write(t, filepath.Join(root, "new.go"), "package kit\n")
		}},
		{name: "a tag", version: "v0.1.0", want: release.ErrTagged, prepare: func(root string) {
			run(t, root, nil, "git", "tag", "store/v0.1.0")
		}},
		{name: "a circle", version: "v0.1.0", changes: map[string]string{"go.mod": circle}, text: "requires itself"},
		{name: "a replace", version: "v0.1.0", changes: map[string]string{"store/go.mod": replace}, text: "store/go.mod has a replace directive"},
		{name: "a module that is not published", version: "v0.1.0", changes: map[string]string{"store/go.mod": hidden}, text: "internal/load, which is not published"},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := repository(t, test.changes)
			if test.prepare != nil {
				test.prepare(root)
			}
			before := run(t, root, nil, "git", "rev-parse", "HEAD")
			err := release.Run(t.Context(), root, test.version, &bytes.Buffer{})
			if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("Run(%q) = %v, want %v %s", test.version, err, test.want, test.text)
			}
			if after := run(t, root, nil, "git", "rev-parse", "HEAD"); !bytes.Equal(before, after) {
				t.Errorf("Run(%q) made a commit", test.version)
			}
		})
	}
}

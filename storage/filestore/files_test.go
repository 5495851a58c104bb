//go:build unix

package filestore_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/authtrip/authtrip/storage/filestore"
)

// TestFewFilesLeft opens and uses a store where the process may open few more
// files. Each call must succeed, or say that files have run out.
func TestFewFilesLeft(t *testing.T) {
	const env = "FILESTORE_TEST_FILES"
	if left := os.Getenv(env); left != "" {
		number, dir, _ := strings.Cut(left, " ")
		useWith(t, number, dir)
		return
	}
	dir := t.TempDir()
	put(t, openStore(t, dir, nil), "k", "value", 0)
	for left := range 40 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFewFilesLeft$")
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", env, left, dir))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("with %d files left: %v: %s", left, err, out)
		}
	}
}

func useWith(t *testing.T, number, dir string) {
	t.Helper()
	left, err := strconv.Atoi(number)
	if err != nil {
		t.Fatal(err)
	}
	const limit = 128
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		t.Fatal(err)
	}
	var used []*os.File
	for {
		file, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		used = append(used, file)
	}
	for _, file := range used[len(used)-left:] {
		_ = file.Close()
	}
	t.Cleanup(func() { // the end of the test opens files
		for _, file := range used[:len(used)-left] {
			_ = file.Close()
		}
	})
	f, err := filestore.Open(dir, nil)
	if err == nil {
		_, err = f.Put(t.Context(), "new"+number, nil, 0)
	}
	if err == nil {
		_, err = f.Get(t.Context(), "k")
	}
	if err != nil && (!errors.Is(err, syscall.EMFILE) || !strings.Contains(err.Error(), "raise the limit of open files")) {
		t.Errorf("with %d files left: %v, want that files have run out", left, err)
	}
	if left < 3 && err == nil {
		t.Errorf("with %d files left: no error", left)
	}
}

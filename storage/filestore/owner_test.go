//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/authtrip/authtrip/storage/filestore"
)

// somebody is a user and a group without any rights.
const somebody = 65534

// theirStore returns a directory that belongs to somebody. It skips the test
// unless root runs it.
func theirStore(t *testing.T) (dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	dir = t.TempDir()
	if err := os.Chown(dir, somebody, somebody); err != nil {
		t.Fatal(err)
	}
	return dir
}

// owners returns the user and the group that each file in dir belongs to.
func owners(t *testing.T, dir string) map[string][2]uint32 {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	of := map[string][2]uint32{}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		stat := info.Sys().(*syscall.Stat_t)
		of[e.Name()] = [2]uint32{stat.Uid, stat.Gid}
	}
	return of
}

// TestDirectoryOfAnotherUser opens a directory that belongs to another user.
// Nothing may be written there, and nothing given away.
func TestDirectoryOfAnotherUser(t *testing.T) {
	dir := theirStore(t)
	f, err := filestore.Open(dir, nil)
	if f != nil || err == nil || !strings.Contains(err.Error(), "belongs to user 65534") || !strings.Contains(err.Error(), dir) {
		t.Errorf("Open() = %v, %v, want an error that names the directory and its user", f, err)
	}
	if of := owners(t, dir); len(of) != 0 {
		t.Errorf("after a refusal there are %v in the directory, want nothing", of)
	}
}

// TestDirectoryOfAnotherUserByChoice writes there nevertheless. No file may
// belong to that user.
func TestDirectoryOfAnotherUserByChoice(t *testing.T) {
	dir := theirStore(t)
	f := openStore(t, dir, &filestore.Options{InsecureOtherOwner: true})
	v := put(t, f, "k", "value", 0)
	put(t, f, "k", "again", v)
	of := owners(t, dir)
	if len(of) != 32+1 {
		t.Errorf("%d files in the directory, want 32 locks and a record", len(of))
	}
	for name, got := range of {
		if got != [2]uint32{} {
			t.Errorf("%s belongs to %d, want root", name, got)
		}
	}
}

// TestDirectoryOfRoot opens a directory of root as another user, as where the
// system has made the directory. This must work if the user may write there.
func TestDirectoryOfRoot(t *testing.T) {
	const child = "STORAGE_TEST_CHILD_DIR"
	if dir := os.Getenv(child); dir != "" {
		f := openStore(t, dir, nil)
		put(t, f, "k", "value", 0)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can start a process of another user")
	}
	dir, err := os.MkdirTemp("", "authtrip-") //nolint:usetesting // other users cannot enter that of the test
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()     // only what the test has made
	if err := os.Chmod(dir, 0o777); err != nil { //nolint:gosec // the point of the test
		t.Fatal(err)
	}
	program, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "program"), program, 0o755) //nolint:gosec // another user runs it
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "program"), "-test.run=^TestDirectoryOfRoot$")
	cmd.Env = append(os.Environ(), child+"="+dir)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: somebody, Gid: somebody}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("a process of another user = %v: %s", err, out)
	}
}

// TestLinksToFilesElsewhere creates links to a file elsewhere under the names
// that the store uses. The file must not change.
func TestLinksToFilesElsewhere(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("of root"), 0o600); err != nil {
		t.Fatal(err)
	}
	plant := func(name string) {
		t.Helper()
		if err := os.Link(secret, filepath.Join(dir, name)); err != nil {
			t.Skipf("no hard link from one directory to another: %v", err)
		}
	}
	plant("lock-00")
	f := openStore(t, dir, nil)
	for i := range 32 {
		plant(fmt.Sprintf("temp-%02x", i))
	}
	put(t, f, "k", "value", 0)
	if got, err := os.ReadFile(secret); err != nil || string(got) != "of root" {
		t.Errorf("the file that links lead to holds %q, %v, want it unchanged", got, err)
	}
	if r, err := f.Get(t.Context(), "k"); err != nil || string(r.Value()) != "value" {
		t.Errorf("Get() = %q, %v, want value", r.Value(), err)
	}
}

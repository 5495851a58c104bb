//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
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

// TestOfRoot lets root write to the store of another user, as an operator may.
// That user must still be able to use the store.
func TestOfRoot(t *testing.T) {
	dir := theirStore(t)
	f := openStore(t, dir, nil)
	v := put(t, f, "k", "value", 0)
	put(t, f, "k", "again", v)
	put(t, f, "other", "value", 0)
	of := owners(t, dir)
	if len(of) != 32+2 {
		t.Errorf("%d files in the directory, want 32 locks and 2 records", len(of))
	}
	for name, got := range of {
		if want := [2]uint32{somebody, somebody}; got != want {
			t.Errorf("%s belongs to %d, want %d", name, got, want)
		}
	}
}

// TestOfRootAndLinks creates links to a file of root under the names that the
// store uses. Root must neither write that file nor change its owner.
func TestOfRootAndLinks(t *testing.T) {
	dir := theirStore(t)
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
	if got := owners(t, filepath.Dir(secret))["secret"]; got != [2]uint32{} {
		t.Errorf("the file that links lead to belongs to %d, want root", got)
	}
	if got, err := os.ReadFile(secret); err != nil || string(got) != "of root" {
		t.Errorf("the file that links lead to holds %q, %v, want it unchanged", got, err)
	}
	if r, err := f.Get(t.Context(), "k"); err != nil || string(r.Value()) != "value" {
		t.Errorf("Get() = %q, %v, want value", r.Value(), err)
	}
}

//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/filestore"
)

// clean removes the lock files, as a cleaner of old files does.
func clean(t *testing.T, dir string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "lock-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLockFilesRemovedByACleaner removes the lock files, and lets another
// process hold the new ones. The first process must wait for them.
func TestLockFilesRemovedByACleaner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		first := openStore(t, dir, nil)
		v := put(t, first, "k", "value", 0)
		clean(t, dir)
		second := openStore(t, dir, nil)
		release := lockFor(t, dir, "k")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errTired)
		defer cancel()
		for name, s := range map[string]*filestore.Store{"first": first, "second": second} {
			if _, err := s.Put(ctx, "k", []byte("new"), v); !errors.Is(err, errTired) {
				t.Errorf("Put() of the %s process = %v, want that it waits for the lock of the other", name, err)
			}
		}
		release()
		next := put(t, first, "k", "new", v)
		if _, err := second.Put(t.Context(), "k", nil, v); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("Put() = %v, want %v", err, storage.ErrConflict)
		}
		put(t, second, "k", "newer", next)
		clean(t, dir) // nobody opens the store
		if keys, err := list(t.Context(), first); err != nil || len(keys) != 1 {
			t.Errorf("Keys() = %q, %v, want k", keys, err)
		}
	})
}

// TestLockFilesRemovedDuringAWrite removes the lock files while a write has the
// lock. Before the record is replaced, nothing may be written. Afterwards the
// outcome must be an error, since another process may write too.
func TestLockFilesRemovedDuringAWrite(t *testing.T) {
	dir := t.TempDir()
	f := openStore(t, dir, nil)
	put(t, f, "k", "value", 0)
	nothing := func() {}
	err := f.PutAfter(t.Context(), "k", []byte("new"), func() { clean(t, dir) }, nothing)
	if err == nil || !strings.Contains(err.Error(), "deleted the lock files") {
		t.Errorf("Put() whose lock file is removed before = %v, want an error that says so", err)
	}
	if r, err := f.Get(t.Context(), "k"); err != nil || string(r.Value()) != "value" {
		t.Errorf("Get() = %q, %v, want value", r.Value(), err)
	}
	openStore(t, dir, nil)
	err = f.PutAfter(t.Context(), "k", []byte("new"), nothing, func() { clean(t, dir) })
	if err == nil || !strings.Contains(err.Error(), "deleted the lock files") {
		t.Errorf("Put() whose lock file is removed after = %v, want an error that says so", err)
	}
	r, err := f.Get(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Delete(t.Context(), "k", r.Version); err != nil {
		t.Errorf("Delete() afterwards = %v, want no error", err)
	}
}

// TestDirectoryGone makes the directory disappear in many ways, while another
// one may be in its place. Every method must return an error.
func TestDirectoryGone(t *testing.T) {
	must := func(t *testing.T, errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	ways := map[string]func(t *testing.T, dir string){
		"renamed":                  func(t *testing.T, dir string) { must(t, os.Rename(dir, dir+".old")) },
		"deleted":                  func(t *testing.T, dir string) { must(t, os.RemoveAll(dir)) },
		"its parent renamed":       func(t *testing.T, dir string) { must(t, os.Rename(filepath.Dir(dir), filepath.Dir(dir)+".old")) },
		"renamed, an empty one":    func(t *testing.T, dir string) { must(t, os.Rename(dir, dir+".old"), os.Mkdir(dir, 0o700)) },
		"deleted, an empty one":    func(t *testing.T, dir string) { must(t, os.RemoveAll(dir), os.Mkdir(dir, 0o700)) },
		"renamed, a file":          func(t *testing.T, dir string) { must(t, os.Rename(dir, dir+".old"), os.WriteFile(dir, nil, 0o600)) },
		"renamed, a link to none":  func(t *testing.T, dir string) { must(t, os.Rename(dir, dir+".old"), os.Symlink("none", dir)) },
		"renamed, another process": func(t *testing.T, dir string) { must(t, os.Rename(dir, dir+".old")); openStore(t, dir, nil) },
		"a copy in its place": func(t *testing.T, dir string) {
			must(t, os.Rename(dir, dir+".old"), os.CopyFS(dir, os.DirFS(dir+".old")))
		},
		"a snapshot with the same files": func(t *testing.T, dir string) { // as by hard links
			must(t, os.Rename(dir, dir+".old"), os.Mkdir(dir, 0o700))
			names, err := filepath.Glob(dir + ".old/*")
			must(t, err)
			for _, name := range names {
				must(t, os.Link(name, filepath.Join(dir, filepath.Base(name))))
			}
		},
	}
	for name, vanish := range ways {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "parent", "store")
			f := openStore(t, dir, nil)
			v := put(t, f, "k", "value", 0)
			vanish(t, dir)
			wantGone(t, f, v)
		})
	}
}

// TestDirectoryBehindALinkThatTurns has a link in the path, which then leads to
// another directory.
func TestDirectoryBehindALinkThatTurns(t *testing.T) {
	base := t.TempDir()
	blue, green, link := filepath.Join(base, "blue"), filepath.Join(base, "green"), filepath.Join(base, "now")
	for _, dir := range []string{blue, green} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(blue, link); err != nil {
		t.Fatal(err)
	}
	f := openStore(t, link, nil)
	v := put(t, f, "k", "value", 0)
	if err := errors.Join(os.Remove(link), os.Symlink(green, link)); err != nil {
		t.Fatal(err)
	}
	wantGone(t, f, v)
	if err := errors.Join(os.Remove(link), os.Symlink(blue, link)); err != nil {
		t.Fatal(err)
	}
	put(t, f, "k", "again", v) // the directory is back
}

// wantGone fails the test unless every method says that the directory is gone.
func wantGone(t *testing.T, f *filestore.Store, v storage.Version) {
	t.Helper()
	want := func(call string, err error) {
		t.Helper()
		if !errors.Is(err, fs.ErrNotExist) || errors.Is(err, storage.ErrNotFound) || !strings.Contains(err.Error(), "the directory is gone") {
			t.Errorf("%s = %v, want that the directory is gone", call, err)
		}
	}
	_, err := f.Get(t.Context(), "k")
	want("Get(k)", err)
	_, err = f.Get(t.Context(), "none")
	want("Get(none)", err)
	_, err = f.Put(t.Context(), "k", nil, v)
	want("Put(k)", err)
	_, err = f.Put(t.Context(), "new", nil, 0)
	want("Put(new)", err)
	want("Delete(k)", f.Delete(t.Context(), "k", v))
	want("Delete(none)", f.Delete(t.Context(), "none", v))
	_, err = list(t.Context(), f)
	want("Keys()", err)
}

// TestNoFileUnderARecordsName puts other things under the name of a record.
// Every method must return an error soon, and change nothing.
func TestNoFileUnderARecordsName(t *testing.T) {
	things := map[string]func(name string) error{
		"pipe":      func(name string) error { return syscall.Mkfifo(name, 0o600) },
		"directory": func(name string) error { return os.Mkdir(name, 0o700) },
		"socket": func(name string) error {
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name})
			if err == nil {
				l.SetUnlinkOnClose(false)
				err = l.Close()
			}
			return err
		},
		"link to a record": func(name string) error { return os.Symlink(filepath.Base(recordFile("", "other")), name) },
		"link to a device": func(name string) error { return os.Symlink("/dev/zero", name) },
		"link to nothing":  func(name string) error { return os.Symlink("nothing", name) },
	}
	for name, plant := range things {
		t.Run(name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "s") //nolint:usetesting // the path of a socket is short
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			f := openStore(t, dir, nil)
			put(t, f, "other", "value", 0)
			if err := plant(recordFile(dir, "k")); err != nil {
				t.Fatal(err)
			}
			want := func(call string, err error) {
				t.Helper()
				if !errors.Is(err, storage.ErrCorrupt) || !strings.Contains(err.Error(), recordFile(dir, "k")) {
					t.Errorf("%s = %v, want %v and the name", call, err, storage.ErrCorrupt)
				}
			}
			_, err = f.Get(t.Context(), "k")
			want("Get()", err)
			_, err = f.Put(t.Context(), "k", nil, 0)
			want("Put()", err)
			want("Delete()", f.Delete(t.Context(), "k", 1))
			if _, err := os.Lstat(recordFile(dir, "k")); err != nil {
				t.Errorf("what stood there is gone: %v", err)
			}
		})
	}
}

// TestNoFileUnderALocksName puts a pipe under the name of a lock file.
func TestNoFileUnderALocksName(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "lock-05"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := filestore.Open(dir, nil); err == nil || !strings.Contains(err.Error(), "lock-05") {
		t.Errorf("Open() = %v, want an error that names the lock file", err)
	}
}

// TestNoFileUnderATemporaryName puts a pipe under the name of a temporary file.
// A write must replace it.
func TestNoFileUnderATemporaryName(t *testing.T) {
	dir := t.TempDir()
	f := openStore(t, dir, nil)
	for i := range 32 {
		if err := syscall.Mkfifo(filepath.Join(dir, "temp-"+string("0123456789abcdef"[i/16])+string("0123456789abcdef"[i%16])), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(t, f, "k", "value", 0)
	if r, err := f.Get(t.Context(), "k"); err != nil || string(r.Value()) != "value" {
		t.Errorf("Get() = %q, %v, want value", r.Value(), err)
	}
}

//go:build unix

package sqlitestore_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/sqlitestore"
)

// TestNoFileBesideTheDatabase puts pipes and directories under the names of the
// files that SQLite keeps beside a database. Open must not wait for the other
// end of a pipe.
func TestNoFileBesideTheDatabase(t *testing.T) {
	for _, suffix := range []string{"-wal", "-shm", "-journal"} {
		for kind, make := range map[string]func(string) error{
			"pipe":      func(name string) error { return syscall.Mkfifo(name, 0o600) },
			"directory": func(name string) error { return os.Mkdir(name, 0o700) },
		} {
			path := filepath.Join(t.TempDir(), "grants.db")
			s := open(t, path, nil)
			put(t, s, "k", "value", 0)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if err := make(path + suffix); err != nil {
				t.Fatal(err)
			}
			for _, must := range []bool{false, true} {
				_, err := sqlitestore.Open(t.Context(), path, &sqlitestore.Options{MustExist: must})
				if err == nil || !strings.Contains(err.Error(), "grants.db"+suffix+" is no file") {
					t.Errorf("Open() with a %s at %s = %v, want an error that names it", kind, suffix, err)
				}
			}
		}
	}
}

// TestDatabaseGone makes files of the database disappear while it is open.
// Every method must return an error: another process that opens the path sees
// nothing of what is written.
func TestDatabaseGone(t *testing.T) {
	must := func(t *testing.T, errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	for name, vanish := range map[string]func(t *testing.T, path string){
		"renamed":            func(t *testing.T, path string) { must(t, os.Rename(path, path+".old")) },
		"deleted":            func(t *testing.T, path string) { must(t, os.Remove(path)) },
		"directory renamed":  func(t *testing.T, path string) { must(t, os.Rename(filepath.Dir(path), filepath.Dir(path)+".old")) },
		"log deleted":        func(t *testing.T, path string) { must(t, os.Remove(path+"-wal")) },
		"index deleted":      func(t *testing.T, path string) { must(t, os.Remove(path+"-shm")) },
		"replaced by nobody": func(t *testing.T, path string) { must(t, os.Rename(path, path+".old"), os.WriteFile(path, nil, 0o600)) },
		"replaced by another process": func(t *testing.T, path string) {
			must(t, os.Rename(filepath.Dir(path), filepath.Dir(path)+".old"), os.Mkdir(filepath.Dir(path), 0o700))
			put(t, open(t, path, nil), "k", "of another process", 0)
		},
		"restored from a copy": func(t *testing.T, path string) {
			data, err := os.ReadFile(path)
			must(t, err, os.WriteFile(path+".new", data, 0o600), os.Rename(path+".new", path))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "dir", "grants.db")
			must(t, os.Mkdir(filepath.Dir(path), 0o700))
			s := open(t, path, nil)
			v := put(t, s, "k", "value", 0)
			vanish(t, path)
			want := func(call string, err error) {
				t.Helper()
				if !errors.Is(err, fs.ErrNotExist) || errors.Is(err, storage.ErrNotFound) || !strings.Contains(err.Error(), "is gone") {
					t.Errorf("%s = %v, want that the database is gone", call, err)
				}
			}
			_, err := s.Put(t.Context(), "k", nil, v)
			want("Put(k)", err)
			want("Delete(k)", s.Delete(t.Context(), "k", v))
			if strings.HasPrefix(name, "log") || strings.HasPrefix(name, "index") {
				return // a read looks at the database itself
			}
			_, err = s.Get(t.Context(), "k")
			want("Get(k)", err)
			_, err = s.Get(t.Context(), "none")
			want("Get(none)", err)
			for _, err := range s.Keys(t.Context()) {
				want("Keys()", err)
			}
		})
	}
}

// limitEnv holds how many more files the process of TestFewFilesLeft may open.
const limitEnv = "SQLITESTORE_TEST_FILES"

// TestFewFilesLeft opens a store where the process may open few more files.
// Open must succeed, or say that files have run out.
func TestFewFilesLeft(t *testing.T) {
	if left := os.Getenv(limitEnv); left != "" {
		openWith(t, left)
		return
	}
	path := filepath.Join(t.TempDir(), "grants.db")
	closeStore(t, open(t, path, nil))
	for left := range 20 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFewFilesLeft$")
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", limitEnv, left, path))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("with %d files left: %v: %s", left, err, out)
		}
	}
}

func openWith(t *testing.T, setting string) {
	t.Helper()
	number, path, _ := strings.Cut(setting, " ")
	left, err := strconv.Atoi(number)
	if err != nil {
		t.Fatal(err)
	}
	// Without this, the first use of the driver would open files of its own.
	closeStore(t, open(t, filepath.Join(t.TempDir(), "first.db"), nil))
	const limit = 64
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
	s, err := sqlitestore.Open(context.Background(), path, nil)
	if err == nil {
		_, err = s.Put(context.Background(), "k"+number, nil, 0)
	}
	if err != nil && (!errors.Is(err, syscall.EMFILE) || !strings.Contains(err.Error(), "raise the limit of open files") || strings.Contains(err.Error(), "let this user")) {
		t.Errorf("with %d files left: %v, want that files have run out", left, err)
	}
	if left < 3 && err == nil {
		t.Errorf("with %d files left: no error", left)
	}
}

// TestFileOfAnotherUser opens a database that belongs to another user.
func TestFileOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	path := filepath.Join(t.TempDir(), "grants.db")
	closeStore(t, open(t, path, nil))
	const somebody = 65534
	if err := os.Chown(path, somebody, somebody); err != nil {
		t.Fatal(err)
	}
	for _, o := range []*sqlitestore.Options{nil, {MustExist: true}} {
		if s, err := sqlitestore.Open(t.Context(), path, o); s != nil || err == nil || !strings.Contains(err.Error(), "belongs to user 65534") {
			t.Errorf("Open() = %v, %v, want an error that names the user", s, err)
		}
	}
	put(t, open(t, path, &sqlitestore.Options{InsecureOtherOwner: true}), "k", "value", 0)
}

package sqlitestore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/authtrip/authtrip/internal/exposure"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/sqlitestore"
)

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	foreign := filepath.Join(dir, "letter.txt")
	text := strings.Repeat("this is a letter and no database\n", 100)
	if err := os.WriteFile(foreign, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ path, want string }{
		{"", "storage.NewMemory"},
		{":memory:", "storage.NewMemory"},
		{"file::memory:", "storage.NewMemory"},
		{"file::memory:?cache=shared", "storage.NewMemory"},
		{"file:grants?mode=memory&cache=shared", "storage.NewMemory"},
		{"file:grants.db?_pragma=synchronous(off)", "plain file name"},
		{dir, "no file"},
		{filepath.Join(dir, "missing", "grants.db"), "create the directory"},
		{foreign, "no SQLite database"},
		{"nul\x00byte", "invalid"},
	}
	for _, tt := range tests {
		s, err := sqlitestore.Open(t.Context(), tt.path, nil)
		if s != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Open(%q) = %v, %v, want an error with %q", tt.path, s, err, tt.want)
		}
	}
	if after, err := os.ReadFile(foreign); err != nil || string(after) != text {
		t.Errorf("Open() changed a file that is no database: %v", err)
	}
}

// TestMustExist names what is no store: nothing is made of it.
func TestMustExist(t *testing.T) {
	dir := t.TempDir()
	missing, foreign, store := filepath.Join(dir, "missing.db"), filepath.Join(dir, "foreign.db"), filepath.Join(dir, "store.db")
	execute(t, openDB(t, foreign), "CREATE TABLE letters (text TEXT)")
	v := put(t, open(t, store, nil), "k", "value", 0)
	before, err := os.ReadFile(foreign)
	if err != nil {
		t.Fatal(err)
	}
	o := &sqlitestore.Options{MustExist: true}
	for path, text := range map[string]string{missing: "is the name right", foreign: "is there a table"} {
		s, err := sqlitestore.Open(t.Context(), path, o)
		if s != nil || err == nil || !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), text) {
			t.Errorf("Open(%q) = %v, %v, want %v with %q", path, s, err, fs.ErrNotExist, text)
		}
	}
	if _, err := os.Stat(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat() of a file that did not exist = %v, want %v", err, fs.ErrNotExist)
	}
	if after, err := os.ReadFile(foreign); err != nil || !bytes.Equal(after, before) {
		t.Errorf("Open() changed the database of somebody else: %v", err)
	}
	s := open(t, store, o)
	want(t, s, "k", "value", v)
	put(t, s, "k", "new", v)
}

// TestPaths opens files whose names mean something in a URI or to the driver:
// each must be that file and no other.
func TestPaths(t *testing.T) {
	dir := t.TempDir()
	names := []string{"a b.db", "a#b.db", "a%20b.db", "%41.db", "é.db", "a;b&c=d.db", "a'b.db", "vfs=unix", "sqlite"}
	if runtime.GOOS != "windows" {
		names = append(names, "a?mode=memory", "?_pragma=synchronous(off)", "file:a.db", `a\b.db`, "a\"b.db", "a\nb.db", "\xff.db")
	}
	for _, name := range names {
		put(t, open(t, filepath.Join(dir, name), nil), "k", name, 0)
	}
	for _, name := range names {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("after Open(%q) and Put: %v, want a file that is not empty", name, err)
		}
		r, err := open(t, filepath.Join(dir, name), nil).Get(t.Context(), "k")
		if err != nil || string(r.Value()) != name {
			t.Errorf("Get() from %q = %q, %v, want its own value", name, r.Value(), err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3*len(names) { // each with -wal and -shm
		t.Errorf("%d files, %v, want %d: %v", len(entries), err, 3*len(names), entries)
	}
}

func TestRelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	s := open(t, "grants.db", nil)
	v := put(t, s, "k", "value", 0)
	t.Chdir(t.TempDir()) // connections are not opened where the program went meanwhile
	want(t, s, "k", "value", v)
}

func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	dir := t.TempDir()
	put(t, open(t, filepath.Join(dir, "grants.db"), nil), "k", "value", 0)
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Fatalf("files = %v, %v, want three", entries, err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v, want 0600", e.Name(), info.Mode(), err)
		}
	}
}

func TestUnwritable(t *testing.T) {
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		t.Skip("the user may write everywhere")
	}
	path := filepath.Join(t.TempDir(), "grants.db")
	closeStore(t, open(t, path, nil))
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	_, err := sqlitestore.Open(t.Context(), path, nil)
	wantError(t, "Open() of a file without permission", err, "let this user", nil)
}

// TestOpenAtOnce opens a new database by many handles at the same time: all
// must succeed, and see each other.
func TestOpenAtOnce(t *testing.T) {
	for range 10 {
		path := filepath.Join(t.TempDir(), "grants.db")
		var start, done sync.WaitGroup
		start.Add(1)
		stores := make([]*sqlitestore.Store, 8)
		for i := range stores {
			done.Go(func() {
				start.Wait()
				s, err := sqlitestore.Open(context.Background(), path, nil)
				if err != nil {
					t.Errorf("Open() by handle %d = %v, want no error", i, err)
					return
				}
				stores[i] = s
				if _, err := s.Put(context.Background(), fmt.Sprintf("k%d", i), []byte("value"), 0); err != nil {
					t.Errorf("Put() by handle %d = %v, want no error", i, err)
				}
			})
		}
		start.Done()
		done.Wait()
		for _, s := range stores {
			if s == nil {
				continue
			}
			n := 0
			for _, err := range s.Keys(t.Context()) {
				if err != nil {
					t.Errorf("Keys() = %v, want no error", err)
				}
				n++
			}
			if n != len(stores) {
				t.Errorf("Keys() has %d keys, want %d", n, len(stores))
			}
			closeStore(t, s)
		}
	}
}

// TestVersions looks for versions whose highest bit is set, which SQLite keeps
// as negative numbers: they must come back.
func TestVersions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "grants.db")
	s := open(t, path, &sqlitestore.Options{InsecureNoSync: true})
	versions := map[string]storage.Version{}
	var high, low int
	for i := 0; high == 0 || low == 0; i++ {
		key := fmt.Sprintf("k%d", i)
		versions[key] = put(t, s, key, "value", 0)
		if versions[key]>>63 == 1 {
			high++
		} else {
			low++
		}
	}
	closeStore(t, s)
	s = open(t, path, nil)
	for key, v := range versions {
		want(t, s, key, "value", v)
		v = put(t, s, key, "swapped", v)
		if err := s.Delete(t.Context(), key, v); err != nil {
			t.Errorf("Delete(version %d) = %v, want no error", v, err)
		}
	}
}

func TestNothingPrintsValues(t *testing.T) {
	const secret = "correct-horse-battery-staple"
	s := open(t, filepath.Join(t.TempDir(), "grants.db"), nil)
	put(t, s, "k", secret, 0)
	for _, way := range exposure.Of(s, secret) {
		t.Errorf("a store shows a value: %s", way)
	}
}

package sqlitestore_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/storage/sqlitestore"
	"github.com/authtrip/authtrip/storage/storagetest"
)

func TestStore(t *testing.T) {
	run(t, &sqlitestore.Options{InsecureNoSync: true}, 3000, nil)
}

func TestStoreDurable(t *testing.T) {
	run(t, nil, 300, nil) // TestStore makes more swaps: a disk may take milliseconds for each
}

func TestSealedStore(t *testing.T) {
	keys, err := seal.NewKeys(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	run(t, &sqlitestore.Options{InsecureNoSync: true}, 300, keys)
}

// run runs the suite on stores that Open opens, sealed if keys is not nil.
func run(t *testing.T, o *sqlitestore.Options, swaps int, keys *seal.Keys) {
	var path string
	reopen := func(t *testing.T) storage.Store {
		t.Helper()
		s := open(t, path, o)
		if keys == nil {
			return s
		}
		sealed, err := storage.Sealed(s, keys)
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	first := func(t *testing.T) storage.Store {
		t.Helper()
		path = filepath.Join(t.TempDir(), "grants.db")
		return reopen(t)
	}
	storagetest.Run(t, first, &storagetest.Options{Reopen: reopen, Swaps: swaps})
}

// TestNew runs the suite on databases of the caller's: as SQLite has them by
// default, in WAL mode with a busy_timeout, and with one connection for all.
func TestNew(t *testing.T) {
	tests := []struct {
		name, query string
		most        int
	}{
		{"defaults", "?_pragma=synchronous(off)", 0},
		{"wal", "?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_pragma=synchronous(normal)", 0},
		{"one connection", "?_pragma=journal_mode(wal)&_pragma=synchronous(normal)", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var path string
			reopen := func(t *testing.T) storage.Store {
				t.Helper()
				db := openDB(t, path+tt.query)
				db.SetMaxOpenConns(tt.most)
				return attach(t, db, &sqlitestore.Options{CreateTable: true})
			}
			first := func(t *testing.T) storage.Store {
				t.Helper()
				path = filepath.Join(t.TempDir(), "app.db")
				return reopen(t)
			}
			storagetest.Run(t, first, &storagetest.Options{Reopen: reopen, Swaps: 500})
		})
	}
}

// open opens the store in path until the end of the test.
func open(t testing.TB, path string, o *sqlitestore.Options) *sqlitestore.Store {
	t.Helper()
	s, err := sqlitestore.Open(context.Background(), path, o)
	if err != nil {
		t.Fatalf("Open() = %v, want no error", err)
	}
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

// attach returns the store in db until the end of the test.
func attach(t testing.TB, db *sql.DB, o *sqlitestore.Options) *sqlitestore.Store {
	t.Helper()
	s, err := sqlitestore.New(context.Background(), db, o)
	if err != nil {
		t.Fatalf("New() = %v, want no error", err)
	}
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

func closeStore(t testing.TB, s *sqlitestore.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("Close() = %v, want no error", err)
	}
}

// openDB opens a database of the caller's until the end of the test.
func openDB(t testing.TB, name string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close() of the database = %v, want no error", err)
		}
	})
	return db
}

func execute(t testing.TB, db *sql.DB, query string) {
	t.Helper()
	if _, err := db.ExecContext(context.Background(), query); err != nil {
		t.Fatalf("%s = %v, want no error", query, err)
	}
}

// put stores value, which must succeed.
func put(t testing.TB, s storage.Store, key, value string, old storage.Version) storage.Version {
	t.Helper()
	v, err := s.Put(context.Background(), key, []byte(value), old)
	if err != nil {
		t.Fatalf("Put(%q, old %d) = %v, want no error", key, old, err)
	}
	return v
}

// want fails the test unless value is stored under key at version.
func want(t testing.TB, s storage.Store, key, value string, version storage.Version) {
	t.Helper()
	r, err := s.Get(context.Background(), key)
	if err != nil || string(r.Value()) != value || r.Version != version {
		t.Errorf("Get(%q) = %q, version %d, %v, want %q, %d", key, r.Value(), r.Version, err, value, version)
	}
}

// wantError fails the test unless err says text, and is target if that is not
// nil.
func wantError(t testing.TB, call string, err error, text string, target error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) || target != nil && !errors.Is(err, target) {
		t.Errorf("%s = %v, want an error with %q that is %v", call, err, text, target)
	}
}

func TestClose(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, filepath.Join(dir, "app.db"))
	stores := map[string]*sqlitestore.Store{
		"Open": open(t, filepath.Join(dir, "grants.db"), nil),
		"New":  attach(t, db, &sqlitestore.Options{CreateTable: true}),
	}
	for name, s := range stores {
		put(t, s, "k", "value", 0)
		for range 2 {
			closeStore(t, s)
		}
		_, err := s.Get(t.Context(), "k")
		wantError(t, name+": Get() after Close", err, "closed", fs.ErrClosed)
		_, err = s.Put(t.Context(), "k", nil, 0)
		wantError(t, name+": Put() after Close", err, "closed", fs.ErrClosed)
		wantError(t, name+": Delete() after Close", s.Delete(t.Context(), "k", 0), "closed", fs.ErrClosed)
		for _, err := range s.Keys(t.Context()) {
			wantError(t, name+": Keys() after Close", err, "closed", fs.ErrClosed)
		}
	}
	execute(t, db, "SELECT 1") // New's Close leaves the database open
}

// TestClosedWhileWriting closes a store in the middle of writes: each must
// succeed or say that the store is closed, and all that succeeded must be
// there.
func TestClosedWhileWriting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "grants.db")
	s := open(t, path, nil)
	last := make(chan storage.Record)
	keys := []string{"a", "b", "c", "d"}
	for _, key := range keys {
		go func() {
			var r storage.Record
			for n := 1; ; n++ {
				value := strings.Repeat("x", n)
				v, err := s.Put(context.Background(), key, []byte(value), r.Version)
				if err != nil {
					wantError(t, "Put", err, "closed", fs.ErrClosed)
					last <- r
					return
				}
				r = storage.NewRecord([]byte(key+value), v)
				if n == 5 && key == "a" {
					go s.Close() //nolint:errcheck // checked by the Close below
				}
			}
		}()
	}
	written := map[string]storage.Record{}
	for range keys {
		r := <-last
		if r.Version != 0 {
			written[string(r.Value()[:1])] = r
		}
	}
	closeStore(t, s)
	again := open(t, path, nil)
	for key, r := range written {
		want(t, again, key, string(r.Value()[1:]), r.Version)
	}
	if len(written) == 0 {
		t.Error("nothing was written")
	}
}

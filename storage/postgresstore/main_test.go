package postgresstore_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/authtrip/authtrip/internal/servertest"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/postgresstore"
)

// hangs is how long anything may take. After that, a test reports that it
// hangs.
const hangs = 2 * time.Minute

func TestMain(m *testing.M) {
	code := m.Run()
	for _, f := range shared.cleanups {
		defer f()
	}
	if code != 0 {
		defer os.Exit(code)
	}
}

// shared is the server of all tests of this binary: initdb takes a second.
// Tests run one after another.
var shared struct {
	mu       sync.Mutex
	server   *servertest.Server
	cleanups []func()
}

// wholeBinary is a testing.TB whose cleanups run when all tests have ended.
type wholeBinary struct{ testing.TB }

func (wholeBinary) Cleanup(f func()) { shared.cleanups = append(shared.cleanups, f) }

// server returns the server, which it starts if need be, or skips the test if
// there can be none.
func server(t testing.TB) *servertest.Server {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server == nil {
		shared.server = servertest.Postgres(wholeBinary{t})
	}
	return shared.server
}

// newPool returns a pool that is closed at the end of the test. Configure may
// be nil.
func newPool(t testing.TB, configure func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(server(t).URL)
	if err != nil {
		t.Fatal(err)
	}
	if configure != nil {
		configure(config)
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// exec runs SQL that must succeed.
func exec(t testing.TB, pool *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

var tables atomic.Int64

// newTable returns the name of a table that does not exist, and is dropped at
// the end of the test.
func newTable(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("records_%d_%d", os.Getpid(), tables.Add(1))
	pool := newPool(t, nil)
	t.Cleanup(func() { exec(t, pool, "DROP TABLE IF EXISTS "+name) })
	return name
}

// newStore returns a store on a table in a pool, which it creates if need be,
// until the end of the test.
func newStore(t testing.TB, pool *pgxpool.Pool, table string) *postgresstore.Store {
	t.Helper()
	return closeAtEnd(t)(postgresstore.New(context.Background(), pool, &postgresstore.Options{Table: table, CreateTable: true}))
}

// openStore is newStore with a pool of the store's own.
func openStore(t testing.TB, table string) *postgresstore.Store {
	t.Helper()
	return closeAtEnd(t)(postgresstore.Open(context.Background(), server(t).URL, &postgresstore.Options{Table: table, CreateTable: true}))
}

func closeAtEnd(t testing.TB) func(*postgresstore.Store, error) *postgresstore.Store {
	return func(s *postgresstore.Store, err error) *postgresstore.Store {
		t.Helper()
		if err != nil {
			t.Fatalf("opening a store = %v, want no error", err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Errorf("Close() = %v, want no error", err)
			}
		})
		return s
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

// want fails the test unless value is stored under "k".
func want(t testing.TB, s storage.Store, value string) {
	t.Helper()
	if r, err := s.Get(context.Background(), "k"); err != nil || string(r.Value()) != value {
		t.Errorf("Get(k) = %d bytes, %v, want %d bytes", len(r.Value()), err, len(value))
	}
}

// wantText fails the test unless err has every part in its text.
func wantText(t testing.TB, call string, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s = %v, want an error with %q", call, err, part)
		}
	}
}

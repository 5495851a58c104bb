package sqlitestore_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/sqlitestore"
)

const (
	valueSize = 2048
	keys      = 4
)

// side does the operation i that is measured.
type side func(b *testing.B, i int)

// paired measures two sides in turn, in batches of so many calls, and reports
// the median of the batches' ratios: figures of two separate runs differ by
// more than the sides do.
func paired(b *testing.B, batch int, store, floor side) {
	var ratios, of, floors []float64
	n := 0
	run := func(s side) float64 {
		begin := time.Now()
		for i := range batch {
			s(b, n+i)
		}
		return float64(time.Since(begin).Nanoseconds()) / float64(batch)
	}
	run(store)
	run(floor)
	for b.Loop() {
		n += batch
		var a, f float64
		if n/batch%2 == 0 {
			a, f = run(store), run(floor)
		} else {
			f, a = run(floor), run(store)
		}
		ratios, of, floors = append(ratios, a/f), append(of, a), append(floors, f)
	}
	b.ReportMetric(0, "ns/op") // of a round: says nothing
	b.ReportMetric(median(of), "ns/store")
	b.ReportMetric(median(floors), "ns/floor")
	b.ReportMetric(median(ratios), "ratio")
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}

func BenchmarkPairedLoad(b *testing.B) {
	for name, ctx := range contexts(b) {
		b.Run(name, func(b *testing.B) {
			s, f := newSides(b, nil)
			paired(b, 200, s.load(ctx), f.load)
		})
	}
}

func BenchmarkPairedSave(b *testing.B) {
	for name, ctx := range contexts(b) {
		b.Run(name, func(b *testing.B) {
			s, f := newSides(b, nil)
			paired(b, 10, s.save(ctx), f.save)
		})
	}
}

func BenchmarkPairedSaveNoSync(b *testing.B) {
	s, f := newSides(b, &sqlitestore.Options{InsecureNoSync: true})
	paired(b, 10, s.save(context.Background()), f.save)
}

// contexts are one that never ends and one that can, as a request's.
func contexts(b *testing.B) map[string]context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	return map[string]context.Context{"Background": context.Background(), "Cancellable": ctx}
}

// values differ, since SQLite writes nothing where nothing changes.
func values() [][]byte {
	v := make([][]byte, 64)
	for i := range v {
		v[i] = make([]byte, valueSize)
		_, _ = rand.Read(v[i]) // never fails
	}
	return v
}

func newSides(b *testing.B, o *sqlitestore.Options) (*subject, *floor) {
	b.Helper()
	s := &subject{store: open(b, filepath.Join(b.TempDir(), "grants.db"), o), values: values()}
	for i := range keys {
		s.versions[i] = put(b, s.store, keyNames[i], string(s.values[i]), 0)
	}
	return s, newFloor(b, o)
}

// subject is the store.
type subject struct {
	store    *sqlitestore.Store
	values   [][]byte
	versions [keys]storage.Version
}

var keyNames = [keys]string{"key0", "key1", "key2", "key3"}

func (s *subject) load(ctx context.Context) side {
	return func(b *testing.B, i int) {
		r, err := s.store.Get(ctx, keyNames[i%keys])
		if err != nil || len(r.Value()) != valueSize {
			b.Fatalf("Get() = %d bytes, %v", len(r.Value()), err)
		}
	}
}

func (s *subject) save(ctx context.Context) side {
	return func(b *testing.B, i int) {
		v, err := s.store.Put(ctx, keyNames[i%keys], s.values[i%len(s.values)], s.versions[i%keys])
		if err != nil {
			b.Fatal(err)
		}
		s.versions[i%keys] = v
	}
}

// floor is the bare driver: one connection, prepared statements, the same table
// and pragmas, no checks.
type floor struct {
	get, swap *sql.Stmt
	values    [][]byte
	versions  [keys]int64
	next      int64
}

func newFloor(b *testing.B, o *sqlitestore.Options) *floor {
	b.Helper()
	path := filepath.Join(b.TempDir(), "grants.db")
	s, err := sqlitestore.Open(b.Context(), path, nil) // for the table and WAL
	if err != nil {
		b.Fatal(err)
	}
	closeStore(b, s)
	conn, err := openDB(b, path).Conn(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	pragma := "PRAGMA synchronous = FULL"
	if o != nil && o.InsecureNoSync {
		pragma = "PRAGMA synchronous = NORMAL"
	}
	if _, err := conn.ExecContext(b.Context(), pragma); err != nil {
		b.Fatal(err)
	}
	prepare := func(query string) *sql.Stmt {
		stmt, err := conn.PrepareContext(b.Context(), query)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = stmt.Close() })
		return stmt
	}
	f := &floor{
		get:    prepare("SELECT version, value FROM authtrip_records WHERE key = ?"),
		swap:   prepare("UPDATE authtrip_records SET version = ?, value = ? WHERE key = ? AND version = ?"),
		values: values(),
		next:   1 << 62,
	}
	for i, key := range keyNames {
		f.versions[i] = int64(i + 2)
		const insert = "INSERT INTO authtrip_records VALUES (?, ?, ?)"
		if _, err := conn.ExecContext(b.Context(), insert, key, f.versions[i], f.values[i]); err != nil {
			b.Fatal(err)
		}
	}
	return f
}

func (f *floor) load(b *testing.B, i int) {
	var version int64
	var value []byte
	err := f.get.QueryRowContext(context.Background(), keyNames[i%keys]).Scan(&version, &value)
	if err != nil || len(value) != valueSize {
		b.Fatalf("SELECT = %d bytes, %v", len(value), err)
	}
}

func (f *floor) save(b *testing.B, i int) {
	f.next++
	result, err := f.swap.ExecContext(context.Background(), f.next, f.values[i%len(f.values)], keyNames[i%keys], f.versions[i%keys])
	if err != nil {
		b.Fatal(err)
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		b.Fatalf("UPDATE = %d rows, %v", n, err)
	}
	f.versions[i%keys] = f.next
}

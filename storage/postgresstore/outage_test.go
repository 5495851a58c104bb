package postgresstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/authtrip/authtrip/storage"
)

// TestRestart stops and starts the server under a store and a watch.
func TestRestart(t *testing.T) {
	table, ctx := newTable(t), context.Background()
	s := openStore(t, table)
	v := put(t, s, "k", "before", 0)
	w := watch(t, s)
	w.wantNews(t, "")
	server(t).Stop(t)
	for _, err := range s.Keys(ctx) {
		wantText(t, "Keys() without a server", err, "postgresstore: list: ")
	}
	_, err := s.Get(ctx, "k")
	wantText(t, "Get() without a server", err, "postgresstore: get: ")
	_, err = s.Put(ctx, "k", []byte("during"), v)
	wantText(t, "Put() without a server", err, "postgresstore: put: ")
	wantText(t, "Delete() without a server", s.Delete(ctx, "k", v), "postgresstore: delete: ")
	wantText(t, "Watch() without a server", w.wantEnd(t), "postgresstore: watch: ")
	wantText(t, "a new Watch() without a server", s.Watch(ctx, func(storage.Change) { t.Error("changed is called") }), "postgresstore: watch: ")
	server(t).Start(t)
	want(t, s, "before")
	again := watch(t, s)
	again.wantNews(t, "")
	put(t, s, "k", "after", v)
	put(t, s, "other", "after", 0)
	again.wantNews(t, "other")
	want(t, s, "after")
}

// lockRow locks the row of key, as a transaction of somebody else may, until
// the function that it returns is called.
func lockRow(t *testing.T, pool *pgxpool.Pool, table, key string) (tx pgx.Tx, release func()) {
	t.Helper()
	tx, err := pool.Begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	release = sync.OnceFunc(func() { _ = tx.Rollback(context.Background()) })
	t.Cleanup(release)
	if _, err := tx.Exec(context.Background(), "SELECT FROM "+table+" WHERE key = $1 FOR UPDATE", key); err != nil {
		t.Fatal(err)
	}
	return tx, release
}

// awaitBlocked returns when n sessions wait for a lock on rows of the table.
func awaitBlocked(t *testing.T, pool *pgxpool.Pool, table string, n int) {
	t.Helper()
	const sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%' || $1 || '%' AND pid <> pg_backend_pid()"
	for limit := time.Now().Add(hangs); ; {
		var blocked int
		if err := pool.QueryRow(context.Background(), sql, table).Scan(&blocked); err != nil {
			t.Fatal(err)
		}
		if blocked == n {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("%d sessions wait for a lock, want %d", blocked, n)
		}
	}
}

func TestCancelledWhileARowIsLocked(t *testing.T) {
	pool, table := newPool(t, nil), newTable(t)
	s := openStore(t, table)
	v := put(t, s, "k", "value", 0)
	_, release := lockRow(t, pool, table, "k")
	want(t, s, "value") // readers do not wait
	cause := errors.New("on purpose")
	for call, f := range map[string]func(ctx context.Context) error{
		"Put":    func(ctx context.Context) error { _, err := s.Put(ctx, "k", nil, v); return err },
		"Delete": func(ctx context.Context) error { return s.Delete(ctx, "k", v) },
	} {
		ctx, cancel := context.WithCancelCause(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- f(ctx) }()
		awaitBlocked(t, pool, table, 1)
		cancel(cause)
		select {
		case err := <-ended:
			if !errors.Is(err, cause) {
				t.Errorf("%s on a locked row = %v, want the cause of its ctx", call, err)
			}
		case <-time.After(hangs):
			t.Fatalf("%s on a locked row does not return when its ctx ends", call)
		}
		awaitBlocked(t, pool, table, 0) // the server has given up too
	}
	release()
	want(t, s, "value")
	put(t, s, "k", "afterwards", v)
}

// TestStatementsTakenBack has a statement wait for another transaction that
// changes the row. Under REPEATABLE READ and above the server then refuses it
// with a serialization failure, and only another attempt finds out what is
// true.
func TestStatementsTakenBack(t *testing.T) {
	for _, level := range []string{"read committed", "repeatable read", "serializable"} {
		strict := newPool(t, func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["default_transaction_isolation"] = level })
		pool, table := newPool(t, nil), newTable(t)
		s := newStore(t, strict, table)
		ctx := context.Background()
		for name, test := range map[string]struct {
			meanwhile string
			call      func(v storage.Version) error
			want      error
		}{
			"swap of what was swapped":    {"UPDATE %s SET version = version + 1", func(v storage.Version) error { _, err := s.Put(ctx, "k", nil, v); return err }, storage.ErrConflict},
			"swap of what was deleted":    {"DELETE FROM %s", func(v storage.Version) error { _, err := s.Put(ctx, "k", nil, v); return err }, storage.ErrConflict},
			"swap of what is as before":   {"UPDATE %s SET value = 'x'", func(v storage.Version) error { _, err := s.Put(ctx, "k", nil, v); return err }, nil},
			"delete of what was swapped":  {"UPDATE %s SET version = version + 1", func(v storage.Version) error { return s.Delete(ctx, "k", v) }, storage.ErrConflict},
			"delete of what was deleted":  {"DELETE FROM %s", func(v storage.Version) error { return s.Delete(ctx, "k", v) }, nil},
			"delete of what is as before": {"UPDATE %s SET value = 'x'", func(v storage.Version) error { return s.Delete(ctx, "k", v) }, nil},
		} {
			exec(t, pool, "TRUNCATE "+table)
			v := put(t, s, "k", "value", 0)
			tx, _ := lockRow(t, pool, table, "k")
			ended := make(chan error, 1)
			go func() { ended <- test.call(v) }()
			awaitBlocked(t, pool, table, 1)
			if _, err := tx.Exec(ctx, fmt.Sprintf(test.meanwhile, table)); err != nil {
				t.Fatal(err)
			}
			if err := tx.Commit(ctx); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; !errors.Is(err, test.want) {
				t.Errorf("%s: %s = %v, want %v", level, name, err, test.want)
			}
		}
	}
}

package postgresstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/postgresstore"
)

// watching is a Watch that runs.
type watching struct {
	heard chan string
	ended chan error
}

// watch begins to watch s, until the end of the test.
func watch(t *testing.T, s *postgresstore.Store) *watching {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watching{make(chan string, 10_000), make(chan error, 1)}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		w.ended <- s.Watch(ctx, func(c storage.Change) { w.heard <- c.Key })
	}()
	t.Cleanup(func() {
		cancel()
		<-finished
	})
	return w
}

// wantNews waits until exactly key is told.
func (w *watching) wantNews(t *testing.T, key string) {
	t.Helper()
	limit := time.After(hangs)
	for {
		select {
		case got := <-w.heard:
			if got == key {
				return
			}
		case err := <-w.ended:
			t.Fatalf("Watch() = %v before it told %q", err, key)
		case <-limit:
			t.Fatalf("Watch() does not tell %q", key)
		}
	}
}

// wantEnd waits until Watch returns, which it must with an error.
func (w *watching) wantEnd(t *testing.T) error {
	t.Helper()
	select {
	case err := <-w.ended:
		if err == nil {
			t.Errorf("Watch() = nil, want an error")
		}
		return err
	case <-time.After(hangs):
		t.Fatal("Watch() does not return")
		return nil
	}
}

func TestWatchTellsOfOtherStores(t *testing.T) {
	table := newTable(t)
	first, second := openStore(t, table), newStore(t, newPool(t, nil), table)
	w := watch(t, first)
	w.wantNews(t, "")
	v := put(t, second, "k", "value", 0)
	w.wantNews(t, "k")
	if err := second.Delete(context.Background(), "k", v); err != nil {
		t.Fatal(err)
	}
	w.wantNews(t, "k")
}

func TestCloseTellsWhatIsLeft(t *testing.T) {
	table := newTable(t)
	w := watch(t, openStore(t, table))
	w.wantNews(t, "")
	for i := range 20 {
		s := openStore(t, table)
		key := fmt.Sprintf("k%d", i)
		put(t, s, key+"-first", "value", 0)
		put(t, s, key, "value", 0) // too soon after the first to be told at once
		if err := s.Close(); err != nil {
			t.Errorf("Close() = %v, want no error", err)
		}
		w.wantNews(t, key)
	}
}

// TestManyKeysBecomeAnyKey holds the only connection of the pool while more
// keys wait than are remembered.
func TestManyKeysBecomeAnyKey(t *testing.T) {
	table := newTable(t)
	w := watch(t, openStore(t, table))
	w.wantNews(t, "")
	pool := newPool(t, func(c *pgxpool.Config) { c.MaxConns = 1 })
	s := newStore(t, pool, table)
	conn, err := pool.Acquire(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	// The notifier takes what is there once, then waits for the connection.
	// Twice 1,024 keys and one more are too many either before or after that,
	// and not both: so that "any key" comes once, and does not cover the key
	// that is told next.
	for i := range 2049 {
		s.Tell(storage.Change{Key: fmt.Sprintf("k%d", i)})
	}
	conn.Release()
	w.wantNews(t, "")
	put(t, s, "next", "value", 0)
	w.wantNews(t, "next")
}

func TestForeignNotifications(t *testing.T) {
	pool, table := newPool(t, nil), newTable(t)
	w := watch(t, newStore(t, pool, table))
	w.wantNews(t, "")
	for _, payload := range []string{"", "no key", "é"} {
		exec(t, pool, "SELECT pg_notify($1, $2)", table, payload)
		w.wantNews(t, "")
	}
}

func TestChannel(t *testing.T) {
	pool, ctx := newPool(t, nil), context.Background()
	open := func(table string) *postgresstore.Store {
		o := &postgresstore.Options{Table: table, CreateTable: true, Channel: "News"}
		return closeAtEnd(t)(postgresstore.New(ctx, pool, o))
	}
	table := newTable(t)
	w := watch(t, open(table))
	w.wantNews(t, "")
	put(t, open("public."+table), "k", "value", 0) // spelled otherwise: the channel's name keeps them together
	w.wantNews(t, "k")
}

// TestHooksOfThePool has the pool learn its password when it connects, and
// notifications of its own.
func TestHooksOfThePool(t *testing.T) {
	table := newTable(t)
	var connects, stolen atomic.Int64
	pool := newPool(t, func(c *pgxpool.Config) {
		name := c.ConnConfig.User
		c.ConnConfig.User = "nobody_of_that_name"
		c.BeforeConnect = func(_ context.Context, config *pgx.ConnConfig) error {
			connects.Add(1)
			config.User = name
			return nil
		}
		c.ConnConfig.OnNotification = func(*pgconn.PgConn, *pgconn.Notification) { stolen.Add(1) }
	})
	s := newStore(t, pool, table)
	before := connects.Load()
	w := watch(t, s)
	w.wantNews(t, "")
	put(t, s, "k", "value", 0)
	w.wantNews(t, "k")
	if connects.Load() == before || stolen.Load() != 0 {
		t.Errorf("Watch() called BeforeConnect %d times and OnNotification %d times, want some and none", connects.Load()-before, stolen.Load())
	}
}

func TestWatchFailsToConnect(t *testing.T) {
	refused := errors.New("refused")
	var refuse atomic.Bool
	pool := newPool(t, func(c *pgxpool.Config) {
		c.BeforeConnect = func(context.Context, *pgx.ConnConfig) error {
			if refuse.Load() {
				return refused
			}
			return nil
		}
	})
	s := newStore(t, pool, newTable(t))
	refuse.Store(true)
	err := s.Watch(context.Background(), func(c storage.Change) { t.Errorf("changed(%v) is called without a connection", c) })
	if !errors.Is(err, refused) {
		t.Errorf("Watch() = %v, want %v", err, refused)
	}
}

// deafConn is a connection to a machine that can vanish: nothing arrives any
// more, and nothing says so.
type deafConn struct {
	net.Conn
	gone *atomic.Bool
}

func (c deafConn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err != nil || !c.gone.Load() {
			return n, err
		}
	}
}

func TestWatchNoticesADeadServer(t *testing.T) {
	var gone atomic.Bool
	pool := newPool(t, func(c *pgxpool.Config) {
		dial := c.ConnConfig.DialFunc
		c.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dial(ctx, network, addr)
			return deafConn{conn, &gone}, err
		}
	})
	s := newStore(t, pool, newTable(t))
	s.SetPing(20*time.Millisecond, 500*time.Millisecond)
	w := watch(t, s)
	w.wantNews(t, "")
	put(t, s, "k", "value", 0)
	w.wantNews(t, "k")
	for i := range 5 { // some pings that are answered
		exec(t, pool, "SELECT pg_sleep(0.03)")
		key := fmt.Sprintf("k%d", i)
		put(t, s, key, "value", 0)
		w.wantNews(t, key)
	}
	gone.Store(true)
	wantText(t, "Watch() of a dead server", w.wantEnd(t), "does not answer")
	gone.Store(false)
}

// A Put WithoutNotice is not told. A change after it is, and comes first.
func TestWatchIsSilentOfAPutWithoutNotice(t *testing.T) {
	s := openStore(t, newTable(t))
	w := watch(t, s)
	w.wantNews(t, "")
	if _, err := s.Put(storage.WithoutNotice(context.Background()), "silent", []byte("value"), 0); err != nil {
		t.Fatal(err)
	}
	put(t, s, "next", "value", 0)
	if got := <-w.heard; got != "next" {
		t.Errorf("Watch() tells of %q, want next only", got)
	}
}

package postgresstore_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/authtrip/authtrip/internal/servertest"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/postgresstore"
)

// pair is a primary and its standby.
type pair struct {
	primary, standby         *servertest.Server
	primaryPool, standbyPool *pgxpool.Pool
	url                      string // of both
}

// newPair starts the servers. The standby has received all that the primary
// has.
func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{primary: servertest.Postgres(t)}
	p.standby = servertest.PostgresStandby(t, p.primary)
	p.primaryPool, p.standbyPool = poolOf(t, p.primary.URL), poolOf(t, p.standby.URL)
	host := func(raw string) string {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		return u.Host
	}
	p.url = "postgres://postgres@" + host(p.primary.URL) + "," + host(p.standby.URL) + "/postgres?sslmode=disable&pool_max_conns=8"
	return p
}

func poolOf(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// open returns the store on both servers, and opens all connections of its
// pool.
func (p *pair) open(t *testing.T) *postgresstore.Store {
	t.Helper()
	s := closeAtEnd(t)(postgresstore.Open(t.Context(), p.url, &postgresstore.Options{CreateTable: true}))
	gate, ended := make(chan struct{}), make(chan error)
	for range 8 {
		go func() {
			<-gate
			_, err := s.Get(context.Background(), "none")
			ended <- err
		}()
	}
	close(gate)
	for range 8 {
		if err := <-ended; !errors.Is(err, storage.ErrNotFound) {
			t.Fatalf("Get(none) = %v, want %v", err, storage.ErrNotFound)
		}
	}
	return s
}

// turn makes the primary read-only without ending its connections, and promotes
// the standby when it has everything.
func (p *pair) turn(t *testing.T) {
	t.Helper()
	exec(t, p.primaryPool, "ALTER SYSTEM SET default_transaction_read_only = on")
	exec(t, p.primaryPool, "SELECT pg_reload_conf()")
	p.await(t, p.primaryPool, "SELECT current_setting('default_transaction_read_only') = 'on'")
	var at string
	if err := p.primaryPool.QueryRow(t.Context(), "SELECT pg_current_wal_lsn()::text").Scan(&at); err != nil {
		t.Fatal(err)
	}
	p.await(t, p.standbyPool, "SELECT pg_last_wal_replay_lsn() >= '"+at+"'::pg_lsn")
	exec(t, p.standbyPool, "SELECT pg_promote()")
	p.await(t, p.standbyPool, "SELECT NOT pg_is_in_recovery()")
}

// await returns when a query says true.
func (p *pair) await(t *testing.T, pool *pgxpool.Pool, query string) {
	t.Helper()
	for end := time.Now().Add(hangs); ; {
		var ok bool
		if err := pool.QueryRow(t.Context(), query).Scan(&ok); err != nil {
			t.Fatal(err)
		}
		if ok {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not become true", query)
		}
	}
}

// TestPrimaryTurnsReadOnlyWhileConnectionsStayOpen makes another server the
// primary. Every write and every read after that must reach it, though the
// connections to the old one work.
func TestPrimaryTurnsReadOnlyWhileConnectionsStayOpen(t *testing.T) {
	p := newPair(t)
	writer, reader := p.open(t), p.open(t)
	caller := closeAtEnd(t)(postgresstore.New(t.Context(), poolOf(t, p.url+"&target_session_attrs=read-write"), nil))
	v := put(t, writer, "k", "before", 0)
	want(t, reader, "before")
	called := put(t, caller, "caller", "before", 0)
	p.wantAdviceOfTheStandby(t)
	ended := watchUntilItEnds(t, reader)

	p.turn(t)
	for i := range 30 {
		v = put(t, writer, "k", strings.Repeat("x", i+1), v)
	}
	want(t, writer, strings.Repeat("x", 30))
	want(t, reader, strings.Repeat("x", 30)) // it has not met an error
	if err := writer.Delete(t.Context(), "k", v); err != nil {
		t.Errorf("Delete() at the new primary = %v, want no error", err)
	}
	put(t, caller, "caller", "after", called) // in the pool of the program
	select {
	case err := <-ended:
		wantText(t, "Watch()", err, "takes no writes any more")
	case <-time.After(hangs):
		t.Fatal("Watch() stays at the old primary, which notifies of nothing")
	}
}

// wantAdviceOfTheStandby uses the standby alone, which never takes writes.
// Reads must work.
func (p *pair) wantAdviceOfTheStandby(t *testing.T) {
	t.Helper()
	p.await(t, p.standbyPool, "SELECT to_regclass('authtrip_records') IS NOT NULL")
	standby := closeAtEnd(t)(postgresstore.Open(t.Context(), p.standby.URL, nil))
	_, err := standby.Put(t.Context(), "new", nil, 0)
	wantText(t, "Put() at a standby", err, "connect to the primary", "25006")
	for range 3 {
		if _, err := standby.Get(t.Context(), "none"); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("Get() at a standby = %v, want %v", err, storage.ErrNotFound)
		}
	}
}

// watchUntilItEnds returns a channel that receives the error of a Watch which
// has begun.
func watchUntilItEnds(t *testing.T, s *postgresstore.Store) <-chan error {
	t.Helper()
	s.SetPing(10*time.Millisecond, hangs)
	began, ended := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		ended <- s.Watch(context.Background(), func(storage.Change) {
			select {
			case began <- struct{}{}:
			default:
			}
		})
	}()
	<-began
	return ended
}

// TestServerRestartsWhileConnectionsAreIdle ends the server in each way. The
// next read must succeed, whatever the pool has.
func TestServerRestartsWhileConnectionsAreIdle(t *testing.T) {
	server := servertest.Postgres(t)
	s := closeAtEnd(t)(postgresstore.Open(t.Context(), server.URL, &postgresstore.Options{CreateTable: true}))
	put(t, s, "k", "value", 0)
	server.Stop(t)
	server.Start(t)
	want(t, s, "value")
	server.Kill(t)
	server.Start(t)
	want(t, s, "value")
}

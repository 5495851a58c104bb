package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/authtrip/authtrip/internal/servertest"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/redisstore"
)

// TestAnswerLost loses the answer to a script that the server has run, with its
// connection.
func TestAnswerLost(t *testing.T) {
	server := servertest.Redis(t)
	p := newProxy(t, server.URL)
	prefix := newPrefix()
	for name, s := range map[string]*redisstore.Store{
		"own":      open(t, p.url, prefix+"own:"),
		"caller's": onClient(t, connect(t, p.url), prefix+"callers:"),
	} {
		t.Run(name, func(t *testing.T) {
			v := put(t, s, "k", "first", 0) // the server knows the script from now on
			if err := s.Delete(t.Context(), "none", 0); err != nil {
				t.Fatal(err)
			}
			p.losses.Store(1)
			created := put(t, s, "new", "created", 0)
			want(t, s, "new", "created")
			p.losses.Store(1)
			v = put(t, s, "k", "second", v)
			want(t, s, "k", "second")
			if r, err := s.Get(t.Context(), "k"); err != nil || r.Version != v {
				t.Errorf("Get() = %v, %v, want version %x", r, err, v)
			}
			p.losses.Store(1)
			if err := s.Delete(t.Context(), "new", created); err != nil {
				t.Errorf("Delete() = %v, want no error", err)
			}
			p.losses.Store(1)
			if _, err := s.Put(t.Context(), "k", nil, created); !errors.Is(err, storage.ErrConflict) && !redisstore.IsOvertaken(err) {
				t.Errorf("Put(another version) = %v, want %v or an error that does not know", err, storage.ErrConflict)
			}
			p.losses.Store(2)
			if _, err := s.Put(t.Context(), "k", nil, v); err == nil || errors.Is(err, storage.ErrConflict) {
				t.Errorf("Put() with both answers lost = %v, want an error that is no conflict", err)
			}
			if n := p.losses.Load(); n != 0 {
				t.Errorf("%d answers were not lost", n)
			}
		})
	}
}

// TestAnswerLostAndOvertaken has another writer come between the write whose
// answer is lost and the second attempt. That is no conflict: something was
// written.
func TestAnswerLostAndOvertaken(t *testing.T) {
	server := servertest.Redis(t)
	p := newProxy(t, server.URL)
	prefix := newPrefix()
	s, other := open(t, p.url, prefix), open(t, server.URL, prefix)
	v := put(t, s, "k", "first", 0)
	p.onLoss = func() {
		r, err := other.Get(context.Background(), "k")
		if err != nil || string(r.Value()) != "second" {
			t.Errorf("Get() = %q, %v, want what was written", r.Value(), err)
		}
		put(t, other, "k", "third", r.Version)
	}
	p.losses.Store(1)
	if _, err := s.Put(t.Context(), "k", []byte("second"), v); !redisstore.IsOvertaken(err) || errors.Is(err, storage.ErrConflict) {
		t.Errorf("Put() = %v, want an error that is no conflict", err)
	}
	want(t, s, "k", "third")
	r, err := s.Get(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), "none", 0); err != nil {
		t.Fatal(err)
	}
	p.onLoss = func() { put(t, other, "k", "created again", 0) }
	p.losses.Store(1)
	if err := s.Delete(t.Context(), "k", r.Version); !redisstore.IsOvertaken(err) || errors.Is(err, storage.ErrConflict) {
		t.Errorf("Delete() = %v, want an error that is no conflict", err)
	}
	want(t, s, "k", "created again")
}

// TestCreateLost loses the answer to a create. It must not be sent again:
// somebody may have deleted the record meanwhile, and its version must never
// return.
func TestCreateLost(t *testing.T) {
	server := servertest.Redis(t)
	p := newProxy(t, server.URL)
	prefix := newPrefix()
	s, other := open(t, p.url, prefix), open(t, server.URL, prefix)
	put(t, s, "known", "script", 0)
	remove := func() {
		r, err := other.Get(context.Background(), "k")
		if err == nil {
			err = other.Delete(context.Background(), "k", r.Version)
		}
		if err != nil {
			t.Errorf("deleting what was created: %v", err)
		}
	}
	p.onLoss = remove
	p.losses.Store(1)
	_, err := s.Put(t.Context(), "k", []byte("created"), 0)
	if err == nil || errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrNotFound) || redisstore.IsOvertaken(err) {
		t.Errorf("Put() of what was deleted = %v, want an error that does not know", err)
	}
	if r, err := other.Get(t.Context(), "k"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Get() after Delete = %q, %v, want %v", r.Value(), err, storage.ErrNotFound)
	}
	p.onLoss = func() {
		remove()
		put(t, other, "k", "another", 0)
	}
	p.losses.Store(1)
	if _, err := s.Put(t.Context(), "k", []byte("created"), 0); !redisstore.IsOvertaken(err) || errors.Is(err, storage.ErrConflict) {
		t.Errorf("Put() of what was replaced = %v, want an error that is no conflict", err)
	}
	want(t, s, "k", "another")
	if n := p.losses.Load(); n != 0 {
		t.Errorf("%d answers were not lost", n)
	}
}

// TestMasterUnknown has a client that fails to connect as Sentinel's does when
// no Sentinel knows the master: with an error that wraps redis.Nil. It says
// nothing about a record, and a watch goes on.
func TestMasterUnknown(t *testing.T) {
	server := servertest.Redis(t)
	o := connect(t, server.URL).Options()
	addr := o.Addr
	var known atomic.Bool
	var dials atomic.Int32
	client := redis.NewClient(&redis.Options{MaxRetries: -1, DialerRetries: 1, Dialer: func(ctx context.Context, network, _ string) (net.Conn, error) {
		dials.Add(1)
		if !known.Load() {
			return nil, fmt.Errorf("all Sentinels are unreachable: %w", errors.Join(redis.Nil))
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}})
	t.Cleanup(func() { _ = client.Close() })
	s := onClient(t, client, newPrefix())
	for call, f := range calls(s) {
		if err := f(t.Context()); err == nil || errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrConflict) {
			t.Errorf("%s without a master = %v, want an error", call, err)
		}
	}
	w, before := watch(t, s), dials.Load()
	eventually(t, "Watch has tried twice", func() bool { return dials.Load() >= before+2 || len(w.ended) > 0 })
	known.Store(true)
	w.wantNews(t, "")
	put(t, s, "k", "value", 0)
	w.wantNews(t, "k")
}

// TestReplica deletes on a replica, which may lag behind: what it does not have
// may well exist.
func TestReplica(t *testing.T) {
	server := servertest.Redis(t, "--replicaof", "127.0.0.1", "1")
	if !server.Own() {
		t.Skip("needs a server of its own")
	}
	s := open(t, server.URL, newPrefix())
	err := s.Delete(t.Context(), "none", 1)
	if !redis.IsReadOnlyError(err) || !strings.Contains(err.Error(), "connect to the master") {
		t.Errorf("Delete() on a replica = %v, want advice", err)
	}
}

// breaker is a hook that breaks the connections before a SCAN goes on.
type breaker struct {
	redis.Hook
	cut   func()
	scans int
}

func (b *breaker) DialHook(next redis.DialHook) redis.DialHook { return next }

func (b *breaker) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (b *breaker) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "scan" {
			if b.scans++; b.scans == 2 {
				b.cut()
			}
		}
		return next(ctx, cmd)
	}
}

// TestKeysBroken breaks the connection in the middle of a walk. Another one may
// lead to a server that knows nothing of it.
func TestKeysBroken(t *testing.T) {
	server := servertest.Redis(t, "--appendonly", "no")
	p := newProxy(t, server.URL)
	prefix := newPrefix()
	client := connect(t, p.url)
	pipe := client.Pipeline()
	for i := range 5000 {
		pipe.Set(t.Context(), fmt.Sprintf("%sk%d", prefix, i), "8 bytes+", 0)
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := &breaker{cut: p.cut}
	client.AddHook(b)
	s := onClient(t, client, prefix)
	var last error
	for _, last = range s.Keys(t.Context()) { //nolint:revive // the error ends it
	}
	if last == nil || b.scans != 2 {
		t.Errorf("Keys() over a connection that breaks ends with %v after %d scans, want an error after 2", last, b.scans)
	}
	if n := len(strings.Fields(list(t, s))); n != 5000 {
		t.Errorf("Keys() again yields %d keys, want 5000", n)
	}
}

// opaque is a connection that cannot be looked at before it is used, like one
// of TLS.
type opaque struct{ net.Conn }

// TestKeysOverIdle lists keys when all idle connections have been closed by the
// server, which nobody has noticed.
func TestKeysOverIdle(t *testing.T) {
	p := newProxy(t, servertest.Redis(t).URL)
	o := connect(t, p.url).Options()
	addr := o.Addr
	client := redis.NewClient(&redis.Options{Dialer: func(ctx context.Context, network, _ string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return opaque{conn}, err
	}})
	t.Cleanup(func() { _ = client.Close() })
	s := onClient(t, client, newPrefix())
	put(t, s, "k", "value", 0)
	p.cut()
	if keys := list(t, s); keys != "k" {
		t.Errorf("Keys() = %s, want k", keys)
	}
}

// TestKeysLeavesConnections looks at each key while it lists them, with a
// client of one connection.
func TestKeysLeavesConnections(t *testing.T) {
	s := open(t, servertest.Redis(t).URL+"?pool_size=1&pool_timeout=500ms&max_retries=-1", newPrefix())
	put(t, s, "a", "value", 0)
	put(t, s, "b", "value", 0)
	for key, err := range s.Keys(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		want(t, s, key, "value")
	}
}

// calls are all methods that ask the server.
func calls(s *redisstore.Store) map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"Get":    func(ctx context.Context) error { _, err := s.Get(ctx, "k"); return err },
		"Put":    func(ctx context.Context) error { _, err := s.Put(ctx, "k", nil, 0); return err },
		"Delete": func(ctx context.Context) error { return s.Delete(ctx, "k", 0) },
		"Keys": func(ctx context.Context) error {
			for _, err := range s.Keys(ctx) {
				return err
			}
			return nil
		},
	}
}

// TestSilentServer calls a server that has fallen silent, with connections that
// are open. Each call must end when its ctx does.
func TestSilentServer(t *testing.T) {
	server := servertest.Redis(t)
	for name, handle := range map[string]func(t *testing.T, url string) *redisstore.Store{
		"own":      func(t *testing.T, url string) *redisstore.Store { return open(t, url, newPrefix()) },
		"caller's": func(t *testing.T, url string) *redisstore.Store { return onClient(t, connect(t, url), newPrefix()) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newProxy(t, server.URL)
			s := handle(t, p.url)
			put(t, s, "k", "value", 0)
			p.mute.Store(true)
			for call, f := range calls(s) {
				ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, errCause)
				wantEnd(t, call+" with a deadline", errCause, func() error { return f(ctx) })
				cancel()
			}
			for call, f := range calls(s) {
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(20*time.Millisecond, func() { cancel(errCause) })
				wantEnd(t, call+" cancelled", errCause, func() error { return f(ctx) })
			}
		})
	}
}

// wantEnd fails the test if f hangs, or if its error does not wrap cause.
func wantEnd(t *testing.T, call string, cause error, f func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		if !errors.Is(err, cause) {
			t.Errorf("%s = %v, want its cause", call, err)
		}
	case <-time.After(hangs):
		t.Errorf("%s does not return", call)
	}
}

// TestMuteServer connects to a server that accepts, and never answers.
func TestMuteServer(t *testing.T) {
	url, connected := muteServer(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-connected
		cancel(errCause)
	}()
	wantEnd(t, "Open", errCause, func() error {
		_, err := redisstore.Open(ctx, url, nil)
		return err
	})
	s := onClient(t, clientOf(t, url), newPrefix())
	for call, f := range calls(s) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		wantEnd(t, call, context.DeadlineExceeded, func() error { return f(ctx) })
		cancel()
	}
	if _, err := redisstore.Open(t.Context(), url+"?read_timeout=20ms&max_retries=-1", nil); err == nil {
		t.Error("Open() of a mute server = nil, want an error")
	}
}

// TestScriptsForgotten has the server forget the scripts, as it does when it
// starts.
func TestScriptsForgotten(t *testing.T) {
	server := servertest.Redis(t)
	s, client := open(t, server.URL, newPrefix()), connect(t, server.URL)
	var v storage.Version
	for range 3 {
		if err := client.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		v = put(t, s, "k", "value", v)
	}
	if _, err := s.Put(t.Context(), "k", nil, v+1); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("Put(another version) = %v, want %v", err, storage.ErrConflict)
	}
	if err := client.ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), "k", v); err != nil {
		t.Errorf("Delete() = %v, want no error", err)
	}
}

// TestNoScripts uses a server without scripts. It answers with the arguments,
// which must not be passed on.
func TestNoScripts(t *testing.T) {
	server := servertest.Redis(t, "--rename-command", "EVALSHA", "")
	if !server.Own() {
		t.Skip("needs a server of its own")
	}
	s := open(t, server.URL, newPrefix())
	_, err := s.Put(t.Context(), "k", []byte("secret"), 0)
	if err == nil || !strings.Contains(err.Error(), "does not know a command") || strings.Contains(err.Error(), "secret") {
		t.Errorf("Put() without EVALSHA = %v, want advice and no value", err)
	}
}

package redisstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/authtrip/authtrip/internal/servertest"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/redisstore"
)

// TestAnswerLost loses the answer to a script that the server has run, with its connection.
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

// TestAnswerLostAndOvertaken has another writer come between the write whose answer is lost and the second attempt. That is
// no conflict: something was written.
func TestAnswerLostAndOvertaken(t *testing.T) {
	server := servertest.Redis(t)
	p := newProxy(t, server.URL)
	prefix := newPrefix()
	s, other := open(t, p.url, prefix), open(t, server.URL, prefix)
	v := put(t, s, "k", "first", 0)
	p.onLoss = func() {
		r, err := other.Get(context.Background(), "k")
		if err != nil || string(r.Value) != "second" {
			t.Errorf("Get() = %q, %v, want what was written", r.Value, err)
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

// TestSilentServer calls a server that has fallen silent, with connections that are open. Each call must end when its ctx does.
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

// wantEnd fails the test unless f returns soon, with an error that wraps cause.
func wantEnd(t *testing.T, call string, cause error, f func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		if !errors.Is(err, cause) {
			t.Errorf("%s = %v, want its cause", call, err)
		}
	case <-time.After(4 * time.Second):
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

// TestScriptsForgotten has the server forget the scripts, as it does when it starts.
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

// TestNoScripts uses a server without scripts. It answers with the arguments, which must not be passed on.
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

// permissions are those that README.md lists, for the default prefix.
const permissions = "~authtrip:* &authtrip:changes -@all +hello +select +ping " +
	"+get +scan +subscribe +evalsha +eval +getrange +exists +set +del +publish"

// TestPermissions uses a user who may only what README.md lists, and one who may a bit less.
func TestPermissions(t *testing.T) {
	server := servertest.Redis(t)
	admin := connect(t, server.URL)
	login := func(name, rules string) *redisstore.Store {
		args := []any{"acl", "setuser", name, "reset", "on", ">password"}
		for rule := range strings.FieldsSeq(rules) {
			args = append(args, rule)
		}
		if err := admin.Do(t.Context(), args...).Err(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { admin.Do(context.Background(), "acl", "deluser", name) })
		s, err := redisstore.Open(t.Context(), strings.Replace(server.URL, "redis://", "redis://"+name+":password@", 1), nil)
		if err != nil {
			t.Fatal(err)
		}
		closeAtEnd(t, s)
		return s
	}
	s := login("enough", permissions)
	w := watch(t, s)
	w.wantNews(t, "")
	v := put(t, s, "permitted", "value", 0)
	v = put(t, s, "permitted", "again", v)
	w.wantNews(t, "permitted")
	if keys := list(t, s); keys != "permitted" {
		t.Errorf("Keys() = %s, want permitted", keys)
	}
	s = login("deaf", strings.Replace(permissions, "&authtrip:changes", "&elsewhere", 1))
	wantPermission(t, "Watch", watch(t, s).wantEnd(t))
	_, err := s.Put(t.Context(), "permitted", []byte("unheard"), v)
	if err == nil {
		t.Error("Put() without the channel = nil, want an error")
	}
	want(t, s, "permitted", "again")
	s = login("elsewhere", strings.Replace(permissions, "~authtrip:*", "~elsewhere:*", 1))
	_, err = s.Get(t.Context(), "permitted")
	wantPermission(t, "Get", err)
	if err := login("enough", permissions).Delete(t.Context(), "permitted", v); err != nil {
		t.Errorf("Delete() = %v, want no error", err)
	}
}

func wantPermission(t *testing.T, call string, err error) {
	t.Helper()
	if !redis.IsPermissionError(err) || !strings.Contains(err.Error(), "permissions") {
		t.Errorf("%s without permission = %v, want advice", call, err)
	}
}

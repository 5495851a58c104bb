package redisstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/authtrip/authtrip/internal/servertest"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/redisstore"
)

var errCause = errors.New("cancelled on purpose")

// hangs is how long anything may take. After that, a test reports that it
// hangs.
const hangs = 2 * time.Minute

// watching is a Watch that runs.
type watching struct {
	heard  chan string
	ended  chan error
	cancel context.CancelCauseFunc
}

func watch(t testing.TB, s storage.Watcher) *watching {
	t.Helper()
	ctx, cancel := context.WithCancelCause(context.Background())
	w := &watching{make(chan string, 1000), make(chan error, 1), cancel}
	go func() { w.ended <- s.Watch(ctx, func(c storage.Change) { w.heard <- c.Key }) }()
	t.Cleanup(func() { cancel(nil) })
	return w
}

// wantNews waits until the watcher is notified of key, exactly.
func (w *watching) wantNews(t testing.TB, key string) {
	t.Helper()
	limit := time.After(hangs)
	for {
		select {
		case got := <-w.heard:
			if got == key {
				return
			}
		case err := <-w.ended:
			t.Fatalf("Watch() = %v before it told of %q", err, key)
		case <-limit:
			t.Fatalf("Watch() does not tell of %q", key)
		}
	}
}

func (w *watching) wantEnd(t testing.TB) error {
	t.Helper()
	select {
	case err := <-w.ended:
		return err
	case <-time.After(hangs):
		t.Fatal("Watch() did not return")
		return nil
	}
}

// eventually waits until f returns true.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for limit := time.After(hangs); !f(); {
		select {
		case <-again.C:
		case <-limit:
			t.Fatalf("within %v not: %s", hangs, what)
		}
	}
}

func TestWatchAcrossStores(t *testing.T) {
	server := servertest.Redis(t)
	prefix := newPrefix()
	first, second := open(t, server.URL, prefix), open(t, server.URL, prefix)
	other := open(t, server.URL, prefix+"more:")
	w := watch(t, first)
	w.wantNews(t, "")
	put(t, other, "foreign", "value", 0)
	v := put(t, second, "k", "value", 0)
	if got := <-w.heard; got != "k" {
		t.Errorf("Watch() tells of %q, want k only", got)
	}
	if err := second.Delete(t.Context(), "k", v); err != nil {
		t.Fatal(err)
	}
	w.wantNews(t, "k")
	if err := connect(t, server.URL).Publish(t.Context(), prefix+"changes", "no key, but news").Err(); err != nil {
		t.Fatal(err)
	}
	w.wantNews(t, "")
}

// TestWatchChannel watches a channel that does not come from the prefix.
func TestWatchChannel(t *testing.T) {
	server := servertest.Redis(t)
	o := &redisstore.Options{Prefix: newPrefix(), Channel: newPrefix() + "news"}
	s, err := redisstore.Open(t.Context(), server.URL, o)
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, s)
	deaf := watch(t, open(t, server.URL, o.Prefix))
	deaf.wantNews(t, "")
	w := watch(t, s)
	w.wantNews(t, "")
	put(t, s, "k", "value", 0)
	w.wantNews(t, "k")
	if len(deaf.heard) != 0 {
		t.Errorf("Watch() on another channel tells of %q, want nothing", <-deaf.heard)
	}
}

func TestWatchThroughRestart(t *testing.T) {
	server := servertest.Redis(t)
	s := open(t, server.URL, newPrefix())
	w := watch(t, s)
	w.wantNews(t, "")
	v := put(t, s, "k", "before", 0)
	w.wantNews(t, "k")
	server.Stop(t)
	for _, ctx := range []context.Context{t.Context(), context.Background()} {
		if r, err := s.Get(ctx, "k"); err == nil || errors.Is(err, storage.ErrNotFound) {
			t.Errorf("Get() without a server = %v, %v, want an error", r, err)
		}
		if _, err := s.Put(ctx, "k", nil, v); err == nil || errors.Is(err, storage.ErrConflict) {
			t.Errorf("Put() without a server = %v, want an error", err)
		}
		if err := s.Delete(ctx, "k", v); err == nil || errors.Is(err, storage.ErrConflict) {
			t.Errorf("Delete() without a server = %v, want an error", err)
		}
	}
	for _, err := range s.Keys(t.Context()) {
		if err == nil {
			t.Error("Keys() without a server yields a key, want an error")
		}
	}
	server.Start(t)
	w.wantNews(t, "")
	want(t, s, "k", "before")
	put(t, s, "k", "after", v)
	w.wantNews(t, "k")
}

// TestWatchNoticesSilence cuts a connection in such a way that nobody is told.
func TestWatchNoticesSilence(t *testing.T) {
	server := servertest.Redis(t)
	p := newProxy(t, server.URL)
	s := open(t, p.url, newPrefix())
	s.SetQuiet(50 * time.Millisecond)
	w := watch(t, s)
	w.wantNews(t, "")
	p.mute.Store(true)
	before := p.accepted.Load()
	eventually(t, "Watch connects again", func() bool { return p.accepted.Load() > before })
	p.mute.Store(false)
	w.wantNews(t, "")
	put(t, s, "k", "value", 0)
	w.wantNews(t, "k")
}

// TestWatchEnds cancels watches of a server that does not answer.
func TestWatchEnds(t *testing.T) {
	p := newProxy(t, servertest.Redis(t).URL)
	s := open(t, p.url, newPrefix())
	p.mute.Store(true)
	w := watch(t, s)
	w.cancel(errCause)
	if err := w.wantEnd(t); !errors.Is(err, errCause) {
		t.Errorf("Watch() = %v, want its cause", err)
	}
	if len(w.heard) != 0 {
		t.Errorf("Watch() tells of %q, want nothing from a server that does not answer", <-w.heard)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errCause)
	if err := s.Watch(ctx, func(storage.Change) {}); !errors.Is(err, errCause) {
		t.Errorf("Watch(ended ctx) = %v, want its cause", err)
	}
}

// A Put WithoutNotice is not told. A change after it is, and comes first.
func TestWatchIsSilentOfAPutWithoutNotice(t *testing.T) {
	s := open(t, servertest.Redis(t).URL, newPrefix())
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

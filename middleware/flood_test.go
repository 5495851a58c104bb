package middleware_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
)

// floodStore counts the writes, and their bytes.
type floodStore struct {
	storage.Store
	gets, puts, bytes, largest atomic.Int64
}

func (s *floodStore) Get(ctx context.Context, key string) (storage.Record, error) {
	if !strings.HasPrefix(key, "due.") { // the background work of the Keeper
		s.gets.Add(1)
	}
	return s.Store.Get(ctx, key)
}

func (s *floodStore) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	s.puts.Add(1)
	s.bytes.Add(int64(len(value)))
	s.largest.Store(max(s.largest.Load(), int64(len(value))))
	return s.Store.Put(ctx, key, value, old)
}

// Volatile implements storage.Volatile.
func (*floodStore) Volatile() bool { return true }

// scale is how many times the numbers of a flood are taken: AUTHTRIP_FLOOD=full
// runs all of it.
func scale() int {
	if os.Getenv("AUTHTRIP_FLOOD") == "full" {
		return 50
	}
	return 1
}

// serve sends a request of a browser with one cookie, or none.
func serve(t *testing.T, h http.Handler, target, cookie string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	r.Header.Set("Accept", "text/html")
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

func live() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// M12: What visitors without a session can make the app keep, write and send is
// bounded, and nothing of their text is shown.
//
// TestM12_Floods is attack A19.
func TestM12_Floods(t *testing.T) {
	store := &floodStore{Store: storage.NewMemory()}
	w := newWorld(t, setup{store: store})
	for range 100 { // what a process makes once
		serve(t, w.mux, "/authorize?return_to=/page", "")
	}
	before, requests := live(), len(w.fake.Requests())
	store.gets.Store(0)
	store.puts.Store(0)

	begun, forged, denied := 2000*scale(), 200*scale(), 400*scale()
	for range begun {
		if rec := serve(t, w.mux, "/authorize?return_to=/page", ""); rec.Code != http.StatusSeeOther {
			t.Fatalf("authorize = %d", rec.Code)
		}
	}
	after := live()
	if after > before+1<<20 {
		t.Errorf("%d logins begun keep %d bytes of memory, want none", begun, after-before)
	}
	for i := range forged {
		target := "/callback?code=c&state=" + strings.Repeat("s", 42) + string(rune('a'+i%26))
		if rec := serve(t, w.mux, target, ""); rec.Code != http.StatusBadRequest {
			t.Fatalf("forged callback = %d", rec.Code)
		}
	}
	for range denied {
		rec := serve(t, w.mux, "/authorize", "")
		cookie := rec.Result().Cookies()[0]
		state := query(t, rec.Header().Get("Location"), "state")
		if rec = serve(t, w.mux, "/callback?error=access_denied&state="+state, cookie.Name+"="+cookie.Value); rec.Code != http.StatusForbidden {
			t.Fatalf("denied callback = %d", rec.Code)
		}
	}
	if g, p, r := store.gets.Load(), store.puts.Load(), len(w.fake.Requests())-requests; g != 0 || p != 0 || r != 0 {
		t.Errorf("%d logins begun, %d forged callbacks and %d denials: %d reads, %d writes and %d requests, want none",
			begun, forged, denied, g, p, r)
	}
	t.Logf("%d logins begun, %d forged callbacks, %d denials: heap %d to %d bytes; store: %d reads, %d writes; server: %d requests",
		begun, forged, denied, before, live(), store.gets.Load(), store.puts.Load(), len(w.fake.Requests())-requests)
}

// TestM12_InventedCodes: a visitor without an account can invent codes. Each
// costs one request and one write of limited size, however many there are.
func TestM12_InventedCodes(t *testing.T) {
	store := &floodStore{Store: storage.NewMemory()}
	w := newWorld(t, setup{store: store, options: middleware.Options{}})
	tries := 500 * scale()
	for range tries {
		rec := serve(t, w.mux, "/authorize", "")
		cookie := rec.Result().Cookies()[0]
		state := query(t, rec.Header().Get("Location"), "state")
		serve(t, w.mux, "/callback?code=invented&state="+state, cookie.Name+"="+cookie.Value)
	}
	if p, r := store.puts.Load(), int64(w.exchanges()); p != int64(tries) || r != int64(tries) {
		t.Errorf("%d invented codes: %d writes and %d requests, want one each", tries, p, r)
	}
	if n := store.largest.Load(); n > 96<<10+1 {
		t.Errorf("the largest write has %d bytes, want at most 96 KiB", n)
	}
	t.Logf("%d invented codes: %d writes, %d bytes on average, %d at most", tries, store.puts.Load(), store.bytes.Load()/max(1, store.puts.Load()), store.largest.Load())
}

package middleware_test

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// TestM2_Replicas lets every step of a login happen at another replica.
func TestM2_Replicas(t *testing.T) {
	fake, store, keys := xapi.New(t, nil), storage.NewMemory(), newKeys(t)
	one := newWorld(t, setup{fake: fake, store: store, keys: keys})
	two := newWorld(t, setup{fake: fake, store: store, keys: keys})
	three := newWorld(t, setup{fake: fake, store: store, keys: keys})
	b := newBrowser(t, one.mux)
	callback := one.consent(b.start("/timeline"))
	wantStatus(t, "callback at the second replica", b.at(two.mux).get(callback), http.StatusSeeOther)
	if a := b.at(three.mux).get("/timeline"); a.body != "timeline of 2244994945" {
		t.Errorf("page at the third replica = %d %q, want the user's page", a.StatusCode, a.body)
	}
}

// TestM2_ParallelCallbacks delivers one answer many times at once, to two
// replicas: one exchange.
func TestM2_ParallelCallbacks(t *testing.T) {
	fake, store, keys := xapi.New(t, nil), storage.NewMemory(), newKeys(t)
	replicas := []*world{newWorld(t, setup{fake: fake, store: store, keys: keys}), newWorld(t, setup{fake: fake, store: store, keys: keys})}
	b := newBrowser(t, replicas[0].mux)
	first := b.get("/authorize")
	cookie := first.Cookies()[0]
	callback := replicas[0].consent(first.location())
	statuses := make([]int, 16)
	var wg sync.WaitGroup
	for i := range statuses {
		wg.Go(func() {
			statuses[i] = newBrowser(t, replicas[i%2].mux).get(callback, "Cookie", cookie.Name+"="+cookie.Value).StatusCode
		})
	}
	wg.Wait()
	slices.Sort(statuses)
	if statuses[0] != http.StatusSeeOther || statuses[1] != http.StatusBadRequest || statuses[15] != http.StatusBadRequest {
		t.Errorf("statuses = %v, want one 303 and 400 for the rest", statuses)
	}
	if n := fake.TokenCalls("authorization_code"); n != 1 {
		t.Errorf("%d exchanges, want 1", n)
	}
}

// TestM2_LedgerCleansItself: what the store remembers of used logins is bounded
// in keys and in size.
func TestM2_LedgerCleansItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storage.NewMemory()
		w := newWorld(t, setup{store: store})
		key := regexp.MustCompile(`^middleware\.used\.[0-9a-f]{12}\.[0-9a-f]{2}$`)
		for range 3 {
			// The server refuses the code, and the state is used up all the same.
			for range 150 {
				b := newBrowser(t, w.mux)
				b.get("/callback?code=wrong&state=" + query(t, b.start("/"), "state"))
			}
			shards, bytes := 0, 0
			for k, err := range store.Keys(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				if !key.MatchString(k) {
					t.Errorf("key %q, want %v", k, key)
					continue
				}
				record, err := store.Get(t.Context(), k)
				if err != nil {
					t.Fatal(err)
				}
				shards, bytes = shards+1, bytes+len(record.Value())
			}
			// 24 bytes each, and as much again for shards that nobody has written to since.
			if shards > 256 || bytes > 3*150*24+256 {
				t.Errorf("%d shards with %d bytes for 150 logins at a time", shards, bytes)
			}
			time.Sleep(time.Hour)
		}
	})
}

// TestM2_LedgerOutlastsTheFlow: another replica's clock may be behind and still
// accept a flow that is expired here.
func TestM2_LedgerOutlastsTheFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storage.NewMemory()
		w := newWorld(t, setup{store: store})
		entries := func() (n int) {
			for k, err := range store.Keys(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				record, err := store.Get(t.Context(), k)
				if err != nil {
					t.Fatal(err)
				}
				n += len(record.Value()) / 24
			}
			return n
		}
		try := func() {
			b := newBrowser(t, w.mux)
			b.get("/callback?code=wrong&state=" + query(t, b.start("/"), "state"))
		}
		try()
		time.Sleep(14 * time.Minute)
		for range 2000 { // writes to every shard
			try()
		}
		if n := entries(); n != 2001 {
			t.Errorf("%d entries 4 minutes after a flow has expired, want all 2001", n)
		}
	})
}

// TestM2_LedgerConflicts: other logins in the same list are no reason to fail.
func TestM2_LedgerConflicts(t *testing.T) {
	store := &conflicting{Store: storage.NewMemory()}
	store.left.Store(5)
	w := newWorld(t, setup{store: store})
	w.logIn(newBrowser(t, w.mux), "")
	if n := store.left.Load(); n >= 0 {
		t.Errorf("%d conflicts were not met", n)
	}
}

func TestM2_LedgerDamaged(t *testing.T) {
	for _, value := range []string{"", "x", "\x01too short", "\x01" + strings.Repeat("a", 24)} {
		var errs seen
		w := newWorld(t, setup{store: damaged{storage.NewMemory(), value}, options: middleware.Options{OnError: errs.onError}})
		b := newBrowser(t, w.mux)
		wantStatus(t, "damaged list", b.get(w.consent(b.start("/"))), http.StatusInternalServerError)
		wantUnreadable(t, "damaged list", errs.facts(t, "damaged list", middleware.ErrUnreadable), "middleware.used.")
		if n := w.exchanges(); n != 0 {
			t.Errorf("list %q: %d exchanges, want none", value, n)
		}
	}
}

// TestM2_LedgerFull: no entry is dropped before its time, since that would let
// a state be used twice.
func TestM2_LedgerFull(t *testing.T) {
	full := "\x02" + strings.Repeat(strings.Repeat("h", 20)+"\xff\xff\xff\xff", 4096)
	w := newWorld(t, setup{store: damaged{storage.NewMemory(), full}})
	b := newBrowser(t, w.mux)
	wantStatus(t, "full list", b.get(w.consent(b.start("/"))), http.StatusServiceUnavailable)
	if n := w.exchanges(); n != 0 {
		t.Errorf("%d exchanges, want none", n)
	}
}

// conflicting refuses the first writes to the ledger as if another replica had
// been quicker.
type conflicting struct {
	storage.Store
	left atomic.Int64
}

func (s *conflicting) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	if strings.HasPrefix(key, "middleware.") && s.left.Add(-1) >= 0 {
		return 0, storage.ErrConflict
	}
	return s.Store.Put(ctx, key, value, old)
}

// damaged returns the same value for every list of the ledger, whatever is
// written.
type damaged struct {
	storage.Store
	value string
}

func (s damaged) Get(ctx context.Context, key string) (storage.Record, error) {
	if strings.HasPrefix(key, "middleware.") {
		return storage.NewRecord([]byte(s.value), 1), nil
	}
	return s.Store.Get(ctx, key)
}

func (s damaged) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	if strings.HasPrefix(key, "middleware.") {
		return old + 1, nil
	}
	return s.Store.Put(ctx, key, value, old)
}

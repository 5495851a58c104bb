package upkeep_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/upkeep"
)

type answer struct {
	Ready   bool      `json:"ready"`
	Store   bool      `json:"store"`
	Servers int       `json:"servers"`
	Limited int       `json:"servers_limited"`
	Grants  int       `json:"grants"`
	Failing float64   `json:"failing"`
	Unsaved int       `json:"unsaved"`
	Upkeep  time.Time `json:"upkeep"`
}

// ask sends a request to a handler.
func ask(t *testing.T, h http.Handler) (int, answer, string) {
	t.Helper()
	r := httptest.NewRecorder()
	h.ServeHTTP(r, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/ready", nil))
	var a answer
	if err := json.Unmarshal(r.Body.Bytes(), &a); err != nil {
		t.Fatalf("the answer %q is no JSON: %v", r.Body, err)
	}
	return r.Code, a, r.Body.String()
}

func TestReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users := people(10)
		w := newWorld(t, plain(0), users...)
		k := w.keeper()
		usual, err := upkeep.Ready(nil, k)
		if err != nil {
			t.Fatal(err)
		}
		strict, err := upkeep.Ready(&upkeep.ReadyOptions{MaxFailing: 0.5, NeedServers: true}, k)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range users {
			w.login(k, u.ID)
		}
		status, a, text := ask(t, usual)
		if want := (answer{Ready: true, Store: true, Servers: 1, Grants: 10}); status != http.StatusOK || a != want {
			t.Errorf("with nothing wrong the answer is %d %+v, want 200 and %+v", status, a, want)
		}
		if strings.Contains(text, "user") || strings.Contains(text, w.client.ClientID()) {
			t.Errorf("the answer %s names a user or a client", text)
		}
		time.Sleep(2 * time.Hour)
		w.Inject(oauthtest.Match{Op: "token"}, oauthtest.Fault{Status: 503}, -1)
		for _, u := range users {
			_, _ = k.Source(u.ID).Token(t.Context())
		}
		if status, a, _ = ask(t, usual); status != http.StatusOK || !a.Ready || a.Limited != 1 || a.Failing < 0.4 {
			t.Errorf("with a server that is down the answer is %d %+v, want 200, one server that is limited, and the share of grants that fail", status, a)
		}
		if status, a, _ = ask(t, strict); status != http.StatusServiceUnavailable || a.Ready {
			t.Errorf("with a server that is down and NeedServers the answer is %d %+v, want 503", status, a)
		}
	})
}

func TestReadyAboveAShareThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users := people(20)
		w := newWorld(t, plain(0), users...)
		k := w.keeper()
		h, err := upkeep.Ready(&upkeep.ReadyOptions{MaxFailing: 0.5, KeepFor: time.Millisecond}, k)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range users {
			w.login(k, u.ID)
		}
		time.Sleep(2 * time.Hour)
		w.Inject(oauthtest.Match{Op: "token"}, oauthtest.Fault{Status: 400, Body: `{"error":"odd"}`}, 15)
		for i, u := range users[:15] {
			_, _ = k.Source(u.ID).Token(t.Context())
			want := http.StatusOK
			if i >= 9 {
				want = http.StatusServiceUnavailable // all of ten or more
			}
			if status, a, _ := ask(t, h); status != want {
				t.Errorf("with %d grants that fail, of which half may, the answer is %d %+v, want %d", i+1, status, a, want)
			}
			time.Sleep(time.Second / 8)
		}
	})
}

func TestReadyWithoutTheStore(t *testing.T) {
	for name, hook := range map[string]func(context.Context, string) error{
		"a store that fails": testworld.Failing("get"), "a store that never answers": testworld.Hanging,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, plain(0))
				h, err := upkeep.Ready(nil, w.keeper())
				if err != nil {
					t.Fatal(err)
				}
				w.store.On(hook)
				begun := time.Now()
				status, a, _ := ask(t, h)
				if status != http.StatusServiceUnavailable || a.Store || a.Ready {
					t.Errorf("with %s the answer is %d %+v, want 503", name, status, a)
				}
				if d := time.Since(begun); d > 2*time.Second {
					t.Errorf("with %s the answer took %v of the clock of the bubble, want at most Timeout", name, d)
				}
				w.store.On(nil)
				time.Sleep(time.Second)
				if status, a, _ := ask(t, h); status != http.StatusOK {
					t.Errorf("after %s the answer is %d %+v, want 200", name, status, a)
				}
			})
		})
	}
}

// However many ask, the store is read once a second.
func TestReadyIsKeptForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plain(0))
		h, err := upkeep.Ready(nil, w.keeper())
		if err != nil {
			t.Fatal(err)
		}
		var reads atomic.Int64
		w.store.On(func(ctx context.Context, _ string) error {
			reads.Add(1)
			time.Sleep(100 * time.Millisecond)
			return ctx.Err()
		})
		for range 5 {
			var all sync.WaitGroup
			for range 100 {
				all.Go(func() { ask(t, h) })
			}
			all.Wait()
			time.Sleep(time.Second)
		}
		if n := reads.Load(); n != 5 {
			t.Errorf("500 requests in 5 seconds made %d reads of the store, want 5", n)
		}
	})
}

// A caller that leaves costs the others nothing.
func TestReadyForACallerThatLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plain(0))
		h, err := upkeep.Ready(nil, w.keeper())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
		if status, a, _ := ask(t, h); status != http.StatusOK {
			t.Errorf("after a caller that left the answer is %d %+v, want 200", status, a)
		}
	})
}

func TestReadySaysWhenTheWorkerLooked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plain(0))
		k := w.keeper()
		w.start(nil, k)
		h, err := upkeep.Ready(nil, w.keeper())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if _, a, _ := ask(t, h); time.Since(a.Upkeep) > 10*time.Minute {
			t.Errorf("after an hour the last look was at %v, want it within ten minutes", a.Upkeep)
		}
	})
}

func TestReadyRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newWorld(t, plain(0)).keeper()
		for name, o := range map[string]upkeep.ReadyOptions{
			"a share above one":  {MaxFailing: 1.1},
			"a negative share":   {MaxFailing: -0.1},
			"a negative timeout": {Timeout: -1},
			"a negative moment":  {KeepFor: -1},
		} {
			if _, err := upkeep.Ready(&o, k); err == nil {
				t.Errorf("Ready with %s = nil, want an error", name)
			}
		}
		if _, err := upkeep.Ready(nil); err == nil {
			t.Error("Ready without a Keeper = nil, want an error")
		}
	})
}

func TestLiveAsksNobody(t *testing.T) {
	for method, want := range map[string]int{http.MethodGet: 200, http.MethodHead: 200, http.MethodPost: 405, http.MethodDelete: 405} {
		r := httptest.NewRecorder()
		upkeep.Live().ServeHTTP(r, httptest.NewRequestWithContext(t.Context(), method, "/", nil))
		if r.Code != want {
			t.Errorf("%s = %d, want %d", method, r.Code, want)
		}
	}
}

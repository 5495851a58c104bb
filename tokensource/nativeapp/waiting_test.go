package nativeapp_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/transport"
)

// A run that is killed while it renews the token leaves its lease behind. The
// other runs wait for the end of that, and tell the user once.
func TestTheUserLearnsWhyARequestWaits(t *testing.T) {
	for name, tt := range map[string]struct {
		fault oauthtest.Fault // of the first run
		says  int
	}{
		"the first run is killed":                 {oauthtest.Fault{Hang: true}, 1},
		"the server answers the first run in 10s": {oauthtest.Fault{Delay: 10 * time.Second}, 1},
		"the server answers the first run in 2s":  {oauthtest.Fault{Delay: 2 * time.Second}, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			store := storage.NewMemory()
			var shown, ignored terminalText
			first, second := w.run(store, &ignored), w.run(store, &shown)
			access, refresh, err := w.fake.IssueToken(user, oauthtest.PublicApp().ClientID)
			if err != nil {
				t.Fatal(err)
			}
			if err := nativeapp.Add(t.Context(), first, user, access, refresh); err != nil {
				t.Fatal(err)
			}
			w.fake.ExpireAccess("")
			w.fake.Inject(oauthtest.Match{GrantType: "refresh_token"}, tt.fault, 1)
			var wg sync.WaitGroup
			wg.Go(func() { _, _ = w.call(first) }) // it fails if it gets no answer
			synctest.Wait()
			for range 3 {
				wg.Go(func() {
					if status, err := w.call(second); err != nil || status != http.StatusOK {
						t.Errorf("%s: call of the second run = %d, %v, want 200", name, status, err)
					}
				})
			}
			wg.Wait()
			if n := strings.Count(shown.String(), "Waiting for another run of the program"); n != tt.says {
				t.Errorf("%s: the second run shows %q, want %d lines about its wait", name, shown.String(), tt.says)
			}
			if ignored.String() != "" {
				t.Errorf("%s: the first run shows %q, want nothing", name, ignored.String())
			}
		})
	}
}

// terminalText is what a terminal shows. It is safe for concurrent use.
type terminalText struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

// Write shows some text.
func (t *terminalText) Write(text []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(text)
}

func (t *terminalText) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// run returns one of several runs of a program on one store.
func (w *world) run(store storage.Store, out *terminalText) *nativeapp.App {
	w.Helper()
	w.registered()
	keeper, err := grant.New(w.client(), store, &grant.Options{DueInterval: -1, InsecurePlainStore: true})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = keeper.Close() })
	app, err := nativeapp.New(keeper, &nativeapp.Options{Out: out, Transport: &transport.Options{Base: w.fake.Transport()}})
	if err != nil {
		w.Fatal(err)
	}
	return app
}

// A refresh ahead of the expiry goes on in the background. No request waits for
// it, so the user is told nothing.
func TestARefreshAheadThatWaitsIsNotShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		store := storage.NewMemory()
		var shown terminalText
		first, second := w.run(store, &shown), w.run(store, &shown)
		if _, err := first.Device(t.Context(), silent, nil); err != nil {
			t.Fatal(err)
		}
		s, err := first.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(s.Grant.Expiry) - 40*time.Second)
		w.fake.Inject(oauthtest.Match{GrantType: "refresh_token"}, oauthtest.Fault{Hang: true}, 1)
		w.works("ahead of the expiry", first, user)
		synctest.Wait()
		if n := w.fake.TokenCalls("refresh_token"); n != 1 {
			t.Fatalf("%d refresh requests, want that of the first run", n)
		}
		w.works("while the first run refreshes", second, user)
		time.Sleep(10 * time.Second)
		if shown.String() != "" {
			t.Errorf("the user is shown %q, want nothing", shown.String())
		}
	})
}

package oauth_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// bounded are the operations that are limited by the Client.
var bounded = []operation{
	operations[0], operations[2],
	{"identity", func(ctx context.Context, c *oauth.Client) error {
		_, err := c.Identity(ctx, &oauth2.Token{AccessToken: someAccess})
		return err
	}},
	{"client_credentials", func(ctx context.Context, c *oauth.Client) error {
		_, err := c.ClientCredentials(ctx)
		return err
	}},
}

// pushes is the operation of a Client at a server that takes pushed requests.
var pushes = operation{"push", func(ctx context.Context, c *oauth.Client) error {
	_, err := c.Authorize(ctx, "a-state", rfcVerifier, nil)
	return err
}}

// A server that hangs does not take all connections of the program, whichever
// operation it hangs in.
func TestRequestsInFlightAreBounded(t *testing.T) {
	for _, op := range append([]operation{pushes}, bounded...) {
		for most, limit := range map[int]int{0: 64, 3: 3} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.Fake.Inject(oauthtest.Match{}, oauthtest.Fault{Hang: true}, -1)
				p := w.Fake.Provider("")
				p.PushedAuthorizationURL = "https://api.x.com/2/oauth2/par"
				s := confidential()
				s.p, s.o = p, &oauth.Options{MaxInFlight: most}
				client := w.at(s)
				began, busy := time.Now(), 0
				var mu sync.Mutex
				var wg sync.WaitGroup
				for range 500 {
					wg.Go(func() {
						err := op.run(t.Context(), client)
						testworld.WantIs(t, err, tokensource.ErrTemporary)
						if e, ok := errors.AsType[*tokensource.Error](err); ok && e.RetryAfter > 0 {
							mu.Lock()
							defer mu.Unlock()
							busy++
							if waited := time.Since(began); waited != 5*time.Second || e.InDoubt || !strings.Contains(err.Error(), "under way") {
								t.Errorf("%s = %v after %v, want after 5s that too many are under way", op.name, err, waited)
							}
						}
					})
				}
				time.Sleep(time.Second)
				synctest.Wait()
				if n := len(w.Fake.Requests()); n != limit {
					t.Errorf("%s: %d requests are under way, want %d", op.name, n, limit)
				}
				wg.Wait()
				if busy != 500-limit {
					t.Errorf("%s: %d were refused, want %d", op.name, busy, 500-limit)
				}
			})
		}
	}
}

// A request that waits gets the place of one that has ended.
func TestAWaitingRequestIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Inject(oauthtest.Match{}, oauthtest.Fault{Delay: time.Second, Status: 200, Body: someTokens}, -1)
		client := w.NewClient(&oauth.Options{HTTPClient: &http.Client{Transport: w.Fake.Transport()}, MaxInFlight: 2})
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := client.Exchange(t.Context(), someCode, rfcVerifier); err != nil {
					t.Errorf("Exchange() = %v, want none", err)
				}
			})
		}
		wg.Wait()
	})
}

func TestACallerThatWaitsCanLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Inject(oauthtest.Match{}, oauthtest.Fault{Hang: true}, -1)
		client := w.NewClient(&oauth.Options{HTTPClient: &http.Client{Transport: w.Fake.Transport()}, MaxInFlight: 1})
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = client.Exchange(t.Context(), someCode, rfcVerifier) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := client.Exchange(ctx, someCode, rfcVerifier)
		testworld.WantIs(t, err, context.DeadlineExceeded)
		if e, ok := errors.AsType[*tokensource.Error](err); !ok || !e.Timeout() || e.InDoubt || time.Since(began) != time.Second {
			t.Errorf("Exchange() = %v after %v, want a timeout after 1s", err, time.Since(began))
		}
		wg.Wait()
	})
}

// Package grant limits refreshes before it announces them.
func TestRefreshesAreNotBoundedHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Inject(oauthtest.Match{}, oauthtest.Fault{Hang: true}, -1)
		client := w.NewClient(&oauth.Options{HTTPClient: &http.Client{Transport: w.Fake.Transport()}, MaxInFlight: 1})
		var wg sync.WaitGroup
		for range 9 {
			wg.Go(func() { _, _ = client.Refresh(t.Context(), someRefresh) })
		}
		synctest.Wait()
		if n := len(w.Fake.Requests()); n != 9 {
			t.Errorf("%d refreshes are under way, want 9", n)
		}
		wg.Wait()
	})
}

func TestANegativeLimitIsRefused(t *testing.T) {
	s := confidential()
	s.o = &oauth.Options{MaxInFlight: -1}
	if _, err := s.client(); err == nil || !strings.Contains(err.Error(), "MaxInFlight") {
		t.Errorf("New() = %v, want an error about MaxInFlight", err)
	}
}

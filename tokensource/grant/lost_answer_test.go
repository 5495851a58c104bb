package grant_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/storagetest"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// G3: One attempt sends one request, and a refresh token whose answer is
// unknown is sent again only by the rule for doubts.
func TestG3_NoRedirectAndNoSecondRequest(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				g := w.Process(nil)
				rejected := w.Login(g)
				w.RefreshFault(oauthtest.Fault{Status: status, Header: http.Header{"Location": {"https://elsewhere.test/token"}}}, 1)
				_, err := g.Source(w.User).Renew(t.Context(), rejected)
				testworld.WantIs(t, err, tokensource.ErrClient)
				w.WantRefreshes(1)
				for _, r := range w.Fake.Requests() {
					if r.Foreign {
						t.Errorf("a redirect was followed: %v", r)
					}
				}
			})
		})
	}
}

func TestG3_LostAnswer(t *testing.T) {
	dropped := oauthtest.Fault{Drop: true}
	redeemed := oauthtest.Fault{Drop: true, Commit: true}
	tests := []struct {
		name     string
		policy   grant.InDoubtPolicy
		faults   []oauthtest.Fault
		grace    time.Duration
		requests int                // in the end
		reason   tokensource.Reason // empty if the grant survives
	}{
		{"not redeemed, sent once more", grant.ResendOnce, []oauthtest.Fault{dropped}, 0, 2, ""},
		{"redeemed, sent once more", grant.ResendOnce, []oauthtest.Fault{redeemed}, 0, 2, tokensource.ReasonInDoubt},
		{"redeemed, grace window", grant.ResendOnce, []oauthtest.Fault{redeemed}, time.Hour, 2, ""},
		{"lost twice", grant.ResendOnce, []oauthtest.Fault{dropped, dropped}, 0, 2, tokensource.ReasonInDoubt},
		{"never", grant.ResendNever, []oauthtest.Fault{dropped}, 0, 1, tokensource.ReasonInDoubt},
		{"always", grant.ResendAlways, []oauthtest.Fault{dropped, dropped, dropped}, 0, 4, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.Fake.Set(func(k *xapi.Knobs) { k.Token.GraceWindow, k.Token.AccessTTL = tt.grace, time.Hour })
				g := w.Process(&grant.Options{InDoubt: tt.policy, RefreshBefore: -1})
				w.Login(g)
				time.Sleep(time.Hour)
				for _, f := range tt.faults {
					w.RefreshFault(f, 1)
				}
				_, err := g.Source(w.User).Token(t.Context())
				testworld.WantIs(t, err, tokensource.ErrTemporary)
				// As long as the intent lives, nothing is sent.
				_, err = g.Source(w.User).Token(t.Context())
				testworld.WantIs(t, err, tokensource.ErrTemporary)
				w.WantRefreshes(1)
				for range 20 {
					time.Sleep(31 * time.Second)
					_, err = g.Source(w.User).Token(t.Context())
				}
				w.WantRefreshes(tt.requests)
				if tt.reason == "" && err != nil {
					t.Errorf("Token() = %v, want a token", err)
				}
				if tt.reason != "" {
					testworld.WantReason(t, err, tt.reason)
				}
			})
		})
	}
}

// stalling is a transport that waits between the last check of the client and
// the sending. A process that is suspended there does the same. The context of
// the request cannot stop it.
type stalling struct {
	http.RoundTripper
	pause time.Duration
}

func (s stalling) RoundTrip(req *http.Request) (*http.Response, error) {
	time.Sleep(s.pause)
	return s.RoundTripper.RoundTrip(req.WithContext(context.WithoutCancel(req.Context())))
}

func TestG3_AStoppedProcessSendsNothingWhenItWakes(t *testing.T) {
	const pause = 45 * time.Second // longer than the lease, shorter than the flight
	tests := map[string]func(w world){
		"stopped before the request": func(w world) {
			w.Options.Prepare = func(context.Context, *oauth.TokenRequest) error {
				time.Sleep(pause)
				return nil
			}
		},
		"stopped before the body": func(w world) {
			w.Options.HTTPClient = &http.Client{Transport: stalling{w.Fake.Transport(), pause}}
		},
	}
	for name, stop := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				awake := w.Process(nil)
				rejected := w.Login(awake)
				stop(w)
				w.Client = w.NewClient(&w.Options)
				sleeper := w.Process(nil)
				var wg sync.WaitGroup
				wg.Go(func() { _, _ = sleeper.Source(w.User).Renew(t.Context(), rejected) })
				synctest.Wait()
				tok, err := awake.Source(w.User).Renew(t.Context(), rejected)
				if err != nil {
					t.Fatal(err)
				}
				wg.Wait()
				time.Sleep(pause)
				w.WantRefreshes(1)
				if got := w.Token(sleeper); got.AccessToken != tok.AccessToken {
					t.Error("the woken process has not taken over the token that is stored")
				}
			})
		})
	}
}

func TestACrashedProcessIsNoticed(t *testing.T) {
	tests := []struct {
		name   string
		fault  oauthtest.Fault
		policy grant.InDoubtPolicy
		reason tokensource.Reason
	}{
		{"before the server redeemed", oauthtest.Fault{Hang: true}, grant.ResendOnce, ""},
		{"after the server redeemed", oauthtest.Fault{Hang: true, Commit: true}, grant.ResendOnce, tokensource.ReasonInDoubt},
		{"and nothing may be sent again", oauthtest.Fault{Hang: true}, grant.ResendNever, tokensource.ReasonInDoubt},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.Fake.Set(func(k *xapi.Knobs) { k.Token.AccessTTL = time.Minute })
				// The doomed process has its own connection to the store. It breaks when
				// the process dies.
				own := &testworld.HookedStore{Store: w.Store}
				doomed := w.ProcessOn(own, &grant.Options{RefreshBefore: -1})
				survivor := w.Process(&grant.Options{RefreshBefore: -1, InDoubt: tt.policy})
				w.Login(doomed)
				time.Sleep(time.Minute)
				w.RefreshFault(tt.fault, 1)
				go func() { _, _ = doomed.Source(w.User).Token(t.Context()) }()
				synctest.Wait()
				own.On(testworld.Failing("get", "put"))
				start := time.Now()
				tok, err := survivor.Source(w.User).Token(t.Context())
				if waited := time.Since(start); waited > time.Minute {
					t.Errorf("the survivor waited %v", waited)
				}
				if tt.reason != "" {
					testworld.WantReason(t, err, tt.reason)
					return
				}
				if err != nil || !w.Works(tok) {
					t.Errorf("Token() of the survivor = %v, want a token", err)
				}
				w.WantRefreshes(2)
			})
		})
	}
}

// The store takes every write and never says so.
func TestAStoreWhoseAnswersAreLostCostsNoGrant(t *testing.T) {
	for name, late := range map[string]time.Duration{"the write happened": 0, "the write happens later": 5 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				mute := &muteStore{HookedStore: w.Store, late: late}
				processes := []*grant.Keeper{w.ProcessOn(mute, nil), w.ProcessOn(mute, nil), w.ProcessOn(mute, nil)}
				rejected := w.Login(processes[0])
				mute.on.Store(true)
				for i := range 30 {
					_, _ = processes[i%len(processes)].Source(w.User).Renew(t.Context(), rejected)
					time.Sleep(31 * time.Second)
				}
				if w.Saw(grant.EventDied) != 0 || w.reused() {
					t.Errorf("the grant died after %d requests", w.Refreshes())
				}
				mute.on.Store(false)
				time.Sleep(time.Minute)
				for _, g := range processes {
					if !w.Works(w.Token(g)) {
						t.Error("a process holds a token that does not work")
					}
				}
			})
		})
	}
}

// muteStore loses the answer of each write.
type muteStore struct {
	*testworld.HookedStore
	on   atomic.Bool
	late time.Duration // until the write happens, after its caller has given up
}

func (s *muteStore) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	if !s.on.Load() {
		return s.HookedStore.Put(ctx, key, value, old)
	}
	time.AfterFunc(s.late, func() { _, _ = s.HookedStore.Put(context.WithoutCancel(ctx), key, value, old) })
	<-ctx.Done()
	return 0, context.Cause(ctx)
}

func TestG3_TheRequestEndsBeforeTheIntentDoes(t *testing.T) {
	tests := []struct {
		name           string
		write, prepare time.Duration // how long the intent and the request take
	}{
		{"the request is prepared slowly", 0, 15 * time.Second},
		{"the store is slow", 12 * time.Second, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.Options.Prepare = func(context.Context, *oauth.TokenRequest) error {
					time.Sleep(tt.prepare) // of the twenty seconds that the request has
					return nil
				}
				w.Client = w.NewClient(&w.Options)
				g := w.Process(&grant.Options{StoreTimeout: 15 * time.Second})
				rejected := w.Login(g)
				w.Store.On(func(_ context.Context, op string) error {
					if op == "put" {
						time.Sleep(tt.write)
					}
					return nil
				})
				w.RefreshFault(oauthtest.Fault{Hang: true}, 1)
				start := time.Now()
				_, err := g.Source(w.User).Renew(t.Context(), rejected)
				testworld.WantIs(t, err, tokensource.ErrTemporary)
				if got := time.Since(start); got != 20*time.Second {
					t.Errorf("the request was given up after %v, want 20s: others may take over 30s after it was announced", got)
				}
			})
		})
	}
}

// An overloaded store may write and answer too late. The engine cannot know
// then that its intent is written. It has sent nothing. So the refresh token is
// not in doubt, however often that happens, and in how many processes.
func TestG3_AnIntentThatOnlySeemedToFailRaisesNoDoubt(t *testing.T) {
	for name, applied := range map[string]bool{"it was written": true, "it was not": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				var failing atomic.Bool
				store := storagetest.NewFaulty(w.Store, func(op, _ string, _ int) storagetest.Fault {
					if failing.Load() && op == "Put" {
						return storagetest.Fault{Err: testworld.ErrStore, Applied: applied}
					}
					return storagetest.Fault{}
				})
				processes := []*grant.Keeper{w.ProcessOn(store, nil), w.ProcessOn(store, nil), w.ProcessOn(store, nil)}
				rejected := w.Login(processes[0])
				failing.Store(true)
				for i := range 20 {
					_, err := processes[i%len(processes)].Source(w.User).Renew(t.Context(), rejected)
					testworld.WantIs(t, err, tokensource.ErrTemporary)
					time.Sleep(31 * time.Second)
				}
				w.WantRefreshes(0)
				failing.Store(false)
				time.Sleep(10 * time.Second)
				tok, err := processes[0].Source(w.User).Renew(t.Context(), rejected)
				if err != nil || !w.Works(tok) {
					t.Errorf("Renew() when the store is well again = %v, want a token", err)
				}
				w.WantRefreshes(1)
			})
		})
	}
}

// The server answers 503, and the store fails when that is to be written. The
// refresh token was not redeemed. So it is not in doubt when the store returns.
func TestG3_AnIntentThatCouldNotBeReleasedRaisesNoDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Latency = time.Second })
		here, elsewhere := w.Process(nil), w.Process(nil)
		rejected := w.Login(here)
		for _, g := range []*grant.Keeper{here, elsewhere, here, elsewhere} {
			w.RefreshFault(oauthtest.Fault{Status: 503}, 1)
			time.AfterFunc(time.Second/2, func() { w.Store.On(testworld.Failing("put", "get")) })
			_, err := g.Source(w.User).Renew(t.Context(), rejected)
			testworld.WantIs(t, err, tokensource.ErrTemporary)
			w.Store.On(nil)
			time.Sleep(2 * time.Minute)
		}
		w.WantRefreshes(4)
		if tok, err := elsewhere.Source(w.User).Renew(t.Context(), rejected); err != nil || !w.Works(tok) {
			t.Errorf("Renew() in the end = %v, want a token", err)
		}
	})
}

// A store that takes no writes is asked once for each call, and once a second
// in the background. Close does not wait for it.
func TestWritesStayFewWhileTheStoreRefusesThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		rejected := w.Login(g)
		var puts atomic.Int64
		w.Store.On(func(_ context.Context, op string) error {
			if op != "put" {
				return nil
			}
			puts.Add(1)
			return testworld.ErrStore
		})
		const calls, seconds = 100, 10
		for range calls {
			_, err := g.Source(w.User).Renew(t.Context(), rejected)
			testworld.WantIs(t, err, tokensource.ErrTemporary)
			time.Sleep(seconds * time.Second / calls)
		}
		if n := puts.Load(); n > calls+seconds+5 { // a few more in the first second
			t.Errorf("writes of %d calls in %d seconds = %d, want %d at most", calls, seconds, n, calls+seconds+5)
		}
		if err := g.Close(); err == nil || !strings.Contains(err.Error(), "1 intents could not be withdrawn") {
			t.Errorf("Close() = %v, want an error that counts the intent", err)
		}
		w.WantRefreshes(0)
	})
}

// A server that answers a second use of a refresh token with the access token
// alone has given the new refresh token to the first use. The old one must not
// be sent a third time. Some servers then end all grants of the user.
func TestARefreshWhoseAnswerHasNoRefreshTokenWhereAbsentIsLost(t *testing.T) {
	for name, lost := range map[string]bool{"absent is lost": true, "absent means keep": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.clientFor(func(p *provider.Provider) { p.RefreshTokens.AbsentIsLost = lost })
				w.Fake.Set(func(k *xapi.Knobs) { k.Token.OmitRefresh, k.Token.AccessTTL = true, time.Hour })
				g := w.Process(nil)
				w.Login(g)
				time.Sleep(time.Hour)
				if !w.Works(w.Token(g)) {
					t.Error("the new access token does not work")
				}
				time.Sleep(time.Hour)
				_, err := g.Source(w.User).Token(t.Context())
				if !lost {
					if err != nil {
						t.Errorf("Token() = %v, want a token", err)
					}
					w.WantRefreshes(2)
					return
				}
				testworld.WantReason(t, err, tokensource.ReasonNoRefreshToken)
				w.WantRefreshes(1)
			})
		})
	}
}

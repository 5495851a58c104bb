package grant_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/bubble"
	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

func TestG1_OneRedemptionInAProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		rejected := w.Login(g)
		w.Fake.ExpireAccess(w.User)
		w.Fake.Set(func(k *xapi.Knobs) { k.Latency = 50 * time.Millisecond })
		synctest.Wait()
		before := bubble.Goroutines()
		var wg sync.WaitGroup
		ctx := tokensource.WithSubject(t.Context(), w.User)
		for range 10_000 {
			wg.Go(func() {
				tok, err := g.Renew(ctx, rejected)
				if err != nil || tok.AccessToken == rejected.AccessToken {
					t.Errorf("Renew() = %v, want another token", err)
				}
			})
		}
		wg.Wait()
		w.WantRefreshes(1)
		synctest.Wait()
		if after := bubble.Goroutines(); after > before {
			t.Errorf("goroutines = %d after the storm, %d before", after, before)
		}
		if !w.Works(w.Token(g)) {
			t.Error("the renewed token does not work")
		}
	})
}

func TestG1_OneRedemptionAcrossProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Token.AccessTTL, k.Latency = time.Minute, 20*time.Millisecond })
		var processes []*grant.Keeper
		for range 4 {
			processes = append(processes, w.Process(&grant.Options{RefreshBefore: -1}))
		}
		w.Login(processes[0])
		const expiries = 25
		for range expiries {
			time.Sleep(time.Minute)
			var wg sync.WaitGroup
			for _, g := range processes {
				for range 5 {
					wg.Go(func() {
						if !w.Works(w.Token(g)) {
							t.Error("a process holds a token that does not work")
						}
					})
				}
			}
			wg.Wait()
		}
		w.WantRefreshes(expiries)
		if slices.ContainsFunc(w.Fake.Grants(), func(g oauthtest.Grant) bool { return g.Ended == oauthtest.Reused }) {
			t.Error("a refresh token was used twice")
		}
	})
}

// Whoever waits for another process has the new token soon after it is stored: within a tenth of the time that this took
// where the store must be asked for it, at once where the store tells.
func TestG1_WhoWaitsForAnotherProcessFollowsSoon(t *testing.T) {
	for _, tells := range []bool{false, true} {
		for _, latency := range []time.Duration{20 * time.Millisecond, 200 * time.Millisecond, 2 * time.Second} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				var store storage.Store = w.Store
				if tells {
					store = w.Store.Store
				}
				here, elsewhere := w.ProcessOn(store, nil), w.ProcessOn(store, nil)
				rejected := w.Login(here)
				w.Fake.Set(func(k *xapi.Knobs) { k.Latency = latency })
				synctest.Wait() // the watches, if any, have begun
				start := time.Now()
				var wg sync.WaitGroup
				for _, g := range []*grant.Keeper{here, elsewhere} {
					wg.Go(func() {
						if _, err := g.Source(w.User).Renew(t.Context(), rejected); err != nil {
							t.Errorf("Renew() = %v, want a token", err)
						}
					})
				}
				wg.Wait()
				most := latency
				if !tells {
					most += max(latency/10, time.Millisecond)
				}
				if took := time.Since(start); took > most {
					t.Errorf("the store tells: %t, a refresh of %v: the other process waited for %v, want at most %v", tells, latency, took, most)
				}
				w.WantRefreshes(1)
			})
		}
	}
}

func TestG2_RenewComparesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		here, elsewhere := w.Process(nil), w.Process(nil)
		first := w.Login(here)
		second, err := here.Source(w.User).Renew(t.Context(), first)
		if err != nil {
			t.Fatal(err)
		}
		// A late 401 for the first token, in a process that has never seen the second, and in this one, where it costs
		// nothing: the store is not even asked.
		for _, g := range []*grant.Keeper{elsewhere, here} {
			if g == here {
				w.Store.On(testworld.Failing("get", "put"))
			}
			got, err := g.Source(w.User).Renew(t.Context(), first)
			if err != nil || got.AccessToken != second.AccessToken {
				t.Errorf("Renew() = %v, want the token that was just fetched", err)
			}
		}
		w.WantRefreshes(1)
	})
}

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

// stalling is a transport that stops for a while between the client's last check and the sending, as a process does that
// is suspended there, and whose context cannot stop it.
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

func TestG4_DurableBeforeVisible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		rejected := w.Login(g)
		puts, open := 0, make(chan struct{})
		w.Store.On(func(_ context.Context, op string) error {
			if op == "put" {
				if puts++; puts == 2 { // the first announces, the second stores the tokens
					<-open
				}
			}
			return nil
		})
		got := make(chan *oauth2.Token, 1)
		go func() {
			tok, _ := g.Source(w.User).Renew(t.Context(), rejected)
			got <- tok
		}()
		synctest.Wait()
		w.WantRefreshes(1)
		select {
		case <-got:
			t.Fatal("the new token was handed out before it was stored")
		default:
		}
		if now := w.Token(g); now.AccessToken != rejected.AccessToken {
			t.Error("Token() handed out the new token before it was stored")
		}
		close(open)
		if tok := <-got; !w.Works(tok) {
			t.Error("the stored token does not work")
		}
	})
}

func TestG4_AStoreThatRefusesLosesNothing(t *testing.T) {
	faults := map[string]func(context.Context, string) error{
		"fails": testworld.Failing("put", "get"), "hangs": testworld.Hanging, "takes no writes": testworld.Failing("put"),
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.Fake.Set(func(k *xapi.Knobs) { k.Latency = time.Second })
				here, elsewhere := w.Process(nil), w.Process(nil)
				rejected := w.Login(here)
				go func() {
					time.Sleep(500 * time.Millisecond) // after the announcement, before the answer
					w.Store.On(fault)
				}()
				tok, err := here.Source(w.User).Renew(t.Context(), rejected)
				if err != nil || !w.Works(tok) {
					t.Fatalf("Renew() = %v, want the token from memory", err)
				}
				if w.Saw(grant.EventUnsaved) != 1 {
					t.Error("the hook has not heard of the refused write")
				}
				time.Sleep(40 * time.Second) // so long that the store is asked again
				if got := w.Token(here); got.AccessToken != tok.AccessToken {
					t.Error("the token from memory was forgotten")
				}
				w.Store.On(nil)
				time.Sleep(10 * time.Second)
				if w.Saw(grant.EventSaved) != 1 {
					t.Error("the tokens were not written when the store returned")
				}
				if got := w.Token(elsewhere); got.AccessToken != tok.AccessToken {
					t.Error("the store does not hold the new token")
				}
				w.WantRefreshes(1)
			})
		})
	}
}

// The store is away for longer than an intent lives. When it returns, another process comes first and sees an intent long
// ended: it must leave the one that holds the new tokens the time to write them.
func TestG4_AnOutageLongerThanTheLeaseLosesNothing(t *testing.T) {
	for name, fault := range map[string]func(context.Context, string) error{"fails": testworld.Failing("put", "get"), "hangs": testworld.Hanging} {
		t.Run(name, func(t *testing.T) {
			for phase := range 10 {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					w.Fake.Set(func(k *xapi.Knobs) { k.Latency = time.Second })
					here, elsewhere := w.Process(nil), w.Process(nil)
					rejected := w.Login(here)
					time.AfterFunc(time.Second/2, func() { w.Store.On(fault) })
					tok, err := here.Source(w.User).Renew(t.Context(), rejected)
					if err != nil {
						t.Fatal(err)
					}
					time.Sleep(5*time.Minute + time.Duration(phase)*431*time.Millisecond)
					w.Store.On(nil)
					got, err := elsewhere.Source(w.User).Renew(t.Context(), rejected)
					if err != nil || got.AccessToken != tok.AccessToken {
						t.Errorf("Renew() elsewhere = %v, want the token that was waiting to be stored", err)
					}
					w.WantRefreshes(1)
				})
			}
		})
	}
}

func TestG4_CloseWritesOnceMoreAndCountsWhatIsLost(t *testing.T) {
	for name, returns := range map[string]bool{"the store returns": true, "the store is gone": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.Fake.Set(func(k *xapi.Knobs) { k.Latency = time.Second })
				g := w.Process(nil)
				rejected := w.Login(g)
				time.AfterFunc(time.Second/2, func() { w.Store.On(testworld.Failing("put", "get")) })
				if _, err := g.Source(w.User).Renew(t.Context(), rejected); err != nil {
					t.Fatal(err)
				}
				if returns {
					w.Store.On(nil)
				}
				if err := g.Close(); (err == nil) != returns {
					t.Errorf("Close() = %v, want an error: %v", err, !returns)
				}
			})
		})
	}
}

func TestG5_WaitersLeaveAtTheirOwnDeadlineAndTheWorkGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Latency = 200 * time.Millisecond })
		g := w.Process(nil)
		rejected := w.Login(g)
		cause := errors.New("the first caller has had enough")
		first, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(50*time.Millisecond, func() { cancel(cause) })
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := g.Source(w.User).Renew(first, rejected)
			testworld.WantIs(t, err, cause)
		})
		wg.Go(func() {
			time.Sleep(30 * time.Millisecond)
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			_, err := g.Source(w.User).Renew(ctx, rejected)
			testworld.WantIs(t, err, context.DeadlineExceeded)
			if waited := time.Since(start); waited != 10*time.Millisecond {
				t.Errorf("a waiter with 10ms waited %v", waited)
			}
		})
		wg.Go(func() {
			time.Sleep(30 * time.Millisecond)
			if tok, err := g.Source(w.User).Renew(t.Context(), rejected); err != nil || !w.Works(tok) {
				t.Errorf("Renew() of a patient waiter = %v, want a token", err)
			}
		})
		wg.Wait()
		w.WantRefreshes(1)
	})
}

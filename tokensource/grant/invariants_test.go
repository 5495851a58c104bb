package tokensource_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/bubble"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

func TestG1_OneRedemptionInAProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.process(nil)
		rejected := w.login(g)
		w.fake.ExpireAccess(w.user)
		w.fake.Set(func(k *oauthtest.Knobs) { k.Latency = 50 * time.Millisecond })
		synctest.Wait()
		before := bubble.Goroutines()
		var wg sync.WaitGroup
		ctx := tokensource.WithSubject(t.Context(), w.user)
		for range 10_000 {
			wg.Go(func() {
				tok, err := g.Renew(ctx, rejected)
				if err != nil || tok.AccessToken == rejected.AccessToken {
					t.Errorf("Renew() = %v, want another token", err)
				}
			})
		}
		wg.Wait()
		w.wantRefreshes(1)
		synctest.Wait()
		if after := bubble.Goroutines(); after > before {
			t.Errorf("goroutines = %d after the storm, %d before", after, before)
		}
		if !w.works(w.token(g)) {
			t.Error("the renewed token does not work")
		}
	})
}

func TestG1_OneRedemptionAcrossProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fake.Set(func(k *oauthtest.Knobs) { k.Token.AccessTTL, k.Latency = time.Minute, 20*time.Millisecond })
		var processes []*tokensource.Grants
		for range 4 {
			processes = append(processes, w.process(&tokensource.GrantOptions{RefreshBefore: -1}))
		}
		w.login(processes[0])
		const expiries = 25
		for range expiries {
			time.Sleep(time.Minute)
			var wg sync.WaitGroup
			for _, g := range processes {
				for range 5 {
					wg.Go(func() {
						if !w.works(w.token(g)) {
							t.Error("a process holds a token that does not work")
						}
					})
				}
			}
			wg.Wait()
		}
		w.wantRefreshes(expiries)
		if w.fake.FamilyRevoked(w.user) {
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
				var store storage.Store = w.store
				if tells {
					store = w.store.Store
				}
				here, elsewhere := w.processOn(store, nil), w.processOn(store, nil)
				rejected := w.login(here)
				w.fake.Set(func(k *oauthtest.Knobs) { k.Latency = latency })
				synctest.Wait() // the watches, if any, have begun
				start := time.Now()
				var wg sync.WaitGroup
				for _, g := range []*tokensource.Grants{here, elsewhere} {
					wg.Go(func() {
						if _, err := g.Source(w.user).Renew(t.Context(), rejected); err != nil {
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
				w.wantRefreshes(1)
			})
		}
	}
}

func TestG2_RenewComparesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		here, elsewhere := w.process(nil), w.process(nil)
		first := w.login(here)
		second, err := here.Source(w.user).Renew(t.Context(), first)
		if err != nil {
			t.Fatal(err)
		}
		// A late 401 for the first token, in a process that has never seen the second, and in this one, where it costs
		// nothing: the store is not even asked.
		for _, g := range []*tokensource.Grants{elsewhere, here} {
			if g == here {
				w.store.on(failing("get", "put"))
			}
			got, err := g.Source(w.user).Renew(t.Context(), first)
			if err != nil || got.AccessToken != second.AccessToken {
				t.Errorf("Renew() = %v, want the token that was just fetched", err)
			}
		}
		w.wantRefreshes(1)
	})
}

func TestG3_NoRedirectAndNoSecondRequest(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				g := w.process(nil)
				rejected := w.login(g)
				w.refreshFault(oauthtest.Fault{Status: status, Header: http.Header{"Location": {"https://elsewhere.test/token"}}}, 1)
				_, err := g.Source(w.user).Renew(t.Context(), rejected)
				wantIs(t, err, tokensource.ErrClient)
				w.wantRefreshes(1)
				for _, r := range w.fake.Requests() {
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
		policy   tokensource.InDoubtPolicy
		faults   []oauthtest.Fault
		grace    time.Duration
		requests int                // in the end
		reason   tokensource.Reason // empty if the grant survives
	}{
		{"not redeemed, sent once more", tokensource.ResendOnce, []oauthtest.Fault{dropped}, 0, 2, ""},
		{"redeemed, sent once more", tokensource.ResendOnce, []oauthtest.Fault{redeemed}, 0, 2, tokensource.ReasonInDoubt},
		{"redeemed, grace window", tokensource.ResendOnce, []oauthtest.Fault{redeemed}, time.Hour, 2, ""},
		{"lost twice", tokensource.ResendOnce, []oauthtest.Fault{dropped, dropped}, 0, 2, tokensource.ReasonInDoubt},
		{"never", tokensource.ResendNever, []oauthtest.Fault{dropped}, 0, 1, tokensource.ReasonInDoubt},
		{"always", tokensource.ResendAlways, []oauthtest.Fault{dropped, dropped, dropped}, 0, 4, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.fake.Set(func(k *oauthtest.Knobs) { k.Token.GraceWindow, k.Token.AccessTTL = tt.grace, time.Hour })
				g := w.process(&tokensource.GrantOptions{InDoubt: tt.policy, RefreshBefore: -1})
				w.login(g)
				time.Sleep(time.Hour)
				for _, f := range tt.faults {
					w.refreshFault(f, 1)
				}
				_, err := g.Source(w.user).Token(t.Context())
				wantIs(t, err, tokensource.ErrTemporary)
				// As long as the intent lives, nothing is sent.
				_, err = g.Source(w.user).Token(t.Context())
				wantIs(t, err, tokensource.ErrTemporary)
				w.wantRefreshes(1)
				for range 20 {
					time.Sleep(31 * time.Second)
					_, err = g.Source(w.user).Token(t.Context())
				}
				w.wantRefreshes(tt.requests)
				if tt.reason == "" && err != nil {
					t.Errorf("Token() = %v, want a token", err)
				}
				if tt.reason != "" {
					wantReason(t, err, tt.reason)
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
	tests := map[string]func(w *world){
		"stopped before the request": func(w *world) {
			w.options.Prepare = func(context.Context, *tokensource.TokenRequest) error {
				time.Sleep(pause)
				return nil
			}
		},
		"stopped before the body": func(w *world) {
			w.options.HTTPClient = &http.Client{Transport: stalling{w.fake.Transport(), pause}}
		},
	}
	for name, stop := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				awake := w.process(nil)
				rejected := w.login(awake)
				stop(w)
				w.client = w.newClient(&w.options)
				sleeper := w.process(nil)
				var wg sync.WaitGroup
				wg.Go(func() { _, _ = sleeper.Source(w.user).Renew(t.Context(), rejected) })
				synctest.Wait()
				tok, err := awake.Source(w.user).Renew(t.Context(), rejected)
				if err != nil {
					t.Fatal(err)
				}
				wg.Wait()
				time.Sleep(pause)
				w.wantRefreshes(1)
				if got := w.token(sleeper); got.AccessToken != tok.AccessToken {
					t.Error("the woken process has not taken over the token that is stored")
				}
			})
		})
	}
}

func TestG4_DurableBeforeVisible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.process(nil)
		rejected := w.login(g)
		puts, open := 0, make(chan struct{})
		w.store.on(func(_ context.Context, op string) error {
			if op == "put" {
				if puts++; puts == 2 { // the first announces, the second stores the tokens
					<-open
				}
			}
			return nil
		})
		got := make(chan *oauth2.Token, 1)
		go func() {
			tok, _ := g.Source(w.user).Renew(t.Context(), rejected)
			got <- tok
		}()
		synctest.Wait()
		w.wantRefreshes(1)
		select {
		case <-got:
			t.Fatal("the new token was handed out before it was stored")
		default:
		}
		if now := w.token(g); now.AccessToken != rejected.AccessToken {
			t.Error("Token() handed out the new token before it was stored")
		}
		close(open)
		if tok := <-got; !w.works(tok) {
			t.Error("the stored token does not work")
		}
	})
}

func TestG4_AStoreThatRefusesLosesNothing(t *testing.T) {
	faults := map[string]func(context.Context, string) error{
		"fails": failing("put", "get"), "hangs": hanging, "takes no writes": failing("put"),
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.fake.Set(func(k *oauthtest.Knobs) { k.Latency = time.Second })
				here, elsewhere := w.process(nil), w.process(nil)
				rejected := w.login(here)
				go func() {
					time.Sleep(500 * time.Millisecond) // after the announcement, before the answer
					w.store.on(fault)
				}()
				tok, err := here.Source(w.user).Renew(t.Context(), rejected)
				if err != nil || !w.works(tok) {
					t.Fatalf("Renew() = %v, want the token from memory", err)
				}
				if w.saw(tokensource.EventUnsaved) != 1 {
					t.Error("the hook has not heard of the refused write")
				}
				time.Sleep(40 * time.Second) // so long that the store is asked again
				if got := w.token(here); got.AccessToken != tok.AccessToken {
					t.Error("the token from memory was forgotten")
				}
				w.store.on(nil)
				time.Sleep(10 * time.Second)
				if w.saw(tokensource.EventSaved) != 1 {
					t.Error("the tokens were not written when the store returned")
				}
				if got := w.token(elsewhere); got.AccessToken != tok.AccessToken {
					t.Error("the store does not hold the new token")
				}
				w.wantRefreshes(1)
			})
		})
	}
}

// The store is away for longer than an intent lives. When it returns, another process comes first and sees an intent long
// ended: it must leave the one that holds the new tokens the time to write them.
func TestG4_AnOutageLongerThanTheLeaseLosesNothing(t *testing.T) {
	for name, fault := range map[string]func(context.Context, string) error{"fails": failing("put", "get"), "hangs": hanging} {
		t.Run(name, func(t *testing.T) {
			for phase := range 10 {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					w.fake.Set(func(k *oauthtest.Knobs) { k.Latency = time.Second })
					here, elsewhere := w.process(nil), w.process(nil)
					rejected := w.login(here)
					time.AfterFunc(time.Second/2, func() { w.store.on(fault) })
					tok, err := here.Source(w.user).Renew(t.Context(), rejected)
					if err != nil {
						t.Fatal(err)
					}
					time.Sleep(5*time.Minute + time.Duration(phase)*431*time.Millisecond)
					w.store.on(nil)
					got, err := elsewhere.Source(w.user).Renew(t.Context(), rejected)
					if err != nil || got.AccessToken != tok.AccessToken {
						t.Errorf("Renew() elsewhere = %v, want the token that was waiting to be stored", err)
					}
					w.wantRefreshes(1)
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
				w.fake.Set(func(k *oauthtest.Knobs) { k.Latency = time.Second })
				g := w.process(nil)
				rejected := w.login(g)
				time.AfterFunc(time.Second/2, func() { w.store.on(failing("put", "get")) })
				if _, err := g.Source(w.user).Renew(t.Context(), rejected); err != nil {
					t.Fatal(err)
				}
				if returns {
					w.store.on(nil)
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
		w.fake.Set(func(k *oauthtest.Knobs) { k.Latency = 200 * time.Millisecond })
		g := w.process(nil)
		rejected := w.login(g)
		cause := errors.New("the first caller has had enough")
		first, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(50*time.Millisecond, func() { cancel(cause) })
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := g.Source(w.user).Renew(first, rejected)
			wantIs(t, err, cause)
		})
		wg.Go(func() {
			time.Sleep(30 * time.Millisecond)
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			_, err := g.Source(w.user).Renew(ctx, rejected)
			wantIs(t, err, context.DeadlineExceeded)
			if waited := time.Since(start); waited != 10*time.Millisecond {
				t.Errorf("a waiter with 10ms waited %v", waited)
			}
		})
		wg.Go(func() {
			time.Sleep(30 * time.Millisecond)
			if tok, err := g.Source(w.user).Renew(t.Context(), rejected); err != nil || !w.works(tok) {
				t.Errorf("Renew() of a patient waiter = %v, want a token", err)
			}
		})
		wg.Wait()
		w.wantRefreshes(1)
	})
}

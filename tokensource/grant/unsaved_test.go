package grant_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// G4: New tokens are stored before they are visible, and a store that does not
// take them costs no grant.
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

// A token that expires while the store takes it is not handed out. The next
// call renews it.
func TestATokenThatExpiresBeforeItIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		rejected := w.Login(g)
		w.Fake.Set(func(k *xapi.Knobs) { k.Latency, k.Token.AccessTTL = time.Second, 5*time.Second })
		time.AfterFunc(500*time.Millisecond, func() { w.Store.On(testworld.Hanging) }) // after the announcement
		if tok, err := g.Source(w.User).Renew(t.Context(), rejected); tok != nil || !errors.Is(err, tokensource.ErrTemporary) {
			t.Errorf("Renew() after its store hung for longer than the token lived = %v, want ErrTemporary", err)
		}
		w.Store.On(nil)
		time.Sleep(time.Minute)
		w.Fake.Set(func(k *xapi.Knobs) { k.Token.AccessTTL = time.Hour })
		if tok, err := g.Source(w.User).Token(t.Context()); err != nil || !w.Works(tok) {
			t.Errorf("Token() when the store works again = %v, want a new token", err)
		}
		w.WantRefreshes(2)
	})
}

// The store fails for longer than an intent lives. When it works again, another
// process comes first and sees an intent that has ended. The holder of the new
// tokens must have the time to write them.
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

// The store is gone for longer than a process remembers the intents of others.
func TestG4_CloseCountsWhatIsLostAfterALongOutage(t *testing.T) {
	tests := []struct {
		name   string
		writes int // that succeed
		lost   string
	}{
		{"new tokens", 1, "1 renewed grants"},
		{"an intent", 0, "1 intents"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				g := w.Process(nil)
				rejected := w.Login(g)
				writes := 0
				w.Store.On(func(_ context.Context, op string) error {
					if op == "put" {
						writes++
					}
					if writes > tt.writes {
						return testworld.ErrStore
					}
					return nil
				})
				_, _ = g.Source(w.User).Renew(t.Context(), rejected)
				time.Sleep(11 * time.Minute)
				if err := g.Close(); err == nil || !strings.Contains(err.Error(), tt.lost) {
					t.Errorf("Close() = %v, want an error that counts %s", err, tt.lost)
				}
			})
		})
	}
}

func TestG4_ALoginIsDurableBeforeVisible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		old := w.Login(g)
		open := make(chan struct{})
		w.Store.On(func(_ context.Context, op string) error {
			if op == "put" {
				<-open
			}
			return nil
		})
		done := make(chan *oauth2.Token)
		go func() { done <- w.Login(g) }()
		synctest.Wait()
		if got := w.Token(g); got.AccessToken != old.AccessToken {
			t.Error("Token() handed out the new login's token before it was stored")
		}
		close(open)
		if want := <-done; w.Token(g).AccessToken != want.AccessToken {
			t.Error("Token() does not hand out the new login's token")
		}
	})
}

// The code of a login cannot be used again. So the login is stored though its
// caller leaves before that.
func TestG4_ALoginIsStoredThoughItsCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		here, elsewhere := w.Process(nil), w.Process(nil)
		tok := w.issue()
		w.Store.On(func(context.Context, string) error { time.Sleep(time.Second); return nil })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		if _, err := here.Save(ctx, w.User, tok); err != nil {
			t.Errorf("Save() = %v, want nil", err)
		}
		if got := w.Token(elsewhere); got.AccessToken != tok.AccessToken {
			t.Error("the login is not stored")
		}
	})
}

func TestG4_OneFailedWriteIsNoEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		here, elsewhere := w.Process(nil), w.Process(nil)
		rejected, puts := w.Login(here), 0
		w.Store.On(func(_ context.Context, op string) error {
			if op == "put" {
				if puts++; puts == 2 { // the first announces, the second stores the tokens
					return testworld.ErrStore
				}
			}
			return nil
		})
		tok, err := here.Source(w.User).Renew(t.Context(), rejected)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.Token(elsewhere); got.AccessToken != tok.AccessToken {
			t.Error("the token was handed out before it was stored")
		}
		if n := w.Saw(grant.EventUnsaved); n != 0 {
			t.Errorf("unsaved events = %d, want none: the second try succeeded", n)
		}
	})
}

func TestG4_UnsavedTokensThatWereOvertakenMeetNoLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Latency, k.Token.AccessTTL = time.Second, 10*time.Minute })
		own := &testworld.HookedStore{Store: w.Store} // this process's way to the store
		cut, other := w.ProcessOn(own, nil), w.Process(nil)
		rejected := w.Login(cut)
		time.AfterFunc(time.Second/2, func() { own.On(testworld.Failing("put", "get")) })
		unsaved, err := cut.Source(w.User).Renew(t.Context(), rejected)
		if err != nil {
			t.Fatal(err)
		}
		newer := w.Login(other) // meanwhile the user logs in elsewhere
		time.Sleep(time.Minute)
		puts := 0
		own.On(func(_ context.Context, op string) error {
			if op == "put" {
				puts++
				time.Sleep(time.Millisecond)
			}
			return nil
		})
		tok, err := cut.Source(w.User).Renew(t.Context(), unsaved)
		if err != nil || tok.AccessToken != newer.AccessToken {
			t.Errorf("Renew() = %v, want the newer login's token", err)
		}
		if puts > 100 {
			t.Errorf("the store was asked %d times to take what it cannot take", puts)
		}
	})
}

// A process has redeemed and cannot reach the store. Another process takes over
// and gets 503. The tokens of the first process are the only good ones. They
// are written when it reaches the store again.
func TestG4_UnsavedTokensReplaceWhatASuccessorReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Latency = time.Second })
		own := &testworld.HookedStore{Store: w.Store}
		cut, other := w.ProcessOn(own, nil), w.Process(nil)
		rejected := w.Login(cut)
		time.AfterFunc(time.Second/2, func() { own.On(testworld.Failing("put", "get")) })
		good, err := cut.Source(w.User).Renew(t.Context(), rejected)
		if err != nil {
			t.Fatal(err)
		}
		w.RefreshFault(oauthtest.Fault{Status: http.StatusServiceUnavailable}, 1)
		_, err = other.Source(w.User).Renew(t.Context(), rejected)
		testworld.WantIs(t, err, tokensource.ErrTemporary)
		own.On(nil)
		time.Sleep(5 * time.Minute)
		if n := w.Saw(grant.EventSaved); n != 1 {
			t.Errorf("EventSaved was seen %d times, want once", n)
		}
		for _, g := range []*grant.Keeper{other, cut} {
			if tok, err := g.Source(w.User).Renew(t.Context(), rejected); err != nil || tok.AccessToken != good.AccessToken {
				t.Errorf("Renew() = %v, want the tokens that the successor did not get", err)
			}
		}
	})
}

// Meanwhile the record was sealed with a key that this process does not have.
func TestG4_UnsavedTokensOverAnUnreadableRecordMeetNoLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Latency = time.Second })
		own := &testworld.HookedStore{Store: w.Store}
		g := w.ProcessOn(own, nil)
		rejected := w.Login(g)
		time.AfterFunc(time.Second/2, func() { own.On(testworld.Failing("put", "get")) })
		unsaved, err := g.Source(w.User).Renew(t.Context(), rejected)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		rewriteAll(t, w.Store.Store)
		var puts atomic.Int64
		own.On(func(_ context.Context, op string) error {
			if op == "get" {
				return seal.ErrUnknownKey
			}
			puts.Add(1)
			time.Sleep(time.Millisecond)
			return nil
		})
		_, err = g.Source(w.User).Renew(t.Context(), unsaved)
		testworld.WantIs(t, err, seal.ErrUnknownKey)
		if n := puts.Load(); n > 10 {
			t.Errorf("one call has tried to write %d times", n)
		}
		own.On(nil)
	})
}

// The record is sealed again while its renewed tokens wait to be written. A
// logout must end those tokens, and not only the stored ones.
func TestG12_LogoutEndsUnsavedTokensToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Latency, k.Revoke.RefreshOnlyItself = time.Second, true })
		own := &testworld.HookedStore{Store: w.Store}
		g := w.ProcessOn(own, nil)
		rejected := w.Login(g)
		time.AfterFunc(time.Second/2, func() { own.On(testworld.Failing("put", "get")) })
		tok, err := g.Source(w.User).Renew(t.Context(), rejected)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		rewriteAll(t, w.Store.Store)
		own.On(nil)
		if err := g.Logout(t.Context(), w.User); err != nil {
			t.Fatal(err)
		}
		if w.Works(tok) {
			t.Error("the renewed token outlives the logout")
		}
		if n := w.Fake.Grants()[0].LiveRefresh; n != 0 {
			t.Errorf("live refresh tokens after the logout = %d, want none", n)
		}
	})
}

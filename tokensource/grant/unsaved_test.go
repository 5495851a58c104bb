package grant_test

import (
	"context"
	"net/http"
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

func TestG4_AMomentOfWeaknessIsNoEvent(t *testing.T) {
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

// The record is re-encrypted while its renewed tokens wait to be written: a logout must end those, not the old ones.
// A process has redeemed and cannot reach the store. Another takes over, is told 503, and leaves the grant as it was. The
// tokens of the first are the only good ones: they are written when it reaches the store again.
func TestG4_UnsavedTokensReplaceWhatASuccessorLetGoOf(t *testing.T) {
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

// Meanwhile the record was rewritten in a way that this process cannot read: sealed with a key that it has not got.
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

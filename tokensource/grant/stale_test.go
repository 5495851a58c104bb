package grant_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// slowToldStore is a toldStore whose reads take a while. The answer is what was
// stored when the read began.
type slowToldStore struct {
	*toldStore
	took time.Duration
}

func (s *slowToldStore) Get(ctx context.Context, key string) (storage.Record, error) {
	r, err := s.toldStore.Get(ctx, key)
	time.Sleep(s.took)
	return r, err
}

// A caller has read a newer token than the one in the cache. The API rejects it.
// Renew must not fall back to the older one.
func TestG2_RenewReturnsNoTokenThatIsOlderThanTheRejectedOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		elsewhere := w.Process(nil)
		first := w.Login(elsewhere)
		told := &toldStore{Store: w.Store}
		g := w.ProcessOn(&slowToldStore{told, 10 * time.Millisecond}, nil)
		synctest.Wait() // it watches
		w.Token(g)
		second := w.renew(elsewhere, first)
		key := w.keyOf(w.User)
		told.changed(storage.Change{Key: key})
		time.AfterFunc(5*time.Millisecond, func() { told.changed(storage.Change{Key: key}) }) // during the read
		if got := w.Token(g); got.AccessToken != second.AccessToken {
			t.Fatal("Token() does not read what was notified")
		}
		w.Fake.ExpireAccess(w.User)
		time.Sleep(11 * time.Second) // past RenewSpacing
		third, err := g.Source(w.User).Renew(t.Context(), second)
		if err != nil || third.AccessToken == first.AccessToken || third.AccessToken == second.AccessToken || !w.Works(third) {
			t.Errorf("Renew() = %v, want a third token", err)
		}
	})
}

// The cache knows a token whose recheck time has passed. A caller comes with a
// newer token that the API has rejected, which it has from another process.
func TestG2_RenewDoesNotTrustAnOldCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g, elsewhere := w.Process(nil), w.Process(nil)
		first := w.Login(elsewhere)
		w.Token(g)
		second := w.renew(elsewhere, first)
		w.Fake.ExpireAccess(w.User)
		time.Sleep(time.Minute) // past Recheck
		third, err := g.Source(w.User).Renew(t.Context(), second)
		if err != nil || third.AccessToken == first.AccessToken || third.AccessToken == second.AccessToken {
			t.Errorf("Renew() = %v, want a third token", err)
		}
	})
}

// A newer login is notified between the write of a login and the answer of the
// store.
func TestG12_ALoginThatANotificationOvertookIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		elsewhere := w.Process(nil)
		s, g := w.told()
		var newer *oauth2.Token
		s.written = func() {
			s.written = nil
			time.Sleep(time.Minute) // so that the order of the exchanges is clear
			newer = w.Login(elsewhere)
			s.changed(w.stored())
		}
		w.Login(g)
		if got := w.Token(g); got.AccessToken != newer.AccessToken {
			t.Error("Token() hands out the token of the older login")
		}
	})
}

// A grant that another process has ended is notified while this process notes
// that its refresh failed.
func TestG12_AReleaseThatANotificationOvertookIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		elsewhere := w.Process(nil)
		rejected := w.Login(elsewhere)
		s, g := w.told()
		writes := 0
		var newer *oauth2.Token
		s.written = func() {
			if writes++; writes == 2 { // the first announces, the second releases
				newer = w.Login(elsewhere)
				s.changed(w.stored())
			}
		}
		w.RefreshFault(oauthtest.Fault{Status: 503}, 1)
		if _, err := g.Source(w.User).Renew(t.Context(), rejected); err == nil {
			t.Error("Renew() = nil though the server answers 503")
		}
		if got := w.Token(g); got.AccessToken != newer.AccessToken {
			t.Error("Token() hands out the token of the older login")
		}
	})
}

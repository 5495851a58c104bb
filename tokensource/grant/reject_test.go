package grant_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
)

// G2: A renewal happens only if the cache and then the store still hold the
// rejected token.
func TestG2_RenewComparesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		here, elsewhere := w.Process(nil), w.Process(nil)
		first := w.Login(here)
		second, err := here.Source(w.User).Renew(t.Context(), first)
		if err != nil {
			t.Fatal(err)
		}
		// A late 401 for the first token arrives in a process that has never seen the
		// second one, and in this process. Here it does not even cost a read.
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

func TestG2_AWaiterIsNotGivenTheTokenItRejects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		here, elsewhere := w.Process(nil), w.Process(nil)
		first := w.Login(elsewhere)
		second, err := elsewhere.Source(w.User).Renew(t.Context(), first)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // a token of moments ago would not be refreshed again
		open := make(chan struct{})
		w.Store.On(func(context.Context, string) error {
			<-open
			return nil
		})
		var wg sync.WaitGroup
		wg.Go(func() { // the flight that the other one finds: its outcome is the second token
			if got, err := here.Source(w.User).Renew(t.Context(), first); err != nil || got.AccessToken != second.AccessToken {
				t.Errorf("Renew(first) = %v, want the second token", err)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			got, err := here.Source(w.User).Renew(t.Context(), second)
			if err != nil || got == nil || got.AccessToken == second.AccessToken || !w.Works(got) {
				t.Errorf("Renew(second) = %v, want a third token", err)
			}
		})
		synctest.Wait()
		close(open)
		wg.Wait()
		w.WantRefreshes(2)
	})
}

// The newest token is rejected too soon after its refresh. A caller that waits
// for another token beside that gets the newest one.
func TestG2_AWaiterIsNotGivenTheFailureOfAnotherToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		here, elsewhere := w.Process(nil), w.Process(nil)
		first := w.Login(elsewhere)
		second := w.renew(elsewhere, first)
		open := make(chan struct{})
		w.Store.On(func(context.Context, string) error {
			<-open
			return nil
		})
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := here.Source(w.User).Renew(t.Context(), second)
			testworld.WantIs(t, err, tokensource.ErrJustRenewed)
		})
		synctest.Wait()
		wg.Go(func() {
			if got := w.renew(here, first); got.AccessToken != second.AccessToken {
				t.Error("Renew(first) is not the second token")
			}
		})
		synctest.Wait()
		close(open)
		wg.Wait()
		w.WantRefreshes(1)
	})
}

// A caller has read a newer token than the one in the cache. The API rejects
// it. Renew must not fall back to the older one.
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

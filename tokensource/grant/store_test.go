package grant_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

func TestReencryptionBesideARefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		rejected := w.Login(g)
		w.RefreshFault(oauthtest.Fault{Delay: time.Second}, 1)
		time.AfterFunc(time.Second/2, func() { rewriteAll(t, w.Store.Store) })
		tok, err := g.Source(w.User).Renew(t.Context(), rejected)
		if err != nil || !w.Works(tok) {
			t.Fatalf("Renew() beside a rewrite = %v, want a token", err)
		}
		if got := w.Token(w.Process(nil)); got.AccessToken != tok.AccessToken {
			t.Error("the new token was not stored over the rewritten record")
		}
	})
}

// rewriteAll gives every record a new version without changing it.
func rewriteAll(t *testing.T, s storage.Store) {
	for key, err := range s.(storage.Lister).Keys(context.Background()) {
		if err != nil {
			t.Error(err)
			return
		}
		r, err := s.Get(context.Background(), key)
		if err == nil {
			_, err = s.Put(context.Background(), key, r.Value(), r.Version)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// Callers leave before the limit of time of the store.
func TestAStoreThatHangsDelaysNobodyWithAValidToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		tok := w.Login(g)
		w.Store.On(testworld.Hanging)
		for range 60 {
			time.Sleep(2 * time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			start := time.Now()
			got, err := g.Source(w.User).Token(ctx)
			if took := time.Since(start); err != nil || got.AccessToken != tok.AccessToken || took > 250*time.Millisecond {
				t.Errorf("Token() = %v after %v, want the token from memory after a quarter of a second at most", err, took)
			}
			cancel()
		}
	})
}

// A read that failed is no reason to refresh a token that has long to live.
func TestAFlakyStoreBringsNoRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		tok := w.Login(g)
		reads := 0
		w.Store.On(func(_ context.Context, op string) error {
			if reads++; op == "get" && reads%3 != 0 {
				return testworld.ErrStore
			}
			return nil
		})
		for range 60 {
			time.Sleep(35 * time.Second) // past Recheck
			if got := w.Token(g); got.AccessToken != tok.AccessToken {
				t.Error("another token")
			}
		}
		w.WantRefreshes(0)
	})
}

// A store that is down is asked once in Recheck, not by each call.
func TestG8_AStoreThatIsDownMeetsNoStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		tok := w.Login(g)
		reads := 0
		w.Store.On(func(_ context.Context, op string) error {
			reads++
			return testworld.ErrStore
		})
		for range 600 {
			time.Sleep(time.Second)
			if got := w.Token(g); got.AccessToken != tok.AccessToken {
				t.Fatal("another token")
			}
		}
		if reads > 20 {
			t.Errorf("in 10 minutes, 600 calls asked the store %d times, want once in 30 seconds", reads)
		}
	})
}

// An answer of the store that comes late counts for the next call.
func TestALateAnswerOfTheStoreCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		here, elsewhere := w.Process(nil), w.Process(nil)
		w.Login(here)
		w.Token(elsewhere)
		if err := here.Logout(t.Context(), w.User); err != nil {
			t.Fatal(err)
		}
		w.Store.On(func(context.Context, string) error { time.Sleep(time.Second); return nil })
		time.Sleep(time.Minute)
		w.Token(elsewhere)
		time.Sleep(time.Second)
		_, err := elsewhere.Source(w.User).Token(t.Context())
		testworld.WantIs(t, err, tokensource.ErrNoGrant)
	})
}

func TestGarbageInTheStoreIsRefusedAndLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		w.Login(g)
		good := onlyRecord(t, w.Store.Store)
		later := append([]byte{99}, good.Value()[1:]...)
		for name, value := range map[string][]byte{
			"empty": {}, "a later format": later, "cut": good.Value()[:len(good.Value())/2], "longer": append(good.Value(), 1), "noise": []byte("noise"),
		} {
			r := onlyRecord(t, w.Store.Store)
			if _, err := w.Store.Put(t.Context(), r.key, value, r.Version); err != nil {
				t.Fatal(err)
			}
			fresh := w.Process(nil)
			_, err := fresh.Source(w.User).Token(t.Context())
			if err == nil || errors.Is(err, tokensource.ErrReauthorize) || errors.Is(err, tokensource.ErrTemporary) {
				t.Errorf("%s: Token() = %v, want an error that is neither temporary nor a reason to log in", name, err)
			}
			if now := onlyRecord(t, w.Store.Store); string(now.Value()) != string(value) {
				t.Errorf("%s: the record was overwritten", name)
			}
		}
	})
}

type keyed struct {
	storage.Record
	key string
}

func onlyRecord(t *testing.T, s storage.Store) keyed {
	t.Helper()
	var only keyed
	for key, err := range s.(storage.Lister).Keys(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		only = keyed{r, key}
	}
	return only
}

func TestARecordUnderAnothersKeyIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		w.Login(g)
		mine := onlyRecord(t, w.Store.Store)
		store := storage.NewMemory()
		key := w.keyOf("victim")
		if _, err := store.Put(t.Context(), key, mine.Value(), 0); err != nil {
			t.Fatal(err)
		}
		if tok, err := w.ProcessOn(store, nil).Source("victim").Token(t.Context()); err == nil {
			t.Errorf("Token() of a swapped record = %v, want an error", tok.AccessToken != "")
		}
	})
}

func TestARetiredKeyIsNoReasonToLogIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		sealed := func() storage.Store {
			keys, err := seal.NewKeys(seal.NewKey())
			if err != nil {
				t.Fatal(err)
			}
			s, err := storage.Sealed(w.Store.Store, keys)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		w.Login(w.ProcessOn(sealed(), nil))
		_, err := w.ProcessOn(sealed(), nil).Source(w.User).Token(t.Context())
		testworld.WantIs(t, err, seal.ErrUnknownKey)
		if errors.Is(err, tokensource.ErrReauthorize) || errors.Is(err, tokensource.ErrTemporary) {
			t.Errorf("Token() = %v, want neither a reason to log in nor one to try again", err)
		}
	})
}

// A sealed store reads the key of its names before the first grant. If that
// hangs, each call ends all the same.
func TestASealedStoreThatHangsFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		keys, err := seal.NewKeys(seal.NewKey())
		if err != nil {
			t.Fatal(err)
		}
		store, err := storage.Sealed(w.Store, keys)
		if err != nil {
			t.Fatal(err)
		}
		g, tok := w.ProcessOn(store, nil), w.issue()
		w.Store.On(testworld.Hanging)
		_, tokenErr := g.Source(w.User).Token(t.Context())
		_, renewErr := g.Source(w.User).Renew(t.Context(), tok)
		_, saveErr := g.Save(t.Context(), w.User, tok)
		for op, err := range map[string]error{
			"Token": tokenErr, "Renew": renewErr, "Save": saveErr, "Logout": g.Logout(t.Context(), w.User),
		} {
			if !errors.Is(err, tokensource.ErrTemporary) {
				t.Errorf("%s = %v, want a temporary error", op, err)
			}
		}
		w.Store.On(nil)
		w.save(g, tok)
		if !w.Works(w.Token(g)) {
			t.Error("the grant does not work when the store does")
		}
	})
}

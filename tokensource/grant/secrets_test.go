package grant_test

import (
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/exposure"
	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// A Keeper holds the tokens of every user: in its cache, and in the grants that
// the store has not taken.
func TestNothingPrintsTheTokensOfAKeeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Latency = time.Second })
		g := w.Process(nil)
		first := w.Login(g)
		time.AfterFunc(time.Second/2, func() { w.Store.On(testworld.Failing("put", "get")) })
		second := w.renew(g, first)
		source := g.Source(w.User)
		if _, err := source.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		tokens := []string{first.AccessToken, first.RefreshToken, second.AccessToken}
		secrets := append([]string{oauthtest.ConfidentialApp().Secret()}, tokens...)
		for name, v := range map[string]any{"*Keeper": g, "*Source": source} {
			exposure.Check(t, name, v, secrets...)
			exposure.Check(t, name+" by value", reflect.ValueOf(v).Elem().Interface(), secrets...)
		}
		facts, err := g.Grant(t.Context(), w.User)
		if err != nil {
			t.Fatal(err)
		}
		exposure.Check(t, "Grant", facts, tokens...)
		_, err = g.Source("another").Token(t.Context())
		exposure.Check(t, "an error", err, tokens...)
		exposure.Check(t, "an event", tokensource.Event{Kind: grant.EventUnsaved, Subject: w.User, Err: err}, tokens...)
	})
}

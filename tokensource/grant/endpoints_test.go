package grant_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// Two configurations with one issuer and one client ID have one storage key.
// The second one must not send the refresh tokens of the first to its own
// endpoint.
func TestAGrantOfAnotherTokenEndpointIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		const issuer, elsewhere = "https://realm.example", "https://elsewhere.example/token"
		w.clientFor(func(p *provider.Provider) { p.Issuer = issuer })
		here := w.Process(nil)
		tok := w.Login(here)
		endpoint := w.Client.Provider().TokenURL
		w.clientFor(func(p *provider.Provider) { p.Issuer, p.TokenURL = issuer, elsewhere })
		there := w.Process(nil)
		_, tokenErr := there.Source(w.User).Token(t.Context())
		_, renewErr := there.Source(w.User).Renew(t.Context(), tok)
		_, saveErr := there.Save(t.Context(), w.User, tok)
		for op, err := range map[string]error{
			"Token": tokenErr, "Renew": renewErr, "Save": saveErr, "Logout": there.Logout(t.Context(), w.User),
		} {
			if err == nil || !strings.Contains(err.Error(), elsewhere) || !strings.Contains(err.Error(), endpoint) {
				t.Errorf("%s = %v, want an error that names both endpoints", op, err)
			}
		}
		w.WantRefreshes(0)
		if got := w.Token(here); got.AccessToken != tok.AccessToken {
			t.Error("the grant was touched")
		}
	})
}

// Two realms of one name and one client ID keep their grants apart.
func TestGrantsOfTwoIssuersAreApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.clientFor(func(p *provider.Provider) { p.Issuer = "https://a.example" })
		a := w.Process(nil)
		tok := w.Login(a)
		w.clientFor(func(p *provider.Provider) { p.Issuer = "https://b.example" })
		b := w.Process(nil)
		if _, err := b.Source(w.User).Token(t.Context()); err == nil {
			t.Error("Token() of the other realm handed out a token")
		}
		if got := w.Token(a); got.AccessToken != tok.AccessToken {
			t.Error("the grant was touched")
		}
	})
}

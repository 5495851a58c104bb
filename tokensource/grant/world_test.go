package grant_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// world is the shared world of the tests, with what only this package needs.
type world struct{ *testworld.World }

func newWorld(t *testing.T) world {
	t.Helper()
	return world{testworld.New(t)}
}

// keyOf returns the storage key of a subject's grant.
func (w world) keyOf(subject string) string {
	w.Helper()
	key, err := grant.Key(w.Context(), w.Store.Store, w.Client.Provider().Authority(), w.Client.ClientID(), subject)
	if err != nil {
		w.Fatal(err)
	}
	return key
}

// inspect returns the facts of the user's grant as the store has them.
func (w world) inspect() grant.Grant {
	w.Helper()
	stored, err := w.Store.Store.Get(w.Context(), w.keyOf(w.User))
	if err != nil {
		w.Fatal(err)
	}
	g, err := grant.Inspect(stored.Value())
	if err != nil {
		w.Fatal(err)
	}
	return g
}

// wantEnded fails the test unless the stored grant is a tombstone without
// tokens, or is not there.
func (w world) wantEnded() {
	w.Helper()
	for key := range w.grants() {
		stored, err := w.Store.Store.Get(w.Context(), key)
		if err != nil {
			w.Fatal(err)
		}
		g, err := grant.Inspect(stored.Value())
		if err != nil || g.LoggedOut.IsZero() || g.Refreshable || g.Unrevoked != 0 {
			w.Errorf("after the logout %+v is stored, %v, want a tombstone without tokens", g, err)
		}
	}
}

// wantNothingAlive fails the test if a token of the user works at the server.
func (w world) wantNothingAlive() {
	w.Helper()
	for i, g := range w.Fake.Grants() {
		if g.LiveAccess+g.LiveRefresh > 0 {
			w.Errorf("grant %d has live tokens: %+v", i, g)
		}
	}
}

// grants returns the storage keys of grants.
func (w world) grants() map[string]bool {
	w.Helper()
	keys := map[string]bool{}
	for key, err := range w.Store.Store.(storage.Lister).Keys(w.Context()) {
		if err != nil {
			w.Fatal(err)
		}
		if strings.HasPrefix(key, "grant.") {
			keys[key] = true
		}
	}
	return keys
}

// manyGrants makes the server keep several grants of one user and app, and
// gives the world a client that knows it.
func (w world) manyGrants() {
	w.Helper()
	w.Fake.Set(func(k *xapi.Knobs) { k.Token.ManyGrants, k.Revoke.RefreshOnlyItself = true, true })
	w.clientFor(func(p *provider.Provider) { p.SingleGrant = false })
}

// clientFor gives the world a client of a provider that change has changed.
func (w world) clientFor(change func(p *provider.Provider)) {
	w.Helper()
	w.Client = w.newClient(change)
}

func (w world) newClient(change func(p *provider.Provider)) *oauth.Client {
	w.Helper()
	p, app := w.Fake.Provider(""), oauthtest.ConfidentialApp()
	change(p)
	client, err := oauth.New(p, oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: app.RedirectURLs[0], Scopes: testworld.Scopes,
	}, &w.Options)
	if err != nil {
		w.Fatal(err)
	}
	return client
}

// issue mints the tokens of a new authorization, which ends earlier ones where
// the server keeps one grant.
func (w world) issue() *oauth2.Token {
	w.Helper()
	access, refresh, err := w.Fake.IssueToken(w.User, w.Client.ClientID(), testworld.Scopes...)
	if err != nil {
		w.Fatal(err)
	}
	ttl := 2 * time.Hour
	w.Fake.Set(func(k *xapi.Knobs) {
		if k.Token.AccessTTL != 0 {
			ttl = k.Token.AccessTTL
		}
	})
	return &oauth2.Token{
		AccessToken: access, RefreshToken: refresh, TokenType: "bearer",
		Expiry: time.Now().Add(ttl), ExpiresIn: int64(ttl / time.Second),
	}
}

// save stores tok and fails the test if that fails.
func (w world) save(g *grant.Keeper, tok *oauth2.Token) {
	w.Helper()
	if _, err := g.Save(w.Context(), w.User, tok); err != nil {
		w.Fatalf("Save() = %v, want the grant stored", err)
	}
}

// renew returns a token other than rejected and fails the test if there is
// none.
func (w world) renew(g *grant.Keeper, rejected *oauth2.Token) *oauth2.Token {
	w.Helper()
	tok, err := g.Source(w.User).Renew(w.Context(), rejected)
	if err != nil || tok.AccessToken == rejected.AccessToken {
		w.Fatalf("Renew() = %v, want another token", err)
	}
	return tok
}

// live counts the refresh tokens of the user that work at the server.
func (w world) live() int {
	n := 0
	for _, g := range w.Fake.Grants() {
		n += g.LiveRefresh
	}
	return n
}

// revocationsFail makes the server answer 503 to revocations, so many times.
func (w world) revocationsFail(times int) {
	w.Fake.Inject(oauthtest.Match{Path: xapi.PathRevoke}, oauthtest.Fault{Status: http.StatusServiceUnavailable}, times)
}

// reused reports whether a grant ended because a refresh token was used twice.
func (w world) reused() bool {
	return slices.ContainsFunc(w.Fake.Grants(), func(g oauthtest.Grant) bool { return g.Ended == oauthtest.Reused })
}

// Package testworld is the world of this module's tests: a fake authorization
// server, an app that is registered there, and a store with hooks. A test makes
// one with [New] inside a testing/synctest bubble.
package testworld

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/opaquekeys"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// World is a fake X, an app that is registered there, and a store. It lives
// inside of a synctest bubble.
type World struct {
	*testing.T
	Fake    *xapi.Server
	Client  *oauth.Client
	Store   *HookedStore
	User    string
	Proofs  *opaquekeys.Proofs // nil where the tokens are bound to no keys
	bound   *oauth.Client      // with the key of the login under way
	mu      sync.Mutex         // guards events; held while OnEvent is called
	events  []tokensource.Event
	OnEvent func(tokensource.Event) // called with each event, if it is set
	Options oauth.Options
}

// Scopes are what the app asks for.
var Scopes = []string{"tweet.read", "users.read", "offline.access"}

// New returns a world in which nobody has logged in. With keys, the server
// binds tokens to them (DPoP), and demands nonces.
func New(t *testing.T, keys ...*opaquekeys.Proofs) *World {
	t.Helper()
	w := &World{T: t, User: oauthtest.DefaultUser().ID}
	o := new(oauthtest.Options)
	if len(keys) > 0 {
		w.Proofs, w.Options.Proofs, o.Proofs = keys[0], keys[0], keys[0]
		o.Knobs.Proof.Nonces = true
	}
	w.Fake = xapi.New(t, o)
	w.Store = &HookedStore{Store: storage.NewMemory()}
	w.Options.HTTPClient = &http.Client{Transport: w.Fake.Transport()}
	w.Client = w.NewClient(&w.Options)
	return w
}

// NewClient returns a client of the world's app with other options.
func (w *World) NewClient(o *oauth.Options) *oauth.Client {
	w.Helper()
	app := oauthtest.ConfidentialApp()
	client, err := oauth.New(w.Fake.Provider(""), oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: app.RedirectURLs[0], Scopes: Scopes,
	}, o)
	if err != nil {
		w.Fatal(err)
	}
	return client
}

// Process returns an engine of its own on the world's store. For authtrip it is
// another process.
func (w *World) Process(o *grant.Options) *grant.Keeper {
	return w.ProcessOn(w.Store, o)
}

// ProcessOn is Process on another store.
func (w *World) ProcessOn(store storage.Store, o *grant.Options) *grant.Keeper {
	w.Helper()
	if o == nil {
		o = new(grant.Options)
	}
	o.OnEvent = w.observe
	o.InsecurePlainStore = true // tests put wrappers around the store, and look into it
	if o.DueInterval == 0 {
		o.DueInterval = -1 // a test that looks at the index of due work says so
	}
	g, err := grant.New(w.Client, store, o)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = g.Close() })
	return g
}

// observe remembers an event.
func (w *World) observe(_ context.Context, e tokensource.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
	if w.OnEvent != nil {
		w.OnEvent(e)
	}
}

// Saw counts the events of a kind.
func (w *World) Saw(kind tokensource.EventKind) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, e := range w.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// Login has the world's user, or another one, authorize the app. It returns
// the tokens.
func (w *World) Login(g *grant.Keeper, other ...string) *oauth2.Token {
	w.Helper()
	user := w.User
	if len(other) > 0 {
		user = other[0]
	}
	if w.Proofs != nil {
		return w.loginBound(g, user)
	}
	access, refresh, err := w.Fake.IssueToken(user, w.Client.ClientID(), Scopes...)
	if err != nil {
		w.Fatal(err)
	}
	tok := &oauth2.Token{AccessToken: access, RefreshToken: refresh, TokenType: "bearer", Expiry: time.Now().Add(w.accessTTL())}
	if _, err := g.Save(w.Context(), user, tok); err != nil {
		w.Fatal(err)
	}
	return tok
}

// loginBound is Login where the tokens are bound to a key of the login.
func (w *World) loginBound(g *grant.Keeper, user string) *oauth2.Token {
	w.Helper()
	w.Fake.Set(func(k *xapi.Knobs) { k.Authorize.User = user })
	code, verifier := w.Flow()
	tok, err := w.bound.Exchange(w.Context(), code, verifier)
	if err != nil {
		w.Fatal(err)
	}
	if _, err := g.Save(w.Context(), user, tok); err != nil {
		w.Fatal(err)
	}
	return tok
}

// accessTTL returns the lifetime of the fake's access tokens.
func (w *World) accessTTL() time.Duration {
	ttl := 2 * time.Hour
	w.Fake.Set(func(k *xapi.Knobs) {
		if k.Token.AccessTTL != 0 {
			ttl = k.Token.AccessTTL
		}
	})
	return ttl
}

// Token asks g for the user's token. It fails the test if there is none.
func (w *World) Token(g *grant.Keeper) *oauth2.Token {
	w.Helper()
	tok, err := g.Source(w.User).Token(w.Context())
	if err != nil {
		w.Fatalf("Token() = %v, want a token", err)
	}
	return tok
}

// Works reports whether the API accepts tok.
func (w *World) Works(tok *oauth2.Token) bool {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodGet, "https://api.x.com"+xapi.PathEcho, nil)
	if err != nil {
		w.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+tok.AccessToken)
	resp, err := w.Fake.Transport().RoundTrip(req)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode == http.StatusOK
}

// Refreshes returns the number of refresh requests that reached the fake.
func (w *World) Refreshes() int { return w.Fake.TokenCalls("refresh_token") }

// WantRefreshes compares the number of refresh requests that reached the fake.
func (w *World) WantRefreshes(n int) {
	w.Helper()
	if got := w.Refreshes(); got != n {
		w.Errorf("refresh requests = %d, want %d", got, n)
	}
}

// WantIs fails the test unless err matches target.
func WantIs(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("error = %v, want one that is %v", err, target)
	}
}

// WantReason fails the test unless err means that the user must authorize
// again, for the reason want.
func WantReason(t *testing.T, err error, want tokensource.Reason) {
	t.Helper()
	WantIs(t, err, tokensource.ErrReauthorize)
	if e, ok := errors.AsType[*tokensource.Error](err); !ok || e.Reason != want {
		t.Errorf("error = %v, want reason %q", err, want)
	}
}

// RefreshFault makes the next refreshes fail.
func (w *World) RefreshFault(f oauthtest.Fault, times int) {
	w.Fake.Inject(oauthtest.Match{GrantType: "refresh_token"}, f, times)
}

// Flow plays a login at the fake, and returns the code and the verifier.
func (w *World) Flow() (code, verifier string) {
	w.Helper()
	verifier = oauth2.GenerateVerifier()
	w.bound = w.Client
	if w.Proofs != nil {
		key, err := w.Proofs.NewKey(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		w.bound = w.Client.WithProver(key)
	}
	authorize, err := w.bound.Authorize(w.Context(), "a-state-of-this-test", verifier, nil)
	if err != nil {
		w.Fatal(err)
	}
	callback, err := w.Fake.Authorize(w.Context(), "", authorize)
	if err != nil {
		w.Fatal(err)
	}
	u, err := url.Parse(callback)
	if err != nil {
		w.Fatal(err)
	}
	return u.Query().Get("code"), verifier
}

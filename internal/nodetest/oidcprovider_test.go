// Package nodetest tests authtrip and its fake of X with programs from npm: an
// authorization server that people run, and the client of X that most Node
// programs use.
package nodetest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/authtrip/authtrip/internal/nodekit"
	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/transport"
)

// TestOIDCProvider uses npm's oidc-provider through all of authtrip. Each part
// goes on where the one before has ended.
func TestOIDCProvider(t *testing.T) {
	w := newWorld(t)
	for _, part := range []struct {
		name string
		run  func(*testing.T, *world)
	}{
		{"denial", denied},
		{"login", loggedIn},
		{"rotation", rotated},
		{"storm", storm},
		{"logout", loggedOut},
		{"disconnect", disconnected},
		{"dead grant", deadGrant},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.run(t, w) }) {
			return
		}
	}
}

func denied(t *testing.T, w *world) {
	p := nodekit.NewPerson(t)
	got := p.Decide(p.Get(w.app+"/me"), "nobody", false)
	if got.Status != http.StatusForbidden || w.control(t, "counts").Exchanges != 0 {
		t.Errorf("the app answers %d %.300s to a denial, want 403 and no exchange", got.Status, got.Text)
	}
}

func loggedIn(t *testing.T, w *world) {
	w.me = nodekit.NewPerson(t)
	got := w.me.Decide(w.me.Get(w.app+"/me"), "alice", true)
	if got.Status != http.StatusOK || got.Text != "alice" || got.Path != "/me" {
		t.Fatalf("after the login the app answers %d %q at %s, want alice at /me", got.Status, got.Text, got.Path)
	}
	other := nodekit.NewPerson(t)
	if got := other.Decide(other.Get(w.app+"/me"), "bob", true); got.Text != "bob" {
		t.Errorf("the app answers %q to another user, want bob", got.Text)
	}
	if got := w.me.Get(w.app + "/me").Text; got != "alice" {
		t.Errorf("the app answers %q after another user logged in, want alice", got)
	}
}

// rotated: each rejected access token costs one refresh with a new refresh
// token. The reuse of an old one would end the grant.
func rotated(t *testing.T, w *world) {
	me, before := w.me.In(t), w.control(t, "counts")
	for n := 1; n <= 3; n++ {
		w.control(t, "kill-access")
		if got := me.Get(w.app + "/me"); got.Text != "alice" {
			t.Fatalf("call %d after the token became invalid = %d %.300s, want alice", n, got.Status, got.Text)
		}
		if got := w.control(t, "counts").Refreshes - before.Refreshes; got != n {
			t.Fatalf("%d invalid tokens cost %d refreshes", n, got)
		}
	}
}

func storm(t *testing.T, w *world) {
	w.control(t, "kill-access")
	before := w.control(t, "counts")
	var calls sync.WaitGroup
	for range 100 {
		calls.Go(func() {
			if text, err := w.whoAmI(w.as(t.Context(), "alice")); err != nil || text != "alice" {
				t.Errorf("a call of the storm = %q, %v, want alice", text, err)
			}
		})
	}
	calls.Wait()
	if after := w.control(t, "counts"); after.Refreshes != before.Refreshes+1 || after.Refused != before.Refused {
		t.Errorf("100 calls at once took the server from %+v to %+v, want one refresh", before, after)
	}
}

// loggedOut: the session ends, and the grant lives on.
func loggedOut(t *testing.T, w *world) {
	me, before := w.me.In(t), w.control(t, "counts")
	me.Post(w.app+"/logout", nil)
	if after := w.control(t, "counts"); after != before {
		t.Errorf("a logout took the server from %+v to %+v, want no change", before, after)
	}
	if text, err := w.whoAmI(w.as(t.Context(), "alice")); err != nil || text != "alice" {
		t.Errorf("a call after the logout = %q, %v, want alice", text, err)
	}
	if got := me.Get(w.app + "/me"); got.Path == "/me" {
		t.Fatalf("the session lives on: %d %q", got.Status, got.Text)
	}
	if got := me.Decide(me.Get(w.app+"/me"), "alice", true); got.Text != "alice" {
		t.Errorf("the next login = %d %q, want alice", got.Status, got.Text)
	}
	// The login has replaced tokens of the same grant. Their revocation would end
	// the new ones.
	if after := w.control(t, "counts"); after.Refused != before.Refused || after.Exchanges != before.Exchanges+1 {
		t.Errorf("the next login took the server from %+v to %+v, want one exchange and no refusal", before, after)
	}
}

func disconnected(t *testing.T, w *world) {
	me := w.me.In(t)
	me.Post(w.app+"/disconnect", nil)
	if _, err := w.whoAmI(w.as(t.Context(), "alice")); !errors.Is(err, tokensource.ErrNoGrant) {
		t.Errorf("a call after the end = %v, want ErrNoGrant", err)
	}
	if got := me.Get(w.app + "/me"); got.Path == "/me" {
		t.Errorf("the session lives on: %d %q", got.Status, got.Text)
	}
	if after := w.control(t, "counts"); after.LiveRefresh != 1 { // the other user's
		t.Errorf("the server has %d live refresh tokens, want 1", after.LiveRefresh)
	}
}

// deadGrant withdraws access at the server. The next call finds out. No later
// call asks the server again.
func deadGrant(t *testing.T, w *world) {
	p := nodekit.NewPerson(t)
	if got := p.Decide(p.Get(w.app+"/me"), "carol", true); got.Text != "carol" {
		t.Fatalf("login = %d %q, want carol", got.Status, got.Text)
	}
	before := w.control(t, "end-grants").Refused
	for range 3 {
		if _, err := w.whoAmI(w.as(t.Context(), "carol")); !errors.Is(err, tokensource.ErrReauthorize) {
			t.Errorf("a call without a grant = %v, want ErrReauthorize", err)
		}
	}
	if got := p.Get(w.app + "/me"); got.Path == "/me" {
		t.Errorf("the app answers %d %q, want a new login", got.Status, got.Text)
	}
	first := w.control(t, "counts").Refused
	_, _ = w.whoAmI(w.as(t.Context(), "carol")) // the error is the one from above
	if again := w.control(t, "counts").Refused; again != first || first != before+1 {
		t.Errorf("the server refused %d and then %d refreshes, want one", first-before, again-first)
	}
	if got := p.Decide(p.Get(w.app+"/me"), "carol", true); got.Text != "carol" {
		t.Errorf("the second login = %d %q, want carol", got.Status, got.Text)
	}
}

// world is an app that uses all of authtrip, and its authorization server.
type world struct {
	app, issuer string
	grants      *grant.Keeper
	api         *http.Client
	me          *nodekit.Person
}

func newWorld(t *testing.T) *world {
	t.Helper()
	mux := http.NewServeMux()
	live := httptest.NewServer(mux)
	t.Cleanup(live.Close)
	const clientID, secret = "app", "a secret, with+a%20colon:"
	w := &world{app: live.URL}
	w.issuer = nodekit.Serve(t, "op.mjs", "CLIENT_ID="+clientID, "CLIENT_SECRET="+secret, "CALLBACK="+live.URL+"/callback")
	client, err := oauth.New(w.provider(), oauth.Registration{
		ClientID: clientID, Credential: oauth.Secret(secret), RedirectURL: live.URL + "/callback",
		Scopes: []string{"openid", "profile", "offline_access"},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := seal.NewKeys(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	store, err := storage.Sealed(storage.NewMemory(), keys)
	if err != nil {
		t.Fatal(err)
	}
	if w.grants, err = grant.New(client, store, &grant.Options{RenewSpacing: time.Nanosecond}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.grants.Close() })
	login, err := middleware.New(w.grants, keys, &middleware.Options{Params: url.Values{"prompt": {"consent"}}})
	if err != nil {
		t.Fatal(err)
	}
	rt, err := transport.New(w.grants, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.api = &http.Client{Transport: rt}
	login.Mount(mux)
	mux.HandleFunc("/{$}", func(http.ResponseWriter, *http.Request) {})
	mux.Handle("/me", login.Require(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		text, err := w.whoAmI(r.Context())
		switch {
		case errors.Is(err, tokensource.ErrReauthorize):
			login.Reauthorize(rw, r)
		case err != nil:
			http.Error(rw, err.Error(), http.StatusBadGateway)
		default:
			fmt.Fprint(rw, text)
		}
	})))
	return w
}

// provider describes oidc-provider, as its metadata does.
func (w *world) provider() *provider.Provider {
	return &provider.Provider{
		Name:             "oidc-provider",
		Issuer:           w.issuer,
		IssuerRequired:   true,
		AuthorizationURL: w.issuer + "/auth",
		TokenURL:         w.issuer + "/token",
		RevocationURL:    w.issuer + "/token/revocation",
		APIOrigins:       []string{w.issuer},
		RefreshScope:     "offline_access",
		RevokesAll:       true, // it keeps one grant for each client and browser session
		IdentityURL:      w.issuer + "/me",
		ParseIdentity: func(body []byte) (provider.Identity, error) {
			var user struct {
				Sub, Name string
				Username  string `json:"preferred_username"`
			}
			err := json.Unmarshal(body, &user)
			return provider.Identity{Subject: user.Sub, Name: user.Name, Username: user.Username}, err
		},
		InsecureLoopback: true,
	}
}

// as returns a context whose requests are made for a user.
func (w *world) as(ctx context.Context, user string) context.Context {
	return w.grants.WithSubject(ctx, user)
}

// whoAmI asks the API for the user of its token.
func (w *world) whoAmI(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.issuer+"/me", nil)
	if err != nil {
		return "", err
	}
	resp, err := w.api.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the API answers %d, %w", resp.StatusCode, err)
	}
	var user struct{ Sub string }
	return user.Sub, json.Unmarshal(text, &user)
}

// counts is what the server knows.
type counts struct{ Exchanges, Refreshes, Refused, LiveAccess, LiveRefresh int }

// control has the server do something that no client can.
func (w *world) control(t *testing.T, what string) (c counts) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.issuer+"/control/"+what, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&c); err != nil {
		t.Fatal(err)
	}
	return c
}

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
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// World is a fake X, an app registered there, and a store. It lives inside a synctest bubble.
type World struct {
	*testing.T
	Fake    *xapi.Server
	Client  *oauth.Client
	Store   *HookedStore
	User    string
	mu      sync.Mutex
	events  []grant.Event
	Options oauth.Options
}

var Scopes = []string{"tweet.read", "users.read", "offline.access"}

func New(t *testing.T) *World {
	t.Helper()
	w := &World{T: t, Fake: xapi.New(t, nil), User: oauthtest.DefaultUser().ID}
	w.Store = &HookedStore{Store: storage.NewMemory()}
	w.Options = oauth.Options{HTTPClient: &http.Client{Transport: w.Fake.Transport()}}
	w.Client = w.NewClient(&w.Options)
	return w
}

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

// process returns an engine of its own on the world's store: another process, as far as authtrip can tell.
func (w *World) Process(o *grant.Options) *grant.Keeper {
	return w.ProcessOn(w.Store, o)
}

func (w *World) ProcessOn(store storage.Store, o *grant.Options) *grant.Keeper {
	w.Helper()
	if o == nil {
		o = new(grant.Options)
	}
	o.Observe = w.observe
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

func (w *World) observe(e grant.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

// saw counts the events of a kind.
func (w *World) Saw(kind grant.EventKind) int {
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

// login has the user authorize, with tokens minted at the fake.
func (w *World) Login(g *grant.Keeper) *oauth2.Token {
	w.Helper()
	return w.LoginAs(g, w.User)
}

func (w *World) LoginAs(g *grant.Keeper, user string) *oauth2.Token {
	w.Helper()
	access, refresh, err := w.Fake.IssueToken(user, w.Client.ClientID(), Scopes...)
	if err != nil {
		w.Fatal(err)
	}
	tok := &oauth2.Token{AccessToken: access, RefreshToken: refresh, TokenType: "bearer", Expiry: time.Now().Add(w.AccessTTL())}
	if _, err := g.Save(w.Context(), user, tok); err != nil {
		w.Fatal(err)
	}
	return tok
}

func (w *World) AccessTTL() time.Duration {
	ttl := 2 * time.Hour
	w.Fake.Set(func(k *xapi.Knobs) {
		if k.Token.AccessTTL != 0 {
			ttl = k.Token.AccessTTL
		}
	})
	return ttl
}

// token asks g for the user's token and fails the test if there is none.
func (w *World) Token(g *grant.Keeper) *oauth2.Token {
	w.Helper()
	tok, err := g.Source(w.User).Token(w.Context())
	if err != nil {
		w.Fatalf("Token() = %v, want a token", err)
	}
	return tok
}

// works reports whether the API accepts tok.
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

// refreshes is the number of refresh requests that reached the fake.
func (w *World) Refreshes() int { return w.Fake.TokenCalls("refresh_token") }

func (w *World) WantRefreshes(n int) {
	w.Helper()
	if got := w.Refreshes(); got != n {
		w.Errorf("refresh requests = %d, want %d", got, n)
	}
}

func WantIs(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("error = %v, want one that is %v", err, target)
	}
}

func WantReason(t *testing.T, err error, want tokensource.Reason) {
	t.Helper()
	WantIs(t, err, tokensource.ErrReauthorize)
	if e, ok := errors.AsType[*tokensource.Error](err); !ok || e.Reason != want {
		t.Errorf("error = %v, want reason %q", err, want)
	}
}

// refreshFault injects a fault into the next refreshes.
func (w *World) RefreshFault(f oauthtest.Fault, times int) {
	w.Fake.Inject(oauthtest.Match{GrantType: "refresh_token"}, f, times)
}

// HookedStore lets a test look at, fail and delay every operation of a store.
type HookedStore struct {
	storage.Store
	mu   sync.Mutex
	hook func(ctx context.Context, op string) error
}

// on sets the hook; nil removes it.
func (s *HookedStore) On(hook func(ctx context.Context, op string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = hook
}

func (s *HookedStore) call(ctx context.Context, op string) error {
	s.mu.Lock()
	hook := s.hook
	s.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook(ctx, op)
}

func (s *HookedStore) Get(ctx context.Context, key string) (storage.Record, error) {
	if err := s.call(ctx, "get"); err != nil {
		return storage.Record{}, err
	}
	return s.Store.Get(ctx, key)
}

func (s *HookedStore) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	if err := s.call(ctx, "put"); err != nil {
		return 0, err
	}
	return s.Store.Put(ctx, key, value, old)
}

func (s *HookedStore) Delete(ctx context.Context, key string, old storage.Version) error {
	if err := s.call(ctx, "delete"); err != nil {
		return err
	}
	return s.Store.Delete(ctx, key, old)
}

var ErrStore = errors.New("the disk is on fire")

// Failing is a hook that fails the named operations.
func Failing(ops ...string) func(context.Context, string) error {
	return func(_ context.Context, op string) error {
		if slices.Contains(ops, op) {
			return ErrStore
		}
		return nil
	}
}

// Hanging is a hook that never answers.
func Hanging(ctx context.Context, _ string) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// flow plays a login at the fake and returns the code and the verifier.
func (w *World) Flow() (code, verifier string) {
	w.Helper()
	verifier = oauth2.GenerateVerifier()
	authorize, err := w.Client.AuthorizationURL("a-state-of-this-test", verifier, nil)
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

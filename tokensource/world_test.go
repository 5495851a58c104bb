package tokensource_test

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
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// world is a fake X, an app registered there, and a store. It lives inside a synctest bubble.
type world struct {
	*testing.T
	fake    *oauthtest.Server
	client  *tokensource.Client
	store   *hookedStore
	user    string
	mu      sync.Mutex
	events  []tokensource.Event
	options tokensource.ClientOptions
}

var scopes = []string{"tweet.read", "users.read", "offline.access"}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, fake: oauthtest.New(t, nil), user: oauthtest.DefaultUser().ID}
	w.store = &hookedStore{Store: storage.NewMemory()}
	w.options = tokensource.ClientOptions{HTTPClient: &http.Client{Transport: w.fake.Transport()}}
	w.client = w.newClient(&w.options)
	return w
}

func (w *world) newClient(o *tokensource.ClientOptions) *tokensource.Client {
	w.Helper()
	app := oauthtest.ConfidentialApp()
	client, err := tokensource.NewClient(w.fake.Provider(""), tokensource.Registration{
		ClientID: app.ClientID, ClientSecret: app.Secret, RedirectURL: app.RedirectURLs[0], Scopes: scopes,
	}, o)
	if err != nil {
		w.Fatal(err)
	}
	return client
}

// process returns an engine of its own on the world's store: another process, as far as authtrip can tell.
func (w *world) process(o *tokensource.GrantOptions) *tokensource.Grants {
	return w.processOn(w.store, o)
}

func (w *world) processOn(store storage.Store, o *tokensource.GrantOptions) *tokensource.Grants {
	w.Helper()
	if o == nil {
		o = new(tokensource.GrantOptions)
	}
	o.Observe = w.observe
	g, err := tokensource.NewGrants(w.client, store, o)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = g.Close() })
	return g
}

func (w *world) observe(e tokensource.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

// saw counts the events of a kind.
func (w *world) saw(kind tokensource.EventKind) int {
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
func (w *world) login(g *tokensource.Grants) *oauth2.Token {
	w.Helper()
	return w.loginAs(g, w.user)
}

func (w *world) loginAs(g *tokensource.Grants, user string) *oauth2.Token {
	w.Helper()
	access, refresh, err := w.fake.IssueToken(user, w.client.ClientID(), scopes...)
	if err != nil {
		w.Fatal(err)
	}
	tok := &oauth2.Token{AccessToken: access, RefreshToken: refresh, TokenType: "bearer", Expiry: time.Now().Add(w.accessTTL())}
	if _, err := g.Save(w.Context(), user, tok); err != nil {
		w.Fatal(err)
	}
	return tok
}

func (w *world) accessTTL() time.Duration {
	ttl := 2 * time.Hour
	w.fake.Set(func(k *oauthtest.Knobs) {
		if k.Token.AccessTTL != 0 {
			ttl = k.Token.AccessTTL
		}
	})
	return ttl
}

// token asks g for the user's token and fails the test if there is none.
func (w *world) token(g *tokensource.Grants) *oauth2.Token {
	w.Helper()
	tok, err := g.Source(w.user).Token(w.Context())
	if err != nil {
		w.Fatalf("Token() = %v, want a token", err)
	}
	return tok
}

// works reports whether the API accepts tok.
func (w *world) works(tok *oauth2.Token) bool {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodGet, "https://api.x.com"+oauthtest.PathEcho, nil)
	if err != nil {
		w.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+tok.AccessToken)
	resp, err := w.fake.Transport().RoundTrip(req)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode == http.StatusOK
}

// refreshes is the number of refresh requests that reached the fake.
func (w *world) refreshes() int { return w.fake.TokenCalls("refresh_token") }

func (w *world) wantRefreshes(n int) {
	w.Helper()
	if got := w.refreshes(); got != n {
		w.Errorf("refresh requests = %d, want %d", got, n)
	}
}

func wantIs(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("error = %v, want one that is %v", err, target)
	}
}

func wantReason(t *testing.T, err error, want tokensource.Reason) {
	t.Helper()
	wantIs(t, err, tokensource.ErrReauthorize)
	if e, ok := errors.AsType[*tokensource.Error](err); !ok || e.Reason != want {
		t.Errorf("error = %v, want reason %q", err, want)
	}
}

// refreshFault injects a fault into the next refreshes.
func (w *world) refreshFault(f oauthtest.Fault, times int) {
	w.fake.Inject(oauthtest.Match{GrantType: "refresh_token"}, f, times)
}

// hookedStore lets a test look at, fail and delay every operation of a store.
type hookedStore struct {
	storage.Store
	mu   sync.Mutex
	hook func(ctx context.Context, op string) error
}

// on sets the hook; nil removes it.
func (s *hookedStore) on(hook func(ctx context.Context, op string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = hook
}

func (s *hookedStore) call(ctx context.Context, op string) error {
	s.mu.Lock()
	hook := s.hook
	s.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook(ctx, op)
}

func (s *hookedStore) Get(ctx context.Context, key string) (storage.Record, error) {
	if err := s.call(ctx, "get"); err != nil {
		return storage.Record{}, err
	}
	return s.Store.Get(ctx, key)
}

func (s *hookedStore) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	if err := s.call(ctx, "put"); err != nil {
		return 0, err
	}
	return s.Store.Put(ctx, key, value, old)
}

func (s *hookedStore) Delete(ctx context.Context, key string, old storage.Version) error {
	if err := s.call(ctx, "delete"); err != nil {
		return err
	}
	return s.Store.Delete(ctx, key, old)
}

var errStore = errors.New("the disk is on fire")

// failing is a hook that fails the named operations.
func failing(ops ...string) func(context.Context, string) error {
	return func(_ context.Context, op string) error {
		if slices.Contains(ops, op) {
			return errStore
		}
		return nil
	}
}

// hanging is a hook that never answers.
func hanging(ctx context.Context, _ string) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// flow plays a login at the fake and returns the code and the verifier.
func (w *world) flow() (code, verifier string) {
	w.Helper()
	verifier = oauth2.GenerateVerifier()
	authorize, err := w.client.AuthorizationURL(tokensource.AuthorizationRequest{State: "a-state-of-this-test", Verifier: verifier})
	if err != nil {
		w.Fatal(err)
	}
	callback, err := w.fake.Authorize(w.Context(), authorize)
	if err != nil {
		w.Fatal(err)
	}
	u, err := url.Parse(callback)
	if err != nil {
		w.Fatal(err)
	}
	return u.Query().Get("code"), verifier
}

package middleware_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authtrip/authtrip/internal/opaquekeys"
	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// world is an app with a login, on a store that other apps may share, and the
// fake of X behind it.
type world struct {
	t      testing.TB
	fake   *xapi.Server
	store  storage.Store
	keys   seal.AEAD
	client *oauth.Client
	grants *grant.Keeper
	login  *middleware.Login
	mux    *http.ServeMux
}

// setup says what is special about a world. Its zero value is nothing.
type setup struct {
	fake        *xapi.Server
	store       storage.Store
	keys        seal.AEAD
	clientID    string // "" is the default one
	redirectURL string
	moreURLs    []string // that are registered as well
	provider    func(*provider.Provider)
	dueInterval time.Duration      // of the Keeper; a test of weeks makes it long
	proofs      *opaquekeys.Proofs // nil for Bearer tokens
	options     middleware.Options
}

func newWorld(t testing.TB, s setup) *world {
	t.Helper()
	w := &world{t: t, fake: s.fake, store: s.store, keys: s.keys}
	if w.fake == nil {
		o := new(oauthtest.Options)
		if s.proofs != nil {
			o.Proofs = s.proofs
			o.Knobs.Proof.Nonces = true
		}
		w.fake = xapi.New(t, o)
	}
	if w.store == nil {
		w.store = storage.NewMemory()
	}
	if w.keys == nil {
		w.keys = newKeys(t)
	}
	w.client = newClient(t, w.fake, s)
	var err error
	o := &grant.Options{InsecurePlainStore: true, DueInterval: s.dueInterval}
	if w.grants, err = grant.New(w.client, w.store, o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.grants.Close(); err != nil {
			t.Error(err)
		}
	})
	if w.login, err = middleware.New(w.grants, w.keys, &s.options); err != nil {
		t.Fatal(err)
	}
	w.mux = http.NewServeMux()
	w.login.Mount(w.mux)
	w.mux.Handle("/timeline", w.login.Require(http.HandlerFunc(w.timeline)))
	return w
}

// timeline is a page for users who are logged in. It shows who the context says
// is acting.
func (w *world) timeline(rw http.ResponseWriter, r *http.Request) {
	subject, _ := w.login.Subject(r)
	acting, _ := w.grants.Subject(r.Context())
	if subject != acting {
		w.t.Errorf("Subject = %q and the context's subject = %q, want the same", subject, acting)
	}
	io.WriteString(rw, "timeline of "+subject)
}

func newClient(t testing.TB, fake *xapi.Server, s setup) *oauth.Client {
	t.Helper()
	app := oauthtest.ConfidentialApp()
	if s.clientID != "" {
		app.ClientID = s.clientID
	}
	if s.redirectURL == "" {
		s.redirectURL = "https://app.example/callback"
	}
	app.RedirectURLs = append([]string{s.redirectURL}, s.moreURLs...)
	if err := fake.Register(app); err != nil {
		t.Fatal(err)
	}
	p := fake.Provider("")
	if s.provider != nil {
		s.provider(p)
	}
	o := &oauth.Options{HTTPClient: &http.Client{Transport: fake.Transport()}}
	if s.proofs != nil {
		o.Proofs = s.proofs
	}
	client, err := oauth.New(p, oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: s.redirectURL,
		Scopes: []string{"tweet.read", "users.read", "offline.access"},
	}, o)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func newKeys(t testing.TB) *seal.Keys {
	t.Helper()
	keys, err := seal.NewKeys(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// browser is a person's browser: a cookie jar, and the headers of a page that
// is opened.
type browser struct {
	t       *testing.T
	handler http.Handler
	jar     http.CookieJar
	origin  string
}

func newBrowser(t *testing.T, h http.Handler) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, h, jar, "https://app.example"}
}

// answer is a response whose body has been read.
type answer struct {
	*http.Response
	body string
}

func (a answer) location() string { return a.Header.Get("Location") }

// title is what the page says in its title, or the whole body if it has none.
func (a answer) title() string {
	if _, rest, ok := strings.Cut(a.body, "<title>"); ok {
		title, _, _ := strings.Cut(rest, "</title>")
		return title
	}
	return a.body
}

// url is where the browser keeps its cookies.
func (b *browser) url() *url.URL {
	b.t.Helper()
	u, err := url.Parse(b.origin)
	if err != nil {
		b.t.Fatal(err)
	}
	return u
}

// at sends the same browser, with its cookies, to another replica.
func (b *browser) at(h http.Handler) *browser {
	c := *b
	c.handler = h
	return &c
}

func (b *browser) get(target string, headers ...string) answer {
	return b.do(http.MethodGet, target, headers...)
}

// do sends a request as a page that is opened; headers are pairs that replace
// what a browser sends, "" to leave one out.
func (b *browser) do(method, target string, headers ...string) answer {
	b.t.Helper()
	u, err := url.Parse(b.origin + target)
	if err != nil {
		b.t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(b.t.Context(), method, target, nil)
	r.Host = u.Host
	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		}
	}
	for _, c := range b.jar.Cookies(u) {
		r.AddCookie(c)
	}
	return b.send(r, u)
}

func (b *browser) send(r *http.Request, u *url.URL) answer {
	b.t.Helper()
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	resp := w.Result()
	b.jar.SetCookies(u, resp.Cookies())
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{resp, string(body)}
}

// start opens /authorize and returns where the browser is sent.
func (b *browser) start(returnTo string) string {
	b.t.Helper()
	target := "/authorize"
	if returnTo != "" {
		target += "?return_to=" + url.QueryEscape(returnTo)
	}
	a := b.get(target)
	if a.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("GET %s = %d %s, want 303", target, a.StatusCode, a.title())
	}
	return a.location()
}

// consent plays the user at the fake and returns the path and query of the
// callback.
func (w *world) consent(authorizationURL string) string {
	w.t.Helper()
	callback, err := w.fake.Authorize(w.t.Context(), "", authorizationURL)
	if err != nil {
		w.t.Fatal(err)
	}
	u, err := url.Parse(callback)
	if err != nil {
		w.t.Fatal(err)
	}
	return u.RequestURI()
}

// logIn goes through a whole login that must work.
func (w *world) logIn(b *browser, returnTo string) answer {
	w.t.Helper()
	a := b.get(w.consent(b.start(returnTo)))
	if a.StatusCode != http.StatusSeeOther {
		w.t.Fatalf("callback = %d %s, want 303", a.StatusCode, a.title())
	}
	return a
}

// cookies are the names of the browser's cookies that contain part.
func (b *browser) cookies(part string) []string {
	u, _ := url.Parse(b.origin)
	var names []string
	for _, c := range b.jar.Cookies(u) {
		if strings.Contains(c.Name, part) {
			names = append(names, c.Name)
		}
	}
	return names
}

// exchanges is how many codes were sent to the token endpoint.
func (w *world) exchanges() int { return w.fake.TokenCalls("authorization_code") }

func wantStatus(t *testing.T, what string, a answer, want int) {
	t.Helper()
	if a.StatusCode != want {
		t.Errorf("%s = %d %q, want %d", what, a.StatusCode, a.title(), want)
	}
}

// seen collects what OnError gets, and answers with the default page.
type seen struct{ list []error }

func (s *seen) onError(w http.ResponseWriter, r *http.Request, err error) {
	s.list = append(s.list, err)
	middleware.ErrorPage(w, r, err)
}

// want checks the kind of the latest error.
func (s *seen) want(t *testing.T, what string, kind error) {
	t.Helper()
	_ = s.facts(t, what, kind)
}

// facts is want, and returns the error.
func (s *seen) facts(t *testing.T, what string, kind error) *middleware.Error {
	t.Helper()
	if len(s.list) == 0 {
		t.Fatalf("%s: no error, want %v", what, kind)
	}
	err := s.list[len(s.list)-1]
	if !errors.Is(err, kind) {
		t.Errorf("%s: error = %v, want %v", what, err, kind)
	}
	e, ok := errors.AsType[*middleware.Error](err)
	if !ok {
		t.Fatalf("%s: error is a %T, want *middleware.Error", what, err)
	}
	return e
}

// brokenStore fails while it is set to, on the keys that match.
type brokenStore struct {
	storage.Store
	broken atomic.Pointer[func(op, key string) bool] // the background reads it as well
}

// newBrokenStore returns a store in memory that fails where broken returns
// true.
func newBrokenStore(broken func(op, key string) bool) *brokenStore {
	s := &brokenStore{Store: storage.NewMemory()}
	s.set(broken)
	return s
}

// set lets the store fail where broken returns true. Nil means nowhere.
func (s *brokenStore) set(broken func(op, key string) bool) { s.broken.Store(&broken) }

var errBroken = errors.New("the store is down")

func (s *brokenStore) fails(op, key string) bool {
	broken := s.broken.Load()
	return broken != nil && *broken != nil && (*broken)(op, key)
}

func (s *brokenStore) Get(ctx context.Context, key string) (storage.Record, error) {
	if s.fails("get", key) {
		return storage.Record{}, errBroken
	}
	return s.Store.Get(ctx, key)
}

func (s *brokenStore) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	if s.fails("put", key) {
		return 0, errBroken
	}
	return s.Store.Put(ctx, key, value, old)
}

func (s *brokenStore) Delete(ctx context.Context, key string, old storage.Version) error {
	if s.fails("delete", key) {
		return errBroken
	}
	return s.Store.Delete(ctx, key, old)
}

// grantKey returns the storage key of the default user's grant, or of the
// record that the store needs to compute it and cannot read.
func (w *world) grantKey() string {
	w.t.Helper()
	key, err := grant.Key(w.t.Context(), w.store, w.client.Provider().Authority(), w.client.ClientID(), oauthtest.DefaultUser().ID)
	if errors.Is(err, seal.ErrUnsealed) {
		return storage.NameKey(w.client.Provider().Authority() + " " + w.client.ClientID())
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return key
}

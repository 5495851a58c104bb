package connect_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/middleware/connect"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// The people at the servers.
const (
	ann = "2244994945"
	bob = "2244994946"
)

// site is one authorization server that the app connects accounts of.
type site struct {
	fake   *oauthtest.Server
	grants *grant.Keeper
	routes *connect.Provider
	folder string // "/x" or "/google"
}

// world is an app with users of its own, and two authorization servers. Its
// session library is a cookie with the name of the user.
type world struct {
	*testing.T
	setup     setup
	store     *watchedStore
	accounts  *connect.Accounts
	x, google *site
	mux       *http.ServeMux
	mu        sync.Mutex // guards the two lists while they grow
	errs      []error
	events    []tokensource.Event

	// dead is set when the process of this world is dead: nothing that it does
	// from then on reaches the store or a server.
	dead atomic.Bool
}

var errDead = errors.New("this process is dead")

// mortal sends requests while the process lives.
type mortal struct {
	http.RoundTripper
	dead *atomic.Bool
}

func (m mortal) RoundTrip(r *http.Request) (*http.Response, error) {
	if m.dead.Load() {
		return nil, errDead
	}
	return m.RoundTripper.RoundTrip(r)
}

// dieAfter kills the process after it has written to the store n times.
func (w *world) dieAfter(n int) {
	var left atomic.Int64
	left.Store(int64(n))
	w.store.on(func(op, _ string) error {
		if w.dead.Load() {
			return errDead
		}
		if op != "get" {
			if left.Add(-1) < 0 {
				w.dead.Store(true)
				return errDead
			}
		}
		return nil
	})
}

// another is another process of the same app.
func (w *world) another() *world {
	return newWorld(w.T, setup{options: w.setup.options, store: &watchedStore{Store: w.store.Store}, keys: w.setup.keys, of: w})
}

// setup says what is special about a world.
type setup struct {
	options connect.Options
	login   middleware.Options // of both providers
	facts   func(*provider.Provider)
	store   *watchedStore // of another process
	keys    seal.AEAD
	of      *world // whose servers are used; nil for own ones
}

func newWorld(t *testing.T, s setup) *world {
	t.Helper()
	w := &world{T: t, store: s.store, mux: http.NewServeMux()}
	defer func() { w.setup = s }()
	if w.store == nil {
		w.store = &watchedStore{Store: storage.NewMemory()}
	}
	var err error
	if s.keys == nil {
		if s.keys, err = seal.NewKeys(seal.NewKey()); err != nil {
			t.Fatal(err)
		}
	}
	if w.accounts, err = connect.New(userOf, &s.options); err != nil {
		t.Fatal(err)
	}
	var x, google *oauthtest.Server
	if s.of != nil {
		x, google = s.of.x.fake, s.of.google.fake
	}
	w.x = w.add("x", x, s)
	w.google = w.add("google", google, s)
	w.mux.HandleFunc("GET /{$}", func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "home") })
	return w
}

// userOf is the app's own session: "down" is an app that cannot tell.
func userOf(r *http.Request) (string, error) {
	list := r.CookiesNamed("app")
	switch {
	case len(list) == 0:
		return "", nil
	case list[0].Value == "down":
		return "", errors.New("the session store is down")
	}
	return list[0].Value, nil
}

// add makes the named server of the catalogue, and its routes.
func (w *world) add(name string, fake *oauthtest.Server, s setup) *site {
	w.Helper()
	url := "https://app.example/" + name + "/callback"
	app := oauthtest.ConfidentialApp()
	app.RedirectURLs = []string{url}
	if fake == nil {
		p, err := provider.Get(name)
		if err != nil {
			w.Fatal(err)
		}
		if s.facts != nil {
			s.facts(p)
		}
		fake = oauthtest.New(w.T, &oauthtest.Options{
			Provider: p, Apps: []oauthtest.App{app},
			Users: []oauthtest.User{{ID: ann, Name: "Ann", Username: "ann"}, {ID: bob, Name: "Bob", Username: "bob"}},
		})
	}
	client, err := oauth.New(fake.Provider(""), oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: url, Scopes: scopesOf[name],
	}, &oauth.Options{HTTPClient: &http.Client{Transport: mortal{fake.Transport(), &w.dead}}})
	if err != nil {
		w.Fatal(err)
	}
	grants, err := grant.New(client, w.store, &grant.Options{InsecurePlainStore: true})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = grants.Close() })
	o := s.login
	o.OnError = func(rw http.ResponseWriter, r *http.Request, err error) {
		w.mu.Lock()
		w.errs = append(w.errs, err)
		w.mu.Unlock()
		middleware.ErrorPage(rw, r, err)
	}
	o.OnEvent = func(_ context.Context, e tokensource.Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events = append(w.events, e)
	}
	routes, err := w.accounts.Add(grants, s.keys, &o)
	if err != nil {
		w.Fatal(err)
	}
	routes.Mount(w.mux)
	return &site{fake, grants, routes, "/" + name}
}

var scopesOf = map[string][]string{
	"x":      {"tweet.read", "users.read", "offline.access"},
	"google": {"openid", "email"},
}

// browser is a browser in which a user of the app is logged in, or nobody.
type browser struct {
	*world
	jar http.CookieJar
}

var appURL = &url.URL{Scheme: "https", Host: "app.example", Path: "/"}

func (w *world) browser(user string) *browser {
	w.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.Fatal(err)
	}
	b := &browser{w, jar}
	b.become(user)
	return b
}

// become logs another user in, or nobody.
func (b *browser) become(user string) {
	c := &http.Cookie{Name: "app", Value: user, Path: "/", Secure: true}
	if user == "" {
		c.MaxAge = -1
	}
	b.jar.SetCookies(appURL, []*http.Cookie{c})
}

// answer is a response whose body was read.
type answer struct {
	*http.Response
	body string
}

func (a answer) to() string { return a.Header.Get("Location") }

// do sends a request as a page of this app does. The headers are pairs that
// replace what a browser sends; "" leaves one out.
func (b *browser) do(method, target string, headers ...string) answer {
	b.Helper()
	r := httptest.NewRequestWithContext(b.Context(), method, "https://app.example"+target, nil)
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		}
	}
	for _, c := range b.jar.Cookies(appURL) {
		r.AddCookie(c)
	}
	rec := httptest.NewRecorder()
	b.mux.ServeHTTP(rec, r)
	resp := rec.Result()
	b.jar.SetCookies(appURL, resp.Cookies())
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	return answer{resp, string(body)}
}

// begin posts to connect and returns the URL of the authorization request.
func (b *browser) begin(s *site) string {
	b.Helper()
	a := b.do("POST", s.folder+"/connect?return_to=/accounts")
	if a.StatusCode != http.StatusSeeOther {
		b.Fatalf("POST %s/connect = %d %s, want 303", s.folder, a.StatusCode, a.body)
	}
	return a.to()
}

// consent plays a person at the server, and returns the target of the callback.
func (b *browser) consent(s *site, person, authorizationURL string) string {
	b.Helper()
	back, err := s.fake.Authorize(b.Context(), person, authorizationURL)
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimPrefix(back, "https://app.example")
}

// connect goes the whole way and returns the last answer.
func (b *browser) connect(s *site, person string) answer {
	b.Helper()
	return b.do("GET", b.consent(s, person, b.begin(s)), "Sec-Fetch-Site", "cross-site")
}

// mustConnect is connect, which must work.
func (b *browser) mustConnect(s *site, person string) {
	b.Helper()
	if a := b.connect(s, person); a.StatusCode != http.StatusSeeOther || a.to() != "/accounts" {
		b.Fatalf("connecting %s%s = %d to %q %s, want 303 to /accounts", s.folder, person, a.StatusCode, a.to(), a.body)
	}
}

// list returns the connections of a user.
func (w *world) list(user string) []connect.Connection {
	w.Helper()
	list, err := w.accounts.Connections(w.Context(), user)
	if err != nil {
		w.Fatalf("Connections(%s): %v", user, err)
	}
	return list
}

// wantList compares the connections of a user with words such as "x/ann" and
// "x/ann dead".
func (w *world) wantList(when, user string, want ...string) {
	w.Helper()
	var got []string
	for _, c := range w.list(user) {
		word := c.Provider + "/" + strings.ToLower(c.User.Name)
		if c.Dead != "" {
			word += " " + string(c.Dead)
		}
		got = append(got, word)
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		w.Errorf("Connections(%s) %s = %q, want %q", user, when, got, want)
	}
}

// idOf returns the ID of the connection of user 17 to ann's account.
func (w *world) idOf(provider string) string {
	w.Helper()
	for _, c := range w.list("17") {
		if c.Provider == provider && c.User.Subject == ann {
			return c.ID
		}
	}
	w.Fatalf("Connections(17) have no account %s of %s", ann, provider)
	return ""
}

// wantErr compares the kind of the latest error.
func (w *world) wantErr(what string, kind error) {
	w.Helper()
	if len(w.errs) == 0 {
		w.Errorf("%s: no error, want %v", what, kind)
		return
	}
	if err := w.errs[len(w.errs)-1]; !errors.Is(err, kind) {
		w.Errorf("%s: error = %v, want %v", what, err, kind)
	}
}

func (w *world) wantStatus(what string, a answer, want int) {
	w.Helper()
	if a.StatusCode != want {
		w.Errorf("%s = %d %s, want %d", what, a.StatusCode, a.body, want)
	}
}

// alive counts the grants of a person that the server honours.
func (s *site) alive(person string) (n int) {
	for _, g := range s.fake.Grants() {
		if g.UserID == person && g.Ended == "" {
			n++
		}
	}
	return n
}

func (w *world) wantAlive(when string, s *site, person string, want int) {
	w.Helper()
	if got := s.alive(person); got != want {
		w.Errorf("%s: the server %s honours %d grants of %s, want %d", when, s.folder, got, person, want)
	}
}

// watchedStore is a store with a hook before each operation. The hook can fail
// it, and later operations too, as after the death of the process.
type watchedStore struct {
	storage.Store
	hook  atomic.Pointer[func(op, key string) error]
	loses atomic.Bool // the answers to writes of grants
}

func (s *watchedStore) on(hook func(op, key string) error) { s.hook.Store(&hook) }

func (s *watchedStore) before(op, key string) error {
	if hook := s.hook.Load(); hook != nil && *hook != nil {
		return (*hook)(op, key)
	}
	return nil
}

func (s *watchedStore) Get(ctx context.Context, key string) (storage.Record, error) {
	if err := s.before("get", key); err != nil {
		return storage.Record{}, err
	}
	return s.Store.Get(ctx, key)
}

func (s *watchedStore) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	if err := s.before("put", key); err != nil {
		return 0, err
	}
	version, err := s.Store.Put(ctx, key, value, old)
	if err == nil && s.loses.Load() && strings.HasPrefix(key, "grant.") {
		return 0, errDead
	}
	return version, err
}

func (s *watchedStore) Delete(ctx context.Context, key string, old storage.Version) error {
	if err := s.before("delete", key); err != nil {
		return err
	}
	return s.Store.Delete(ctx, key, old)
}

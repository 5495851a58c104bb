package atproto_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/jose"
	"github.com/authtrip/authtrip/tokensource/jose/atproto"
	"github.com/authtrip/authtrip/tokensource/jose/atproto/atprototest"
	"github.com/authtrip/authtrip/tokensource/jose/atproto/identity"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/transport"
)

const clientID, callback = "https://app.test/client.json", "https://app.test/auth/callback"

const (
	alice = "did:plc:aliceaaaaaaaaaaaaaaaaaaa"
	bob   = "did:plc:bobbbbbbbbbbbbbbbbbbbbbb"
	carol = "did:web:carol.test"

	entryway, pds, own = "https://entryway.test", "https://pds.test", "https://own.test"
)

func resolver(t *testing.T, n *atprototest.Network) *identity.Resolver {
	t.Helper()
	r, err := identity.NewResolver(&identity.Options{HTTPClient: &http.Client{Transport: n}, DNS: n})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// world is an app, and users at two authorization servers.
type world struct {
	*testing.T
	net             *atprototest.Network
	entryway, alone *oauthtest.Server
	app             *atproto.App
	logins          *atproto.Logins
	mux             *http.ServeMux
}

// known is the app as the fake servers know it.
func known() oauthtest.App {
	return oauthtest.App{ClientID: clientID, RedirectURLs: []string{callback}}
}

// newWorld returns a world with a public app, changed by change if that is not
// nil. The fake servers know it, and apps.
func newWorld(t *testing.T, change func(*atproto.App), apps ...oauthtest.App) *world {
	t.Helper()
	if len(apps) == 0 {
		apps = append(apps, known())
	}
	w := &world{T: t, net: atprototest.New(t, apps...), mux: http.NewServeMux()}
	w.entryway = w.net.Serve("entryway.test", []string{"pds.test"}, oauthtest.User{ID: alice, Username: "alice"}, oauthtest.User{ID: carol, Username: "carol"})
	w.alone = w.net.Serve("own.test", []string{"own.test"}, oauthtest.User{ID: bob, Username: "bob"})
	w.net.Account(alice, "alice.test", pds)
	w.net.Account(carol, "carol.test", pds)
	w.net.Account(bob, "bob.own.test", own)
	w.app = newApp(t)
	if change != nil {
		change(w.app)
	}
	w.logins, w.mux = w.open()
	w.net.Site("app.test", w.mux)
	return w
}

// newApp returns a public web app.
func newApp(t *testing.T) *atproto.App {
	t.Helper()
	dpop, err := jose.NewDPoP(nil)
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
	return &atproto.App{
		Registration: oauth.Registration{ClientID: clientID, RedirectURL: callback, Scopes: []string{"atproto", "transition:generic"}},
		Store:        store, Keys: keys, Proofs: dpop, LoginPage: "/login",
	}
}

// open starts a process of the app.
func (w *world) open() (*atproto.Logins, *http.ServeMux) {
	w.Helper()
	logins, err := atproto.NewLogins(resolver(w.T, w.net), w.app)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = logins.Close() })
	mux := http.NewServeMux()
	logins.Mount(mux)
	mux.Handle("GET /{path...}", logins.Require(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		s, _ := logins.Session(r)
		_, _ = rw.Write([]byte(s.User.Subject))
	})))
	return logins, mux
}

// client returns a client that acts for an account, and the account.
func (w *world) client(did string) (*http.Client, *identity.Account) {
	w.Helper()
	src, account, err := w.logins.Source(w.Context(), did)
	if err != nil {
		w.Fatal(err)
	}
	rt, err := transport.New(src, &transport.Options{Base: w.net})
	if err != nil {
		w.Fatal(err)
	}
	return &http.Client{Transport: rt}, account
}

// source logs alice in, and returns her tokens.
func (w *world) source() tokensource.Renewer {
	w.Helper()
	w.browser().login(w.entryway, alice, "alice.test")
	src, _, err := w.logins.Source(w.Context(), alice)
	if err != nil {
		w.Fatal(err)
	}
	return src
}

// call calls the API of an account, and returns the status.
func (w *world) call(client *http.Client, account *identity.Account) int {
	resp, err := client.Get(account.Server + "/xrpc/com.example.read")
	if err != nil {
		w.Errorf("a call for %s: %v", account.DID, err)
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// browser is a browser of one user.
type browser struct {
	*world
	jar http.CookieJar
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.Fatal(err)
	}
	return &browser{w, jar}
}

// get opens a page of the app, with further headers.
func (b *browser) get(target string, headers ...string) *httptest.ResponseRecorder {
	u, err := url.Parse(target)
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Header.Set("Accept", "text/html")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	for _, c := range b.jar.Cookies(u) {
		r.AddCookie(c)
	}
	rec := httptest.NewRecorder()
	b.mux.ServeHTTP(rec, r)
	b.jar.SetCookies(u, rec.Result().Cookies())
	return rec
}

// login logs in as the user whom fake believes to be there.
func (b *browser) login(fake *oauthtest.Server, user, identifier string) *httptest.ResponseRecorder {
	b.Helper()
	return b.answer(fake, user, b.begin("return_to=/me&identifier="+url.QueryEscape(identifier)))
}

// begin begins a login, and returns the URL of the authorization request.
func (b *browser) begin(query string) string {
	b.Helper()
	rec := b.get("https://app.test/auth/authorize?" + query)
	to := rec.Header().Get("Location")
	if !strings.HasPrefix(to, "https://") {
		b.Fatalf("authorize?%s: %d %q %s", query, rec.Code, to, rec.Body)
	}
	return to
}

// answer lets a user consent, and opens the callback.
func (b *browser) answer(fake *oauthtest.Server, user, to string) *httptest.ResponseRecorder {
	b.Helper()
	back, err := fake.Authorize(b.Context(), user, to)
	if err != nil {
		b.Fatal(err)
	}
	return b.get(back)
}

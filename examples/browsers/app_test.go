package browsers_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authtrip/authtrip/examples/internal/chromium"
	"github.com/authtrip/authtrip/internal/servertest"
	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// app is an app with a login behind nginx, and the fake of X beside it.
type app struct {
	t    *testing.T
	url  string // of the app, as a browser sees it
	fake *xapi.Server
	mux  *http.ServeMux // behind nginx

	login *middleware.Login

	mu     sync.Mutex // guards events
	events []tokensource.EventKind
}

// newApp starts an app behind nginx. The text in locations is for the server
// block of nginx; UPSTREAM in it stands for the URL of the app. The path of the
// redirect URL is callback.
func newApp(t *testing.T, callback, locations string, o middleware.Options) *app {
	t.Helper()
	a := &app{t: t, mux: http.NewServeMux()}
	upstream := httptest.NewServer(a.mux)
	t.Cleanup(upstream.Close)
	nginx := servertest.Nginx(t, strings.ReplaceAll(locations, "UPSTREAM", upstream.URL))
	a.url = nginx.URL

	a.fake = xapi.New(t, nil)
	server := httptest.NewTLSServer(a.fake)
	t.Cleanup(server.Close)
	registered := oauthtest.ConfidentialApp()
	registered.RedirectURLs = []string{a.url + callback}
	if err := a.fake.Register(registered); err != nil {
		t.Fatal(err)
	}
	client, err := oauth.New(a.fake.Provider(server.URL), oauth.Registration{
		ClientID: registered.ClientID, Credential: oauth.Secret(registered.Secret()), RedirectURL: a.url + callback,
		Scopes: []string{"tweet.read", "users.read", "offline.access"},
	}, &oauth.Options{HTTPClient: server.Client()})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := seal.NewKeys(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	keeper, err := grant.New(client, storage.NewMemory(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := keeper.Close(); err != nil {
			t.Error(err)
		}
	})
	o.OnEvent = a.on
	if a.login, err = middleware.New(keeper, keys, &o); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *app) on(_ context.Context, e tokensource.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events = append(a.events, e.Kind)
}

// count returns how many events of a kind there were.
func (a *app) count(kind tokensource.EventKind) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, k := range a.events {
		if k == kind {
			n++
		}
	}
	return n
}

// page is a page that says a text, and what else it is given.
func page(text, html string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!doctype html><title>app</title><p>%s</p>%s", text, html)
	})
}

const everything = "location / { proxy_pass UPSTREAM; }"

// TestServiceWorker: a service worker that answers navigations with fetch hides
// what they are for.
func TestServiceWorker(t *testing.T) {
	a := newApp(t, "/callback", everything, middleware.Options{})
	a.login.Mount(a.mux)
	a.mux.Handle("/", page("start", `<script>
		navigator.serviceWorker.register("/sw.js").then(() => navigator.serviceWorker.ready).then(() => document.title = "ready");
		navigator.serviceWorker.addEventListener("controllerchange", () => document.title = "ready");
	</script>`))
	a.mux.HandleFunc("/sw.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		fmt.Fprint(w, `self.addEventListener("install", () => self.skipWaiting());
			self.addEventListener("activate", e => e.waitUntil(clients.claim()));
			self.addEventListener("fetch", e => e.respondWith(fetch(e.request)));`)
	})
	dest := make(chan string, 100)
	private := a.login.Require(page("the private page", ""))
	a.mux.HandleFunc("/private", func(w http.ResponseWriter, r *http.Request) {
		dest <- r.Header.Get("Sec-Fetch-Dest")
		private.ServeHTTP(w, r)
	})
	b := chromium.New(t)
	b.Open(a.url+"/", "body", "start")
	b.Until("service worker", func() bool { return chromium.Run[bool](b, `!!navigator.serviceWorker.controller`) })
	b.Open(a.url+"/private", "body", "the private page")
	if got := <-dest; got != "empty" {
		t.Errorf("Sec-Fetch-Dest of the page = %q, want empty: the service worker did not answer", got)
	}
	if n := a.count(middleware.EventRefused); n != 0 {
		t.Errorf("%d requests were refused, want none", n)
	}
}

// TestLogoutLeadsToTheServer: after the logout, the next page sends the browser
// to the authorization server. Chromium applies the form-action of a page to
// all redirects that follow.
func TestLogoutLeadsToTheServer(t *testing.T) {
	for _, path := range []string{"/logout", "/disconnect"} {
		a := newApp(t, "/callback", everything, middleware.Options{AfterLogout: "/private"})
		a.login.Mount(a.mux)
		a.mux.Handle("/private", a.login.Require(page("the private page", "")))
		b := chromium.New(t)
		b.Open(a.url+"/private", "body", "the private page")
		a.fake.Set(func(k *xapi.Knobs) { k.Authorize.Ask = true })
		b.Open(a.url+path, "body", "?")
		b.Click("button", "body", "wants to access your account")
	}
}

// TestPageAfterLogout: a page that can be validated, as a file can, is not
// shown again after the logout, or to the next user.
func TestPageAfterLogout(t *testing.T) {
	a := newApp(t, "/callback", everything, middleware.Options{})
	a.login.Mount(a.mux)
	a.mux.Handle("/", page("start", ""))
	modified := time.Now().Add(-time.Hour)
	a.mux.Handle("/file", a.login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := a.login.Subject(r)
		http.ServeContent(w, r, "file.txt", modified, strings.NewReader("the file of "+user))
	})))
	b := chromium.New(t)
	user := oauthtest.DefaultUser().ID
	b.Open(a.url+"/file", "body", "the file of "+user)
	b.Open(a.url+"/file", "body", "the file of "+user) // also when it is in the cache
	b.Open(a.url+"/logout", "body", "Log out?")
	b.Click("button", "body", "start")
	a.fake.Set(func(k *xapi.Knobs) { k.Authorize.Ask = true })
	b.Open(a.url+"/file", "body", "wants to access your account")
	chromium.Run[bool](b, `window.here = true, history.go(-3), true`) // to the file
	b.Until("end of the way back", func() bool {
		return !chromium.Run[bool](b, "window.here") && !strings.HasSuffix(chromium.Run[string](b, "location.pathname"), "logout") && b.Text("body") != ""
	})
	if text := b.Text("body"); strings.Contains(text, "the file") {
		t.Errorf("the way back shows %q after the logout", text)
	}
}

// TestManyTabs opens tabs that all ask before they get an answer. Their cookies
// must not be more than nginx takes, or it would refuse every request of the
// browser for as long as they live.
func TestManyTabs(t *testing.T) {
	a := newApp(t, "/callback", everything, middleware.Options{})
	a.login.Mount(a.mux)
	a.mux.Handle("/", page("start", ""))
	var asked sync.WaitGroup
	const tabs = 24
	asked.Add(tabs)
	private := a.login.Require(page("the private page", ""))
	a.mux.HandleFunc("/tab/{n}", func(w http.ResponseWriter, r *http.Request) {
		if len(r.Cookies()) == 0 {
			asked.Done()
			asked.Wait() // until each tab has asked
		}
		private.ServeHTTP(w, r)
	})
	b := chromium.New(t)
	b.Open(a.url+"/", "body", "start")
	a.fake.Set(func(k *xapi.Knobs) { k.Authorize.Ask = true }) // nobody answers
	for n := range tabs {
		b.OpenAside(fmt.Sprintf("%s/tab/%d?q=%s", a.url, n, strings.Repeat("a", n*40)))
	}
	b.Until("login in each tab", func() bool { return a.count(middleware.EventLoginStarted) == tabs })
	b.Until("a question in each tab", func() bool { // a later request would be answered without one
		return len(a.fake.Requests(oauthtest.Match{Path: xapi.PathAuthorize})) >= tabs
	})
	b.Open(a.url+"/", "body", "start")
	a.fake.Set(func(k *xapi.Knobs) { k.Authorize.Ask = false })
	b.Open(a.url+"/tab/last", "body", "the private page")
}

// TestPrefetch: a page that Chromium fetches before anybody opens it begins no
// login.
func TestPrefetch(t *testing.T) {
	a := newApp(t, "/callback", everything, middleware.Options{})
	a.login.Mount(a.mux)
	a.mux.Handle("/", page("start", `<script type="speculationrules">{"prefetch": [{"urls": ["/private"], "eagerness": "immediate"}]}</script>
		<link rel="prefetch" href="/private"><a href="/private">private</a>`))
	a.mux.Handle("/private", a.login.Require(page("the private page", "")))
	b := chromium.New(t)
	b.Open(a.url+"/", "body", "start")
	b.Until("prefetch", func() bool { return a.count(middleware.EventRefused) > 0 })
	if n := a.count(middleware.EventLoginStarted); n != 0 {
		t.Errorf("%d logins begun by a prefetch, want none", n)
	}
	b.Click("a", "body", "the private page")
}

// TestNginxRemovesAPrefix: the app behind /app sees paths without it.
func TestNginxRemovesAPrefix(t *testing.T) {
	a := newApp(t, "/app/auth/callback", "location /app/ { proxy_pass UPSTREAM/; }", middleware.Options{PathPrefix: "/app"})
	a.login.Mount(a.mux)
	a.mux.Handle("GET /", page("another page", ""))
	a.mux.HandleFunc("GET /private/", func(w http.ResponseWriter, r *http.Request) {
		a.login.Require(page("the private page "+r.URL.Path, "")).ServeHTTP(w, r)
	})
	b := chromium.New(t)
	b.Open(a.url+"/app/private/report?x=1", "body", "the private page /private/report")
	if got := chromium.Run[string](b, "location.pathname + location.search"); got != "/app/private/report?x=1" {
		t.Errorf("the login ended at %q, want the page", got)
	}
	b.Open(a.url+"/app/auth/logout", "body", "Log out?")
	b.Click("button", "body", "another page") // AfterLogout is the front page of the app
}

// TestNginxTakesTheAnswers: stock nginx takes 4 KiB or 8 KiB for the headers of
// an answer, and answers 502 to more.
func TestNginxTakesTheAnswers(t *testing.T) {
	a := newApp(t, "/callback", "proxy_buffer_size 4k; proxy_buffers 8 4k; proxy_busy_buffers_size 8k; "+everything, middleware.Options{AfterLogin: "/search"})
	a.login.Mount(a.mux)
	a.mux.Handle("/search", a.login.Require(page("results", "")))
	b := chromium.New(t)
	for _, n := range []int{1, 100, 300, 400, 1000} {
		query := strings.Repeat("id=7&", n)
		b.Forget()
		b.Open(a.url+"/search?"+query, "body", "results")
		if got := chromium.Run[string](b, "location.search"); n <= 300 && got != "?"+query {
			t.Errorf("a page link of %d bytes came back as %d bytes", len(query), len(got))
		}
	}
}

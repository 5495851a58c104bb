package middleware_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// named gives a provider its own name and issuer.
func named(name string) func(*provider.Provider) {
	return func(p *provider.Provider) { p.Name, p.Issuer = name, "https://"+name+".example" }
}

// pair is two Logins on one mux, with the same keys, store and client ID.
func pair(t *testing.T, a, b setup) (one, two *world, mux *http.ServeMux) {
	t.Helper()
	a.keys, a.store = newKeys(t), storage.NewMemory()
	b.keys, b.store = a.keys, a.store
	one, two = newWorld(t, a), newWorld(t, b)
	mux = http.NewServeMux()
	one.login.Mount(mux)
	two.login.Mount(mux)
	mux.Handle("/one", one.login.Require(say("one")))
	mux.Handle("/two", two.login.Require(say("two")))
	return one, two, mux
}

// logInAt goes through a login whose routes are in a folder.
func (w *world) logInAt(b *browser, folder string) answer {
	w.t.Helper()
	a := b.get(folder + "/authorize?return_to=" + folder + "/done")
	if a.StatusCode != http.StatusSeeOther {
		w.t.Fatalf("%s/authorize = %d %s", folder, a.StatusCode, a.title())
	}
	return b.get(w.consent(a.location()))
}

// M8: Two logins on one mux have their own cookies, sessions and sealed values.
func TestM8_TwoServers(t *testing.T) {
	one, two, mux := pair(t,
		setup{redirectURL: "https://app.example/one/callback", provider: named("a")},
		setup{redirectURL: "https://app.example/two/callback", provider: named("b")})
	testApart(t, one, two, mux)
}

// TestM8_TwoServersOfOneName: the issuer tells realms apart.
func TestM8_TwoServersOfOneName(t *testing.T) {
	one, two, mux := pair(t,
		setup{redirectURL: "https://app.example/one/callback", provider: func(p *provider.Provider) { p.Issuer = "https://as.example/realms/a" }},
		setup{redirectURL: "https://app.example/two/callback", provider: func(p *provider.Provider) { p.Issuer = "https://as.example/realms/b" }})
	testApart(t, one, two, mux)
}

// TestM8_TwoDeploymentsOnOneHost: /one and /two are deployments of one client
// with the same keys, and with stores of their own.
func TestM8_TwoDeploymentsOnOneHost(t *testing.T) {
	fake, keys := xapi.New(t, nil), newKeys(t)
	urls := []string{"https://app.example/one/callback", "https://app.example/two/callback"}
	one := newWorld(t, setup{fake: fake, keys: keys, redirectURL: urls[0], moreURLs: urls[1:]})
	two := newWorld(t, setup{fake: fake, keys: keys, redirectURL: urls[1], moreURLs: urls[:1]})
	mux := http.NewServeMux()
	one.login.Mount(mux)
	two.login.Mount(mux)
	mux.Handle("/one", one.login.Require(say("one")))
	mux.Handle("/two", two.login.Require(say("two")))
	testApart(t, one, two, mux)
}

// TestM8_TwoPortsOfOneHost: browsers send the cookies of one port to the other
// ports of the host as well.
func TestM8_TwoPortsOfOneHost(t *testing.T) {
	urls := []string{"http://localhost:3000/callback", "http://localhost:4000/callback"}
	for name, keys := range map[string][]seal.AEAD{"own keys": {newKeys(t), newKeys(t)}, "the same keys": slices.Repeat([]seal.AEAD{newKeys(t)}, 2)} {
		fake := xapi.New(t, nil)
		one := newWorld(t, setup{fake: fake, keys: keys[0], redirectURL: urls[0], moreURLs: urls[1:]})
		two := newWorld(t, setup{fake: fake, keys: keys[1], redirectURL: urls[1], moreURLs: urls[:1]})
		b := newBrowser(t, one.mux)
		b.origin = "http://localhost"
		c := b.at(two.mux)
		one.logIn(b, "")
		wantStatus(t, name+": the other port, for a user of one", c.get("/timeline"), http.StatusSeeOther)
		two.logIn(c, "")
		wantStatus(t, name+": one port", b.get("/timeline"), http.StatusOK)
		wantStatus(t, name+": the other port", c.get("/timeline"), http.StatusOK)
		wantStatus(t, name+": logout at the other port", c.do("POST", "/logout"), http.StatusSeeOther)
		wantStatus(t, name+": one port after it", b.get("/timeline"), http.StatusOK)
	}
}

// testApart logs in at one, at two, and out of one, and moves the cookies of
// one to the names of two.
func testApart(t *testing.T, one, two *world, mux http.Handler) {
	t.Helper()
	b := newBrowser(t, mux)
	var flows [2]*http.Cookie
	for i, folder := range []string{"/one", "/two"} {
		flows[i] = b.get(folder + "/authorize").Cookies()[0]
	}
	if flows[0].Name[:len(flows[0].Name)-3] == flows[1].Name[:len(flows[1].Name)-3] {
		t.Errorf("two logins have flow cookies of one name: %s and %s", flows[0].Name, flows[1].Name)
	}
	b = newBrowser(t, mux)
	first := one.logInAt(b, "/one")
	wantStatus(t, "login at one", first, http.StatusSeeOther)
	wantStatus(t, "page of two for a user of one", b.get("/two"), http.StatusSeeOther)
	second := two.logInAt(b, "/two")
	wantStatus(t, "login at two", second, http.StatusSeeOther)
	for _, path := range []string{"/one", "/two"} {
		wantStatus(t, "page "+path+" with both sessions", b.get(path), http.StatusOK)
	}
	// The session of one under the name of two.
	session := func(a answer) *http.Cookie {
		for _, c := range a.Cookies() {
			if strings.HasSuffix(c.Name, "-session") {
				return c
			}
		}
		t.Fatalf("no session among %v", a.Cookies())
		return nil
	}
	stolen := newBrowser(t, mux).get("/two", "Cookie", session(second).Name+"="+session(first).Value)
	wantStatus(t, "page of two with the session of one", stolen, http.StatusSeeOther)
	// A flow of one under the name of two.
	a := newBrowser(t, mux).get("/one/authorize")
	state := query(t, a.location(), "state")
	moved := newBrowser(t, mux).get("/two/callback?code=c&state="+state, "Cookie", flows[1].Name+"="+a.Cookies()[0].Value)
	wantStatus(t, "callback of two with the flow of one", moved, http.StatusBadRequest)
	wantStatus(t, "logout of one", b.do("POST", "/one/logout"), http.StatusSeeOther)
	wantStatus(t, "page of one after its logout", b.get("/one"), http.StatusSeeOther)
	wantStatus(t, "page of two after the logout of one", b.get("/two"), http.StatusOK)
}

// TestM8_TwoClientsOfOneServer: the client ID is part of the names and of the
// seal, also if everything else is the same.
func TestM8_TwoClientsOfOneServer(t *testing.T) {
	fake, keys := xapi.New(t, nil), newKeys(t)
	one := newWorld(t, setup{fake: fake, keys: keys})
	two := newWorld(t, setup{fake: fake, keys: keys, clientID: "another-client"})
	b := newBrowser(t, one.mux)
	one.logIn(b, "")
	wantStatus(t, "page of one", b.get("/timeline"), http.StatusOK)
	wantStatus(t, "page of another client for the same browser", b.at(two.mux).get("/timeline"), http.StatusSeeOther)
	var renamed []string
	other := newBrowser(t, two.mux)
	two.logIn(other, "")
	renamed = append(renamed, other.cookies("session")[0]+"="+b.value(b.cookies("session")[0]))
	wantStatus(t, "page of another client with a renamed session", newBrowser(t, two.mux).get("/timeline", "Cookie", strings.Join(renamed, "; ")), http.StatusSeeOther)
}

// value returns the value of a cookie.
func (b *browser) value(name string) string {
	for _, c := range b.jar.Cookies(b.url()) {
		if c.Name == name {
			return c.Value
		}
	}
	b.t.Fatalf("no cookie %s", name)
	return ""
}

// TestM8_TwoAppsWithOwnKeys share a store, and nothing in it.
func TestM8_TwoAppsWithOwnKeys(t *testing.T) {
	base := storage.NewMemory()
	for i, name := range []string{"a", "b", "c"} {
		w := newWorld(t, setup{store: sealedBy(t, base, seal.NewKey()), provider: named(name), clientID: "client-" + name})
		for range 20 {
			w.logIn(newBrowser(t, w.mux), "")
		}
		if t.Failed() {
			t.Fatalf("app %d cannot log in", i+1)
		}
	}
}

// TestM8_OneRedirectURLForTwoServers: a hostile server could pass on the code
// of the other one (RFC 9700 section 4.4.2).
func TestM8_OneRedirectURLForTwoServers(t *testing.T) {
	iss := func(name string) func(*provider.Provider) {
		return func(p *provider.Provider) { named(name)(p); p.IssuerRequired = true }
	}
	elsewhere := func(p *provider.Provider) { named("a")(p); p.TokenURL = "https://evil.example/token" }
	const other = "https://app.example/other/callback"
	tests := []struct {
		name        string
		first, next setup
		refused     bool
	}{
		{"two servers, one redirect URL", setup{provider: named("a")}, setup{provider: named("b")}, true},
		{"only one names itself", setup{provider: named("a")}, setup{provider: iss("b")}, true},
		{"only the other one names itself", setup{provider: iss("a")}, setup{provider: named("b")}, true},
		{"both name themselves", setup{provider: iss("a")}, setup{provider: iss("b")}, false},
		{"one redirect URL in another letter case", setup{provider: named("a")}, setup{provider: named("b"), redirectURL: "https://APP.example/callback"}, true},
		{"one redirect URL with the default port", setup{provider: named("a")}, setup{provider: named("b"), redirectURL: "https://app.example:443/callback"}, true},
		{"one redirect URL with a query", setup{provider: named("a")}, setup{provider: named("b"), redirectURL: "https://app.example/callback?as=b"}, true},
		{"one path at another port", setup{provider: named("a")}, setup{provider: named("b"), redirectURL: "https://app.example:8443/callback"}, false},
		{"one path at another host", setup{provider: named("a")}, setup{provider: named("b"), redirectURL: "https://b.app.example/callback"}, false},
		{"two redirect URLs", setup{provider: named("a")}, setup{provider: named("b"), redirectURL: other}, false},
		{"one of several redirect URLs", setup{provider: named("a"), options: middleware.Options{RedirectURLs: []string{other}}}, setup{provider: named("b"), redirectURL: other}, true},
		{"one server", setup{provider: named("a")}, setup{provider: named("a")}, false},
		{"one issuer for two servers", setup{provider: named("a")}, setup{provider: elsewhere, redirectURL: other}, true},
	}
	for _, tt := range tests {
		store := storage.NewMemory()
		tt.first.store, tt.next.store = store, store
		first := newWorld(t, tt.first)
		tt.next.fake = first.fake
		_, err := middleware.New(newGrants(t, tt.next), newKeys(t), &tt.next.options)
		if (err != nil) != tt.refused || err != nil && !strings.Contains(err.Error(), "two authorization servers") {
			t.Errorf("New with %s = %v, want refused: %v", tt.name, err, tt.refused)
		}
	}
	// Two stores, such as two Sealed around one store, and the same keys.
	keys := newKeys(t)
	if _, err := middleware.New(newGrants(t, setup{provider: named("a")}), keys, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := middleware.New(newGrants(t, setup{provider: named("b")}), keys, nil); err == nil {
		t.Error("New with two servers, one redirect URL and the same keys = nil, want an error")
	}
	// A Keeper that is closed gives its addresses back.
	store := storage.NewMemory()
	closed := newGrants(t, setup{store: store, provider: named("a")})
	if _, err := middleware.New(closed, newKeys(t), nil); err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := middleware.New(newGrants(t, setup{store: store, provider: named("b")}), newKeys(t), nil); err != nil {
		t.Errorf("New after the other Keeper was closed = %v", err)
	}
	// On a mux that knows its patterns, also with two stores.
	one, two := newWorld(t, setup{provider: named("a")}), newWorld(t, setup{provider: named("b")})
	defer func() {
		if recover() == nil {
			t.Error("Mount of two servers with one redirect URL on one mux did not panic")
		}
	}()
	mux := http.NewServeMux()
	one.login.Mount(mux)
	two.login.Mount(mux)
}

// TestM8_MixUp: attack A06. A hostile server sends the browser on to an honest
// one, so that the honest server's code comes to the flow of the hostile one.
func TestM8_MixUp(t *testing.T) {
	honest, hostile, mux := pair(t,
		setup{redirectURL: "https://app.example/honest/callback", provider: named("honest")},
		setup{redirectURL: "https://app.example/hostile/callback", provider: named("hostile")})
	b := newBrowser(t, mux)
	evil := b.get("/hostile/authorize").location()
	good := b.get("/honest/authorize").location()
	// The hostile server changes the request to the honest one's client, with its
	// own state.
	state := query(t, evil, "state")
	u, err := url.Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("state", state)
	u.RawQuery = q.Encode()
	answer := honest.consent(u.String())
	wantStatus(t, "the honest code with the state of the hostile flow", b.get(answer), http.StatusBadRequest)
	// The same code, brought to the callback of the hostile server. The name of
	// the honest server gives it away.
	honest.fake.Set(func(k *xapi.Knobs) { k.Authorize.SendIss = "https://honest.example" })
	answer = honest.consent(u.String())
	moved := strings.Replace(answer, "/honest/", "/hostile/", 1)
	wantStatus(t, "the honest code at the hostile callback", b.get(moved), http.StatusBadRequest)
	// An error of the honest server is not one of the hostile flow either.
	honest.fake.Set(func(k *xapi.Knobs) { k.Authorize.Deny = true })
	denied := strings.Replace(honest.consent(u.String()), "/honest/", "/hostile/", 1)
	wantStatus(t, "an error of the honest server at the hostile callback", b.get(denied), http.StatusBadRequest)
	if n := hostile.exchanges() + honest.exchanges(); n != 0 {
		t.Errorf("%d exchanges, want none", n)
	}
	honest.fake.Set(func(k *xapi.Knobs) { k.Authorize.Deny = false })
	wantStatus(t, "the true answer of the honest flow", b.get(honest.consent(good)), http.StatusSeeOther)
}

// TestM8_IssuersOfTwoServers: each callback takes its own issuer only, as a
// string (RFC 9207 section 2.4).
func TestM8_IssuersOfTwoServers(t *testing.T) {
	one, two, mux := pair(t,
		setup{redirectURL: "https://app.example/one/callback", provider: named("a")},
		setup{redirectURL: "https://app.example/two/callback", provider: named("b")})
	for _, tt := range []struct {
		w      *world
		folder string
		iss    string
		want   int
	}{
		{one, "/one", "https://a.example", 303},
		{one, "/one", "https://b.example", 400},
		{two, "/two", "https://a.example", 400},
		{two, "/two", "https://b.example", 303},
		{two, "/two", "https://b.example/", 400},
	} {
		tt.w.fake.Set(func(k *xapi.Knobs) { k.Authorize.SendIss = tt.iss })
		wantStatus(t, tt.folder+" with iss "+tt.iss, tt.w.logInAt(newBrowser(t, mux), tt.folder), tt.want)
	}
}

// TestM8_StackedRequire: each Require asks for its own login, and both users
// are known to the page.
func TestM8_StackedRequire(t *testing.T) {
	users := func(id string) *xapi.Server {
		fake := xapi.New(t, nil)
		fake.Set(func(k *xapi.Knobs) { k.Authorize.User = id })
		return fake
	}
	identify := func(subject string) middleware.Options {
		return middleware.Options{Identify: func(context.Context, *oauth2.Token) (provider.Identity, error) {
			return provider.Identity{Subject: subject}, nil
		}}
	}
	one, two, mux := pair(t,
		setup{fake: users(oauthtest.DefaultUser().ID), redirectURL: "https://app.example/one/callback", provider: named("a"), options: identify("7")},
		setup{fake: users(oauthtest.DefaultUser().ID), redirectURL: "https://app.example/two/callback", provider: named("b"), options: identify("8")})
	page := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		first, _ := one.login.Subject(r)
		second, _ := two.login.Subject(r)
		_, _ = rw.Write([]byte(first + " and " + second))
	})
	mux.Handle("/both", one.login.Require(two.login.Require(page)))
	mux.Handle("/all/", two.login.Require(one.login.Require(page)))
	mux.Handle("/page", page)
	for path, handler := range map[string]http.Handler{
		"/both": mux, "/all/x": mux, "/page": one.login.Require(two.login.Require(mux)),
	} {
		b := newBrowser(t, handler)
		a := b.get(path)
		for steps := 0; a.StatusCode == http.StatusSeeOther && steps < 10; steps++ {
			target := a.location()
			for _, w := range []*world{one, two} {
				if strings.Contains(target, url.QueryEscape(w.client.RedirectURL())) {
					target = w.consent(target)
				}
			}
			a = b.get(target)
		}
		if a.body != "7 and 8" {
			t.Errorf("%s = %d %q, want both users", path, a.StatusCode, a.body)
		}
	}
}

package atproto_test

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"testing/synctest"

	"github.com/authtrip/authtrip/tokensource/jose/atproto"
	"github.com/authtrip/authtrip/tokensource/jose/atproto/identity"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// A login without a handle begins at a server. Who the user is comes at its
// end, and counts only if the account leads back to that server.
func TestLoginWithoutAHandle(t *testing.T) {
	for _, tt := range []struct {
		name, query, byApp string
		user               string
		ok                 bool
	}{
		{"at an entryway", "server=entryway.test", "", alice, true},
		{"at an entryway, another user", "server=entryway.test", "", carol, true},
		{"at the server of the account", "server=https://pds.test", "", alice, true},
		{"at a URL in the field for the handle", "identifier=https://entryway.test", "", alice, true},
		{"at the server that the app names", "", "entryway.test", alice, true},
		{"at another server than the app names", "server=entryway.test", "own.test", alice, true},
		{"a user whose account is elsewhere", "server=entryway.test", "", bob, false},
	} {
		w := newWorld(t, func(a *atproto.App) { a.Server = tt.byApp })
		if err := w.entryway.AddUser(oauthtest.User{ID: bob, Username: "bob"}); err != nil {
			t.Fatal(err)
		}
		b := w.browser()
		rec := b.answer(w.entryway, tt.user, b.begin("return_to=/me&"+tt.query))
		if got := b.get("https://app.test/me").Body.String() == tt.user; got != tt.ok {
			t.Errorf("%s: callback %d, logged in = %t, want %t", tt.name, rec.Code, got, tt.ok)
		}
		if alive := w.entryway.Grants()[0].LiveRefresh == 1; alive != tt.ok {
			t.Errorf("%s: the grant lives = %t, want %t: tokens of another user are revoked", tt.name, alive, tt.ok)
		}
	}
}

// The authorization server gets the name that the user typed, in the request
// that is pushed.
func TestLoginHint(t *testing.T) {
	for query, want := range map[string]string{
		"identifier=Alice.test":             "alice.test",
		"identifier=@alice.test":            "alice.test",
		"identifier=" + alice:               alice,
		"identifier=at://" + alice:          alice,
		"server=entryway.test":              "",
		"server=entryway.test&identifier=+": "",
	} {
		w := newWorld(t, nil)
		w.browser().begin(query)
		pushed := w.entryway.Requests(oauthtest.Match{Path: "/oauth/par"})
		got := pushed[len(pushed)-1].Raw().PostForm
		if got.Get("login_hint") != want || got.Has("login_hint") != (want != "") {
			t.Errorf("%s: login_hint = %q, want %q", query, got["login_hint"], want)
		}
	}
}

// Two tabs log in as different users of one server.
func TestTwoTabsAtOneServer(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	first := b.begin("return_to=/me&identifier=alice.test")
	b.begin("return_to=/me&identifier=" + carol)
	b.answer(w.entryway, alice, first)
	if got := b.get("https://app.test/me").Body.String(); got != alice {
		t.Errorf("/me after the first tab = %q, want %s", got, alice)
	}
}

// A user changes to an account at another server, and back.
func TestAnotherAccountInOneBrowser(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	for _, as := range []struct {
		fake    *oauthtest.Server
		did, in string
	}{{w.entryway, alice, "alice.test"}, {w.alone, bob, "bob.own.test"}, {w.entryway, carol, carol}, {w.entryway, alice, alice}} {
		b.login(as.fake, as.did, as.in)
		if got := b.get("https://app.test/me").Body.String(); got != as.did {
			t.Errorf("/me after a login as %s = %q", as.in, got)
		}
	}
}

// An answer of a token endpoint that lacks what the protocol demands of it ends
// the login, and its tokens are revoked.
func TestTokenAnswersThatEndTheLogin(t *testing.T) {
	for name, change := range map[string]func(*oauthtest.Knobs){
		"a scope without atproto":         func(k *oauthtest.Knobs) { k.Token.GrantedScopes = []string{"transition:generic"} },
		"a scope that begins alike":       func(k *oauthtest.Knobs) { k.Token.GrantedScopes = []string{"atprotocol"} },
		"no scope":                        func(k *oauthtest.Knobs) { k.Token.OmitScope = true },
		"a handle as sub":                 func(k *oauthtest.Knobs) { k.Token.ExtraJSON = map[string]any{"sub": "alice.test"} },
		"an empty sub":                    func(k *oauthtest.Knobs) { k.Token.ExtraJSON = map[string]any{"sub": ""} },
		"a number as sub":                 func(k *oauthtest.Knobs) { k.Token.ExtraJSON = map[string]any{"sub": 7} },
		"the sub of an account elsewhere": func(k *oauthtest.Knobs) { k.Token.ExtraJSON = map[string]any{"sub": bob} },
		"the sub of another user here":    func(k *oauthtest.Knobs) { k.Token.ExtraJSON = map[string]any{"sub": carol} },
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, nil)
			w.entryway.Set(change)
			b := w.browser()
			rec := b.login(w.entryway, alice, "alice.test")
			if rec.Code < 400 || b.get("https://app.test/me").Code == http.StatusOK {
				t.Errorf("%s: callback = %d, want an error and no session", name, rec.Code)
			}
			time.Sleep(time.Minute)
			if n := w.entryway.Grants()[0].LiveRefresh; n != 0 {
				t.Errorf("%s: %d refresh tokens live, want none", name, n)
			}
		})
	}
}

// Everybody can write a cookie, and can open the callback with any issuer.
// Nothing of that makes the app send a request.
func TestStrangersCannotNameAServer(t *testing.T) {
	w := newWorld(t, nil)
	begun := w.browser()
	begun.begin("identifier=alice.test")
	before := len(w.net.Asked())
	evil := url.QueryEscape("https://evil.test")
	for name, do := range map[string]func(*browser){
		"a callback with another issuer": func(*browser) { begun.get(callback + "?code=c&state=s&iss=" + evil) },
		"a callback without a login":     func(b *browser) { b.get(callback + "?code=c&state=s&iss=" + evil) },
		"cookies with the issuer":        func(b *browser) { b.plant("https://evil.test") },
		"cookies with the issuer in base64": func(b *browser) {
			b.plant("aHR0cHM6Ly9ldmlsLnRlc3Q")
		},
		"a prefetch of a login": func(b *browser) {
			b.get("https://app.test/auth/authorize?identifier=alice.test", "Sec-Purpose", "prefetch")
		},
		"an image with the address of a login": func(b *browser) {
			b.get("https://app.test/auth/authorize?server=evil.test", "Sec-Fetch-Dest", "image")
		},
	} {
		b := w.browser()
		do(b)
		b.get("https://app.test/me")
		b.get("https://app.test/auth/authorize?resume=1")
		if asked := w.net.Asked(); len(asked) != before {
			t.Errorf("%s: the app asked %q", name, asked[before:])
			before = len(asked)
		}
	}
}

// plant sets the cookies of the app to a value of its own.
func (b *browser) plant(value string) {
	u, _ := url.Parse("https://app.test/")
	for _, name := range []string{"server", "pending", "begun"} {
		b.jar.SetCookies(u, []*http.Cookie{{Name: "__Host-atproto-" + name, Value: value, Path: "/", Secure: true}})
	}
}

// A cookie that the app has set for one purpose is nothing for another one.
func TestACookieOfAnotherPurpose(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	b.begin("identifier=alice.test")
	u, _ := url.Parse("https://app.test/")
	for _, c := range b.jar.Cookies(u) {
		if c.Name == "__Host-atproto-begun" {
			b.plant(c.Value)
		}
	}
	if rec := b.get("https://app.test/auth/authorize?resume=1"); !strings.HasPrefix(rec.Header().Get("Location"), "/login") {
		t.Errorf("another try with a cookie of another purpose = %d %q, want the page of the login", rec.Code, rec.Header().Get("Location"))
	}
}

// The cookie with the servers at which logins have begun stays small.
func TestManyLoginsBegin(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	long := strings.Repeat("a", 60)
	for i := range 12 {
		w.net.Serve(long+"."+long+"."+string(rune('a'+i))+".test", nil)
		b.begin("server=" + long + "." + long + "." + string(rune('a'+i)) + ".test")
	}
	first := b.begin("return_to=/me&identifier=alice.test")
	u, _ := url.Parse("https://app.test/")
	i := slices.IndexFunc(b.jar.Cookies(u), func(c *http.Cookie) bool { return c.Name == "__Host-atproto-begun" })
	if size := len(b.jar.Cookies(u)[i].Value); size > 1500 {
		t.Errorf("the cookie has %d bytes, want at most 1500", size)
	}
	if b.answer(w.entryway, alice, first); b.get("https://app.test/me").Body.String() != alice {
		t.Error("the latest login did not finish")
	}
}

// The app chooses what a user sees who typed something wrong.
func TestOnError(t *testing.T) {
	var got error
	w := newWorld(t, func(a *atproto.App) {
		a.OnError = func(w http.ResponseWriter, _ *http.Request, err error) { got = err; w.WriteHeader(http.StatusTeapot) }
	})
	rec := w.browser().get("https://app.test/auth/authorize?identifier=nobody.test")
	if rec.Code != http.StatusTeapot || !errors.Is(got, identity.ErrNotFound) || rec.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("authorize of nobody = %d, OnError got %v, want its answer and ErrNotFound", rec.Code, got)
	}
}

func TestMethodsOfAuthorize(t *testing.T) {
	w := newWorld(t, nil)
	for method, want := range map[string]int{http.MethodGet: 303, http.MethodPost: 303, http.MethodPut: 405, http.MethodHead: 405, http.MethodDelete: 405} {
		r, err := http.NewRequestWithContext(t.Context(), method, "https://app.test/auth/authorize?identifier=alice.test", strings.NewReader(""))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := w.net.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s authorize = %d, want %d", method, resp.StatusCode, want)
		}
	}
}

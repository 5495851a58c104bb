package middleware_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
)

const secondURL = "https://app.example/second/callback"

// M11: What one login asks for can be chosen by the app for each request, and
// by nobody else.
func TestM11_ChosenByTheApp(t *testing.T) {
	w := newWorld(t, setup{moreURLs: []string{secondURL}, options: middleware.Options{
		Params: url.Values{"prompt": {"consent"}, "ui_locales": {"de"}}, RedirectURLs: []string{secondURL},
	}})
	w.mux.HandleFunc("/compose", func(rw http.ResponseWriter, r *http.Request) {
		w.login.Begin(rw, r, &middleware.BeginOptions{
			Scopes:      []string{"tweet.read", "users.read", "offline.access", "tweet.write"},
			Params:      url.Values{"login_hint": {"a+b@example.com"}, "prompt": {"login"}},
			RedirectURL: secondURL,
		})
	})
	b := newBrowser(t, w.mux)
	a := b.get("/compose?draft=1")
	wantStatus(t, "page that begins a login", a, http.StatusSeeOther)
	want := map[string]string{
		"scope": "tweet.read users.read offline.access tweet.write", "login_hint": "a+b@example.com", "prompt": "login", "ui_locales": "de",
		"redirect_uri": secondURL,
	}
	for name, value := range want {
		if got := query(t, a.location(), name); got != value {
			t.Errorf("authorization request: %s = %q, want %q", name, got, value)
		}
	}
	callback := w.consent(a.location())
	if !strings.HasPrefix(callback, "/second/callback?") {
		t.Fatalf("the answer comes to %.40q, want the second redirect URL", callback)
	}
	// The server refuses a code with another redirect URL than that of its request.
	if a = b.get(callback); a.location() != "/compose?draft=1" {
		t.Errorf("callback = %d %q to %q, want the page", a.StatusCode, a.title(), a.location())
	}
	if err := w.fake.Audit(); err != nil {
		t.Error(err)
	}
}

func TestM11_OnBegin(t *testing.T) {
	w := newWorld(t, setup{options: middleware.Options{
		AfterLogin: "/start",
		OnBegin: func(r *http.Request) *middleware.BeginOptions {
			switch r.URL.Query().Get("as") {
			case "other":
				return &middleware.BeginOptions{Params: url.Values{"prompt": {"select_account"}}, ReturnTo: "/accounts"}
			case "same":
				return &middleware.BeginOptions{Params: url.Values{"prompt": {"none"}}}
			}
			return nil
		},
	}})
	for target, want := range map[string][2]string{
		"/authorize?as=other&return_to=/page": {"select_account", "/accounts"},
		"/authorize?as=same&return_to=/page":  {"none", "/page"},
		"/authorize?as=same":                  {"none", "/start"},
		"/authorize?return_to=/page":          {"", "/page"},
	} {
		b := newBrowser(t, w.mux)
		a := b.get(target)
		if got := query(t, a.location(), "prompt"); got != want[0] {
			t.Errorf("%s: prompt = %q, want %q", target, got, want[0])
		}
		if a = b.get(w.consent(a.location())); a.location() != want[1] {
			t.Errorf("%s: the login ended at %q, want %q", target, a.location(), want[1])
		}
	}
}

// TestM11_NotChosenByALink: everybody can write a link with any query.
func TestM11_NotChosenByALink(t *testing.T) {
	w := newWorld(t, setup{moreURLs: []string{secondURL}, options: middleware.Options{RedirectURLs: []string{secondURL}}})
	a := newBrowser(t, w.mux).get("/authorize?" + url.Values{
		"scope": {"tweet.write"}, "prompt": {"none"}, "login_hint": {"mallory"}, "redirect_uri": {secondURL}, "state": {"s"}, "client_id": {"c"},
		"code_challenge": {"x"}, "response_mode": {"fragment"}, "resource": {"https://evil.example"},
	}.Encode())
	wantStatus(t, "authorize", a, http.StatusSeeOther)
	for name, want := range map[string]string{
		"scope": "tweet.read users.read offline.access", "prompt": "", "login_hint": "", "redirect_uri": "https://app.example/callback",
		"response_mode": "", "resource": "",
	} {
		if got := query(t, a.location(), name); got != want {
			t.Errorf("authorization request: %s = %q, want %q", name, got, want)
		}
	}
}

func TestM11_Refused(t *testing.T) {
	var errs seen
	w := newWorld(t, setup{options: middleware.Options{OnError: errs.onError}})
	for name, tt := range map[string]struct {
		o      middleware.BeginOptions
		kind   error
		status int
	}{
		"a redirect URL that is not registered": {middleware.BeginOptions{RedirectURL: "https://evil.example/callback"}, tokensource.ErrClient, 500},
		"a scope that the server does not know": {middleware.BeginOptions{Scopes: []string{"everything"}}, tokensource.ErrClient, 500},
		"a parameter of the client":             {middleware.BeginOptions{Params: url.Values{"state": {"x"}}}, tokensource.ErrClient, 500},
		"the answer in a form":                  {middleware.BeginOptions{Params: url.Values{"response_mode": {"form_post"}}}, tokensource.ErrClient, 500},
		"a return path elsewhere":               {middleware.BeginOptions{ReturnTo: "//evil.example"}, middleware.ErrReturnPath, 400},
	} {
		begin := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.login.Begin(rw, r, &tt.o) })
		b := newBrowser(t, begin)
		wantStatus(t, name, b.get("/page"), tt.status)
		errs.want(t, name, tt.kind)
		if len(b.cookies("")) != 0 {
			t.Errorf("%s: cookies %v, want none", name, b.cookies(""))
		}
	}
	begin := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.login.Begin(rw, r, nil) })
	wantStatus(t, "a prefetch", newBrowser(t, begin).get("/page", "Sec-Purpose", "prefetch"), http.StatusForbidden)
	a := newBrowser(t, begin).get("/page")
	wantStatus(t, "nil options", a, http.StatusSeeOther)
	if a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("Begin: headers %v, want no-store and no-referrer", a.Header)
	}
}

// TestM3_AnswerAtAnotherRedirectURL: the answer counts only at the address that
// was asked for (RFC 9700 section 4.4.2.2).
func TestM3_AnswerAtAnotherRedirectURL(t *testing.T) {
	var errs seen
	w := newWorld(t, setup{moreURLs: []string{secondURL}, options: middleware.Options{RedirectURLs: []string{secondURL}, OnError: errs.onError}})
	b := newBrowser(t, w.mux)
	callback := w.consent(b.start("/home"))
	wantStatus(t, "the answer at the second redirect URL", b.get("/second"+callback), http.StatusBadRequest)
	errs.want(t, "the answer at the second redirect URL", middleware.ErrFlowNotFound)
	if n := w.exchanges(); n != 0 {
		t.Errorf("%d exchanges, want none", n)
	}
	if a := b.get(callback); a.location() != "/home" {
		t.Errorf("the answer at the right one = %d to %q, want /home", a.StatusCode, a.location())
	}
}

// TestM3_ResponseModes: only a query and a form reach the callback.
func TestM3_ResponseModes(t *testing.T) {
	for mode, accepted := range map[string]bool{
		"query": true, "form_post": true, "fragment": false, "web_message": false, "query.jwt": false, "jwt": false, "form_post.jwt": false, "": false,
	} {
		grants := newGrants(t, setup{})
		_, err := middleware.New(grants, newKeys(t), &middleware.Options{Params: url.Values{"response_mode": {mode}}})
		if (err == nil) != accepted || err != nil && !strings.Contains(err.Error(), "response_mode") {
			t.Errorf("New with response_mode %q = %v, want accepted: %v", mode, err, accepted)
		}
	}
	grants := newGrants(t, setup{provider: func(p *provider.Provider) { p.AuthorizationURL += "?response_mode=fragment" }})
	if _, err := middleware.New(grants, newKeys(t), nil); err == nil || !strings.Contains(err.Error(), "response_mode") {
		t.Errorf("New with response_mode in the endpoint = %v, want an error", err)
	}
}

// TestM1_NamesOfTheLoopbackInterface: the cookie of one name would not come to
// another one.
func TestM1_NamesOfTheLoopbackInterface(t *testing.T) {
	for _, tt := range []struct{ redirectURL, openedAt, want string }{
		{"http://127.0.0.1/callback", "http://localhost", "http://127.0.0.1/authorize?return_to=%2Fhome"},
		{"http://127.0.0.1:80/callback", "http://localhost", "http://127.0.0.1/authorize?return_to=%2Fhome"},
		{"http://localhost/callback", "http://127.0.0.1", "http://localhost/authorize?return_to=%2Fhome"},
		{"http://localhost/callback", "http://[::1]", "http://localhost/authorize?return_to=%2Fhome"},
		{"http://[::1]:8080/callback", "http://localhost:8080", "http://[::1]:8080/authorize?return_to=%2Fhome"},
		{"https://127.0.0.1:8443/callback", "https://localhost:8443", "https://127.0.0.1:8443/authorize?return_to=%2Fhome"},
		{"http://app.localhost:3000/callback", "http://localhost:3000", "http://app.localhost:3000/authorize?return_to=%2Fhome"},
		{"http://app.localhost:3000/callback", "http://app.localhost:3000", ""},
		{"http://LOCALHOST:3000/callback", "http://localhost:3000", ""},
		{"http://127.0.0.1/callback", "http://127.0.0.1", ""},
		{"http://127.0.0.1/callback", "http://localhost:3000", ""}, // another program
		{"http://127.0.0.1/callback", "http://app.example", ""},    // a proxy
		{"https://app.example/callback", "https://localhost", ""},
	} {
		w := newWorld(t, setup{redirectURL: tt.redirectURL})
		b := newBrowser(t, w.mux)
		b.origin = tt.openedAt
		a := b.get("/authorize?return_to=/home")
		if tt.want == "" {
			if !strings.HasPrefix(a.location(), "https://x.com/") {
				t.Errorf("%s opened at %s: authorize = %d to %q, want the provider", tt.redirectURL, tt.openedAt, a.StatusCode, a.location())
			}
			continue
		}
		if a.location() != tt.want {
			t.Errorf("%s opened at %s leads to %q, want %q", tt.redirectURL, tt.openedAt, a.location(), tt.want)
		}
	}
}

// TestM1_BeginAtTheRegisteredName: the page opens again at the name that is
// registered, and begins the login there.
func TestM1_BeginAtTheRegisteredName(t *testing.T) {
	w := newWorld(t, setup{redirectURL: "http://127.0.0.1:8080/callback"})
	begin := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.login.Begin(rw, r, nil) })
	b := newBrowser(t, begin)
	b.origin = "http://localhost:8080"
	if a := b.get("/compose?x=1"); a.location() != "http://127.0.0.1:8080/compose?x=1" {
		t.Errorf("Begin at localhost leads to %q, want the page at the registered name", a.location())
	}
}

func TestM1_SeveralRedirectURLs(t *testing.T) {
	w := newWorld(t, setup{moreURLs: []string{secondURL}, options: middleware.Options{
		RedirectURLs: []string{secondURL, "https://app.example/callback", "https://www.app.example/callback"},
	}})
	routes := plainRouter{}
	w.login.Mount(routes)
	got := keysOf(routes)
	slices.Sort(got)
	want := []string{"/authorize", "/callback", "/disconnect", "/logout", "/second/callback"}
	if !slices.Equal(got, want) {
		t.Errorf("Mount registered %v, want %v", got, want)
	}
	for _, bad := range []string{"http://app.example/x", "http://127.0.0.1/x", "https://app.example", "https://app.example/authorize", "com.example:/x"} {
		grants := newGrants(t, setup{})
		if _, err := middleware.New(grants, newKeys(t), &middleware.Options{RedirectURLs: []string{bad}}); err == nil {
			t.Errorf("New with the redirect URL %q = nil, want an error", bad)
		}
	}
}

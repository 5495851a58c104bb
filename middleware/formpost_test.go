package middleware_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// postResponse sends an authorization response as the form of a page at the
// server: without cookies, which are SameSite=Lax.
func postResponse(t *testing.T, h http.Handler, form url.Values, headers ...string) answer {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/callback", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return answer{rec.Result(), rec.Body.String()}
}

func formPost(p *provider.Provider) {
	p.AuthorizationParams = url.Values{"response_mode": {"form_post"}}
}

// A posted response comes once more as a query, with the cookie of the login.
func TestFormPost(t *testing.T) {
	w := newWorld(t, setup{provider: func(p *provider.Provider) {
		formPost(p)
		p.KeepCallback = []string{"realmId"}
	}})
	b := newBrowser(t, w.mux)
	target := b.start("/home")
	if got := mustURL(t, target).Query().Get("response_mode"); got != "form_post" {
		t.Fatalf("response_mode = %q, want form_post", got)
	}
	response := mustURL(t, w.consent(target)).Query()
	response.Set("user", `{"name":"Alice"}`)
	response.Set("realmId", "7")
	a := postResponse(t, w.mux, response)
	if a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(a.location(), "/callback?") || strings.Contains(a.location(), "Alice") {
		t.Fatalf("POST /callback = %d to %q, want 303 to a query without facts about the user", a.StatusCode, a.location())
	}
	if got := mustURL(t, a.location()).Query().Get("realmId"); got != "7" {
		t.Errorf("the parameter that is kept = %q, want 7", got)
	}
	if len(a.Cookies()) != 0 || w.exchanges() != 0 {
		t.Error("a posted response is used up without the cookie of its login")
	}
	wantStatus(t, "the response in another browser", newBrowser(t, w.mux).get(a.location()), http.StatusBadRequest)
	if a := b.get(a.location(), "Sec-Fetch-Site", "cross-site"); a.location() != "/home" {
		t.Errorf("the response with the cookie = %d %q to %q, want /home", a.StatusCode, a.title(), a.location())
	}
}

func TestFormsThatAreRefused(t *testing.T) {
	w := newWorld(t, setup{provider: formPost})
	b := newBrowser(t, w.mux)
	response := mustURL(t, w.consent(b.start(""))).Query()
	twice := url.Values{"code": {"a", "b"}, "state": response["state"]}
	wantStatus(t, "two codes", b.get(postResponse(t, w.mux, twice).location()), http.StatusBadRequest)
	wantStatus(t, "a form in a frame", postResponse(t, w.mux, response, "Sec-Fetch-Dest", "iframe"), http.StatusForbidden)
	wantStatus(t, "a form that is too long", postResponse(t, w.mux, url.Values{"code": {strings.Repeat("c", 17<<10)}}), http.StatusBadRequest)
	wantStatus(t, "an empty form", b.get(postResponse(t, w.mux, url.Values{}).location()), http.StatusBadRequest)
	plain := newWorld(t, setup{})
	wantStatus(t, "a form where the server sends a query", postResponse(t, plain.mux, response), http.StatusMethodNotAllowed)
	if n := w.exchanges(); n != 0 {
		t.Errorf("%d exchanges, want none", n)
	}
}

// A router that cleans no paths may hand any path to Callback. A browser takes
// some of them for another host.
func TestAFormThatCameToAPathWithTwoSlashes(t *testing.T) {
	w := newWorld(t, setup{provider: formPost})
	for _, target := range []string{"//evil.example/callback", `/\evil.example/callback`, "/%2fevil.example/callback"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/callback", strings.NewReader("code=c&state=s"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.RequestURI = target
		rec := httptest.NewRecorder()
		w.login.Callback().ServeHTTP(rec, r)
		if to := rec.Header().Get("Location"); rec.Code != http.StatusBadRequest || to != "" {
			t.Errorf("POST %s = %d to %q, want 400", target, rec.Code, to)
		}
	}
}

// Only for all logins: the route of the callback must know.
func TestFormPostForOneLogin(t *testing.T) {
	var errs seen
	o := middleware.Options{OnError: errs.onError, OnBegin: func(*http.Request) *middleware.BeginOptions {
		return &middleware.BeginOptions{Params: url.Values{"response_mode": {"form_post"}}}
	}}
	w := newWorld(t, setup{options: o})
	wantStatus(t, "GET /authorize", newBrowser(t, w.mux).get("/authorize"), http.StatusInternalServerError)
	o.Params = url.Values{"response_mode": {"form_post"}}
	w = newWorld(t, setup{options: o})
	wantStatus(t, "GET /authorize where all logins have it", newBrowser(t, w.mux).get("/authorize"), http.StatusSeeOther)
}

package middleware_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/tokensource"
)

func TestErrorPage(t *testing.T) {
	for _, tt := range []struct {
		kind   error
		status int
		code   string
	}{
		{middleware.ErrAccessDenied, 403, "access_denied"},
		{middleware.ErrProvider, 502, "provider_error"},
		{middleware.ErrFlowNotFound, 400, "flow_not_found"},
		{middleware.ErrFlowUsed, 400, "flow_used"},
		{middleware.ErrIssuerMismatch, 400, "issuer_mismatch"},
		{middleware.ErrBadCallback, 400, "bad_callback"},
		{middleware.ErrForged, 400, "forged"},
		{middleware.ErrReturnPath, 400, "bad_return_path"},
		{middleware.ErrNotNavigation, 403, "not_a_navigation"},
		{middleware.ErrRefused, 403, "refused"},
		{middleware.ErrLoginFailed, 500, "login_failed"},
		{middleware.ErrLogoutFailed, 500, "logout_failed"},
		{middleware.ErrCrossOrigin, 403, "cross_origin"},
		{middleware.ErrMethod, 405, "method_not_allowed"},
		{middleware.ErrUnreadable, 500, "unreadable"},
		{tokensource.ErrTemporary, 503, "temporarily_unavailable"},
		{tokensource.ErrClient, 500, "misconfigured"},
	} {
		const hostile = `"><script>alert(1)</script>`
		err := fmt.Errorf("wrapped: %w", &middleware.Error{
			Op: "callback", Kind: tt.kind, Code: hostile, Description: hostile, Cause: hostile, Retry: "/login?x=" + hostile,
			Err: errors.New("inner " + hostile),
		})
		page := render(err, "text/html")
		wantStatus(t, tt.code, page, tt.status)
		if strings.Contains(page.body, "<script") || strings.Contains(page.body, "inner") {
			t.Errorf("%s: the page has what it must not show: %s", tt.code, page.body)
		}
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
			"Content-Type": "text/html; charset=utf-8",
		} {
			if got := page.Header.Get(name); got != want {
				t.Errorf("%s: %s = %q, want %q", tt.code, name, got, want)
			}
		}
		program := render(err, "application/json")
		wantStatus(t, tt.code, program, tt.status)
		if !strings.Contains(program.body, fmt.Sprintf("%q:%q", "error", tt.code)) || strings.Contains(program.body, "inner") {
			t.Errorf("%s: JSON = %s", tt.code, program.body)
		}
	}
}

// TestErrorPage_Policy: the page allows its own style by hash and nothing more.
// It cannot be framed (attack A45).
func TestErrorPage_Policy(t *testing.T) {
	page := render(&middleware.Error{Kind: middleware.ErrAccessDenied, Retry: "/authorize"}, "text/html")
	_, rest, _ := strings.Cut(page.body, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; frame-ancestors 'none'; base-uri 'none'"
	if got := page.Header.Get("Content-Security-Policy"); got != want {
		t.Errorf("Content-Security-Policy = %q, want %q", got, want)
	}
	for _, part := range []string{`name="viewport"`, "color-scheme:light dark", "system-ui", `lang="en"`, `<a href="/authorize">`} {
		if !strings.Contains(page.body, part) {
			t.Errorf("the page lacks %s", part)
		}
	}
}

// TestErrorPage_Links: no link of the page leads anywhere but to where an
// *Error says, and never to a script.
func TestErrorPage_Links(t *testing.T) {
	page := render(&middleware.Error{Kind: middleware.ErrAccessDenied, Retry: "javascript:alert(1)"}, "text/html")
	if strings.Contains(html.UnescapeString(page.body), `href="javascript:`) {
		t.Errorf("the page links to a script: %s", page.body)
	}
	if page := render(&middleware.Error{Kind: middleware.ErrAccessDenied}, "text/html"); strings.Contains(page.body, "<a ") {
		t.Errorf("the page has a link though there is nowhere to go: %s", page.body)
	}
}

func TestErrorPage_AnyError(t *testing.T) {
	page := render(errors.New("inner"), "text/html")
	if page.StatusCode != http.StatusInternalServerError || strings.Contains(page.body, "inner") {
		t.Errorf("page of an unknown error = %d %q", page.StatusCode, page.body)
	}
}

// TestOnErrorReplacesOnePage shows a page of the app's own for one kind and the
// default one for the rest.
func TestOnErrorReplacesOnePage(t *testing.T) {
	w := newWorld(t, setup{options: middleware.Options{OnError: func(w http.ResponseWriter, r *http.Request, err error) {
		if errors.Is(err, middleware.ErrAccessDenied) {
			http.Error(w, "our own page", http.StatusTeapot)
			return
		}
		middleware.ErrorPage(w, r, err)
	}}})
	b := newBrowser(t, w.mux)
	a := b.get("/callback?error=access_denied&state=" + query(t, b.start("/"), "state"))
	wantStatus(t, "denied", a, http.StatusTeapot)
	if a.Header.Get("Cache-Control") != "no-store" {
		t.Error("a page of the app's own may be cached")
	}
	wantStatus(t, "anything else", b.get("/callback"), http.StatusBadRequest)
}

func TestErrorText(t *testing.T) {
	err := &middleware.Error{
		Op: "callback", Kind: middleware.ErrProvider, Code: "server_error", Description: "Try later", Cause: "a guess",
		Err: &tokensource.Error{Op: "exchange", Kind: tokensource.ErrTemporary, Status: 503},
	}
	want := "middleware: callback: the authorization server reported an error: server_error (Try later): a guess: " +
		"tokensource: exchange: temporary failure: HTTP 503"
	if got := err.Error(); got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	for _, kind := range []error{middleware.ErrProvider, tokensource.ErrTemporary} {
		if !errors.Is(err, kind) {
			t.Errorf("errors.Is(err, %v) = false, want true", kind)
		}
	}
}

func render(err error, accept string) answer {
	r := httptest.NewRequest(http.MethodGet, "/callback", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	middleware.ErrorPage(w, r, err)
	return answer{w.Result(), w.Body.String()}
}

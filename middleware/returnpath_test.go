package middleware_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/middleware"
)

// M4: The path back after a login is a local path, or it is refused.
//
// TestM4_ReturnPath tries what open redirectors are made of (attack A08).
func TestM4_ReturnPath(t *testing.T) {
	good := []string{
		"/", "/home", "/a/b/", "/a?b=c&d=e", "/a?next=//evil.example", "/a?u=https://evil.example/%5c", "/a#b", "/@user/status/1",
		"/a//b", "/a:b", "/caf%C3%A9", "/100%25", "/a%20b", "/..a", "/.well-known/x", "/a..b", "/...", "/~u", "/a?q=%0d%0a",
		"/" + strings.Repeat("a", 1500),
	}
	bad := []string{
		"//evil.example", "///evil.example", `/\evil.example`, `\\evil.example`, `\/evil.example`, `/a\b`, `/a?b=\c`, `/a#\b`, "/%2fevil.example",
		"/%2f%2fevil.example", "%2f%2fevil.example", "/%5cevil.example", "/%5c%5cevil.example", "/%252fevil.example",
		"/%25252fevil.example", "/%255cevil.example", "/\t/evil.example", "/\n/evil.example", "/\r/evil.example", "\t//evil.example",
		" //evil.example", "/ /evil.example", "/a\x00b", "/a\x7fb", "/%09/evil.example", "/%0a/evil.example", "/%0d%0aSet-Cookie:x", "/%00",
		"/.//evil.example", "/..//evil.example", "/a/..//evil.example", "/%2e//evil.example", "/a/%2e%2e//evil.example", "/a/../b",
		"https://evil.example", "https:/evil.example", "https:evil.example", "http://app.example", "HTTPS://evil.example",
		"javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "evil.example", "home", "?a=b", "#a", "@evil.example",
		"//user@evil.example", "//evil.example/..", "/a\u2028b", "/\u3002evil", "/%zz", "/" + strings.Repeat("a", 2048),
		"/%252fevil.example/%25zz", "/%" + strings.Repeat("25", 12) + "2fevil.example",
	}
	w := newWorld(t, setup{})
	for _, target := range good {
		if a := w.logIn(newBrowser(t, w.mux), target); a.location() != target {
			t.Errorf("login with return_to %q ended at %q", target, a.location())
		}
	}
	var errs seen
	w = newWorld(t, setup{options: middleware.Options{OnError: errs.onError}})
	for _, target := range bad {
		b := newBrowser(t, w.mux)
		a := b.get("/authorize?return_to=" + url.QueryEscape(target))
		wantStatus(t, "return_to "+target, a, http.StatusBadRequest)
		errs.want(t, target, middleware.ErrReturnPath)
		if len(b.cookies("flow")) != 0 {
			t.Errorf("return_to %q started a flow", target)
		}
	}
}

func TestM4_ReturnPathIsGivenOnce(t *testing.T) {
	w := newWorld(t, setup{options: middleware.Options{AfterLogin: "/welcome"}})
	b := newBrowser(t, w.mux)
	wantStatus(t, "two return paths", b.get("/authorize?return_to=/a&return_to=/b"), http.StatusBadRequest)
	wantStatus(t, "broken query", b.get("/authorize?return_to=/a%zz"), http.StatusBadRequest)
	for _, target := range []string{"/authorize", "/authorize?return_to="} {
		if a := b.get(w.consent(b.get(target).location())); a.location() != "/welcome" {
			t.Errorf("login from %s ended at %q, want AfterLogin", target, a.location())
		}
	}
}

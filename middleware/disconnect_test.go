package middleware_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// M5: Disconnecting is a POST from the same origin, revokes the refresh token
// and then the access token, and can be retried.
func TestM5_Disconnect(t *testing.T) {
	w := newWorld(t, setup{options: middleware.Options{AfterLogout: "/bye"}})
	b := newBrowser(t, w.mux)
	w.logIn(b, "")
	a := b.do(http.MethodPost, "/disconnect")
	if a.StatusCode != http.StatusSeeOther || a.location() != "/bye" {
		t.Errorf("POST /disconnect = %d to %q, want 303 to /bye", a.StatusCode, a.location())
	}
	if got := a.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control = %q, want no-store", got)
	}
	var hints []string
	for _, r := range w.fake.Requests() {
		if r.Path == xapi.PathRevoke {
			hints = append(hints, r.Raw().PostForm.Get("token_type_hint"))
		}
	}
	if strings.Join(hints, " ") != "refresh_token access_token" {
		t.Errorf("revoked %q, want the refresh token and then the access token", hints)
	}
	if got := b.cookies("authtrip"); len(got) != 0 {
		t.Errorf("cookies after the disconnect = %v, want none", got)
	}
	wantStatus(t, "page after the disconnect", b.get("/timeline"), http.StatusSeeOther)
	wantStatus(t, "disconnect when logged out", b.do(http.MethodPost, "/disconnect"), http.StatusSeeOther)
}

// A server that does not answer holds up the browser for no longer than a proxy
// waits, and the logout goes on.
func TestM5_RevocationHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var errs seen
		w := newWorld(t, setup{options: middleware.Options{OnError: errs.onError}})
		b := newBrowser(t, w.mux)
		w.logIn(b, "")
		w.fake.Inject(oauthtest.Match{Path: xapi.PathRevoke}, oauthtest.Fault{Hang: true}, -1)
		start := time.Now()
		wantStatus(t, "disconnect while the server hangs", b.do(http.MethodPost, "/disconnect"), http.StatusServiceUnavailable)
		if e := errs.facts(t, "disconnect while the server hangs", middleware.ErrLogoutFailed); e.Retry != "/disconnect" {
			t.Errorf("Retry = %q, want another try", e.Retry)
		}
		if took := time.Since(start); took > 25*time.Second {
			t.Errorf("the browser waited for %v", took)
		}
		time.Sleep(time.Minute)
		w.fake.ClearFaults()
		wantStatus(t, "disconnect when it answers", b.do(http.MethodPost, "/disconnect"), http.StatusSeeOther)
		if got := b.cookies("authtrip"); len(got) != 0 {
			t.Errorf("cookies after the disconnect = %v, want none", got)
		}
	})
}

func TestM5_RevocationFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var errs seen
		w := newWorld(t, setup{options: middleware.Options{OnError: errs.onError}})
		b := newBrowser(t, w.mux)
		w.logIn(b, "")
		w.fake.Inject(oauthtest.Match{Path: xapi.PathRevoke}, oauthtest.Fault{Status: 503}, -1)
		for range 2 { // the second time without a session
			a := b.do(http.MethodPost, "/disconnect")
			wantStatus(t, "disconnect while the server is down", a, http.StatusServiceUnavailable)
			e := errs.facts(t, "disconnect while the server is down", middleware.ErrLogoutFailed)
			if e.Retry != "/disconnect" || !strings.Contains(a.body, `<form method="post" action="/disconnect">`) {
				t.Errorf("Retry = %q, page %q; want a button to try again", e.Retry, a.title())
			}
			if len(b.cookies("session")) != 0 {
				t.Error("the session has not ended")
			}
			ctx := w.grants.WithSubject(t.Context(), oauthtest.DefaultUser().ID)
			if _, err := w.grants.Token(ctx); err == nil {
				t.Error("the grant can still be used")
			}
		}
		w.fake.ClearFaults()
		wantStatus(t, "disconnect when it is up", b.do(http.MethodPost, "/disconnect"), http.StatusSeeOther)
		if n := revocations(w.fake); n != 2 {
			t.Errorf("%d revocations, want 2", n)
		}
		if got := b.cookies("authtrip"); len(got) != 0 {
			t.Errorf("cookies after the disconnect = %v, want none", got)
		}
	})
}

// TestM5_RetryIsForThatDisconnect: the cookie of a failed logout ends no later
// grant, is no session, and expires.
func TestM5_RetryIsForThatDisconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		b := newBrowser(t, w.mux)
		session := sessionOf(t, w.logIn(b, ""))
		w.fake.Inject(oauthtest.Match{Path: xapi.PathRevoke}, oauthtest.Fault{Status: 503}, 2)
		a := b.do(http.MethodPost, "/disconnect")
		var retry *http.Cookie
		for _, c := range a.Cookies() {
			if strings.HasSuffix(c.Name, "disconnect") && c.Value != "" {
				retry = c
			}
		}
		if retry == nil {
			t.Fatal("no cookie for another attempt")
		}
		wantStatus(t, "retry cookie as session", newBrowser(t, w.mux).get("/timeline", "Cookie", session.Name+"="+retry.Value), http.StatusSeeOther)

		w.logIn(b, "")
		if got := b.cookies("disconnect"); len(got) != 0 {
			t.Errorf("after a new login there is still %v", got)
		}
		old := newBrowser(t, w.mux).do(http.MethodPost, "/disconnect", "Cookie", retry.Name+"="+retry.Value)
		wantStatus(t, "retry of the old disconnect", old, http.StatusSeeOther)
		wantStatus(t, "the new session after it", b.get("/timeline"), http.StatusOK)

		w.fake.Inject(oauthtest.Match{Path: xapi.PathRevoke}, oauthtest.Fault{Status: 503}, 2)
		for _, c := range b.do(http.MethodPost, "/disconnect").Cookies() {
			if strings.HasSuffix(c.Name, "disconnect") && c.Value != "" {
				retry = c
			}
		}
		time.Sleep(10 * time.Minute)
		before := len(w.fake.Requests())
		newBrowser(t, w.mux).do(http.MethodPost, "/disconnect", "Cookie", retry.Name+"="+retry.Value)
		if n := len(w.fake.Requests()) - before; n != 0 {
			t.Errorf("an expired retry made %d requests, want none", n)
		}
	})
}

// TestM5_RetryIsNoSession: when not even the store could be told, the grant
// lives on, but nobody is logged in.
func TestM5_RetryIsNoSession(t *testing.T) {
	store := &brokenStore{Store: storage.NewMemory()}
	w := newWorld(t, setup{store: store})
	b := newBrowser(t, w.mux)
	session := sessionOf(t, w.logIn(b, ""))
	store.set(func(op, _ string) bool { return op != "get" })
	a := b.do(http.MethodPost, "/disconnect")
	wantStatus(t, "disconnect while the store is down", a, http.StatusServiceUnavailable)
	store.set(nil)
	for _, c := range a.Cookies() {
		page := newBrowser(t, w.mux).get("/timeline", "Cookie", session.Name+"="+c.Value)
		wantStatus(t, "cookie "+c.Name+" as session", page, http.StatusSeeOther)
	}
	wantStatus(t, "disconnect again", b.do(http.MethodPost, "/disconnect"), http.StatusSeeOther)
	if n := revocations(w.fake); n != 2 {
		t.Errorf("%d revocations, want 2", n)
	}
}

func TestM5_ProgramGetsJSON(t *testing.T) {
	w := newWorld(t, setup{})
	b := newBrowser(t, w.mux)
	w.logIn(b, "")
	w.fake.Inject(oauthtest.Match{Path: xapi.PathRevoke}, oauthtest.Fault{Status: 503}, -1)
	a := b.do(http.MethodPost, "/disconnect", "Accept", "application/json", "Sec-Fetch-Mode", "cors")
	if !strings.Contains(a.body, `"error":"logout_failed"`) || !strings.Contains(a.body, `"retry":"/disconnect"`) {
		t.Errorf("body = %q, want logout_failed and where to retry", a.body)
	}
}

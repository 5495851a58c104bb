package middleware_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// TestM9_LogoutEndsOneSession: the grant and the other sessions live on.
func TestM9_LogoutEndsOneSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{options: middleware.Options{AfterLogout: "/bye"}})
		phone, desk := newBrowser(t, w.mux), newBrowser(t, w.mux)
		stolen := sessionOf(t, w.logIn(phone, ""))
		time.Sleep(time.Hour) // so that the server is known to have ended the tokens of this login
		w.logIn(desk, "")
		a := phone.do(http.MethodPost, "/logout")
		if a.StatusCode != http.StatusSeeOther || a.location() != "/bye" {
			t.Errorf("POST /logout = %d to %q, want 303 to /bye", a.StatusCode, a.location())
		}
		if got := a.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("Cache-Control = %q, want no-store", got)
		}
		if got := phone.cookies("authtrip"); len(got) != 0 {
			t.Errorf("cookies after the logout = %v, want none", got)
		}
		wantStatus(t, "page after the logout", phone.get("/timeline"), http.StatusSeeOther)
		copied := newBrowser(t, w.mux).get("/timeline", "Cookie", stolen.Name+"="+stolen.Value)
		wantStatus(t, "page with a copy of the cookie", copied, http.StatusSeeOther)
		wantStatus(t, "page in the other browser", desk.get("/timeline"), http.StatusOK)
		wantStatus(t, "logout when logged out", phone.do(http.MethodPost, "/logout"), http.StatusSeeOther)
		wantStatus(t, "disconnect with the copy of the cookie",
			newBrowser(t, w.mux).do(http.MethodPost, "/disconnect", "Cookie", stolen.Name+"="+stolen.Value), http.StatusSeeOther)
		if n := revocations(w.fake); n != 0 {
			t.Errorf("%d revocations, want none", n)
		}
		if _, err := w.grants.Source(oauthtest.DefaultUser().ID).Token(t.Context()); err != nil {
			t.Errorf("Token after the logout = %v, want one", err)
		}
	})
}

// TestM9_LogoutWhileTheStoreFails: the browser has no session any more, this
// process does not honour it, and another POST ends it.
func TestM9_LogoutWhileTheStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var errs seen
		store := &brokenStore{Store: storage.NewMemory()}
		w := newWorld(t, setup{store: store, options: middleware.Options{OnError: errs.onError}})
		b := newBrowser(t, w.mux)
		session := sessionOf(t, w.logIn(b, ""))
		wantStatus(t, "page", b.get("/timeline"), http.StatusOK)
		stolen := func() answer { return newBrowser(t, w.mux).get("/timeline", "Cookie", session.Name+"="+session.Value) }
		store.set(func(string, string) bool { return true })
		a := b.do(http.MethodPost, "/logout")
		wantStatus(t, "logout", a, http.StatusServiceUnavailable)
		if e := errs.facts(t, "logout", middleware.ErrLogoutFailed); e.Retry != "/logout" || !errors.Is(e, errBroken) {
			t.Errorf("Retry = %q and error %v, want another try and the reason", e.Retry, e)
		}
		for _, c := range a.Cookies() {
			planted := newBrowser(t, w.mux).get("/timeline", "Cookie", session.Name+"="+c.Value)
			if planted.StatusCode == http.StatusOK {
				t.Errorf("cookie %s is a session", c.Name)
			}
		}
		if got := stolen().StatusCode; got == http.StatusOK {
			t.Errorf("page with the old cookie = %d, want no page", got)
		}
		store.set(nil)
		time.Sleep(time.Minute)
		wantStatus(t, "logout again", b.do(http.MethodPost, "/logout"), http.StatusSeeOther)
		if got := b.cookies("authtrip"); len(got) != 0 {
			t.Errorf("cookies after the logout = %v, want none", got)
		}
		wantStatus(t, "page with the old cookie at last", stolen(), http.StatusSeeOther)
		if list, err := w.login.Sessions(t.Context(), oauthtest.DefaultUser().ID); len(list) != 0 || err != nil {
			t.Errorf("Sessions = %v, %v, want none", list, err)
		}
	})
}

func TestM5_OnlyFromThisSite(t *testing.T) {
	var errs seen
	w := newWorld(t, setup{options: middleware.Options{OnError: errs.onError}})
	b := newBrowser(t, w.mux)
	w.logIn(b, "")
	tests := []struct {
		method  string
		headers []string
		status  int
		kind    error
	}{
		{"POST", []string{"Sec-Fetch-Site", "cross-site"}, 403, middleware.ErrCrossOrigin},
		{"POST", []string{"Sec-Fetch-Site", "same-site"}, 403, middleware.ErrCrossOrigin},
		{"POST", []string{"Sec-Fetch-Site", "", "Origin", "https://evil.example"}, 403, middleware.ErrCrossOrigin},
		{"POST", []string{"Sec-Fetch-Site", "", "Origin", "null"}, 403, middleware.ErrCrossOrigin},
		{"GET", nil, 405, middleware.ErrMethod},
		{"GET", []string{"Sec-Fetch-Site", "cross-site"}, 405, middleware.ErrMethod},
		{"HEAD", nil, 405, middleware.ErrMethod},
		{"DELETE", nil, 405, middleware.ErrMethod},
	}
	for _, tt := range tests {
		for _, path := range []string{"/logout", "/disconnect"} {
			what := tt.method + " " + path + " " + strings.Join(tt.headers, " ")
			wantStatus(t, what, b.do(tt.method, path, tt.headers...), tt.status)
			errs.want(t, what, tt.kind)
		}
	}
	if n := revocations(w.fake); n != 0 {
		t.Errorf("%d revocations, want none", n)
	}
	wantStatus(t, "page after all of that", b.get("/timeline"), http.StatusOK)
	wantStatus(t, "behind a proxy that rewrites Host",
		b.at(hostRewriter{w.mux}).do("POST", "/logout", "Sec-Fetch-Site", "", "Origin", "https://app.example"), http.StatusSeeOther)
}

type hostRewriter struct{ next http.Handler }

func (h hostRewriter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Host = "10.0.0.7:8080"
	h.next.ServeHTTP(w, r)
}

// TestM5_GetShowsAButton: a plain link to one of the routes works for people
// and is no danger.
func TestM5_GetShowsAButton(t *testing.T) {
	w := newWorld(t, setup{})
	for _, path := range []string{"/logout", "/disconnect"} {
		a := newBrowser(t, w.mux).get(path)
		if a.Header.Get("Allow") != "POST" || !strings.Contains(a.body, `<form method="post" action="`+path+`">`) {
			t.Errorf("GET %s: Allow %q, page %q; want POST and a form", path, a.Header.Get("Allow"), a.body)
		}
	}
}

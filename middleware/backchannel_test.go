package middleware_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

var backChannel = middleware.Options{BackChannelLogoutPath: "/backchannel"}

// logoutToken returns the form with which the server reports a logout.
func (w openIDWorld) logoutToken(id, sub, sid string) url.Values {
	w.t.Helper()
	claims := map[string]any{"jti": id, "exp": time.Now().Add(2 * time.Minute).Unix()}
	if sub != "" {
		claims["sub"] = sub
	}
	if sid != "" {
		claims["sid"] = sid
	}
	raw, err := w.tokens.IDToken(claims, "")
	if err != nil {
		w.t.Fatal(err)
	}
	return url.Values{"logout_token": {raw}}
}

// A logout token ends the sessions of a session at the server, or all of the
// user, and no others. The grant ends with the last session.
func TestBackChannelLogout(t *testing.T) {
	for _, tt := range []struct {
		name, sub, sid      string
		phone, desk, bobs   bool // live on
		grant               bool
		scopes              []string
		identify, sharedSID bool
	}{
		{name: "one session of two", sub: "alice", sid: "session-1", desk: true, bobs: true, grant: true},
		{name: "one session of two, without the user", sid: "session-1", desk: true, bobs: true, grant: true},
		{name: "the later session of two", sub: "alice", sid: "session-2", phone: true, bobs: true, grant: true},
		{name: "the user", sub: "alice", bobs: true},
		{name: "both sessions at once", sid: "shared", bobs: true, sharedSID: true},
		{name: "another user", sub: "carol", phone: true, desk: true, bobs: true, grant: true},
		{name: "another session", sid: "session-9", phone: true, desk: true, bobs: true, grant: true},
		{name: "a session of another user", sub: "alice", sid: "session-3", phone: true, desk: true, bobs: true, grant: true},
		{name: "a grant for offline access", sub: "alice", bobs: true, grant: true, scopes: []string{"openid", "offline_access"}},
		{name: "a user whom the app names", sub: "alice", bobs: true, identify: true},
		{name: "a session of a user whom the app names", sid: "session-1", desk: true, bobs: true, grant: true, identify: true},
		{name: "a user whom the app does not name so", sub: "my alice", phone: true, desk: true, bobs: true, grant: true, identify: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			o, prefix := backChannel, ""
			if tt.identify {
				prefix = "my "
				o.Identify = func(_ context.Context, tok *oauth2.Token) (provider.Identity, error) {
					raw, _ := tok.Extra("id_token").(string)
					c, _ := readToken(raw)
					return provider.Identity{Subject: prefix + c.Sub}, nil
				}
			}
			w := newOpenIDWorld(t, setup{options: o}, tt.scopes...)
			if tt.sharedSID {
				w.fake.Set(func(k *oauthtest.Knobs) {
					k.Token.IDToken = func(c map[string]any) {
						if c["sub"] == "alice" {
							c["sid"] = "shared"
						}
					}
				})
			}
			phone, desk, bob := newBrowser(t, w.mux), newBrowser(t, w.mux), newBrowser(t, w.mux)
			w.logInAs(phone, "alice")
			w.logInAs(desk, "alice")
			w.logInAs(bob, "bob")
			a := w.post("/backchannel", w.logoutToken("j1", tt.sub, tt.sid))
			if a.StatusCode != http.StatusOK || a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: the answer is %d %q with Cache-Control %q, want 200 and no-store", tt.name, a.StatusCode, a.body, a.Header.Get("Cache-Control"))
			}
			for browser, lives := range map[*browser]bool{phone: tt.phone, desk: tt.desk, bob: tt.bobs} {
				if got := browser.get("/timeline").StatusCode == http.StatusOK; got != lives {
					t.Errorf("%s: session of phone %v, desk %v, bob %v: lives %v, want %v", tt.name, browser == phone, browser == desk, browser == bob, got, lives)
				}
			}
			if _, err := w.grants.Source(prefix + "alice").Token(t.Context()); (err == nil) != tt.grant {
				t.Errorf("%s: Token() = %v, want a grant: %v", tt.name, err, tt.grant)
			}
			live := 0
			for _, g := range w.fake.Grants() {
				if g.UserID == "alice" {
					live += g.LiveAccess
				}
			}
			if (live > 0) != tt.grant {
				t.Errorf("%s: %d access tokens of alice are alive at the server, want a grant: %v", tt.name, live, tt.grant)
			}
		})
	}
}

func TestBackChannelLogoutRefuses(t *testing.T) {
	var mu sync.Mutex
	refused := 0
	o := backChannel
	o.OnEvent = func(_ context.Context, e tokensource.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Kind == middleware.EventRefused {
			refused++
		}
	}
	w := newOpenIDWorld(t, setup{options: o})
	b := newBrowser(t, w.mux)
	w.logInAs(b, "alice")
	good := w.logoutToken("j", "alice", "")["logout_token"][0]
	for name, form := range map[string]url.Values{
		"nothing":                {},
		"an empty token":         {"logout_token": {""}},
		"two tokens":             {"logout_token": {good, good}},
		"a token of nobody":      {"logout_token": {"%%%"}},
		"a form of more than 16": {"logout_token": {good}, "x": {strings.Repeat("x", 17<<10)}},
	} {
		a := w.post("/backchannel", form)
		if a.StatusCode != http.StatusBadRequest || a.Header.Get("Cache-Control") != "no-store" || !strings.Contains(a.body, `"invalid_request"`) {
			t.Errorf("%s: the answer is %d %q, want 400 and no-store", name, a.StatusCode, a.body)
		}
	}
	if refused != 5 {
		t.Errorf("%d events of refused requests, want 5", refused)
	}
	wantStatus(t, "a token in the query", w.post("/backchannel?logout_token="+url.QueryEscape(good), nil), http.StatusBadRequest)
	wantStatus(t, "GET", b.get("/backchannel?logout_token="+url.QueryEscape(good)), http.StatusMethodNotAllowed)
	wantStatus(t, "the page after all of that", b.get("/timeline"), http.StatusOK)
	wantStatus(t, "the route where there is none", newOpenIDWorld(t, setup{}).post("/backchannel", url.Values{"logout_token": {good}}), http.StatusNotFound)
}

// A logout token is used once: it must not end a later session.
func TestBackChannelLogoutTokenThatIsReplayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOpenIDWorld(t, setup{options: backChannel})
		b := newBrowser(t, w.mux)
		w.logInAs(b, "alice")
		form := w.logoutToken("j1", "alice", "")
		wantStatus(t, "the first time", w.post("/backchannel", form), http.StatusOK)
		w.logInAs(b, "alice")
		wantStatus(t, "a replay", w.post("/backchannel", form), http.StatusBadRequest)
		wantStatus(t, "the page after the replay", b.get("/timeline"), http.StatusOK)
		wantStatus(t, "another token", w.post("/backchannel", w.logoutToken("j2", "alice", "")), http.StatusOK)
		wantStatus(t, "the page after another token", b.get("/timeline"), http.StatusSeeOther)
	})
}

// While the store fails nothing is used up: the server may send the token once
// more.
func TestBackChannelLogoutWhileTheStoreFails(t *testing.T) {
	for _, keys := range []string{"middleware.used.", "middleware.server.", "sessions.", "grant."} {
		for _, op := range []string{"get", "put"} {
			synctest.Test(t, func(t *testing.T) {
				store := newBrokenStore(nil)
				w := newOpenIDWorld(t, setup{store: store, options: backChannel})
				b := newBrowser(t, w.mux)
				w.logInAs(b, "alice")
				form := w.logoutToken("j1", "alice", "")
				store.set(func(o, key string) bool { return o == op && strings.HasPrefix(key, keys) })
				a := w.post("/backchannel", form)
				failed := !slices.Contains([]string{"put middleware.server.", "put sessions."}, op+" "+keys)
				if failed && (a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, "temporarily_unavailable")) {
					t.Errorf("without %s %s: the answer is %d %q, want 400", op, keys, a.StatusCode, a.body)
				}
				store.set(nil)
				time.Sleep(time.Minute)
				if failed {
					wantStatus(t, fmt.Sprintf("the same token after %s %s failed", op, keys), w.post("/backchannel", form), http.StatusOK)
				}
				wantStatus(t, "the page", b.get("/timeline"), http.StatusSeeOther)
				if _, err := w.grants.Source("alice").Token(t.Context()); err == nil {
					t.Errorf("after %s %s failed the grant lives on", op, keys)
				}
			})
		}
	}
}

// The login does not begin a session that a logout token could not find.
func TestALoginWhoseSessionCannotBeNoted(t *testing.T) {
	store := newBrokenStore(func(op, key string) bool { return op == "put" && strings.HasPrefix(key, "middleware.server.") })
	w := newOpenIDWorld(t, setup{store: store, options: backChannel})
	b := newBrowser(t, w.mux)
	wantStatus(t, "callback", b.get(w.consentAs("alice", b.start(""))), http.StatusServiceUnavailable)
	store.set(nil)
	wantStatus(t, "try again", b.get("/authorize?resume=1"), http.StatusSeeOther)
	wantStatus(t, "page", b.get("/timeline"), http.StatusOK)
	wantStatus(t, "the logout", w.post("/backchannel", w.logoutToken("j1", "", "session-1")), http.StatusOK)
	wantStatus(t, "page after the logout", b.get("/timeline"), http.StatusSeeOther)
}

// The server has no session of the app: its requests pass Require, also where
// the whole mux is behind it.
func TestBackChannelLogoutBehindRequire(t *testing.T) {
	w := newOpenIDWorld(t, setup{options: backChannel})
	b := newBrowser(t, w.mux)
	w.logInAs(b, "alice")
	form := w.logoutToken("j1", "alice", "").Encode()
	for name, h := range map[string]http.Handler{
		"the mux behind Require":                          w.login.Require(w.mux),
		"the handler of all routes in a part of a router": http.StripPrefix("", w.login.Handler()),
		"the handler of the route":                        w.login.BackChannelLogout(),
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/backchannel", strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if rec.Code != http.StatusOK {
			t.Errorf("%s: the answer is %d to %q, want 200", name, rec.Code, rec.Header().Get("Location"))
		}
		form = w.logoutToken("another for "+name, "alice", "").Encode()
	}
	if s := w.session(b); s.ID != "" {
		t.Error("the session lives on")
	}
	if a := w.post("/backchannel", url.Values{"logout_token": {"x"}}); a.StatusCode != http.StatusBadRequest {
		t.Errorf("a bad token = %d, want 400", a.StatusCode)
	}
}

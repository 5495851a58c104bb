package nativeapp_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/authtrip/authtrip/internal/servertest"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

var user = oauthtest.DefaultUser().ID

func TestLoopbackLogsIn(t *testing.T) {
	for name, redirect := range map[string]string{
		"127.0.0.1 with a path": "http://127.0.0.1/callback", "127.0.0.1 with another port": "http://127.0.0.1:9/a/b",
		"no path": "http://127.0.0.1", "[::1]": "http://[::1]/callback",
		"a query": "http://127.0.0.1/callback?app=1",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.redirect = redirect
			if strings.Contains(redirect, "::1") && !has("::1") {
				t.Skip("this machine has no IPv6")
			}
			var host string
			app := w.app(&nativeapp.Options{Open: w.browser(func(u *url.URL) { host = u.Hostname() })})
			id, err := app.Loopback(t.Context(), nil)
			if err != nil || id.Subject != user || !w.stored(user) {
				t.Fatalf("Loopback(%s) = %+v, %v, want the user, with a grant", redirect, id, err)
			}
			if u, _ := url.Parse(redirect); host != u.Hostname() {
				t.Errorf("the answer went to %s, want the registered host", host)
			}
		})
	}
}

func has(address string) bool {
	l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err == nil {
		_ = l.Close()
	}
	return err == nil
}

func TestLoopbackUsesTheRegisteredPort(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "localhost"} {
		w := newWorld(t)
		w.redirect = "http://" + host + ":" + servertest.FreePort(t) + "/callback"
		registeredPort(w)
	}
}

func registeredPort(w *world) {
	w.Helper()
	w.changed = func(p *provider.Provider) { p.AnyLoopbackPort = false }
	var got string
	app := w.app(&nativeapp.Options{Open: w.browser(func(u *url.URL) { got = u.Host })})
	if _, err := app.Loopback(w.Context(), nil); err != nil || !strings.HasSuffix(w.redirect, got+"/callback") {
		w.Errorf("Loopback() = %v with the answer at %s, want %s", err, got, w.redirect)
	}
	taken, err := net.Listen("tcp", got)
	if err != nil {
		w.Fatalf("after the login somebody still listens: %v", err)
	}
	defer taken.Close()
	if _, err := app.Loopback(w.Context(), nil); err == nil || !strings.Contains(err.Error(), "another program") {
		w.Errorf("Loopback(port in use) = %v, want an error that says so", err)
	}
}

// R144: what is not the answer to the login does not end it.
func TestLoopbackStrayRequests(t *testing.T) {
	w := newWorld(t)
	app := w.app(&nativeapp.Options{Open: w.browser(func(u *url.URL) {
		at, state := "http://"+u.Host, "?state="+url.QueryEscape(u.Query().Get("state"))
		for name, stray := range map[string]struct {
			method, url string
			header      http.Header
			want        int
		}{
			"favicon":                 {"GET", at + "/favicon.ico", nil, 404},
			"another path":            {"GET", at + "/" + state + "&code=evil", nil, 404},
			"a path below":            {"GET", u.Scheme + "://" + u.Host + "/callback/x" + state + "&code=evil", nil, 404},
			"no state":                {"GET", at + "/callback?code=evil", nil, 400},
			"another state":           {"GET", at + "/callback?code=evil&state=guess", nil, 400},
			"two states":              {"GET", u.String() + "&state=guess", nil, 400},
			"a denial without state":  {"GET", at + "/callback?error=access_denied", nil, 400},
			"no query":                {"GET", at + "/callback", nil, 400},
			"POST":                    {"POST", u.String(), nil, 405},
			"HEAD":                    {"HEAD", u.String(), nil, 405},
			"OPTIONS":                 {"OPTIONS", u.String(), nil, 405},
			"a name of a stranger":    {"GET", u.String(), http.Header{"Host": {"rebound.example"}}, 421},
			"another name":            {"GET", u.String(), http.Header{"Host": {"localhost:" + u.Port()}}, 421},
			"the host without a port": {"GET", u.String(), http.Header{"Host": {"127.0.0.1"}}, 421},
			"prefetch":                {"GET", u.String(), http.Header{"Sec-Purpose": {"prefetch"}}, 403},
			"image":                   {"GET", u.String(), http.Header{"Sec-Fetch-Dest": {"image"}}, 403},
			"script of another site":  {"GET", u.String(), http.Header{"Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"cors"}}, 403},
		} {
			status, text := w.visit(stray.method, stray.url, stray.header)
			if status != stray.want || strings.Contains(text, "evil") || !strings.Contains(text, "no-store") {
				t.Errorf("%s: %d %s, want %d without an echo", name, status, text, stray.want)
			}
		}
		scanner, err := net.Dial("tcp", u.Host)
		if err == nil {
			t.Cleanup(func() { _ = scanner.Close() })
		}
	})})
	if id, err := app.Loopback(t.Context(), nil); err != nil || id.Subject != user {
		t.Errorf("Loopback() among stray requests = %+v, %v, want the user", id, err)
	}
	if n := w.fake.TokenCalls("authorization_code"); n != 1 {
		t.Errorf("%d exchanges, want 1", n)
	}
}

func TestLoopbackPage(t *testing.T) {
	w := newWorld(t)
	var status int
	var text string
	shown := make(chan struct{})
	open := func(ctx context.Context, target string) error {
		answer, err := w.fake.Authorize(ctx, "", target)
		go func() {
			defer close(shown)
			status, text = w.get(answer + "&error_description=<script>alert(1)</script>")
		}()
		return err
	}
	if _, err := w.app(&nativeapp.Options{Open: open}).Loopback(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	<-shown
	for _, want := range []string{"Content-Security-Policy: default-src 'none'", "Cache-Control: no-store", "Referrer-Policy: no-referrer", "You are logged in"} {
		if status != 200 || !strings.Contains(text, want) {
			t.Errorf("the page = %d %s, want %q in it", status, text, want)
		}
	}
	if strings.Contains(text, "script>") || strings.Contains(text, "http") && strings.Contains(text, "src=") {
		t.Errorf("the page repeats what it was sent, or loads something: %s", text)
	}
}

// Answers with the right state end the login, whatever they say.
func TestLoopbackAnswersThatEndTheLogin(t *testing.T) {
	for name, tt := range map[string]struct {
		knobs func(*oauthtest.Knobs)
		want  error
	}{
		"the user refuses":        {func(k *oauthtest.Knobs) { k.Authorize.Deny = true }, nativeapp.ErrDenied},
		"another issuer":          {func(k *oauthtest.Knobs) { k.Authorize.SendIss = "https://evil.example" }, nativeapp.ErrResponse},
		"issuer with a slash":     {func(k *oauthtest.Knobs) { k.Authorize.SendIss = "https://auth.example/" }, nativeapp.ErrResponse},
		"no issuer":               {func(k *oauthtest.Knobs) { k.Authorize.SendIss = "-" }, nativeapp.ErrResponse},
		"two codes":               {func(k *oauthtest.Knobs) { k.Authorize.DuplicateCode = true }, nativeapp.ErrResponse},
		"a code and an error":     {func(k *oauthtest.Knobs) { k.Authorize.ExtraParams = url.Values{"error": {"x"}} }, nativeapp.ErrResponse},
		"a denial without iss":    {func(k *oauthtest.Knobs) { k.Authorize.Deny, k.Authorize.SendIss = true, "-" }, nativeapp.ErrResponse},
		"a denial of other iss":   {func(k *oauthtest.Knobs) { k.Authorize.Deny, k.Authorize.SendIss = true, "https://evil.example" }, nativeapp.ErrResponse},
		"an issuer that is twice": {func(k *oauthtest.Knobs) { k.Authorize.ExtraParams = url.Values{"iss": {"https://evil.example"}} }, nativeapp.ErrResponse},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			app := w.app(&nativeapp.Options{Open: w.browser(nil)})
			w.fake.Set(tt.knobs)
			_, err := app.Loopback(t.Context(), nil)
			if !errors.Is(err, tt.want) || w.fake.TokenCalls("authorization_code") != 0 {
				t.Errorf("Loopback() = %v with %d exchanges, want %v and none", err, w.fake.TokenCalls("authorization_code"), tt.want)
			}
		})
	}
}

func TestLoopbackEndsWithoutAnAnswer(t *testing.T) {
	gone, nothing := errors.New("the user pressed Ctrl-C"), func(context.Context, string) error { return nil }
	w := newWorld(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	if _, err := w.app(&nativeapp.Options{Open: nothing}).Loopback(ctx, nil); !errors.Is(err, gone) {
		t.Errorf("Loopback(ended context) = %v, want its cause", err)
	}
	w = newWorld(t)
	if _, err := w.app(&nativeapp.Options{Open: nothing, Timeout: time.Millisecond}).Loopback(t.Context(), nil); !errors.Is(err, nativeapp.ErrExpired) {
		t.Errorf("Loopback(nobody answers) = %v, want ErrExpired", err)
	}
	w = newWorld(t)
	none := func(context.Context, string) error { return nativeapp.ErrNoBrowser }
	if _, err := w.app(&nativeapp.Options{Open: none}).Loopback(t.Context(), nil); !errors.Is(err, nativeapp.ErrNoBrowser) {
		t.Errorf("Loopback(no browser) = %v, want ErrNoBrowser", err)
	}
	w = newWorld(t)
	w.redirect = "https://app.example/callback"
	if _, err := w.app(&nativeapp.Options{Open: nothing}).Loopback(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "not on this machine") {
		t.Errorf("Loopback(redirect URL of a web app) = %v, want an error that says so", err)
	}
	w = newWorld(t)
	form := &nativeapp.LoginOptions{Params: url.Values{"response_mode": {"form_post"}}}
	if _, err := w.app(&nativeapp.Options{Open: nothing}).Loopback(t.Context(), form); err == nil || !strings.Contains(err.Error(), "response_mode") {
		t.Errorf("Loopback(form_post) = %v, want an error that says so", err)
	}
}

// R145: state and PKCE are in each request, and differ each time.
func TestLoopbackRequest(t *testing.T) {
	w := newWorld(t)
	seen := map[string]bool{}
	browser := w.browser(nil)
	app := w.app(&nativeapp.Options{Open: func(ctx context.Context, target string) error {
		u, _ := url.Parse(target)
		q := u.Query()
		if q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || len(q.Get("state")) < 43 || q.Get("login_hint") != "me" || q.Get("scope") != "a b" {
			t.Errorf("the request has %v", q)
		}
		if seen[q.Get("state")] || seen[q.Get("code_challenge")] {
			t.Error("a second login repeats state or challenge")
		}
		seen[q.Get("state")], seen[q.Get("code_challenge")] = true, true
		return browser(ctx, target)
	}})
	for range 2 {
		o := &nativeapp.LoginOptions{Scopes: []string{"a", "b"}, Params: url.Values{"login_hint": {"me"}}}
		if _, err := app.Loopback(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	if g, err := w.keeper.Grant(t.Context(), user); err != nil || strings.Join(g.Asked, " ") != "a b" {
		t.Errorf("Grant() = %+v, %v, want what the login asked for", g, err)
	}
}

func TestLoopbackKeepsParametersOfTheAnswer(t *testing.T) {
	w := newWorld(t)
	w.changed = func(p *provider.Provider) { p.KeepCallback, p.KeepMembers = []string{"realmId"}, []string{"realmId"} }
	app := w.app(&nativeapp.Options{Open: w.browser(nil)})
	w.fake.Set(func(k *oauthtest.Knobs) { k.Authorize.ExtraParams = url.Values{"realmId": {"r-42"}} })
	if _, err := app.Loopback(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	tok, err := w.keeper.Source(user).Token(t.Context())
	if err != nil || tok.Extra("realmId") != "r-42" {
		t.Errorf("Token() = %v, %v, want the parameter among its members", tok.Extra("realmId"), err)
	}
	w.fake.Set(func(k *oauthtest.Knobs) { k.Authorize.ExtraParams = url.Values{"realmId": {"a", "b"}} })
	if _, err := app.Loopback(t.Context(), nil); !errors.Is(err, nativeapp.ErrResponse) {
		t.Errorf("Loopback(two values of a kept parameter) = %v, want ErrResponse", err)
	}
}

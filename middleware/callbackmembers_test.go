package middleware_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

func keepsRealm(p *provider.Provider) { p.KeepCallback = []string{"realmId"} }

// A parameter of the response that the provider names is stored with the grant,
// and survives a refresh.
func TestCallbackParametersAreKept(t *testing.T) {
	w := newWorld(t, setup{provider: keepsRealm})
	b := newBrowser(t, w.mux)
	if a := b.get(w.consent(b.start("/home")) + "&realmId=42&other=1"); a.location() != "/home" {
		t.Fatalf("callback = %d %q, want 303", a.StatusCode, a.title())
	}
	ctx := w.grants.WithSubject(t.Context(), oauthtest.DefaultUser().ID)
	tok, err := w.grants.Token(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time after a refresh
		if got := tok.Extra("realmId"); got != "42" {
			t.Errorf("Extra(realmId) = %v, want 42", got)
		}
		if got := tok.Extra("other"); got != nil {
			t.Errorf("Extra(other) = %v, want nothing: the provider does not name it", got)
		}
		if w.fake.TokenCalls("refresh_token") > 0 {
			break
		}
		if tok, err = w.grants.Renew(ctx, tok); err != nil {
			t.Fatal(err)
		}
	}
}

func TestM3_KeptParametersAreChecked(t *testing.T) {
	for _, bad := range []string{"realmId=1&realmId=2", "realmId=%zz", "realmId=%00", "realmId=" + strings.Repeat("a", 3<<10)} {
		var errs seen
		w := newWorld(t, setup{provider: keepsRealm, options: middleware.Options{OnError: errs.onError}})
		b := newBrowser(t, w.mux)
		b.get(w.consent(b.start("")) + "&" + bad)
		errs.want(t, "callback with "+bad[:10], middleware.ErrBadCallback)
		if n := w.exchanges(); n != 0 {
			t.Errorf("callback with %.20q: %d codes were exchanged, want none", bad, n)
		}
	}
	w := newWorld(t, setup{provider: keepsRealm})
	b := newBrowser(t, w.mux)
	if a := b.get(w.consent(b.start("/home")) + "&realmId="); a.location() != "/home" {
		t.Errorf("callback with an empty realmId = %d %q, want 303", a.StatusCode, a.title())
	}
}

const otherHost = "https://api.twitter.com" // the fake of X answers there too

func hasServers(p *provider.Provider) {
	p.TokenHostParam, p.TokenHosts = "accounts-server", []string{"https://api.x.com", otherHost}
}

// All requests for a grant go to the server that the response named: the code,
// the refresh token, and the revocation.
func TestServerOfTheCallback(t *testing.T) {
	for _, origin := range []string{otherHost, "https://api.x.com"} {
		w := newWorld(t, setup{provider: hasServers})
		b := newBrowser(t, w.mux)
		query := "&accounts-server=" + origin
		if a := b.get(w.consent(b.start("/home")) + query); a.location() != "/home" {
			t.Fatalf("callback = %d %q, want 303", a.StatusCode, a.title())
		}
		ctx := w.grants.WithSubject(t.Context(), oauthtest.DefaultUser().ID)
		tok, err := w.grants.Token(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = w.grants.Renew(ctx, tok); err != nil {
			t.Error(err)
		}
		wantStatus(t, "disconnect", b.do("POST", "/disconnect"), 303)
		for _, path := range []string{xapi.PathToken, xapi.PathRevoke} {
			for _, r := range w.fake.Requests(oauthtest.Match{Path: path}) {
				if "https://"+r.Host != origin {
					t.Errorf("a request to %s went to %s, want %s", path, r.Host, origin)
				}
			}
		}
		if endpoints := w.grants.Endpoints(); !slices.Contains(endpoints, otherHost+xapi.PathToken) {
			t.Errorf("Endpoints() = %q, which lacks the token endpoint at %s", endpoints, otherHost)
		}
	}
}

// The client secret goes to no server that the provider does not list.
func TestM3_ServerOfTheCallbackIsListed(t *testing.T) {
	for _, bad := range []string{"https://evil.example", otherHost + ".evil.example", otherHost + "/", "http://api.twitter.com", "api.twitter.com"} {
		var errs seen
		w := newWorld(t, setup{provider: hasServers, options: middleware.Options{OnError: errs.onError}})
		b := newBrowser(t, w.mux)
		b.get(w.consent(b.start("")) + "&accounts-server=" + bad)
		errs.want(t, "callback with "+bad, middleware.ErrBadCallback)
		if n := w.exchanges(); n != 0 {
			t.Errorf("callback with %s: %d codes were exchanged, want none", bad, n)
		}
	}
}

package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/internal/wire"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// operation is a way to make a request to the token or the revocation endpoint.
type operation struct {
	name string
	run  func(ctx context.Context, c *oauth.Client) error
}

const (
	someCode    = "an-unknown-c0de"
	someRefresh = "a-refresh-t0ken-that-nobody-issued"
)

var operations = []operation{
	{"exchange", func(ctx context.Context, c *oauth.Client) error {
		_, err := c.Exchange(ctx, someCode, rfcVerifier)
		return err
	}},
	{"refresh", func(ctx context.Context, c *oauth.Client) error {
		_, err := c.Refresh(ctx, someRefresh)
		return err
	}},
	{"revoke", func(ctx context.Context, c *oauth.Client) error {
		return c.Revoke(ctx, someRefresh, oauth.HintRefreshToken)
	}},
}

func TestExchange(t *testing.T) {
	for name, s := range map[string]setting{"confidential": confidential(), "public": public()} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.Client = w.at(s)
			code, verifier := w.Flow()
			tok, err := w.Client.Exchange(t.Context(), code, verifier)
			if err != nil {
				t.Fatalf("%s: Exchange() = %v", name, err)
			}
			if !w.Works(tok) {
				t.Errorf("%s: the access token does not work", name)
			}
			if tok.RefreshToken == "" || !tok.Expiry.Equal(time.Now().Add(2*time.Hour)) || tok.ExpiresIn != 7200 {
				t.Errorf("%s: expiry = %v, in %d seconds; refresh token given: %v", name, tok.Expiry, tok.ExpiresIn, tok.RefreshToken != "")
			}
			granted := strings.Fields(fmt.Sprint(tok.Extra("scope")))
			slices.Sort(granted)
			if want := []string{"offline.access", "tweet.read", "users.read"}; !slices.Equal(granted, want) {
				t.Errorf("%s: granted testworld.Scopes = %q, want %q", name, granted, want)
			}
			form := w.Fake.Requests(oauthtest.Match{Op: "token"})[0].Raw().PostForm
			wire.WantParams(t, name, form, map[string]string{
				"grant_type": "authorization_code", "code": code, "redirect_uri": s.r.RedirectURL,
				"code_verifier": verifier, "client_id": s.r.ClientID,
			})
			if err := w.Fake.Audit(); err != nil {
				t.Errorf("%s: Audit() = %v", name, err)
			}
		})
	}
}

func TestExchangeRefusesBeforeItAsks(t *testing.T) {
	w := newWorld(t)
	tests := []struct{ name, code, verifier, want string }{
		{"no code", "", rfcVerifier, "code"},
		{"no verifier", someCode, "", "verifier"},
		{"short verifier", someCode, rfcVerifier[1:], "verifier"},
		{"long verifier", someCode, strings.Repeat("v", 129), "verifier"},
		{"verifier with a character that none has", someCode, rfcVerifier[:42] + "=", "verifier"},
	}
	for _, tt := range tests {
		tok, err := w.Client.Exchange(t.Context(), tt.code, tt.verifier)
		if err == nil || tok != nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Exchange(%s) = %v, want an error with %q", tt.name, err, tt.want)
		}
	}
	if n := len(w.Fake.Requests()); n != 0 {
		t.Errorf("requests = %d, want none", n)
	}
}

func TestExchangeRefusedByX(t *testing.T) {
	other := func(s *setting) { s.r.RedirectURL = oauthtest.ConfidentialApp().RedirectURLs[1] }
	tests := []struct {
		name   string
		change func(*setting)                                // of the client that exchanges
		spoil  func(w world, code, verifier *string)         // of what it exchanges
		is     error                                         // what the caller decides on
		want   func(e *tokensource.Error) (got, want string) // a fact
	}{
		{
			name: "unknown code", spoil: func(_ world, code, _ *string) { *code = someCode }, is: tokensource.ErrReauthorize,
			want: func(e *tokensource.Error) (string, string) {
				return e.Description, "Value passed for the authorization code was invalid."
			},
		},
		{
			name: "late code", spoil: func(world, *string, *string) { time.Sleep(31 * time.Second) }, is: tokensource.ErrReauthorize,
			want: func(e *tokensource.Error) (string, string) {
				return string(e.Reason), string(tokensource.ReasonRefused)
			},
		},
		{
			name: "used code", is: tokensource.ErrReauthorize,
			spoil: func(w world, code, verifier *string) { _, _ = w.Client.Exchange(w.Context(), *code, *verifier) },
			want:  func(e *tokensource.Error) (string, string) { return e.Code, "invalid_request" },
		},
		{
			name: "another verifier", is: tokensource.ErrClient,
			spoil: func(_ world, _, verifier *string) { *verifier = rfcVerifier },
			want: func(e *tokensource.Error) (string, string) {
				return e.Description, "Value passed for the code verifier did not match the code challenge."
			},
		},
		{
			name: "another redirect URI", change: other, is: tokensource.ErrClient,
			want: func(e *tokensource.Error) (string, string) { return fmt.Sprint(e.Status), "400" },
		},
		{
			name: "wrong secret", change: func(s *setting) { s.r.Credential = oauth.Secret("0utdated") }, is: tokensource.ErrClient,
			want: func(e *tokensource.Error) (string, string) { return e.Code, "unauthorized_client" },
		},
		{
			name: "unknown client", is: tokensource.ErrClient,
			change: func(s *setting) { s.r.ClientID = "nobody" },
			want:   func(e *tokensource.Error) (string, string) { return e.Code, "invalid_client" },
		},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			code, verifier := w.Flow()
			if tt.spoil != nil {
				tt.spoil(w, &code, &verifier)
			}
			s := confidential()
			if tt.change != nil {
				tt.change(&s)
			}
			client, before := w.at(s), w.Fake.TokenCalls("authorization_code")
			tok, err := client.Exchange(t.Context(), code, verifier)
			testworld.WantIs(t, err, tt.is)
			e, ok := errors.AsType[*tokensource.Error](err)
			if !ok || tok != nil {
				t.Fatalf("%s: Exchange() = %v, want an *Error and no token", tt.name, err)
			}
			if got, want := tt.want(e); got != want || e.Op != "exchange" || e.InDoubt {
				t.Errorf("%s: %+v: %q, want %q", tt.name, e, got, want)
			}
			if n := w.Fake.TokenCalls("authorization_code") - before; n != 1 {
				t.Errorf("%s: the code was sent %d times, want once", tt.name, n)
			}
		})
	}
}

// A code travels once, whatever becomes of the request (RFC 6749 section
// 4.1.2).
func TestACodeIsSentOnce(t *testing.T) {
	faults := map[string]oauthtest.Fault{
		"dropped":           {Drop: true},
		"reset":             {Reset: true},
		"done, then lost":   {Drop: true, Commit: true},
		"cut short":         {Truncate: 10},
		"500":               {Status: 500},
		"503":               {Status: 503, Header: http.Header{"Retry-After": {"1"}}},
		"429":               {Status: 429, Header: http.Header{"Retry-After": {"1"}}},
		"no answer":         {Hang: true},
		"a page":            {Status: 403, Body: xapi.HTMLPage},
		"success in HTML":   {Status: 200, Body: xapi.HTMLPage},
		"client is refused": {Status: 401, Body: `{"error":"invalid_client"}`, ContentType: "application/json"},
	}
	for name, fault := range faults {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			code, verifier := w.Flow()
			w.Fake.Inject(oauthtest.Match{GrantType: "authorization_code"}, fault, 1)
			if _, err := w.Client.Exchange(t.Context(), code, verifier); err == nil {
				t.Errorf("%s: Exchange() = nil, want an error", name)
			}
			time.Sleep(time.Hour)
			if n := w.Fake.TokenCalls("authorization_code"); n != 1 {
				t.Errorf("%s: the code was sent %d times, want once", name, n)
			}
		})
	}
}

// A redirect of the token endpoint would carry code, verifier and secret
// elsewhere (RFC 9700 section 4.12).
func TestNoRedirectIsFollowed(t *testing.T) {
	for _, status := range []int{300, 301, 302, 303, 307, 308} {
		for _, location := range []string{"https://elsewhere.test/token", "https://api.x.com/2/oauth2/token", "http://api.x.com/2/oauth2/token", "/2/echo", ""} {
			for _, op := range operations {
				w := newWorld(t)
				w.Fake.Inject(oauthtest.Match{}, oauthtest.Fault{Status: status, Header: http.Header{"Location": {location}}}, 1)
				err := op.run(t.Context(), w.Client)
				what := fmt.Sprintf("%s answered with %d to %q", op.name, status, location)
				if !errors.Is(err, tokensource.ErrClient) || !strings.Contains(err.Error(), "set the endpoint's final URL") {
					t.Errorf("%s: %v, want ErrClient and what to do", what, err)
				}
				if e, ok := errors.AsType[*tokensource.Error](err); !ok || e.Status != status {
					t.Errorf("%s: %v, want the status", what, err)
				}
				w.only()
			}
		}
	}
}

// jar is a cookie jar that fails the test when it is asked.
type jar struct{ t *testing.T }

func (j jar) SetCookies(*url.URL, []*http.Cookie) { j.t.Error("a cookie was kept") }

func (j jar) Cookies(*url.URL) []*http.Cookie {
	j.t.Error("a cookie was sent")
	return []*http.Cookie{{Name: "session", Value: "c00kie"}}
}

func TestTheCallersHTTPClientLendsItsTransportOnly(t *testing.T) {
	w := newWorld(t)
	hc := &http.Client{Transport: w.Fake.Transport(), Jar: jar{t}, Timeout: time.Nanosecond}
	hc.CheckRedirect = func(*http.Request, []*http.Request) error {
		t.Error("the caller's CheckRedirect was asked")
		return nil
	}
	client := w.NewClient(&oauth.Options{HTTPClient: hc})
	w.Fake.Inject(oauthtest.Match{}, oauthtest.Fault{Status: 307, Header: http.Header{"Location": {"https://elsewhere.test/"}}}, -1)
	for _, op := range operations {
		err := op.run(t.Context(), client)
		testworld.WantIs(t, err, tokensource.ErrClient)
	}
	if n := len(w.Fake.Requests()); n != len(operations) {
		t.Errorf("requests = %d, want %d", n, len(operations))
	}
	for _, r := range w.Fake.Requests() {
		if r.Raw().Header.Get("Cookie") != "" {
			t.Errorf("%v carries a cookie", r)
		}
	}
	if hc.Transport != w.Fake.Transport() || hc.Jar != (jar{t}) || hc.Timeout != time.Nanosecond || hc.CheckRedirect == nil {
		t.Error("the caller's http.Client was changed")
	}
}

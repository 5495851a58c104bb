package oauth_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/internal/wire"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
)

// now is a moment for what is fuzzed: the same in every run.
var now = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// clean reports whether s is made of visible ASCII characters and what else is
// allowed.
func clean(s, allowed string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return (r <= ' ' || r > '~') && !strings.ContainsRune(allowed, r) })
}

func FuzzTokenResponse(f *testing.F) {
	for _, body := range []string{
		`{"token_type":"bearer","expires_in":7200,"access_token":"a","scope":"users.read tweet.read","refresh_token":"r"}`,
		`{"access_token":"a","token_type":"BEARER","expires_in":"59","x":[{"access_token":"b"}]}`,
		`{"access_token":"a","token_type":"bearer","expires_in":1e999}`, `{"access_token":"a\r\n","token_type":"bearer"}`,
		`{"access_token":"a","Access_Token":"b"}`, `{"access_token":"a"}{}`, `null`, `[]`, ``, "\xff", `{"\u0061ccess_token":"\ud800"}`,
	} {
		f.Add([]byte(body), int64(0))
		f.Add([]byte(body), int64(time.Hour))
	}
	f.Fuzz(func(t *testing.T, body []byte, assumed int64) {
		assumed = max(assumed, 0) % int64(1000*time.Hour)
		s := confidential()
		s.p.ExpiresIn = time.Duration(assumed)
		s.o = &oauth.Options{HTTPClient: &http.Client{Transport: canned{http.StatusOK, body, nil}}}
		client, err := s.client()
		if err != nil {
			t.Fatal(err)
		}
		sent := time.Now()
		tok, err := client.Refresh(t.Context(), someRefresh)
		if err != nil {
			if tok != nil || !clean(err.Error(), " ") {
				t.Errorf("Refresh() with %q = %v, %q: a token beside an error, or an error that is not for logs", body, tok != nil, err)
			}
			return
		}
		if tok.AccessToken == "" || !clean(tok.AccessToken, "") || !clean(tok.RefreshToken, " ") {
			t.Errorf("Refresh() with %q took tokens that no request can carry", body)
		}
		if tok.TokenType != "Bearer" {
			t.Errorf("Refresh() with %q took token_type %q", body, tok.TokenType)
		}
		if left := tok.Expiry.Sub(sent); !tok.Expiry.IsZero() && (left <= 0 || left > math.MaxInt32*time.Second+time.Minute) {
			t.Errorf("Refresh() with %q: expiry in %v", body, left)
		}
		if scope, _ := tok.Extra("scope").(string); !clean(scope, " ") {
			t.Errorf("Refresh() with %q: scope %q", body, scope)
		}
	})
}

// canned answers every request in the same way.
type canned struct {
	status int
	body   []byte
	header http.Header
}

func (c canned) RoundTrip(req *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, req.Body)
	req.Body.Close()
	return &http.Response{StatusCode: c.status, Header: c.header, Body: io.NopCloser(bytes.NewReader(c.body)), Request: req}, nil
}

func FuzzErrorResponse(f *testing.F) {
	for _, body := range []string{
		`{"error":"invalid_grant"}`, `{"error":"invalid_request","error_description":"Value passed for the token was invalid."}`,
		`{"error":"\u001b[2J","error_description":"a\r\nb ` + someRefresh + `"}`, `<html>`, ``, `{"error":1}`, `{"error":"a","error":"b"}`,
	} {
		for _, status := range []int{200, 307, 400, 401, 403, 429, 503} {
			f.Add(status, []byte(body), "application/json", "7")
		}
	}
	f.Fuzz(func(t *testing.T, status int, body []byte, kind, retry string) {
		if status < 200 || status > 599 {
			return
		}
		s := confidential()
		header := http.Header{"Content-Type": {kind}, "Retry-After": {retry}}
		s.o = &oauth.Options{HTTPClient: &http.Client{Transport: canned{status, body, header}}}
		client, err := s.client()
		if err != nil {
			t.Fatal(err)
		}
		tok, err := client.Refresh(t.Context(), someRefresh)
		if err == nil {
			if status > 299 || tok.AccessToken == "" {
				t.Errorf("Refresh() with status %d and %q = nil", status, body)
			}
			return
		}
		e, ok := errors.AsType[*tokensource.Error](err)
		if !ok || e.Kind == nil || e.Status != status || tok != nil {
			t.Errorf("Refresh() with status %d and %q = %v, want an *Error of some kind", status, body, err)
		}
		if text := err.Error(); !clean(text, " ") || strings.Contains(text, someRefresh) || len(text) > 800 {
			t.Errorf("Refresh() with status %d and %q = %q: not fit for logs", status, body, text)
		}
		if errors.Is(err, tokensource.ErrReauthorize) && (status > 499 || status == http.StatusTooManyRequests) {
			t.Errorf("Refresh() with status %d and %q = %v: a grant was taken for dead", status, body, err)
		}
	})
}

func FuzzAuthorizationParams(f *testing.F) {
	for _, name := range []string{"prompt", "state", "State", "client_id", "code_challenge", "a&b=c", "a b", "", "\xff", "request_uri", "a;b"} {
		f.Add(name, "value", "st4te")
		f.Add(name, " ", "st4te")
		f.Add(name, "a b+c&state=x#\u00e9\x00", "s%20+&=")
	}
	client, err := confidential().client()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name, value, state string) {
		raw, err := client.Authorize(t.Context(), state, rfcVerifier, url.Values{name: {value}})
		if err != nil {
			if raw != "" {
				t.Errorf("AuthorizationURL(%q) = %q beside %v", name, raw, err)
			}
			return
		}
		u, err := url.Parse(raw)
		if err != nil || !strings.HasPrefix(raw, "https://x.com/i/oauth2/authorize?") || !clean(raw, "") || u.Fragment != "" {
			t.Fatalf("AuthorizationURL(%q, %q) = %q", name, value, raw)
		}
		q, err := url.ParseQuery(u.RawQuery)
		if err != nil {
			t.Fatalf("AuthorizationURL(%q, %q) = %q: %v", name, value, raw, err)
		}
		want := map[string]string{
			"response_type": "code", "client_id": client.ClientID(), "redirect_uri": client.RedirectURL(),
			"scope": strings.Join(testworld.Scopes, " "), "state": state,
			"code_challenge": rfcChallenge, "code_challenge_method": "S256",
		}
		if strings.TrimSpace(value) != "" { // otherwise it counts as left out
			want[name] = value
		}
		wire.WantParams(t, raw, q, want)
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, value := range []string{"", "0", "7", "-7", "3601", "99999999999999999999", "soon", "Sun, 01 Mar 2026 12:00:30 GMT", "Sun Mar  1 12:00:30 2026"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if got := oauth.RetryAfter(value, now); got < 0 || got > time.Hour {
			t.Errorf("RetryAfter(%q) = %v, want 0 to 1h", value, got)
		}
	})
}

package oauth_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// An access token is opaque (RFC 6749 section 1.4). This one looks like a JWT
// that expired long ago and belongs to somebody else, and none of that counts.
func TestATokenIsNotParsed(t *testing.T) {
	encode := base64.RawURLEncoding.EncodeToString
	token := encode([]byte(`{"alg":"none"}`)) + "." + encode([]byte(`{"exp":1,"sub":"somebody","scope":"admin"}`)) + "."
	w := newWorld(t)
	w.answer(http.StatusOK, `{"access_token":"`+token+`","token_type":"bearer","expires_in":3600,"scope":"tweet.read"}`)
	tok, err := w.Client.Refresh(t.Context(), someRefresh)
	if err != nil {
		t.Fatal(err)
	}
	if tok.AccessToken != token || tok.ExpiresIn != 3600 || tok.Expiry.Before(time.Now().Add(time.Minute)) {
		t.Errorf("Refresh() = a token of %d seconds, want the one that was sent, for 3600 seconds", tok.ExpiresIn)
	}
	if got := tok.Extra("scope"); got != "tweet.read" {
		t.Errorf("scope = %q, want the one of the answer", got)
	}
}

// The answer of a token endpoint says that any cache may keep it (against RFC
// 6749 section 5.1), and the client asks again all the same.
func TestACacheableAnswerIsNotCached(t *testing.T) {
	w := newWorld(t)
	w.Fake.Inject(oauthtest.Match{}, oauthtest.Fault{
		Status: http.StatusOK, Body: `{"access_token":"at-1","token_type":"bearer","refresh_token":"rt-1"}`,
		ContentType: "application/json", Header: http.Header{"Cache-Control": {"public, max-age=3600"}, "Etag": {`"1"`}},
	}, -1)
	for range 2 {
		if _, err := w.Client.Refresh(t.Context(), someRefresh); err != nil {
			t.Fatal(err)
		}
	}
	requests := w.Fake.Requests()
	if len(requests) != 2 {
		t.Fatalf("%d requests were sent, want 2", len(requests))
	}
	for _, name := range []string{"If-None-Match", "If-Modified-Since"} {
		if requests[1].Raw().Header.Get(name) != "" {
			t.Errorf("the second request has a header %s", name)
		}
	}
}

// claimer changes the answers of a token endpoint: they name another user than
// the one who authorized the app.
type claimer struct{ base http.RoundTripper }

func (c claimer) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.base.RoundTrip(r)
	if err != nil || r.Method != http.MethodPost {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	changed := bytes.Replace(body, []byte("{"), []byte(`{"sub":"999","user_id":"999","username":"mallory","id":"999",`), 1)
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(changed)), int64(len(changed))
	resp.Header.Del("Content-Length")
	return resp, nil
}

// An access token, or what comes beside it, is no proof of who the user is (RFC
// 6749 section 10.16). The provider is asked with the token of this very flow.
func TestTheUserIsWhoTheIdentityEndpointNames(t *testing.T) {
	w := newWorld(t)
	w.Client = w.NewClient(&oauth.Options{HTTPClient: &http.Client{Transport: claimer{w.Fake.Transport()}}})
	code, verifier := w.Flow()
	tok, err := w.Client.Exchange(t.Context(), code, verifier)
	if err != nil {
		t.Fatal(err)
	}
	who, err := w.Client.Identity(t.Context(), tok)
	if err != nil || who.Subject != w.User || who.Username == "mallory" {
		t.Errorf("Identity() = %+v, %v, want the user %s", who, err, w.User)
	}
}

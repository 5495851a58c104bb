package oauth_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// A lifetime becomes a point of time. Extra keeps the member as it came, too.
func TestWhenARefreshTokenEnds(t *testing.T) {
	const at, authorization = "refresh_token_expires_at", "authorization_expires_at"
	for members, want := range map[string]map[string]any{
		`"refresh_token_expires_in":600`:                             {at: 600.0, authorization: nil},
		`"refresh_expires_in":"600"`:                                 {at: 600.0, authorization: nil},
		`"authorization_expires_in":86400`:                           {at: nil, authorization: 86400.0},
		`"refresh_token_expires_in":60,"authorization_expires_in":9`: {at: 60.0, authorization: 9.0},
		`"refresh_expires_in":0`:                                     {at: nil, authorization: nil},
		`"refresh_token_expires_in":-1`:                              {at: nil, authorization: nil},
		`"refresh_token_expires_in":"never"`:                         {at: nil, authorization: nil},
		`"refresh_token_expires_at":"2030"`:                          {at: nil, authorization: nil},
		`"expires_in":60`:                                            {at: nil, authorization: nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.answer(http.StatusOK, `{"access_token":"at","refresh_token":"rt",`+members+`}`)
			tok, err := w.Client.Refresh(t.Context(), someRefresh)
			if err != nil {
				t.Fatal(err)
			}
			for name, seconds := range want {
				if after, ok := seconds.(float64); ok {
					seconds = float64(time.Now().Unix()) + after
				}
				if got := tok.Extra(name); got != seconds {
					t.Errorf("Extra(%s) of %s = %v, want %v", name, members, got, seconds)
				}
			}
		})
	}
}

// Where the tokens are inside of an object, their lifetimes are there too, or
// at the top.
func TestWhenARefreshTokenInsideAnObjectEnds(t *testing.T) {
	for _, answer := range []string{
		`{"data":{"access_token":"at","refresh_token":"rt","refresh_token_expires_in":600}}`,
		`{"data":{"access_token":"at","refresh_token":"rt"},"refresh_token_expires_in":600}`,
	} {
		synctest.Test(t, func(t *testing.T) {
			w, s := newWorld(t), generic()
			s.p.TokenObject = "data"
			w.answer(http.StatusOK, answer)
			tok, err := w.at(s).Refresh(t.Context(), someRefresh)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := tok.Extra("refresh_token_expires_at"), float64(time.Now().Unix()+600); got != want {
				t.Errorf("Extra() of %s = %v, want %v", answer, got, want)
			}
		})
	}
}

// A provider may have a name of its own for the lifetime of a refresh token.
func TestTheProviderNamesWhenARefreshTokenEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), generic()
		s.p.RefreshTokens.ExpiryMember = "refresh.life"
		w.answer(http.StatusOK, `{"access_token":"at","refresh_token":"rt","refresh":{"life":600},"refresh_token_expires_in":60}`)
		tok, err := w.at(s).Refresh(t.Context(), someRefresh)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := tok.Extra("refresh_token_expires_at"), float64(time.Now().Unix()+600); got != want {
			t.Errorf("Extra() = %v, want %v", got, want)
		}
	})
}

// The details of an authorization (RFC 9396) are sent as they are, and come
// back with the token.
func TestAuthorizationDetails(t *testing.T) {
	const details = `[{"type":"payment","locations":["https://api.example"]}]`
	o, r := pushing()
	fake, client := at(t, o, r)
	if _, err := client.Authorize(t.Context(), "a-state", rfcVerifier, map[string][]string{"authorization_details": {details}}); err != nil {
		t.Fatal(err)
	}
	if got := fake.Requests()[0].Raw().PostForm.Get("authorization_details"); got != details {
		t.Errorf("authorization_details = %s, want %s", got, details)
	}
	w := newWorld(t)
	w.answer(http.StatusOK, `{"access_token":"at","authorization_details":`+details+`}`)
	tok, err := w.Client.Exchange(t.Context(), someCode, rfcVerifier)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(tok.Extra("authorization_details")); got != "[map[locations:[https://api.example] type:payment]]" {
		t.Errorf("Extra(authorization_details) = %v, want what the server granted", got)
	}
}

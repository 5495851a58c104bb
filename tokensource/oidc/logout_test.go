package oidc_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource/oidc/oidctest"
)

func TestVerifyLogoutToken(t *testing.T) {
	s := newServer(t)
	v := s.verifier(t, nil)
	at := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	for _, tt := range []struct {
		name   string
		claims object
		want   string // in the error; empty: it is accepted
	}{
		{"user and session", object{"sub": "alice", "sid": "s1"}, ""},
		{"user alone", object{"sub": "alice"}, ""},
		{"session alone", object{"sid": "s1"}, ""},
		{"the audience in a list", object{"sub": "alice", "aud": []string{clientID}}, ""},
		{"more events", object{"sub": "alice", "events": object{oidctest.LogoutEvent: object{"x": 1}, "https://more.example": object{}}}, ""},
		{"expired within the skew", object{"sub": "alice", "exp": at(-50 * time.Second)}, ""},

		{"neither user nor session", nil, "neither a user nor a session"},
		{"a nonce", object{"sub": "alice", "nonce": nonce}, "nonce"},
		{"an empty nonce", object{"sub": "alice", "nonce": ""}, "nonce"},
		{"no events", object{"sub": "alice", "events": nil}, "no event"},
		{"other events", object{"sub": "alice", "events": object{"https://more.example": object{}}}, "no event"},
		{"an event that is true", object{"sub": "alice", "events": object{oidctest.LogoutEvent: true}}, "no event"},
		{"events that are a text", object{"sub": "alice", "events": oidctest.LogoutEvent}, "no event"},
		{"no jti", object{"sub": "alice", "jti": nil}, "identifier"},
		{"a jti of a KiB", object{"sub": "alice", "jti": strings.Repeat("j", 1024)}, "identifier"},
		{"no iat", object{"sub": "alice", "iat": nil}, "when it was issued"},
		{"of the future", object{"sub": "alice", "iat": at(2 * time.Minute)}, "in the future"},
		{"no exp", object{"sub": "alice", "exp": nil}, "when it expires"},
		{"expired", object{"sub": "alice", "exp": at(-61 * time.Second)}, "expired"},
		{"valid for two days", object{"sub": "alice", "exp": at(48 * time.Hour)}, "more than a day"},
		{"another issuer", object{"sub": "alice", "iss": "https://evil.example"}, "another issuer"},
		{"another client", object{"sub": "alice", "aud": "other"}, "another client"},
		{"a second audience", object{"sub": "alice", "aud": []string{clientID, "other"}}, "Options.Audiences"},
	} {
		all := object{"iss": issuer, "aud": clientID}
		maps.Copy(all, tt.claims)
		raw, err := s.LogoutToken(all)
		if err != nil {
			t.Fatal(err)
		}
		got, err := v.VerifyLogoutToken(t.Context(), raw)
		switch {
		case tt.want == "" && (err != nil || got.ID == "" || got.Expires.IsZero() || got.Subject == "" && got.Session == ""):
			t.Errorf("VerifyLogoutToken(%s) = %+v, %v, want it accepted", tt.name, got, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !isRefusal(err)):
			t.Errorf("VerifyLogoutToken(%s) = %v, want a refusal with %q", tt.name, err, tt.want)
		}
	}
}

func TestLogoutTokensOfAnotherKind(t *testing.T) {
	s := newServer(t)
	v := s.verifier(t, nil)
	all := object{
		"iss": issuer, "aud": clientID, "sub": "alice", "jti": "1", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
		"events": object{oidctest.LogoutEvent: object{}},
	}
	for typ, ok := range map[string]bool{
		"logout+jwt": true, "application/logout+jwt": true, "LOGOUT+JWT": true, "JWT": true, "at+jwt": false, "id_token+jwt": false,
	} {
		raw, err := s.Sign(all, object{"typ": typ})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.VerifyLogoutToken(t.Context(), raw); (err == nil) != ok {
			t.Errorf("VerifyLogoutToken(typ %s) = %v, want ok %v", typ, err, ok)
		}
	}
	idToken, err := s.IDToken(claims(nil), accessToken)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := newServer(t).LogoutToken(object{"iss": issuer, "aud": clientID, "sub": "alice"})
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string]string{"an ID token": idToken, "signed by somebody else": stranger, "nothing": "", "no token": "x.y.z"} {
		if _, err := v.VerifyLogoutToken(t.Context(), raw); err == nil {
			t.Errorf("VerifyLogoutToken(%s) = nil, want an error", name)
		}
	}
}

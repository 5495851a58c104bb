package oidc_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oidc"
	"github.com/authtrip/authtrip/tokensource/provider"
)

type object = map[string]any

func TestVerifyIDToken(t *testing.T) {
	s := newServer(t)
	v := s.verifier(t, &oidc.Options{Audiences: []string{"the API"}})
	ago := func(d time.Duration) int64 { return time.Now().Add(-d).Unix() }
	tests := []struct {
		name   string
		claims object
		want   string // in the error; empty: the ID token is accepted
	}{
		{"as it should be", nil, ""},
		{"the audience in a list", object{"aud": []string{clientID}}, ""},
		{"an allowed audience, and azp", object{"aud": []string{clientID, "the API"}, "azp": clientID}, ""},
		{"azp without need", object{"azp": clientID}, ""},
		{"expired within the skew", object{"exp": ago(50 * time.Second)}, ""},
		{"issued in the future within the skew", object{"iat": ago(-50 * time.Second)}, ""},
		{"times with fractions", object{"iat": float64(ago(0)) + 0.5}, ""},
		{"claims that are unknown", object{"jti": "1", "amr": []string{"pwd"}, "nested": object{"a": 1}}, ""},

		// Package json folds the long s, and such a name comes last.
		{"another user in a claim whose name folds to sub", object{"\u017fub": "mallory"}, ""},
		{"another issuer in a claim whose name folds to iss", object{"i\u017f\u017f": "https://evil.example"}, ""},
		{"no user but in a claim whose name folds to sub", object{"sub": nil, "SUB": "alice"}, "no user"},
		{"no issuer but in a claim whose name folds to iss", object{"iss": nil, "ISS": issuer}, "another issuer"},
		{"no audience but in a claim whose name folds to aud", object{"aud": nil, "Aud": clientID}, "another client"},

		{"issuer with a slash", object{"iss": issuer + "/"}, "another issuer"},
		{"issuer in upper case", object{"iss": "https://AS.example"}, "another issuer"},
		{"issuer of somebody else", object{"iss": "https://evil.example"}, "another issuer"},
		{"no issuer", object{"iss": nil}, "another issuer"},
		{"no user", object{"sub": nil}, "no user"},
		{"empty user", object{"sub": ""}, "no user"},
		{"user in upper case only", object{"sub": nil, "SUB ": "alice"}, "no user"},
		{"another client", object{"aud": "other"}, "another client"},
		{"no audience", object{"aud": nil}, "another client"},
		{"empty list of audiences", object{"aud": []string{}}, "another client"},
		{"a second audience that is unknown", object{"aud": []string{clientID, "other"}, "azp": clientID}, "Options.Audiences"},
		{"an allowed audience without azp", object{"aud": []string{clientID, "the API"}}, "issued to another client"},
		{"azp of another client", object{"azp": "other"}, "issued to another client"},
		{"azp that is no text", object{"azp": 1}, "issued to another client"},
		{"expired", object{"exp": ago(61 * time.Second)}, "expired"},
		{"no expiry", object{"exp": nil}, "when it expires"},
		{"issued in the future", object{"iat": ago(-90 * time.Second)}, "in the future"},
		{"no time of issue", object{"iat": nil}, "when it was issued"},
		{"not valid yet", object{"nbf": ago(-90 * time.Second)}, "not valid yet"},
		{"another nonce", object{"nonce": nonce + "1"}, "nonce"},
		{"the nonce in upper case", object{"nonce": strings.ToUpper(nonce)}, "nonce"},
		{"no nonce", object{"nonce": nil}, "nonce"},
		{"empty nonce", object{"nonce": ""}, "nonce"},
		{"hash of another access token", object{"at_hash": "LDktKdoQak3Pk0cnXxCltA"}, "another access token"},
		{"expiry that is a text", object{"exp": "soon"}, "wrong form"},
		{"user that is a number", object{"sub": 1}, "wrong form"},
	}
	for _, tt := range tests {
		got, err := v.VerifyIDToken(t.Context(), s.token(t, tt.claims), login())
		switch {
		case tt.want == "" && (err != nil || got.User.Subject != "alice" || got.Subject != "alice"):
			t.Errorf("VerifyIDToken(%s) = %+v, %v, want alice", tt.name, got, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !isRefusal(err)):
			t.Errorf("VerifyIDToken(%s) = %v, want a refusal with %q", tt.name, err, tt.want)
		case !reflect.DeepEqual(got, provider.IDToken{}) && err != nil:
			t.Errorf("VerifyIDToken(%s) = %+v beside an error", tt.name, got)
		}
	}
}

// Without a nonce in the request, a token with one is from another login.
func TestAnIDTokenWithANonceThatWasNotSent(t *testing.T) {
	s := newServer(t)
	v := s.verifier(t, nil)
	if _, err := v.VerifyIDToken(t.Context(), s.token(t, nil), provider.IDTokenRequest{}); !isRefusal(err) {
		t.Errorf("VerifyIDToken(nonce that was not sent) = %v, want a refusal", err)
	}
	if _, err := v.VerifyIDToken(t.Context(), s.token(t, object{"nonce": nil}), provider.IDTokenRequest{}); err != nil {
		t.Errorf("VerifyIDToken(no nonce, none was sent) = %v", err)
	}
}

func TestSignaturesThatAreRefused(t *testing.T) {
	s, stranger := newServer(t), newServer(t)
	v := s.verifier(t, nil)
	good, err := s.Sign(claims(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	part := strings.Split(good, ".")
	encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	hmac := func(key []byte) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: key}, nil)
		if err != nil {
			t.Fatal(err)
		}
		jws, err := signer.Sign([]byte(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		text, err := jws.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	foreign, err := stranger.Sign(claims(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	logout, err := s.Sign(claims(nil), object{"typ": "logout+jwt"})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ raw, want string }{
		"alg none":                     {encode(`{"alg":"none"}`) + "." + part[1] + ".", "anybody could do"},
		"alg none in mixed case":       {encode(`{"alg":"nOnE"}`) + "." + part[1] + ".", "not allowed"},
		"alg none with a signature":    {encode(`{"alg":"none"}`) + "." + part[1] + "." + part[2], "anybody could do"},
		"HMAC with the public key":     {hmac(s.JWKS()), "anybody could do"},
		"the key of somebody else":     {foreign, "signature"},
		"other claims":                 {part[0] + "." + encode(`{"sub":"mallory"}`) + "." + part[2], "signature"},
		"cut signature":                {strings.TrimSuffix(good, good[len(good)-4:]), "signature"},
		"no signature":                 {part[0] + "." + part[1] + ".", "signature"},
		"two parts":                    {part[0] + "." + part[1], "compact form"},
		"the JSON form":                {fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q}`, part[1], part[0], part[2]), "compact form"},
		"no token at all":              {"abc", "compact form"},
		"longer than 64 KiB":           {good + strings.Repeat("A", 64<<10), "too long"},
		"a logout token":               {logout, "another kind"},
		"empty, as if there were none": {"", "no ID token"},
	} {
		_, err := v.VerifyIDToken(t.Context(), with(tt.raw), login())
		if err == nil || !strings.Contains(err.Error(), tt.want) || !isRefusal(err) {
			t.Errorf("VerifyIDToken(%s) = %v, want a refusal with %q", name, err, tt.want)
		}
		if err != nil && len(tt.raw) > 20 && (strings.Contains(err.Error(), part[1][:20]) || strings.Contains(err.Error(), part[2][:20])) {
			t.Errorf("VerifyIDToken(%s) = %v: it tells the token", name, err)
		}
	}
	if _, err := v.VerifyIDToken(t.Context(), nil, login()); err == nil {
		t.Error("VerifyIDToken(no token) = nil, want an error")
	}
}

func TestAlgorithms(t *testing.T) {
	s := newServer(t)
	for _, alg := range []string{"RS256", "PS256", "ES384", "ES512", "EdDSA"} {
		bubble(t, func(t *testing.T) {
			time.Sleep(2 * time.Minute) // so that the keys may be read again
			if err := s.Rotate(alg); err != nil {
				t.Fatal(err)
			}
			tok := s.token(t, nil)
			if _, err := s.verifier(t, nil).VerifyIDToken(t.Context(), tok, login()); err != nil {
				t.Errorf("VerifyIDToken(%s) = %v", alg, err)
			}
			if _, err := s.verifier(t, &oidc.Options{Algorithms: []string{"PS256"}}).VerifyIDToken(t.Context(), tok, login()); (err == nil) != (alg == "PS256") {
				t.Errorf("VerifyIDToken(%s) where only PS256 is allowed = %v", alg, err)
			}
		})
	}
}

// The times of a token are judged for the time at which it came: a login may be
// finished an hour later.
func TestALoginThatIsFinishedLater(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t)
		v := s.verifier(t, nil)
		tok, want := s.token(t, nil), login()
		want.At = time.Now()
		time.Sleep(time.Hour)
		if _, err := v.VerifyIDToken(t.Context(), tok, want); err != nil {
			t.Errorf("VerifyIDToken(an hour after the answer) = %v", err)
		}
		if _, err := v.VerifyIDToken(t.Context(), tok, login()); !isRefusal(err) {
			t.Errorf("VerifyIDToken(a token of an hour ago) = %v, want a refusal", err)
		}
	})
}

func TestAuthentication(t *testing.T) {
	s := newServer(t)
	v := s.verifier(t, nil)
	now := time.Now()
	for _, tt := range []struct {
		name   string
		claims object
		after  time.Time
		acr    []string
		ok     bool
	}{
		{"nothing asked for", object{"auth_time": 1, "acr": "weak"}, time.Time{}, nil, true},
		{"recent enough", object{"auth_time": now.Unix()}, now.Add(-time.Second), nil, true},
		{"a little too long ago, within the skew", object{"auth_time": now.Add(-30 * time.Second).Unix()}, now, nil, true},
		{"too long ago", object{"auth_time": now.Add(-2 * time.Minute).Unix()}, now, nil, false},
		{"time not told", nil, now, nil, false},
		{"time that is a text", object{"auth_time": "now"}, now, nil, false},
		{"the second way of two", object{"acr": "gold"}, time.Time{}, []string{"platin", "gold"}, true},
		{"another way", object{"acr": "silver"}, time.Time{}, []string{"platin", "gold"}, false},
		{"way not told", nil, time.Time{}, []string{"gold"}, false},
	} {
		want := login()
		want.AuthenticatedAfter, want.ACR = tt.after, tt.acr
		_, err := v.VerifyIDToken(t.Context(), s.token(t, tt.claims), want)
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, tokensource.ErrReauthorize) {
			t.Errorf("VerifyIDToken(%s) = %v, want ok %v, otherwise ErrReauthorize", tt.name, err, tt.ok)
		}
	}
}

// A refreshed ID token must be for the same user, of the same issuer, and for
// this client. It needs no nonce, and may be an old one of the same login.
func TestRefreshedIDTokens(t *testing.T) {
	s := newServer(t)
	v := s.verifier(t, nil)
	if _, err := v.VerifyIDToken(t.Context(), s.token(t, nil), login()); err != nil {
		t.Fatal(err)
	}
	authorized := time.Now().Add(-time.Hour)
	want := provider.IDTokenRequest{Refreshed: true, Subject: "alice", IssuedAfter: authorized}
	for _, tt := range []struct {
		name   string
		claims object
		ok     bool
	}{
		{"new", object{"nonce": nil}, true},
		{"with the nonce of the login", nil, true},
		{"that of the login, expired", object{"iat": authorized.Unix(), "exp": authorized.Add(time.Minute).Unix()}, true},
		{"of a server whose clock is nine minutes behind", object{"iat": authorized.Add(-9 * time.Minute).Unix()}, true},
		{"of a server whose clock is nine minutes ahead", object{"iat": time.Now().Add(9 * time.Minute).Unix()}, true},
		{"with the hash of the access token of the login", object{"at_hash": "LDktKdoQak3Pk0cnXxCltA"}, true},
		{"older than the login", object{"iat": authorized.Add(-11 * time.Minute).Unix()}, false},
		{"of the future", object{"iat": time.Now().Add(11 * time.Minute).Unix()}, false},
		{"without a time", object{"iat": nil}, false},
		{"another user", object{"sub": "bob"}, false},
		{"another issuer", object{"iss": "https://evil.example"}, false},
		{"another client", object{"aud": "other"}, false},
		{"azp of another client", object{"azp": "other"}, false},
	} {
		_, err := v.VerifyIDToken(t.Context(), s.token(t, tt.claims), want)
		if (err == nil) != tt.ok || err != nil && !isRefusal(err) {
			t.Errorf("VerifyIDToken(refreshed, %s) = %v, want ok %v, otherwise a refusal", tt.name, err, tt.ok)
		}
	}
}

// No request is made for a refreshed ID token. Its signature is verified if the
// key is known.
func TestRefreshedIDTokensCauseNoRequest(t *testing.T) {
	s := newServer(t)
	v := s.verifier(t, nil)
	want := provider.IDTokenRequest{Refreshed: true, Subject: "alice"}
	if _, err := v.VerifyIDToken(t.Context(), s.token(t, nil), want); err != nil {
		t.Errorf("VerifyIDToken(refreshed, no key is known yet) = %v", err)
	}
	if _, err := v.VerifyIDToken(t.Context(), s.token(t, object{"sub": "bob"}), want); err == nil {
		t.Error("VerifyIDToken(refreshed, another user, no key is known yet) = nil, want an error")
	}
	if n := s.requests.Load(); n != 0 {
		t.Errorf("refreshed ID tokens caused %d requests for keys", n)
	}
	if _, err := v.VerifyIDToken(t.Context(), s.token(t, nil), login()); err != nil {
		t.Fatal(err)
	}
	forged, err := newServer(t).Sign(claims(nil), nil) // with the same key ID
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.VerifyIDToken(t.Context(), with(forged), want); err == nil || !strings.Contains(err.Error(), "signature") {
		t.Errorf("VerifyIDToken(refreshed, signed by somebody else) = %v, want an error of the signature", err)
	}
	if n := s.requests.Load(); n != 1 {
		t.Errorf("one login and refreshed ID tokens caused %d requests for keys, want 1", n)
	}
}

// Two tenants may name two users alike.
func TestTenants(t *testing.T) {
	s := newServer(t)
	p := plainProvider()
	p.IDTokenIssuers = []string{"https://login.example/{tenantid}/v2.0", "login.example"}
	v := s.verifierOf(t, p, nil)
	for iss, want := range map[string]string{
		"https://login.example/one/v2.0":         "one:alice",
		"https://login.example/two-2_B/v2.0":     "two-2_B:alice",
		"login.example":                          "alice",
		"https://login.example//v2.0":            "",
		"https://login.example/a/b/v2.0":         "",
		"https://login.example/a%2fb/v2.0":       "",
		"https://login.example/a:b/v2.0":         "",
		"https://login.example/one/v2.0/":        "",
		"https://login.example/one/v1.0":         "",
		"https://login.example/{tenantid}/v2.0":  "",
		"https://login.example/v2.0":             "",
		"https://evil.example/one/v2.0":          "",
		"https://login.example.evil/one/v2.0":    "",
		"https://login.example/one.evil.ex/v2.0": "",
		issuer:                                   "",
	} {
		got, err := v.VerifyIDToken(t.Context(), s.token(t, object{"iss": iss}), login())
		if got.User.Subject != want || (err == nil) != (want != "") {
			t.Errorf("VerifyIDToken(issuer %s) = %q, %v, want %q", iss, got.User.Subject, err, want)
		}
		if want != "" && got.Subject != "alice" {
			t.Errorf("VerifyIDToken(issuer %s) has the subject %q, want alice", iss, got.Subject)
		}
	}
	_, err := v.VerifyIDToken(t.Context(), s.token(t, object{"iss": "https://login.example/one/v2.0", "tid": "two"}), login())
	if err == nil || !strings.Contains(err.Error(), "two tenants") {
		t.Errorf("VerifyIDToken(tid of another tenant than the issuer's) = %v, want an error", err)
	}
}

package josetest_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/authtrip/authtrip/tokensource/jose/josetest"
)

const (
	issuer = "https://auth.example"
	app    = "an-app"
)

// now is the time of the server.
var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signed returns an assertion with changes. An empty text as a value means that
// the claim is missing.
func signed(t *testing.T, key *ecdsa.PrivateKey, typ, kid string, changes map[string]any) string {
	t.Helper()
	claims := map[string]any{
		"iss": app, "sub": app, "aud": issuer, "jti": "0123456789abcdef", "iat": now.Unix(), "exp": now.Unix() + 60,
	}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == "" })
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := gojose.NewSigner(gojose.SigningKey{Algorithm: gojose.ES256, Key: key},
		&gojose.SignerOptions{ExtraHeaders: map[gojose.HeaderKey]any{"typ": typ, "kid": kid}})
	if err != nil {
		t.Fatal(err)
	}
	object, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := object.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestVerifyAssertion(t *testing.T) {
	key, typ := newKey(t), "client-authentication+jwt"
	good := func(changes map[string]any) string { return signed(t, key, typ, "k", changes) }
	tests := []struct {
		name, assertion, want string
	}{
		{"a good one", good(nil), ""},
		{"no JWT", "a.b", "no JWT"},
		{"no algorithm", "eyJhbGciOiJub25lIn0.e30.", "no JWT"},
		{"another key", signed(t, newKey(t), typ, "k", nil), "signature"},
		{"an unknown client", good(map[string]any{"iss": "another"}), "no key"},
		{"another sub", good(map[string]any{"sub": "another"}), "iss and sub"},
		{"another typ", signed(t, key, "JWT", "k", nil), "typ"},
		{"no kid", signed(t, key, typ, "", nil), "kid"},
		{"the token endpoint as aud", good(map[string]any{"aud": issuer + "/token"}), "audience"},
		{"a list as aud", good(map[string]any{"aud": []string{issuer}}), "audience"},
		{"no aud", good(map[string]any{"aud": ""}), "audience"},
		{"over", good(map[string]any{"iat": now.Unix() - 61, "exp": now.Unix() - 1}), "too old"},
		{"an iat ahead", good(map[string]any{"iat": now.Unix() + 11, "exp": now.Unix() + 60}), "too old"},
		{"valid for two minutes", good(map[string]any{"exp": now.Unix() + 120}), "too long"},
		{"no jti", good(map[string]any{"jti": ""}), "jti"},
		{"a short jti", good(map[string]any{"jti": "1"}), "jti"},
	}
	for _, tt := range tests {
		v := josetest.NewAssertions(map[string]crypto.PublicKey{app: key.Public()})
		id, err := v.VerifyAssertion(tt.assertion, issuer, now)
		if tt.want == "" {
			if id != app || err != nil {
				t.Errorf("VerifyAssertion(%s) = %q, %v, want %q", tt.name, id, err, app)
			}
			if _, err := v.VerifyAssertion(tt.assertion, issuer, now); err == nil {
				t.Errorf("VerifyAssertion(%s) a second time = nil, want an error", tt.name)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("VerifyAssertion(%s) = %q, %v, want an error with %q", tt.name, id, err, tt.want)
		}
	}
}

package oauth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauth"
)

// signer is an Authenticator of a program: it signs an assertion for each
// request (RFC 7523 section 2.2), here with ES256.
type signer struct {
	key      *ecdsa.PrivateKey // may be in a KMS: only a signature is needed
	audience string
}

func (s signer) Authenticate(_ context.Context, r *oauth.TokenRequest) error {
	now := time.Now()
	claims, err := json.Marshal(map[string]any{
		"iss": r.ClientID, "sub": r.ClientID, "aud": s.audience, "jti": rand.Text(),
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	})
	if err != nil {
		return err
	}
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"ES256","kid":"key-1"}`)) + "." + encode(claims)
	digest := sha256.Sum256([]byte(signed))
	x, y, err := ecdsa.Sign(rand.Reader, s.key, digest[:])
	if err != nil {
		return err
	}
	var signature [64]byte
	x.FillBytes(signature[:32])
	y.FillBytes(signature[32:])
	r.Form().Set("client_id", r.ClientID)
	r.Form().Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	r.Form().Set("client_assertion", signed+"."+encode(signature[:]))
	return nil
}

// TestASignedAssertion shows that a program can bring private_key_jwt: every
// request has an assertion of its own, and nothing else authenticates it.
func TestASignedAssertion(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const issuer = "https://issuer.example"
	s := generic()
	s.r.Credential = oauth.Authentication(signer{key, issuer})
	seen := map[string]bool{}
	for _, op := range operations {
		for range 2 {
			w := newWorld(t)
			_ = op.run(t.Context(), w.at(s)) // the request is what counts
			r := w.only().Raw()
			if h := r.Header.Get("Authorization"); h != "" || r.PostForm.Has("client_secret") {
				t.Errorf("%s: a second method of authentication was sent", op.name)
			}
			claims := verify(t, op.name, r.PostForm, &key.PublicKey)
			if claims.Issuer != s.r.ClientID || claims.Subject != s.r.ClientID || claims.Audience != issuer {
				t.Errorf("%s: claims = %+v, want client %s for %s", op.name, claims, s.r.ClientID, issuer)
			}
			if seen[claims.ID] || claims.ID == "" {
				t.Errorf("%s: the assertion was sent before", op.name)
			}
			seen[claims.ID] = true
		}
	}
}

type claims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	ID       string `json:"jti"`
}

// verify checks the assertion of a request as a server does.
func verify(t *testing.T, what string, form url.Values, key *ecdsa.PublicKey) (c claims) {
	t.Helper()
	signed, signature, _ := cutLast(form.Get("client_assertion"))
	raw, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil || len(raw) != 64 {
		t.Fatalf("%s: the assertion has no signature", what)
	}
	digest := sha256.Sum256([]byte(signed))
	if !ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])) {
		t.Errorf("%s: the signature is wrong", what)
	}
	_, payload, _ := strings.Cut(signed, ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func cutLast(s string) (before, after string, found bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

package jose_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gojose "github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/jose"
	"github.com/authtrip/authtrip/tokensource/jose/josetest"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// hardware is a key that cannot be read, as in a TPM or a KMS.
type hardware struct{ crypto.Signer }

func curve(t *testing.T, c elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// madeRSA is made once: an RSA key is slow to make.
var madeRSA *rsa.PrivateKey

func rsaKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	if madeRSA == nil {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		madeRSA = key
	}
	return madeRSA
}

func edKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// app is a client of a strict server, and what the server sees.
type app struct {
	*oauthtest.Server
	client *oauth.Client
}

const clientID = "a-signing-app"

// newApp returns an app that has the credential c, at a server that knows the
// public key.
func newApp(t *testing.T, c oauth.Credential, public crypto.PublicKey, change func(*oauthtest.Options)) app {
	t.Helper()
	o := &oauthtest.Options{
		Apps: []oauthtest.App{{ClientID: clientID, RedirectURLs: []string{"https://app.example/callback"}, Auth: "private_key_jwt"}},
		Provider: &provider.Provider{
			Name: "strict", Issuer: "https://auth.example", IssuerRequired: true,
			AuthorizationURL: "https://auth.example/authorize", TokenURL: "https://auth.example/token",
			RevocationURL: "https://auth.example/revoke", PushedAuthorizationURL: "https://auth.example/par", RequirePushed: true,
		},
		Assertions: josetest.NewAssertions(map[string]crypto.PublicKey{clientID: public}),
	}
	if change != nil {
		change(o)
	}
	fake := oauthtest.New(t, o)
	client, err := oauth.New(fake.Provider(""), oauth.Registration{
		ClientID: clientID, Credential: c, RedirectURL: "https://app.example/callback",
	}, &oauth.Options{HTTPClient: &http.Client{Transport: fake.Transport()}})
	if err != nil {
		t.Fatal(err)
	}
	return app{fake, client}
}

// login goes through everything that a client does.
func (a app) login(t *testing.T) error {
	t.Helper()
	verifier := oauth2.GenerateVerifier()
	login, err := a.client.Authorize(t.Context(), "a-state", verifier, nil)
	if err != nil {
		return err
	}
	callback, err := a.Authorize(t.Context(), "", login)
	if err != nil {
		return err
	}
	u, err := url.Parse(callback)
	if err != nil {
		return err
	}
	tok, err := a.client.Exchange(t.Context(), u.Query().Get("code"), verifier)
	if err != nil {
		return err
	}
	if tok, err = a.client.Refresh(t.Context(), tok.RefreshToken); err != nil {
		return err
	}
	if _, err := a.client.ClientCredentials(t.Context()); err != nil {
		return err
	}
	return a.client.Revoke(t.Context(), tok.RefreshToken, oauth.HintRefreshToken)
}

// The server takes each assertion once, for its issuer alone.
func TestPrivateKeyJWT(t *testing.T) {
	p256, r2048, ed := curve(t, elliptic.P256()), rsaKey(t), edKey(t)
	tests := []struct {
		name string
		key  crypto.Signer
		o    *jose.AssertionOptions
		alg  string
	}{
		{"P-256", p256, nil, "ES256"},
		{"P-384", curve(t, elliptic.P384()), nil, "ES384"},
		{"RSA", r2048, nil, "PS256"},
		{"RSA with PS512", r2048, &jose.AssertionOptions{Algorithm: "PS512"}, "PS512"},
		{"RSA with RS256 by choice", r2048, &jose.AssertionOptions{Algorithm: "RS256"}, "RS256"},
		{"Ed25519", ed, nil, "EdDSA"},
		{"P-256 with a name", p256, &jose.AssertionOptions{KeyID: "key-1"}, "ES256"},
		{"a P-256 key in hardware", hardware{p256}, nil, "ES256"},
		{"an RSA key in hardware", hardware{r2048}, nil, "PS256"},
		{"an Ed25519 key in hardware", hardware{ed}, nil, "EdDSA"},
	}
	for _, tt := range tests {
		c, err := jose.PrivateKeyJWT(tt.key, tt.o)
		if err != nil {
			t.Errorf("PrivateKeyJWT(%s) = %v, want a Credential", tt.name, err)
			continue
		}
		a := newApp(t, c, tt.key.Public(), nil)
		if err := a.login(t); err != nil {
			t.Errorf("a login with %s = %v, want none", tt.name, err)
		}
		for _, r := range a.Requests() {
			form := r.Raw().PostForm
			if r.Op == "authorize" {
				continue
			}
			if form.Get("client_id") != clientID || form.Has("client_secret") || r.Raw().Header.Get("Authorization") != "" {
				t.Errorf("%s: %v, want the client ID and the assertion only", tt.name, r)
			}
			signed, err := gojose.ParseSignedCompact(form.Get("client_assertion"), []gojose.SignatureAlgorithm{gojose.SignatureAlgorithm(tt.alg)})
			if err != nil {
				t.Errorf("%s: the algorithm is not %s: %v", tt.name, tt.alg, err)
				continue
			}
			want, _ := jose.Thumbprint(tt.key.Public())
			if tt.o != nil && tt.o.KeyID != "" {
				want = tt.o.KeyID
			}
			if got := signed.Signatures[0].Protected.KeyID; got != want {
				t.Errorf("%s: kid = %q, want %q", tt.name, got, want)
			}
		}
	}
}

func TestPrivateKeyJWTRefuses(t *testing.T) {
	p256 := curve(t, elliptic.P256())
	small := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}}
	tests := []struct {
		name string
		key  crypto.Signer
		o    jose.AssertionOptions
		want string
	}{
		{"no key", nil, jose.AssertionOptions{}, "nil"},
		{"a nil pointer", (*ecdsa.PrivateKey)(nil), jose.AssertionOptions{}, "nil"},
		{"RSA of 1024 bits", small, jose.AssertionOptions{}, "2048"},
		{"RSA of 1024 bits in hardware", hardware{small}, jose.AssertionOptions{}, "2048"},
		{"P-224", curve(t, elliptic.P224()), jose.AssertionOptions{}, "P-256"},
		{"P-256 with ES384", p256, jose.AssertionOptions{Algorithm: "ES384"}, "does not fit"},
		{"P-256 with PS256", p256, jose.AssertionOptions{Algorithm: "PS256"}, "does not fit"},
		{"P-256 with HS256", p256, jose.AssertionOptions{Algorithm: "HS256"}, "does not fit"},
		{"P-256 with none", p256, jose.AssertionOptions{Algorithm: "none"}, "does not fit"},
		{"a certificate of another key", p256, jose.AssertionOptions{Certificate: &x509.Certificate{PublicKey: edKey(t).Public()}}, "another key"},
		{"a name and a certificate", p256, jose.AssertionOptions{KeyID: "a", Certificate: &x509.Certificate{PublicKey: p256.Public()}}, "leave one out"},
	}
	for _, tt := range tests {
		c, err := jose.PrivateKeyJWT(tt.key, &tt.o)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !c.IsZero() {
			t.Errorf("PrivateKeyJWT(%s) = %v, want an error with %q", tt.name, err, tt.want)
		}
	}
}

// jwt returns header and claims of an assertion.
func jwt(t *testing.T, text string) (header, claims map[string]any) {
	t.Helper()
	signed, err := gojose.ParseSignedCompact(text, []gojose.SignatureAlgorithm{gojose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(signed.UnsafePayloadWithoutVerification(), &claims); err != nil {
		t.Fatal(err)
	}
	raw, _, _ := strings.Cut(text, ".")
	decoded, err := base64.RawURLEncoding.DecodeString(raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(decoded, &header); err != nil {
		t.Fatal(err)
	}
	return header, claims
}

// asserted has c authenticate one request.
func asserted(t *testing.T, c oauth.Credential, p *provider.Provider) (assertion string, err error) {
	t.Helper()
	fake := oauthtest.New(t, &oauthtest.Options{Provider: p})
	client, err := oauth.New(p, oauth.Registration{ClientID: clientID, Credential: c, RedirectURL: "https://app.example/callback"},
		&oauth.Options{HTTPClient: &http.Client{Transport: fake.Transport()}})
	if err != nil {
		return "", err
	}
	_, err = client.ClientCredentials(t.Context())
	for _, r := range fake.Requests() {
		return r.Raw().PostForm.Get("client_assertion"), nil // the fake refuses the app, which it does not know
	}
	return "", err
}

func plain() *provider.Provider {
	return &provider.Provider{
		Name: "plain", Issuer: "https://auth.example", AuthorizationURL: "https://auth.example/authorize", TokenURL: "https://auth.example/token",
	}
}

func TestTheClaimsOfAnAssertion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := curve(t, elliptic.P256())
		c, err := jose.PrivateKeyJWT(key, &jose.AssertionOptions{Type: "JWT", Certificate: &x509.Certificate{Raw: []byte("der"), PublicKey: key.Public()}})
		if err != nil {
			t.Fatal(err)
		}
		p := plain()
		p.AssertionAudience = "https://auth.example/token"
		text, err := asserted(t, c, p)
		if err != nil {
			t.Fatal(err)
		}
		header, claims := jwt(t, text)
		sum := sha256.Sum256([]byte("der"))
		want := map[string]any{"alg": "ES256", "typ": "JWT", "x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])}
		if !maps.Equal(header, want) {
			t.Errorf("header = %v, want %v", header, want)
		}
		now := float64(time.Now().Unix())
		for name, want := range map[string]any{
			"iss": clientID, "sub": clientID, "aud": "https://auth.example/token", "iat": now, "nbf": now, "exp": now + 60,
		} {
			if claims[name] != want {
				t.Errorf("%s = %v, want %v", name, claims[name], want)
			}
		}
		if id, _ := claims["jti"].(string); len(id) < 22 || len(claims) != 7 {
			t.Errorf("claims = %v, want a jti of at least 128 bits and nothing more", claims)
		}
		again, err := asserted(t, c, p)
		if err != nil {
			t.Fatal(err)
		}
		if _, second := jwt(t, again); second["jti"] == claims["jti"] {
			t.Error("two assertions have one jti")
		}
	})
}

// The audience never comes from an endpoint by itself.
func TestAnAssertionForNobody(t *testing.T) {
	c, err := jose.PrivateKeyJWT(curve(t, elliptic.P256()), nil)
	if err != nil {
		t.Fatal(err)
	}
	p := plain()
	p.Issuer = ""
	if text, err := asserted(t, c, p); err == nil || !strings.Contains(err.Error(), "AssertionAudience") {
		t.Errorf("New() = %v, and the assertion %q was sent, want an error that names AssertionAudience", err, text)
	}
}

// A client whose clock is wrong learns the time of the server, if the
// difference is small.
func TestAWrongClock(t *testing.T) {
	for skew, ok := range map[time.Duration]bool{
		10 * time.Minute: true, -10 * time.Minute: true, 2 * time.Minute: true, 0: true, time.Hour: false, -time.Hour: false,
	} {
		synctest.Test(t, func(t *testing.T) {
			key := curve(t, elliptic.P256())
			c, err := jose.PrivateKeyJWT(key, nil)
			if err != nil {
				t.Fatal(err)
			}
			a := newApp(t, c, key.Public(), func(o *oauthtest.Options) {
				o.Clock = func() time.Time { return time.Now().Add(skew) }
			})
			err = a.login(t)
			if (err == nil) != ok {
				t.Errorf("a login at a server whose clock is %v ahead = %v, want success: %v", skew, err, ok)
			}
			want := 1
			if ok && skew != 0 {
				want = 2 // the first one taught the time
			}
			if got := len(a.Requests(oauthtest.Match{Op: "push"})); got != want {
				t.Errorf("%v ahead: %d requests were pushed, want %d", skew, got, want)
			}
		})
	}
}

// A code is not sent twice, also when the next assertion would be better.
func TestACodeIsNotSentAgainForAClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := curve(t, elliptic.P256())
		c, err := jose.PrivateKeyJWT(key, nil)
		if err != nil {
			t.Fatal(err)
		}
		a := newApp(t, c, key.Public(), func(o *oauthtest.Options) {
			o.Clock = func() time.Time { return time.Now().Add(10 * time.Minute) }
		})
		for range 2 {
			_, err = a.client.Exchange(t.Context(), "a-code", oauth2.GenerateVerifier())
		}
		if n := a.TokenCalls("authorization_code"); n != 2 || !errors.Is(err, tokensource.ErrReauthorize) {
			t.Errorf("two exchanges sent %d requests and end with %v, want 2 and the server's answer to the code", n, err)
		}
	})
}

func TestPrivateKeyJWTFunc(t *testing.T) {
	first, second := curve(t, elliptic.P256()), curve(t, elliptic.P256())
	current, broken := crypto.Signer(first), errors.New("the vault is locked")
	c, err := jose.PrivateKeyJWTFunc(func(context.Context) (crypto.Signer, error) {
		if current == nil {
			return nil, broken
		}
		return current, nil
	}, &jose.AssertionOptions{Algorithm: "ES256"})
	if err != nil {
		t.Fatal(err)
	}
	a := newApp(t, c, second.Public(), nil)
	for _, tt := range []struct {
		name string
		key  crypto.Signer
		want error
	}{
		{"the first key", first, tokensource.ErrClient}, {"the second key", second, nil},
		{"a key of another kind", edKey(t), tokensource.ErrTemporary}, {"no key", nil, broken},
	} {
		current = tt.key
		if err := a.login(t); !errors.Is(err, tt.want) {
			t.Errorf("a login with %s = %v, want %v", tt.name, err, tt.want)
		}
	}
	for name, o := range map[string]*jose.AssertionOptions{
		"no options": nil, "no algorithm": {}, "a name": {Algorithm: "ES256", KeyID: "k"}, "a certificate": {Algorithm: "ES256", Certificate: &x509.Certificate{}},
	} {
		if _, err := jose.PrivateKeyJWTFunc(func(context.Context) (crypto.Signer, error) { return first, nil }, o); err == nil {
			t.Errorf("PrivateKeyJWTFunc() with %s = nil, want an error", name)
		}
	}
	if _, err := jose.PrivateKeyJWTFunc(nil, &jose.AssertionOptions{Algorithm: "ES256"}); err == nil {
		t.Error("PrivateKeyJWTFunc(nil) = nil, want an error")
	}
}

// No verb shows a key.
func TestACredentialShowsNoKey(t *testing.T) {
	key := curve(t, elliptic.P256())
	c, err := jose.PrivateKeyJWT(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	private, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	r := oauth.Registration{ClientID: clientID, Credential: c}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		if text := fmt.Sprintf(verb, r); strings.Contains(text, new(big.Int).SetBytes(private).String()) || strings.Contains(text, fmt.Sprintf("%x", private)) {
			t.Errorf("%s shows the key", verb)
		}
	}
}

package jose_test

import (
	"context"
	"crypto"
	"crypto/elliptic"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/jose"
	"github.com/authtrip/authtrip/tokensource/jose/josetest"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// bank is a server of which FAPI 2.0 is demanded, and what a client of it
// needs.
func bank(t *testing.T, key crypto.Signer, o *jose.DPoPOptions) (*oauthtest.Server, *provider.Provider, oauth.Registration, *oauth.Options) {
	t.Helper()
	fake := oauthtest.New(t, &oauthtest.Options{
		Apps: []oauthtest.App{{ClientID: clientID, RedirectURLs: []string{"https://app.example/callback"}, Auth: "private_key_jwt"}},
		Provider: &provider.Provider{
			Name: "bank", Issuer: "https://bank.example", IssuerRequired: true, MetadataURL: "https://bank.example/.well-known/oauth-authorization-server",
			AuthorizationURL: "https://bank.example/authorize", TokenURL: "https://bank.example/token", RevocationURL: "https://bank.example/revoke",
			PushedAuthorizationURL: "https://bank.example/par", RequirePushed: true, APIOrigins: []string{"https://api.bank.example"},
		},
		RequirePKCE: true, RequireState: true,
		Assertions: josetest.NewAssertions(map[string]crypto.PublicKey{clientID: key.Public()}),
		Proofs:     new(josetest.Proofs),
	})
	c, err := jose.PrivateKeyJWT(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	proofs, err := jose.NewDPoP(o)
	if err != nil {
		t.Fatal(err)
	}
	return fake, fake.Provider(""),
		oauth.Registration{ClientID: clientID, Credential: c, RedirectURL: "https://app.example/callback"},
		&oauth.Options{HTTPClient: &http.Client{Transport: fake.Transport()}, FAPI2: true, Proofs: proofs}
}

// A login, a refresh and a revocation with everything that the profile demands.
func TestFAPI2WithKeys(t *testing.T) {
	fake, p, r, o := bank(t, rsaKey(t), nil)
	client, err := oauth.New(p, r, o)
	if err != nil {
		t.Fatal(err)
	}
	key, err := client.Proofs().NewKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bound, verifier := client.WithProver(key), oauth2.GenerateVerifier()
	login, err := bound.Authorize(t.Context(), "a-state-of-22-characters", verifier, nil)
	if err != nil {
		t.Fatal(err)
	}
	callback, err := fake.Authorize(t.Context(), "", login)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(callback)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := bound.Exchange(t.Context(), u.Query().Get("code"), verifier)
	if err != nil {
		t.Fatal(err)
	}
	if tok, err = bound.Refresh(t.Context(), tok.RefreshToken); err != nil || tok.TokenType != "DPoP" {
		t.Fatalf("Refresh() = %v, want a token that is bound", err)
	}
	if _, err := client.Refresh(t.Context(), tok.RefreshToken); !errors.Is(err, tokensource.ErrReauthorize) {
		t.Errorf("Refresh() without the key = %v, want ErrReauthorize", err)
	}
	for _, seen := range fake.Requests() {
		raw := seen.Raw()
		if seen.Op != "authorize" && (raw.Header.Get("DPoP") == "" || raw.PostForm.Get("client_assertion") == "") {
			t.Errorf("%v has no proof or no assertion", seen)
		}
	}
	if err := bound.Revoke(t.Context(), tok.RefreshToken, oauth.HintRefreshToken); err != nil {
		t.Errorf("Revoke() = %v, want none", err)
	}
}

func TestFAPI2RefusesWeakKeys(t *testing.T) {
	signer := func(context.Context) (string, crypto.Signer, error) { return "", nil, errors.New("not asked") }
	opener := func(context.Context, string) (crypto.Signer, error) { return nil, tokensource.ErrKeyLost }
	p256 := curve(t, elliptic.P256())
	for name, tt := range map[string]struct {
		key  crypto.Signer
		o    *jose.DPoPOptions
		want string
	}{
		"P-256 and ES256":                  {p256, nil, ""},
		"Ed25519 and EdDSA":                {edKey(t), &jose.DPoPOptions{Algorithm: "EdDSA"}, ""},
		"keys of a TPM for ES256":          {p256, &jose.DPoPOptions{Algorithm: "ES256", NewSigner: signer, OpenSigner: opener}, ""},
		"keys of a TPM of any kind":        {p256, &jose.DPoPOptions{NewSigner: signer, OpenSigner: opener}, "Options.Proofs"},
		"proofs with RS256":                {p256, &jose.DPoPOptions{Algorithm: "RS256"}, "Options.Proofs"},
		"an assertion with a key on P-384": {curve(t, elliptic.P384()), nil, "ES384"},
	} {
		_, p, r, o := bank(t, tt.key, tt.o)
		_, err := oauth.New(p, r, o)
		if ok := tt.want == ""; (err == nil) != ok || !ok && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("New() with %s = %v, want an error with %q", name, err, tt.want)
		}
	}
}

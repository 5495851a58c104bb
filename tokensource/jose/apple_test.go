package jose_test

import (
	"crypto"
	"crypto/elliptic"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/authtrip/authtrip/tokensource/jose"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

var apple = jose.AppleKey{ClientID: "com.example.service", TeamID: "TEAM123456", KeyID: "KEY1234567"}

// The secret is made once an hour, before it ends, and is what Apple documents.
func TestAppleSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := curve(t, elliptic.P256())
		c, err := jose.AppleSecret(hardware{key}, apple)
		if err != nil {
			t.Fatal(err)
		}
		p := plain()
		p.ClientAuth = provider.Post
		fake := oauthtest.New(t, &oauthtest.Options{Provider: p})
		client, err := oauth.New(p, oauth.Registration{ClientID: apple.ClientID, Credential: c, RedirectURL: "https://app.example/callback"},
			&oauth.Options{HTTPClient: &http.Client{Transport: fake.Transport()}})
		if err != nil {
			t.Fatal(err)
		}
		var secrets []string
		for _, wait := range []time.Duration{0, time.Minute, 48 * time.Minute, 2 * time.Minute, 24 * time.Hour} {
			time.Sleep(wait)
			_, _ = client.Refresh(t.Context(), "a-refresh-token") // the request is what counts
			requests := fake.Requests()
			secrets = append(secrets, requests[len(requests)-1].Raw().PostForm.Get("client_secret"))
		}
		if distinct := slices.Compact(slices.Clone(secrets)); len(distinct) != 3 || secrets[0] != secrets[2] {
			t.Errorf("%d secrets were made for calls at 0, 1, 49 and 51 minutes and a day later, want 3", len(distinct))
		}
		signed, err := gojose.ParseSignedCompact(secrets[4], []gojose.SignatureAlgorithm{gojose.ES256})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := signed.Verify(key.Public()); err != nil || signed.Signatures[0].Protected.KeyID != apple.KeyID {
			t.Errorf("the secret = %v with kid %q, want one that verifies with kid %s", err, signed.Signatures[0].Protected.KeyID, apple.KeyID)
		}
		_, claims := jwt(t, secrets[4])
		now := float64(time.Now().Unix())
		for name, want := range map[string]any{
			"iss": apple.TeamID, "sub": apple.ClientID, "aud": "https://appleid.apple.com", "iat": now, "exp": now + 3600,
		} {
			if claims[name] != want {
				t.Errorf("%s = %v, want %v", name, claims[name], want)
			}
		}
	})
}

func TestAppleSecretRefuses(t *testing.T) {
	key := curve(t, elliptic.P256())
	for name, tt := range map[string]struct {
		key crypto.Signer
		a   jose.AppleKey
	}{
		"no key": {nil, apple}, "an RSA key": {rsaKey(t), apple}, "a key on P-384": {curve(t, elliptic.P384()), apple},
		"no client": {key, jose.AppleKey{TeamID: "t", KeyID: "k"}}, "no team": {key, jose.AppleKey{ClientID: "c", KeyID: "k"}},
		"no key ID": {key, jose.AppleKey{ClientID: "c", TeamID: "t"}},
	} {
		if c, err := jose.AppleSecret(tt.key, tt.a); err == nil || !c.IsZero() {
			t.Errorf("AppleSecret() with %s = nil, want an error", name)
		}
	}
}

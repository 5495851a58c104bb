package readme_test

import (
	"context"
	"crypto/tls"
	"os"
	"testing"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// workload is an app on a platform that gives it a token.
func workload() oauth.Credential {
	credential := oauth.AssertionFile("/var/run/secrets/tokens/authorization-server")
	return credential
}

// mutual is an app with a certificate, which somebody else replaces.
func mutual() oauth.Credential {
	credential := oauth.MutualTLS(func() (*tls.Certificate, error) {
		// The files are read each time: a new certificate is used at once.
		c, err := tls.LoadX509KeyPair("client.crt", "client.key")
		return &c, err
	})
	return credential
}

// ofResources is an app whose tokens are for two APIs.
func ofResources() oauth.Registration {
	registration := oauth.Registration{
		ClientID:    "my-app",
		Credential:  oauth.Secret(os.Getenv("CLIENT_SECRET")),
		RedirectURL: "https://app.example/callback",
		Resources:   []string{"https://accounts.acme.example", "https://payments.acme.example"},
	}
	return registration
}

// bank is a client that keeps the FAPI 2.0 profile.
func bank(found *provider.Provider, registration oauth.Registration, proofs tokensource.Proofs) (*oauth.Client, error) {
	client, err := oauth.New(found, registration, &oauth.Options{FAPI2: true, Proofs: proofs})
	return client, err
}

func TestTheCredentialsOfThePageAreTaken(t *testing.T) {
	t.Chdir(t.TempDir())
	p := generic()
	p.Issuer = "https://login.acme.example"
	for name, c := range map[string]oauth.Credential{"a file": workload(), "a certificate": mutual()} {
		r := ofResources()
		r.Credential = c
		client, err := oauth.New(p, r, nil)
		if err != nil || client.Public() {
			t.Errorf("New() with %s = %v, want a confidential client", name, err)
			continue
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // nothing shall be sent
		if _, err := client.ClientCredentials(ctx); err == nil {
			t.Errorf("ClientCredentials() with %s that is missing = nil, want an error", name)
		}
	}
	if _, err := bank(p, ofResources(), nil); err == nil {
		t.Error("New() with FAPI2 and endpoints by hand = nil, want an error")
	}
}

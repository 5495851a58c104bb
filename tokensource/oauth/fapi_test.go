package oauth_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/internal/wire"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// named is an Authenticator that says what it does.
type named struct{ name, alg string }

func (n named) Authenticate(_ context.Context, r *oauth.TokenRequest) error {
	r.Form().Set("client_id", r.ClientID)
	r.Form().Set("client_assertion", "for "+r.Audience)
	return nil
}

func (n named) Method() (name, alg string) { return n.name, n.alg }

// proofs make keys that sign with an algorithm.
type proofs struct {
	tokensource.Proofs
	alg string
}

func (p proofs) Algorithm() string { return p.alg }

// bank is a setting that FAPI 2.0 allows.
func bank() setting {
	return setting{
		p: &provider.Provider{
			Name: "bank", Issuer: "https://bank.example", IssuerRequired: true, MetadataURL: "https://bank.example/.well-known/openid-configuration",
			AuthorizationURL: "https://bank.example/authorize", TokenURL: "https://bank.example/token", RevocationURL: "https://bank.example/revoke",
			PushedAuthorizationURL: "https://bank.example/par",
		},
		r: oauth.Registration{
			ClientID: "an-app", Credential: oauth.Authentication(named{"private_key_jwt", "PS256"}), RedirectURL: "https://app.example/callback",
		},
		o: &oauth.Options{FAPI2: true, Proofs: proofs{nil, "ES256"}},
	}
}

func TestFAPI2Takes(t *testing.T) {
	c := fixed(newAuthority(t).issue(certificate()))
	for name, change := range map[string]func(*setting){
		"PS256":                    func(*setting) {},
		"ES256":                    func(s *setting) { s.r.Credential = oauth.Authentication(named{"private_key_jwt", "ES256"}) },
		"EdDSA":                    func(s *setting) { s.r.Credential = oauth.Authentication(named{"private_key_jwt", "EdDSA"}) },
		"Ed25519":                  func(s *setting) { s.r.Credential = oauth.Authentication(named{"private_key_jwt", "Ed25519"}) },
		"MutualTLS":                func(s *setting) { s.r.Credential, s.o.Proofs = oauth.MutualTLS(c), nil },
		"MutualTLS and Proofs":     func(s *setting) { s.r.Credential = oauth.MutualTLS(c) },
		"PS256 and a Certificate":  func(s *setting) { s.o.Certificate, s.o.Proofs = c, nil },
		"Proofs with PS256":        func(s *setting) { s.o.Proofs = proofs{nil, "PS256"} },
		"Proofs with EdDSA":        func(s *setting) { s.o.Proofs = proofs{nil, "EdDSA"} },
		"the issuer as audience":   func(s *setting) { s.p.AssertionAudience = s.p.Issuer },
		"a native app on loopback": func(s *setting) { s.r.RedirectURL = "http://127.0.0.1/callback" },
		"RequirePushed":            func(s *setting) { s.p.RequirePushed = true },
		"an endpoint for pushed requests for certificates only": func(s *setting) {
			s.r.Credential, s.p.MTLS.PushedAuthorizationURL, s.p.PushedAuthorizationURL = oauth.MutualTLS(c), s.p.PushedAuthorizationURL, ""
		},
	} {
		s := bank()
		change(&s)
		if _, err := s.client(); err != nil {
			t.Errorf("New() with %s = %v, want a client", name, err)
		}
	}
}

// Whatever is weaker is an error that says what to do, and is not changed
// silently.
func TestFAPI2Refuses(t *testing.T) {
	by := func(a oauth.Authenticator) func(*setting) {
		return func(s *setting) { s.r.Credential = oauth.Authentication(a) }
	}
	tests := []struct {
		name   string
		change func(*setting)
		want   string
	}{
		{"a public client", func(s *setting) { s.r.Credential = oauth.Credential{} }, "jose.PrivateKeyJWT"},
		{"a public client with a Certificate", func(s *setting) { s.r.Credential, s.o.Certificate = oauth.Credential{}, noCertificate }, "jose.PrivateKeyJWT"},
		{"a secret by Basic", func(s *setting) { s.r.Credential = oauth.Secret("s3cret") }, "no secret"},
		{"a secret by Post", func(s *setting) { s.r.Credential, s.p.ClientAuth = oauth.Secret("s3cret"), provider.Post }, "no secret"},
		{"a secret of a function", func(s *setting) {
			s.r.Credential = oauth.SecretFunc(func(context.Context) (string, error) { return "s3cret", nil })
		}, "no secret"},
		{"an assertion of a file", func(s *setting) { s.r.Credential = oauth.AssertionFile("assertion") }, "does not say how"},
		{"an Authenticator that says nothing", by(assertion{}), "jose.PrivateKeyJWT"},
		{"client_secret_jwt", by(named{"client_secret_jwt", "HS256"}), "jose.PrivateKeyJWT"},
		{"RS256", by(named{"private_key_jwt", "RS256"}), "signed with RS256"},
		{"PS512", by(named{"private_key_jwt", "PS512"}), "signed with PS512"},
		{"HS256", by(named{"private_key_jwt", "HS256"}), "signed with HS256"},
		{"none", by(named{"private_key_jwt", "none"}), "signed with none"},
		{"no PushedAuthorizationURL", func(s *setting) { s.p.PushedAuthorizationURL = "" }, "PushedAuthorizationURL"},
		{"endpoints by hand", func(s *setting) { s.p.MetadataURL = "" }, "package discovery"},
		{"no Issuer", func(s *setting) { s.p.Issuer, s.p.IssuerRequired = "", false }, "Issuer"},
		{"iss that is not required", func(s *setting) { s.p.IssuerRequired = false }, "IssuerRequired"},
		{"no PKCE", func(s *setting) { s.p.PKCE = provider.NoPKCE }, "PKCE"},
		{"PKCE in hexadecimal", func(s *setting) { s.p.PKCE = provider.S256Hex }, "PKCE"},
		{"http on loopback", func(s *setting) { s.p.InsecureLoopback = true }, "InsecureLoopback"},
		{"http", func(s *setting) { s.p.InsecureHTTP = true }, "InsecureHTTP"},
		{"the token endpoint as audience", func(s *setting) { s.p.AssertionAudience = s.p.TokenURL }, "AssertionAudience"},
		{"neither Proofs nor a certificate", func(s *setting) { s.o.Proofs = nil }, "Options.Proofs"},
		{"Proofs with RS256", func(s *setting) { s.o.Proofs = proofs{nil, "RS256"} }, "PS256, ES256 or EdDSA"},
		{"Proofs that do not say how they sign", func(s *setting) { s.o.Proofs = struct{ tokensource.Proofs }{} }, "Algorithm"},
		{"Prepare", func(s *setting) { s.o.Prepare = func(context.Context, *oauth.TokenRequest) error { return nil } }, "Options.Prepare"},
	}
	for _, tt := range tests {
		s := bank()
		tt.change(&s)
		if _, err := s.client(); err == nil || !strings.Contains(err.Error(), "Options.FAPI2: ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("New() with %s = %v, want an error with %q", tt.name, err, tt.want)
		}
		s.o.FAPI2 = false
		if _, err := s.client(); err != nil {
			t.Errorf("New() with %s and without FAPI2 = %v, want a client", tt.name, err)
		}
	}
}

func noCertificate() (*tls.Certificate, error) { return nil, errors.New("there is none") }

// fapi returns a client of s over a fake that answers everything with body.
func fapi(t *testing.T, s setting, status int, body string) (*oauthtest.Server, *oauth.Client) {
	t.Helper()
	fake := oauthtest.New(t, &oauthtest.Options{Provider: s.p})
	fake.Inject(oauthtest.Match{}, wire.JSON(status, body), -1)
	s.o.HTTPClient = &http.Client{Transport: fake.Transport()}
	client, err := s.client()
	if err != nil {
		t.Fatal(err)
	}
	return fake, client
}

// A grant of the time before the profile ends with a new login.
func TestFAPI2DoesNotRefreshAGrantWithoutAKey(t *testing.T) {
	fake, client := fapi(t, bank(), 200, `{"access_token":"at","token_type":"Bearer"}`)
	_, err := client.Refresh(t.Context(), someRefresh)
	testworld.WantIs(t, err, tokensource.ErrReauthorize)
	if _, err := client.ClientCredentials(t.Context()); err == nil || len(fake.Requests()) != 0 {
		t.Errorf("ClientCredentials() without a key = %v after %d requests, want an error and none", err, len(fake.Requests()))
	}
}

// Mutual TLS does both: it authenticates, and binds the tokens.
func TestFAPI2WithMutualTLS(t *testing.T) {
	own := tls.Certificate{}
	m := newMutual(t, func(a *authority) tls.Certificate { own = a.issue(certificate()); return own })
	m.r.Credential, m.p.MetadataURL = oauth.MutualTLS(fixed(own)), "https://auth.example/.well-known/oauth-authorization-server"
	o := m.trusting()
	o.FAPI2 = true
	client, err := oauth.New(m.p, m.r, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.login(t, client); err != nil {
		t.Errorf("a login with mutual TLS = %v, want none", err)
	}
}

// longState has 128 bits in base64url.
const longState = "0123456789abcdefghijkl"

// What a login may choose cannot weaken the profile.
func TestFAPI2HoldsForEachLogin(t *testing.T) {
	_, client := fapi(t, bank(), 201, `{"request_uri":"urn:example:1","expires_in":60}`)
	client, err := client.With("https://app.example/other", []string{"accounts"})
	if err != nil {
		t.Fatal(err)
	}
	login, err := client.WithProver(new(prover)).Authorize(t.Context(), longState, oauth2.GenerateVerifier(), nil)
	if err != nil || login != "https://bank.example/authorize?client_id=an-app&request_uri=urn%3Aexample%3A1" {
		t.Errorf("Authorize() = %q, %v, want a request that was pushed", login, err)
	}
	if _, err := client.WithProver(new(prover)).Authorize(t.Context(), longState[1:], oauth2.GenerateVerifier(), nil); err == nil {
		t.Error("Authorize() with a state of 21 characters = nil, want an error")
	}
	if _, err := client.Authorize(t.Context(), longState, oauth2.GenerateVerifier(), nil); err == nil {
		t.Error("Authorize() without a key = nil, want an error")
	}
}

// An assertion is for the issuer. A provider may say otherwise.
func TestTheAudienceOfAnAssertion(t *testing.T) {
	for want, change := range map[string]func(*provider.Provider){
		"for https://bank.example":       func(*provider.Provider) {},
		"for https://bank.example/token": func(p *provider.Provider) { p.AssertionAudience = p.TokenURL },
		"for ":                           func(p *provider.Provider) { p.Issuer, p.IssuerRequired = "", false },
	} {
		s := bank()
		s.o.FAPI2 = false
		change(s.p)
		fake, client := fapi(t, s, 503, "")
		_, _ = client.WithProver(new(prover)).Refresh(t.Context(), someRefresh) // the request is what counts
		if got := fake.Requests()[0].Raw().PostForm.Get("client_assertion"); got != want {
			t.Errorf("client_assertion = %q, want %q", got, want)
		}
	}
}

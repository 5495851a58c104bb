package oidc_test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oidc"
	"github.com/authtrip/authtrip/tokensource/oidc/oidctest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

const (
	clientID    = "app"
	issuer      = "https://as.example"
	nonce       = "the nonce of this login"
	accessToken = "an access token"
)

// server publishes keys.
type server struct {
	*oidctest.Signer

	requests atomic.Int64
	answer   func() (status int, body []byte) // nil: the keys
	fails    bool
}

func newServer(t *testing.T) *server {
	return &server{Signer: oidctest.New(t)}
}

func (s *server) RoundTrip(req *http.Request) (*http.Response, error) {
	s.requests.Add(1)
	if s.fails {
		return nil, errors.New("the network is down")
	}
	answer := s.answer
	if answer == nil {
		answer = func() (int, []byte) { return http.StatusOK, s.JWKS() }
	}
	status, body := answer()
	if req.URL.String() != issuer+"/keys" {
		status = http.StatusNotFound
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Request: req}, nil
}

func plainProvider() *provider.Provider {
	return &provider.Provider{
		Name: "as", AuthorizationURL: issuer + "/authorize", TokenURL: issuer + "/token", Issuer: issuer, JWKSURL: issuer + "/keys",
	}
}

// verifier returns a Verifier that reads its keys from s.
func (s *server) verifier(t *testing.T, o *oidc.Options) *oidc.Verifier {
	t.Helper()
	return s.verifierOf(t, plainProvider(), o)
}

func (s *server) verifierOf(t *testing.T, p *provider.Provider, o *oidc.Options) *oidc.Verifier {
	t.Helper()
	if o == nil {
		o = new(oidc.Options)
	}
	o.HTTPClient = &http.Client{Transport: s}
	v, err := oidc.New(p, clientID, o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// claims are those of a good ID token, with changes. A nil removes a claim.
func claims(changes map[string]any) map[string]any {
	now := time.Now()
	all := map[string]any{
		"iss": issuer, "sub": "alice", "aud": clientID, "nonce": nonce, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	}
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	return all
}

// token returns the token of an answer with an ID token that has the claims.
func (s *server) token(t *testing.T, changes map[string]any) *oauth2.Token {
	t.Helper()
	raw, err := s.IDToken(claims(changes), accessToken)
	if err != nil {
		t.Fatal(err)
	}
	return with(raw)
}

func with(raw string) *oauth2.Token {
	return (&oauth2.Token{AccessToken: accessToken}).WithExtra(map[string]any{"id_token": raw})
}

// login is what a login asks for.
func login() provider.IDTokenRequest { return provider.IDTokenRequest{Nonce: nonce} }

// bubble runs f where time stands still unless f sleeps.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// isRefusal reports whether a token was refused for good.
func isRefusal(err error) bool {
	e, ok := errors.AsType[*tokensource.Error](err)
	return ok && e.Kind == nil
}

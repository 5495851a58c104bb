package xapi_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

func xoauth2(s *xapi.Server, style oauth2.AuthStyle) (*oauth2.Config, context.Context) {
	p := s.Provider("")
	conf := &oauth2.Config{
		ClientID: ci.ClientID, ClientSecret: ci.Secret(), RedirectURL: redirectURL, Scopes: strings.Fields(allScopes),
		Endpoint: oauth2.Endpoint{AuthURL: p.AuthorizationURL, TokenURL: p.TokenURL, AuthStyle: style},
	}
	return conf, context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Transport: s.Transport()})
}

func TestOAuth2WithBasicCompletes(t *testing.T) {
	s := fake(t, nil)
	conf, ctx := xoauth2(s, oauth2.AuthStyleInHeader)
	secret := oauth2.GenerateVerifier()
	q := codeFor(t, s, conf.AuthCodeURL("state", oauth2.S256ChallengeOption(secret)))
	token, err := conf.Exchange(ctx, q, oauth2.VerifierOption(secret))
	if err != nil || token.RefreshToken == "" || token.Type() != "Bearer" {
		t.Fatalf("Exchange = %v, want a token", err)
	}
	s.ExpireAccess("")
	next, err := conf.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	if err != nil || next.RefreshToken == token.RefreshToken {
		t.Errorf("refresh = %v, want a rotated token", err)
	}
	if got := s.TokenCalls("authorization_code") + s.TokenCalls("refresh_token"); got != 2 {
		t.Errorf("%d token requests, want 2", got)
	}
	if err := s.Audit(); err != nil {
		t.Errorf("Audit() = %v, want nil", err)
	}
}

// TestOAuth2WithAutoDetectResends shows what AuthStyleAutoDetect does at
// X: any failure, even a 503, makes it send the one-time code again with the
// secret in the body, and the caller reads the second error.
func TestOAuth2WithAutoDetectResends(t *testing.T) {
	tests := []struct {
		name  string
		fault oauthtest.Fault
	}{
		{"bad code", oauthtest.Fault{}},
		{"503", oauthtest.Fault{Status: http.StatusServiceUnavailable}},
	}
	for _, tt := range tests {
		s := fake(t, nil)
		conf, ctx := xoauth2(s, oauth2.AuthStyleAutoDetect)
		s.Inject(oauthtest.Match{Path: xapi.PathToken}, tt.fault, 1)
		_, err := conf.Exchange(ctx, "a-bad-code", oauth2.VerifierOption(verifier))
		if err == nil || !strings.Contains(err.Error(), "unauthorized_client") {
			t.Errorf("%s: Exchange = %v, want the second error, unauthorized_client", tt.name, err)
		}
		if got := s.TokenCalls("authorization_code"); got != 2 {
			t.Errorf("%s: %d requests, want 2", tt.name, got)
		}
		audit := s.Audit()
		if audit == nil || !strings.Contains(audit.Error(), "client secret in the body") || !strings.Contains(audit.Error(), "code_verifier used twice") {
			t.Errorf("%s: Audit() = %v, want the secret and the verifier", tt.name, audit)
		}
	}
}

// codeFor plays the browser and returns the code.
func codeFor(t *testing.T, s *xapi.Server, target string) string {
	t.Helper()
	back, err := s.Authorize(t.Context(), "", target)
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(back, "code=")
	return code
}

package whois_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/whois"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

type verifier struct {
	oauth.IDTokenVerifier

	id  provider.IDToken
	err error
}

func (v verifier) VerifyIDToken(context.Context, *oauth2.Token, provider.IDTokenRequest) (provider.IDToken, error) {
	return v.id, v.err
}

// userInfo answers each request with a user, or fails.
type userInfo struct {
	subject string
	calls   int
}

func (u *userInfo) RoundTrip(*http.Request) (*http.Response, error) {
	u.calls++
	if u.subject == "" {
		return nil, errors.New("down")
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(u.subject))}, nil
}

func TestAsk(t *testing.T) {
	alice := provider.Identity{Subject: "one:alice", Name: "Alice", Claims: map[string]string{"email": "a"}}
	for _, tt := range []struct {
		name    string
		v       oauth.IDTokenVerifier
		scopes  string // of the token; empty: those of the client, which are openid and profile
		info    string // the subject at the UserInfo endpoint
		want    provider.Identity
		calls   int
		fails   bool
		noPlace bool // the provider has no IdentityURL
	}{
		{name: "no verifier", info: "alice", want: provider.Identity{Subject: "alice", Name: "N", Picture: "P", Claims: map[string]string{"email": "b", "plan": "gold"}}, calls: 1},
		{name: "all in the ID token", v: verifier{id: provider.IDToken{User: alice, Subject: "alice"}}, info: "alice", want: alice},
		{
			name: "the name is missing", v: verifier{id: provider.IDToken{User: provider.Identity{Subject: "one:alice"}, Subject: "alice", Missing: []string{"name"}}}, info: "alice",
			want: provider.Identity{Subject: "one:alice", Name: "N", Picture: "P", Claims: map[string]string{"email": "b", "plan": "gold"}}, calls: 1,
		},
		{
			name: "a chosen claim is missing", v: verifier{id: provider.IDToken{User: alice, Subject: "alice", Missing: []string{"plan"}}}, scopes: "openid", info: "alice",
			want: provider.Identity{Subject: "one:alice", Name: "Alice", Picture: "P", Claims: map[string]string{"email": "a", "plan": "gold"}}, calls: 1,
		},
		{
			name: "the name is missing and was not granted", v: verifier{id: provider.IDToken{User: provider.Identity{Subject: "alice"}, Subject: "alice", Missing: []string{"name"}}},
			scopes: "openid email", info: "alice", want: provider.Identity{Subject: "alice"},
		},
		{
			name: "the address is missing and was not asked for", v: verifier{id: provider.IDToken{User: alice, Subject: "alice", Missing: []string{"email"}}},
			info: "alice", want: alice,
		},
		{name: "the name is missing and there is no UserInfo endpoint", v: verifier{id: provider.IDToken{User: alice, Subject: "alice", Missing: []string{"name"}}}, want: alice, noPlace: true},
		{name: "another user at the UserInfo endpoint", v: verifier{id: provider.IDToken{User: alice, Subject: "alice", Missing: []string{"name"}}}, info: "bob", calls: 1, fails: true},
		{name: "the tenant's name of the user at the UserInfo endpoint", v: verifier{id: provider.IDToken{User: alice, Subject: "alice", Missing: []string{"name"}}}, info: "one:alice", calls: 1, fails: true},
		{name: "the UserInfo endpoint is down", v: verifier{id: provider.IDToken{User: alice, Subject: "alice", Missing: []string{"name"}}}, calls: 1, fails: true},
		{name: "the ID token is refused", v: verifier{err: &tokensource.Error{Op: "id_token"}}, info: "alice", fails: true},
	} {
		info := &userInfo{subject: tt.info}
		p := &provider.Provider{Name: "as", AuthorizationURL: "https://as.example/a", TokenURL: "https://as.example/t"}
		if !tt.noPlace {
			p.IdentityURL = "https://as.example/userinfo"
			p.ParseIdentity = func(body []byte) (provider.Identity, error) {
				return provider.Identity{Subject: string(body), Name: "N", Picture: "P", Claims: map[string]string{"email": "b", "plan": "gold"}}, nil
			}
		}
		client, err := oauth.New(p, oauth.Registration{
			ClientID: "app", RedirectURL: "https://app.example/callback", Scopes: []string{"openid", "profile"},
		}, &oauth.Options{HTTPClient: &http.Client{Transport: info}, IDTokens: tt.v})
		if err != nil {
			t.Fatal(err)
		}
		tok := &oauth2.Token{AccessToken: "at"}
		if tt.scopes != "" {
			tok = tok.WithExtra(map[string]any{"scope": tt.scopes})
		}
		got, err := whois.Ask(t.Context(), client, tok, provider.IDTokenRequest{})
		if (err != nil) != tt.fails || !reflect.DeepEqual(got.User, tt.want) || info.calls != tt.calls {
			t.Errorf("Ask(%s) = %+v, %v after %d calls, want %+v after %d, an error %v", tt.name, got.User, err, info.calls, tt.want, tt.calls, tt.fails)
		}
	}
}

// What is said of one address is not said of another one.
func TestAskWithAnotherAddressAtTheUserInfoEndpoint(t *testing.T) {
	for name, tt := range map[string]struct{ token, info, want map[string]string }{
		"another address":     {map[string]string{"email": "a"}, map[string]string{"email": "b", "email_verified": "true"}, map[string]string{"email": "a"}},
		"the same address":    {map[string]string{"email": "a"}, map[string]string{"email": "a", "email_verified": "true"}, map[string]string{"email": "a", "email_verified": "true"}},
		"no address in token": {map[string]string{"email_verified": "true"}, map[string]string{"email": "b"}, map[string]string{"email": "b"}},
	} {
		p := &provider.Provider{
			Name: "as", AuthorizationURL: "https://as.example/a", TokenURL: "https://as.example/t", IdentityURL: "https://as.example/userinfo",
			ParseIdentity: func([]byte) (provider.Identity, error) {
				return provider.Identity{Subject: "alice", Claims: tt.info}, nil
			},
		}
		id := provider.IDToken{User: provider.Identity{Subject: "alice", Claims: tt.token}, Subject: "alice", Missing: []string{"plan"}}
		client, err := oauth.New(p, oauth.Registration{
			ClientID: "app", RedirectURL: "https://app.example/callback", Scopes: []string{"openid"},
		}, &oauth.Options{HTTPClient: &http.Client{Transport: &userInfo{subject: "alice"}}, IDTokens: verifier{id: id}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := whois.Ask(t.Context(), client, &oauth2.Token{AccessToken: "at"}, provider.IDTokenRequest{})
		if err != nil || !reflect.DeepEqual(got.User.Claims, tt.want) {
			t.Errorf("Ask(%s) = %v, %v, want %v", name, got.User.Claims, err, tt.want)
		}
	}
}

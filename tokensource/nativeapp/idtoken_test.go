package nativeapp_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// idTokens makes ID tokens without a signature, and keeps what was asked of
// them.
type idTokens struct{ asked provider.IDTokenRequest }

func (*idTokens) IDToken(claims map[string]any, _ string) (string, error) {
	text, err := json.Marshal(claims)
	return base64.RawURLEncoding.EncodeToString(text), err
}

func (*idTokens) JWKS() []byte { return []byte(`{"keys":[]}`) }

func (v *idTokens) VerifyIDToken(_ context.Context, _ *oauth2.Token, want provider.IDTokenRequest) (provider.IDToken, error) {
	v.asked = want
	return provider.IDToken{User: provider.Identity{Subject: "alice"}, Subject: "alice"}, nil
}

func (*idTokens) VerifyLogoutToken(context.Context, string) (provider.LogoutToken, error) {
	return provider.LogoutToken{}, nil
}

// What a login asks for is what its ID token must answer.
func TestACRValuesAndMaxAgeAreDemandedOfTheIDToken(t *testing.T) {
	w := newWorld(t)
	tokens := new(idTokens)
	p := &provider.Provider{
		Name: "as", AuthorizationURL: "https://as.example/authorize", TokenURL: "https://as.example/token", AnyLoopbackPort: true,
		AuthorizationParams: url.Values{"acr_values": {"gold"}},
	}
	w.fake = oauthtest.New(t, &oauthtest.Options{Provider: p, IDTokens: tokens})
	w.registered()
	client, err := oauth.New(p, oauth.Registration{
		ClientID: oauthtest.PublicApp().ClientID, RedirectURL: w.redirect, Scopes: []string{"openid"},
	}, &oauth.Options{HTTPClient: &http.Client{Transport: w.fake.Transport()}, IDTokens: tokens})
	if err != nil {
		t.Fatal(err)
	}
	keeper, err := grant.New(client, storage.NewMemory(), &grant.Options{DueInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keeper.Close() })
	app, err := nativeapp.New(keeper, &nativeapp.Options{Open: w.browser(nil)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := app.Loopback(t.Context(), &nativeapp.LoginOptions{Params: url.Values{"max_age": {"60"}, "acr_values": {""}}}); err != nil {
		t.Fatal(err)
	}
	if got := tokens.asked; got.Nonce == "" || !slices.Equal(got.ACR, []string{"gold"}) || got.AuthenticatedAfter.IsZero() {
		t.Errorf("the ID token was verified for %+v, want the nonce, gold and a time", got)
	}
	if _, err := app.Loopback(t.Context(), &nativeapp.LoginOptions{Params: url.Values{"max_age": {"soon"}}}); err == nil {
		t.Error("Loopback(max_age soon) = nil, want an error")
	}
}

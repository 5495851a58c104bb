package nodetest_test

import (
	"context"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/internal/nodekit"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/derived"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// TestOIDCProviderServesNativeApps logs in at npm's oidc-provider by the
// browser on this machine and by a device code, and gets the token of a
// service.
func TestOIDCProviderServesNativeApps(t *testing.T) {
	const secret = "a secret, with+a%20colon:"
	issuer := nodekit.Serve(t, "native.mjs", "CLIENT_SECRET="+secret)
	p := &provider.Provider{
		Name: "oidc-provider", Issuer: issuer, IssuerRequired: true, InsecureLoopback: true, AnyLoopbackPort: true,
		AuthorizationURL: issuer + "/auth", TokenURL: issuer + "/token", RevocationURL: issuer + "/token/revocation",
		DeviceAuthorizationURL: issuer + "/device/auth", IdentityURL: issuer + "/me", APIOrigins: []string{issuer},
		ParseIdentity: func(body []byte) (id provider.Identity, err error) {
			var claims struct{ Sub string }
			err = json.Unmarshal(body, &claims)
			return provider.Identity{Subject: claims.Sub}, err
		},
	}
	client, err := oauth.New(p, oauth.Registration{
		ClientID: "native", RedirectURL: "http://127.0.0.1/callback", Scopes: []string{"openid", "offline_access"},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	grants, err := grant.New(client, storage.NewMemory(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = grants.Close() })
	consents := &nativeapp.LoginOptions{Params: url.Values{"prompt": {"consent"}}}

	app, err := nativeapp.New(grants, &nativeapp.Options{Timeout: nodekit.Patience, Open: func(_ context.Context, target string) error {
		alice := nodekit.NewPerson(t)
		alice.Beside(func() { alice.Decide(alice.Get(target), "alice", true) })
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	id, err := app.Loopback(t.Context(), consents)
	wantGrant(t, grants, "loopback", id, err, "alice")

	id, err = app.Device(t.Context(), func(_ context.Context, d nativeapp.DeviceCode) error {
		bob := nodekit.NewPerson(t)
		bob.Beside(func() { enter(bob, d.VerificationURIComplete, "bob") })
		return nil
	}, nil)
	wantGrant(t, grants, "device code", id, err, "bob")

	service, err := derived.NewAppSource(p, derived.AppCredentials{ID: "service", Credential: oauth.Secret(secret), Scopes: []string{"read"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if tok, err := service.Token(t.Context()); err != nil || tok.AccessToken == "" {
		t.Errorf("the token of the service: %v", err)
	}
}

// wantGrant checks that a login has led to a grant that can be renewed.
func wantGrant(t *testing.T, grants *grant.Keeper, what string, id provider.Identity, err error, want string) {
	t.Helper()
	if err != nil || id.Subject != want {
		t.Fatalf("%s: %+v, %v, want %s", what, id, err, want)
	}
	g, err := grants.Grant(t.Context(), want)
	if err != nil || g.Dead != "" {
		t.Errorf("%s: Grant() = %+v, %v", what, g, err)
	}
	tok, err := grants.Source(want).Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if next, err := grants.Source(want).Renew(t.Context(), tok); err != nil || next.AccessToken == tok.AccessToken {
		t.Errorf("%s: Renew() = %v, want another token", what, err)
	}
}

// The forms of the verification pages.
var (
	action = regexp.MustCompile(`action="([^"]+)"`)
	input  = regexp.MustCompile(`<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"`)
)

// enter goes to a verification page and through its forms, and consents.
func enter(p *nodekit.Person, target, user string) {
	at := p.Get(target)
	for range 3 { // the code, and whether this is the right device
		form := action.FindStringSubmatch(at.Text)
		if form == nil || strings.Contains(at.Text, `name="prompt"`) {
			break
		}
		fields := url.Values{"confirm": {"yes"}}
		for _, in := range input.FindAllStringSubmatch(at.Text, -1) {
			fields.Set(in[1], in[2])
		}
		at = p.Post(form[1], fields)
	}
	p.Decide(at, user, true)
}

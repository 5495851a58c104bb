package redact_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/exposure"
	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/derived"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/transport"
)

const (
	canarySecret   = "canary-client-s3cret"
	canaryAsked    = "canary-asked-s3cret"
	canaryKey      = "canary-private-k3y"
	canaryStatic   = "canary-static-t0ken"
	canaryForeign  = "canary-foreign-t0ken"
	canaryCode     = "canary-c0de"
	canaryVerifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)

// userConfig is how programs keep our values: by value, in unexported fields.
type userConfig struct {
	registration oauth.Registration
	credential   oauth.Credential
	app          derived.AppCredentials
	client       *oauth.Client
	request      oauth.TokenRequest
	transport    transport.Transport
}

// assertion is an Authenticator and a ProofKey that hold a key in plain sight.
type assertion struct{ Key string }

func (assertion) Authenticate(context.Context, *oauth.TokenRequest) error { return nil }

func (assertion) Prove(context.Context, string, string, string) (string, error) { return "", nil }

func (assertion) Observe(string, bool, http.Header, string) bool { return false }

func (assertion) Thumbprint() string { return "" }

func (a assertion) Stored() string { return a.Key }

// plainSource is a source that shows its token when it is printed.
type plainSource struct{ Text string }

func (s plainSource) Token(context.Context) (*oauth2.Token, error) {
	return &oauth2.Token{AccessToken: s.Text}, nil
}

func registration(c oauth.Credential) oauth.Registration {
	return oauth.Registration{ClientID: "an-id", Credential: c, RedirectURL: "https://app.example/callback"}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// A Registration shows nothing, however a program keeps it and prints it.
func TestRegistrationsShowNoSecret(t *testing.T) {
	ask := func(context.Context) (string, error) { return canaryAsked, nil }
	for name, c := range map[string]oauth.Credential{
		"Secret": oauth.Secret(canarySecret), "SecretFunc": oauth.SecretFunc(ask), "Authentication": oauth.Authentication(assertion{canaryKey}),
	} {
		r := registration(c)
		p := &provider.Provider{Name: "generic", AuthorizationURL: "https://as.example/a", TokenURL: "https://as.example/t"}
		client := must(oauth.New(p, r, nil))(t).WithProver(assertion{canaryKey})
		for _, v := range []any{
			r, c, *client, client, derived.AppCredentials{ID: "id", Credential: c},
			userConfig{registration: r, credential: c, client: client, app: derived.AppCredentials{Credential: c}},
			struct{ R oauth.Registration }{r}, struct{ r *oauth.Registration }{&r},
		} {
			exposure.Check(t, fmt.Sprintf("%s in a %T", name, v), v, canarySecret, canaryAsked, canaryKey)
		}
	}
}

// ending returns the end of a secret of the fake. Its beginning has words that
// the client ID has too.
func ending(secret string) string { return secret[len(secret)-14:] }

// values returns a value of every type that can hold a secret, and the secrets.
func values(t *testing.T) (list []any, secrets []string) {
	w := testworld.New(t)
	g := w.Process(nil)
	tok := w.Login(g)
	user := g.Source(w.User)
	w.Token(g)
	registered := oauthtest.ConfidentialApp()
	apiKey, apiSecret := xapi.APIKeys(registered)
	app := must(derived.NewAppSource(provider.X(), derived.AppCredentials{ID: apiKey, Credential: oauth.Secret(apiSecret)}, &w.Options))(t)
	appToken := must(app.Token(t.Context()))(t)
	static := must(tokensource.Static(canaryStatic))(t)
	foreign := must(tokensource.FromOAuth2(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: canaryForeign, RefreshToken: canaryForeign})))(t)
	bridge := tokensource.ToOAuth2(t.Context(), user)
	facts := must(g.Grant(t.Context(), w.User))(t)
	_, refused := w.Client.Exchange(t.Context(), canaryCode, canaryVerifier)
	failure, _ := errors.AsType[*tokensource.Error](refused)
	request := oauth.NewTokenRequest("exchange", "https://as.example/t", "an-id", url.Values{"code": {canaryCode}, "code_verifier": {canaryVerifier}})
	request.Header().Set("Authorization", canarySecret)
	rt := must(transport.New(plainSource{canaryStatic}, &transport.Options{Origins: []string{"https://api.example"}}))(t)
	return []any{
			w.Client, app, *app, static, *static, foreign, *foreign, bridge, g, user, facts, failure, *failure, refused,
			request, *request, rt, *rt, &transport.Options{Base: rt}, w.Client.Provider(),
			tokensource.Event{Kind: grant.EventDied, Subject: w.User, Err: refused},
			userConfig{client: w.Client, request: *request, transport: *rt},
		}, []string{
			ending(registered.Secret()), ending(apiSecret), tok.AccessToken, tok.RefreshToken, appToken.AccessToken,
			canaryStatic, canaryForeign, canaryCode, canaryVerifier, canarySecret,
		}
}

func TestValuesShowNoSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list, secrets := values(t)
		synctest.Wait() // fmt reads what it is given: nobody may write it at the same time
		for _, v := range list {
			exposure.Check(t, fmt.Sprintf("%T", v), v, secrets...)
		}
	})
}

// The engine's errors and events show no secret, also if the server repeats
// what it was sent.
func TestEngineErrorsShowNoSecret(t *testing.T) {
	w := testworld.New(t)
	var events []tokensource.Event
	g := w.Process(nil)
	tok := w.Login(g)
	secrets := []string{tok.AccessToken, tok.RefreshToken, oauthtest.ConfidentialApp().Secret()}
	for _, sent := range []string{tok.RefreshToken, tok.RefreshToken, tok.AccessToken} { // to refresh, and to revoke both
		w.Fake.Inject(oauthtest.Match{}, oauthtest.Fault{
			Status: 400, ContentType: "application/json", Body: `{"error":"invalid_grant","error_description":"` + sent + ` is used"}`,
		}, 1)
	}
	_, renewed := g.Source(w.User).Renew(t.Context(), tok)
	testworld.WantIs(t, renewed, tokensource.ErrReauthorize)
	_, dead := g.Source(w.User).Token(t.Context())
	testworld.WantIs(t, dead, tokensource.ErrReauthorize)
	loggedOut := g.Logout(t.Context(), w.User)
	w.Store.On(testworld.Failing("get"))
	_, unread := w.Process(nil).Source(w.User).Token(t.Context())
	testworld.WantIs(t, unread, tokensource.ErrTemporary)
	w.Store.On(nil)
	for _, v := range []any{renewed, dead, unread, struct{ Err error }{loggedOut}, events} {
		exposure.Check(t, fmt.Sprintf("%T", v), v, secrets...)
	}
}

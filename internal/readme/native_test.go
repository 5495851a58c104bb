package readme_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/derived"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// deviceLogin logs the user of a command in over ssh.
func deviceLogin(ctx context.Context, app *nativeapp.App) (provider.Identity, error) {
	show := func(_ context.Context, code nativeapp.DeviceCode) error {
		_, err := fmt.Print(code)
		return err
	}
	return app.Device(ctx, show, nil)
}

// service is a token of the app itself.
func service(p *provider.Provider, secret string) (*derived.Source, error) {
	return derived.NewAppSource(p, derived.AppCredentials{
		ID: "billing", Credential: oauth.Secret(secret), Scopes: []string{"invoices.read"},
		Resources: []string{"https://invoices.example"},
	}, nil)
}

// workloadToken trades the token of a Kubernetes workload.
func workloadToken(p *provider.Provider) (*derived.Source, error) {
	return derived.NewAssertionSource(p, derived.AppCredentials{Scopes: []string{"read"}},
		derived.AssertionFile("/var/run/secrets/tokens/api"), nil)
}

// onBehalf exchanges the tokens of users for tokens of another API.
func onBehalf(p *provider.Provider, gateway derived.AppCredentials, grants tokensource.Source) (*derived.Source, error) {
	gateway.Resources = []string{"https://invoices.example"}
	exchange := derived.Exchange{Subject: derived.Traded{Source: grants}}
	return derived.NewExchangeSource(p, gateway, exchange, nil)
}

// acrossApps gets tokens from a server that trusts the users' identity
// provider.
func acrossApps(api, idp *provider.Provider, here, there derived.AppCredentials, grants tokensource.Source) (*derived.Source, error) {
	return derived.NewIdentitySource(api, here, derived.IdentityAssertion{
		Provider: idp, App: there,
		Subject: derived.Traded{Source: grants}, Resource: "https://invoices.example",
	}, nil)
}

func TestTheSourcesOfThePagesCanBeMade(t *testing.T) {
	p := &provider.Provider{Name: "a", AuthorizationURL: "https://a.example/authorize", TokenURL: "https://a.example/token"}
	grants, err := tokensource.Static("a-token")
	if err != nil {
		t.Fatal(err)
	}
	app := derived.AppCredentials{ID: "app", Credential: oauth.Secret("a-secret")}
	for name, make := range map[string]func() (*derived.Source, error){
		"service":    func() (*derived.Source, error) { return service(p, "a-secret") },
		"workload":   func() (*derived.Source, error) { return workloadToken(p) },
		"onBehalf":   func() (*derived.Source, error) { return onBehalf(p, app, grants) },
		"acrossApps": func() (*derived.Source, error) { return acrossApps(p, p, app, app, grants) },
	} {
		if _, err := make(); err != nil {
			t.Errorf("%s() = %v", name, err)
		}
	}
	_ = deviceLogin // package nativeapp runs such logins
}

package main

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"

	"github.com/authtrip/authtrip/tokensource/derived"
	"github.com/authtrip/authtrip/tokensource/jose"
	"github.com/authtrip/authtrip/tokensource/mcp"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/transport"
)

// machine returns the client for the scenarios without a user, and whether this
// is one of them.
func machine(ctx context.Context, scenario, endpoint string, k known) (*http.Client, bool, error) {
	makes, ok := map[string]func(*mcp.Found, known) (*derived.Source, error){
		"auth/client-credentials-jwt":           signed,
		"auth/client-credentials-basic":         secret,
		"auth/enterprise-managed-authorization": enterprise,
		"auth/wif-jwt-bearer":                   workload,
	}[scenario]
	if !ok {
		return nil, false, nil
	}
	found, err := mcp.Find(ctx, endpoint, nil, &mcp.Options{InsecureLoopback: true})
	if err != nil {
		return nil, true, err
	}
	source, err := makes(found, k)
	if err != nil {
		return nil, true, err
	}
	t, err := transport.New(source, nil)
	return &http.Client{Transport: t}, true, err
}

func credentials(f *mcp.Found, k known) derived.AppCredentials {
	return derived.AppCredentials{ID: k.ClientID, Scopes: f.Scopes, Resources: []string{f.Resource}}
}

func secret(f *mcp.Found, k known) (*derived.Source, error) {
	app := credentials(f, k)
	app.Credential = oauth.Secret(k.ClientSecret)
	return derived.NewAppSource(f.Provider, app, nil)
}

func signed(f *mcp.Found, k known) (*derived.Source, error) {
	block, _ := pem.Decode([]byte(k.PrivateKey))
	if block == nil {
		return nil, errors.New("the context has no private key")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("the key of the context cannot sign")
	}
	app := credentials(f, k)
	if app.Credential, err = jose.PrivateKeyJWT(signer, &jose.AssertionOptions{Algorithm: k.Algorithm}); err != nil {
		return nil, err
	}
	return derived.NewAppSource(f.Provider, app, nil)
}

func enterprise(f *mcp.Found, k known) (*derived.Source, error) {
	app := credentials(f, k)
	app.Credential = oauth.Secret(k.ClientSecret)
	return derived.NewIdentitySource(f.Provider, app, derived.IdentityAssertion{
		Provider: &provider.Provider{
			Name: "idp", Issuer: k.IDPIssuer, AuthorizationURL: k.IDPIssuer + "/authorize", TokenURL: k.IDPTokenURL, InsecureLoopback: true,
		},
		App: derived.AppCredentials{ID: k.IDPClientID},
		Subject: derived.Traded{
			Type: derived.TypeIDToken, Assertion: func(context.Context) (string, error) { return k.IDPIDToken, nil },
		},
		Resource: f.Resource,
	}, nil)
}

func workload(f *mcp.Found, k known) (*derived.Source, error) {
	return derived.NewAssertionSource(f.Provider, credentials(f, k), func(context.Context) (string, error) { return k.WorkloadToken, nil }, nil)
}

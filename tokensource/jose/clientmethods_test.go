package jose_test

import (
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	gojose "github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/nodekit"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/jose"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

const accounts = "https://accounts.example"

// kind is a client, as oidc-provider registers it and as the app has it.
type kind struct {
	metadata    map[string]any
	credential  oauth.Credential
	clientAuth  provider.ClientAuth
	browserOnly bool // the request is not pushed
}

// TestMethodsAtOIDCProvider logs clients of each kind in at npm's
// oidc-provider, with pushed requests, a resource, and rotation.
func TestMethodsAtOIDCProvider(t *testing.T) {
	answers := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.RawQuery) }))
	t.Cleanup(answers.Close)
	kinds := clientKinds(t)
	var clients []map[string]any
	for name, k := range kinds {
		k.metadata["client_id"], k.metadata["redirect_uris"] = name, []string{answers.URL + "/callback"}
		grants := []string{"authorization_code", "refresh_token"}
		if k.metadata["token_endpoint_auth_method"] != "none" {
			grants = append(grants, "client_credentials")
		}
		k.metadata["grant_types"] = grants
		k.metadata["require_pushed_authorization_requests"] = !k.browserOnly
		clients = append(clients, k.metadata)
	}
	text, err := json.Marshal(clients)
	if err != nil {
		t.Fatal(err)
	}
	issuer := nodekit.Serve(t, "testdata/client-methods.mjs", "CLIENTS="+string(text))
	front, trust := inFront(t, issuer)
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) {
			p := serverAt(issuer, front, k)
			client, err := oauth.New(p, oauth.Registration{
				ClientID: name, Credential: k.credential, RedirectURL: answers.URL + "/callback",
				Scopes: []string{"openid", "offline_access", "accounts:read"}, Resources: []string{accounts},
			}, &oauth.Options{HTTPClient: &http.Client{Transport: trust}})
			if err != nil {
				t.Fatal(err)
			}
			lifeOf(t, client)
		})
	}
}

// lifeOf is a login, two refreshes, the reuse of an old refresh token, and an
// app's own token.
func lifeOf(t *testing.T, client *oauth.Client) {
	t.Helper()
	verifier := oauth2.GenerateVerifier()
	login, err := client.Authorize(t.Context(), "a-state", verifier, url.Values{"prompt": {"consent"}})
	if err != nil {
		t.Fatal(err)
	}
	if pushed := strings.Contains(login, "request_uri="); pushed != (client.Provider().PushedAuthorizationURL != "") {
		t.Errorf("the URL of the login is %s", login)
	}
	alice := nodekit.NewPerson(t)
	answer, err := url.ParseQuery(alice.Decide(alice.Get(login), "alice", true).Text)
	if err != nil || answer.Get("code") == "" || answer.Get("iss") != client.Provider().Issuer {
		t.Fatalf("the answer to the login is %v, %v, want a code and the issuer", answer, err)
	}
	tok, err := client.Exchange(t.Context(), answer.Get("code"), verifier)
	if err != nil {
		t.Fatal(err)
	}
	first := tok.RefreshToken
	for n := range 3 {
		// Without the resource, the server issues a token for another API,
		// which has no such scope.
		if scope, _ := tok.Extra("scope").(string); !strings.Contains(scope, "accounts:read") {
			t.Errorf("after %d refreshes the token has the scopes %q, want accounts:read", n, scope)
		}
		if n == 2 {
			break
		}
		if tok, err = client.Refresh(t.Context(), tok.RefreshToken); err != nil {
			t.Fatalf("refresh %d = %v", n+1, err)
		}
	}
	if tok.RefreshToken == first || tok.RefreshToken == "" {
		t.Error("the server does not rotate: the test shows less than it says")
	}
	if !client.Public() {
		if _, err := client.ClientCredentials(t.Context()); err != nil {
			t.Errorf("ClientCredentials() = %v, want a token", err)
		}
	}
	if err := client.Revoke(t.Context(), tok.RefreshToken, oauth.HintRefreshToken); err != nil {
		t.Errorf("Revoke() = %v, want none", err)
	}
	if _, err := client.Refresh(t.Context(), tok.RefreshToken); !errors.Is(err, tokensource.ErrReauthorize) {
		t.Errorf("Refresh() after the revocation = %v, want ErrReauthorize", err)
	}
}

// clientKinds returns one client for each method of authentication.
func clientKinds(t *testing.T) map[string]kind {
	t.Helper()
	const secret = "a secret, with+a%20colon:"
	kinds := map[string]kind{
		"none": {metadata: map[string]any{"token_endpoint_auth_method": "none"}},
		"basic": {
			metadata:   map[string]any{"token_endpoint_auth_method": "client_secret_basic", "client_secret": secret},
			credential: oauth.Secret(secret),
		},
		"post": {
			metadata:   map[string]any{"token_endpoint_auth_method": "client_secret_post", "client_secret": secret},
			credential: oauth.Secret(secret), clientAuth: provider.Post, browserOnly: true,
		},
	}
	for name, key := range map[string]crypto.Signer{"ES256": curve(t, elliptic.P256()), "PS256": rsaKey(t), "EdDSA": edKey(t)} {
		c, err := jose.PrivateKeyJWT(key, nil)
		if err != nil {
			t.Fatal(err)
		}
		set, err := jose.NewKeySet(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		kinds[name] = kind{credential: c, metadata: map[string]any{
			"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": name, "jwks": set,
		}}
	}
	own, issued := selfSigned(t, "self"), selfSigned(t, "issued")
	kinds["self-signed certificate"] = kind{credential: oauth.MutualTLS(func() (*tls.Certificate, error) { return &own, nil }), metadata: map[string]any{
		"token_endpoint_auth_method": "self_signed_tls_client_auth", "tls_client_certificate_bound_access_tokens": true,
		"jwks": gojose.JSONWebKeySet{Keys: []gojose.JSONWebKey{{Key: own.Leaf.PublicKey, Certificates: []*x509.Certificate{own.Leaf}}}},
	}}
	kinds["certificate of an authority"] = kind{credential: oauth.MutualTLS(func() (*tls.Certificate, error) { return &issued, nil }), metadata: map[string]any{
		"token_endpoint_auth_method": "tls_client_auth", "tls_client_certificate_bound_access_tokens": true, "tls_client_auth_subject_dn": "CN=issued",
	}}
	return kinds
}

// selfSigned returns a certificate for a name.
func selfSigned(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key := curve(t, elliptic.P256())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// inFront starts the proxy that ends TLS in front of the server, and tells the
// server of certificates. It has verified one of them: the proxy of a bank
// knows the authorities. It returns a transport that trusts the proxy.
func inFront(t *testing.T, issuer string) (base string, trust *http.Transport) {
	t.Helper()
	to, err := url.Parse(issuer)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Header.Del("X-Client-Certificate")
		if r.In.TLS == nil || len(r.In.TLS.PeerCertificates) == 0 {
			return
		}
		leaf := r.In.TLS.PeerCertificates[0]
		r.Out.Header.Set("X-Client-Certificate", base64.StdEncoding.EncodeToString(leaf.Raw))
		r.Out.Header.Set("X-Client-Subject", leaf.Subject.String())
		if leaf.Subject.CommonName == "issued" {
			r.Out.Header.Set("X-Client-Verified", "yes")
		}
	}}
	live := httptest.NewUnstartedServer(proxy)
	live.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	live.Config.ErrorLog = log.New(io.Discard, "", 0)
	live.StartTLS()
	t.Cleanup(live.Close)
	return live.URL, live.Client().Transport.(*http.Transport)
}

// serverAt describes oidc-provider for a kind of client.
func serverAt(issuer, front string, k kind) *provider.Provider {
	p := &provider.Provider{
		Name: "oidc-provider", Issuer: issuer, IssuerRequired: true, AuthorizationURL: issuer + "/auth", TokenURL: issuer + "/token",
		RevocationURL: issuer + "/token/revocation", PushedAuthorizationURL: issuer + "/request", RequirePushed: true,
		RefreshScope: "offline_access", ClientAuth: k.clientAuth, InsecureLoopback: true,
	}
	if k.browserOnly {
		p.PushedAuthorizationURL, p.RequirePushed = "", false
	}
	p.MTLS.TokenURL, p.MTLS.RevocationURL, p.MTLS.PushedAuthorizationURL = front+"/token", front+"/token/revocation", front+"/request"
	return p
}

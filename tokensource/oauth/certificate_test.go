package oauth_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// fixed returns certificates that do not change.
func fixed(c tls.Certificate) func() (*tls.Certificate, error) {
	return func() (*tls.Certificate, error) { return &c, nil }
}

func thumbprint(c tls.Certificate) string {
	sum := sha256.Sum256(c.Certificate[0])
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// mutual is a fake on a listener that asks for a certificate, and has endpoints
// of their own for clients with one.
type mutual struct {
	*oauthtest.Server
	p *provider.Provider
	r oauth.Registration
	a *authority
}

func newMutual(t *testing.T, known func(a *authority) tls.Certificate) mutual {
	t.Helper()
	m := mutual{a: newAuthority(t)}
	app := oauthtest.App{
		ClientID: "a-bank-app", RedirectURLs: []string{"https://app.example/callback"},
		Auth: "tls_client_auth", Thumbprint: thumbprint(known(m.a)),
	}
	p := &provider.Provider{
		Name: "bank", Issuer: "https://auth.example", IssuerRequired: true,
		AuthorizationURL: "https://auth.example/authorize", TokenURL: "https://auth.example/token",
		RevocationURL: "https://auth.example/revoke", PushedAuthorizationURL: "https://auth.example/par", RequirePushed: true,
	}
	p.MTLS.TokenURL, p.MTLS.RevocationURL = "https://mtls.auth.example/mtls/token", "https://mtls.auth.example/mtls/revoke"
	p.MTLS.PushedAuthorizationURL = "https://mtls.auth.example/mtls/par"
	m.Server = oauthtest.New(t, &oauthtest.Options{Apps: []oauthtest.App{app}, Provider: p})
	live := httptest.NewUnstartedServer(m.Server)
	live.TLS = &tls.Config{Certificates: []tls.Certificate{m.a.issue(certificate())}, ClientAuth: tls.RequestClientCert}
	live.Config.ErrorLog = log.New(io.Discard, "", 0)
	live.StartTLS()
	t.Cleanup(live.Close)
	m.p = m.Provider(live.URL)
	m.r = oauth.Registration{ClientID: app.ClientID, RedirectURL: app.RedirectURLs[0]}
	return m
}

// trusting is a transport that trusts the authority of m.
func (m mutual) trusting() *oauth.Options {
	return &oauth.Options{HTTPClient: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: m.a.pool()}}}}
}

// login goes through everything that a client does.
func (m mutual) login(t *testing.T, client *oauth.Client) error {
	t.Helper()
	verifier := oauth2.GenerateVerifier()
	login, err := client.Authorize(t.Context(), "a-state-of-22-characters", verifier, nil)
	if err != nil {
		return err
	}
	tok, err := client.Exchange(t.Context(), codeFor(t, m.Server, login), verifier)
	if err != nil {
		return err
	}
	if tok, err = client.Refresh(t.Context(), tok.RefreshToken); err != nil {
		return err
	}
	if _, err := client.ClientCredentials(t.Context()); err != nil {
		return err
	}
	return client.Revoke(t.Context(), tok.RefreshToken, oauth.HintRefreshToken)
}

// A certificate of an authority, and one that the client signed itself.
func TestMutualTLSAuthenticates(t *testing.T) {
	for name, make := range map[string]func(*authority) tls.Certificate{
		"of an authority":  func(a *authority) tls.Certificate { return a.issue(certificate()) },
		"signed by itself": func(a *authority) tls.Certificate { return (&authority{t: a.t}).issue(certificate()) },
	} {
		var own tls.Certificate
		m := newMutual(t, func(a *authority) tls.Certificate { own = make(a); return own })
		m.r.Credential = oauth.MutualTLS(fixed(own))
		client, err := oauth.New(m.p, m.r, m.trusting())
		if err != nil {
			t.Fatal(err)
		}
		if err := m.login(t, client); err != nil {
			t.Errorf("a login with a certificate %s = %v, want none", name, err)
		}
		for _, r := range m.Requests() {
			form := r.Raw().PostForm
			if r.Op != "authorize" && (!strings.HasPrefix(r.Path, "/mtls/") || form.Get("client_id") != m.r.ClientID ||
				form.Has("client_secret") || form.Has("client_assertion") || r.Raw().Header.Get("Authorization") != "") {
				t.Errorf("%s: %v, want the endpoint for certificates, the client ID in the body and nothing else", name, r)
			}
		}
	}
}

// Another certificate is no authentication, and nothing else is tried.
func TestMutualTLSWithTheCertificateOfAnother(t *testing.T) {
	m := newMutual(t, func(a *authority) tls.Certificate { return a.issue(certificate()) })
	m.r.Credential = oauth.MutualTLS(fixed(m.a.issue(certificate())))
	client, err := oauth.New(m.p, m.r, m.trusting())
	if err != nil {
		t.Fatal(err)
	}
	testworld.WantIs(t, m.login(t, client), tokensource.ErrClient)
	if n := len(m.Requests()); n != 1 {
		t.Errorf("%d requests were sent, want one", n)
	}
}

// The next request has the new certificate: no connection and no session of
// TLS is kept.
func TestARotatedCertificateIsPresentedAtOnce(t *testing.T) {
	var own tls.Certificate
	m := newMutual(t, func(a *authority) tls.Certificate { own = a.issue(certificate()); return own })
	m.r.Credential = oauth.MutualTLS(func() (*tls.Certificate, error) { return &own, nil })
	o := m.trusting()
	o.HTTPClient.Transport.(*http.Transport).TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	client, err := oauth.New(m.p, m.r, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.ClientCredentials(t.Context()); err != nil {
		t.Errorf("with the first certificate: %v, want a token", err)
	}
	own = m.a.issue(certificate())
	if _, err := client.ClientCredentials(t.Context()); !errors.Is(err, tokensource.ErrClient) {
		t.Errorf("with a certificate that the server does not know yet: %v, want ErrClient", err)
	}
	if err := m.Register(oauthtest.App{
		ClientID: m.r.ClientID, RedirectURLs: []string{m.r.RedirectURL}, Auth: "tls_client_auth", Thumbprint: thumbprint(own),
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.ClientCredentials(t.Context()); err != nil {
		t.Errorf("with the second certificate: %v, want a token", err)
	}
}

func TestACertificateThatCannotBeHad(t *testing.T) {
	broken := errors.New("the disk is gone")
	m := newMutual(t, func(a *authority) tls.Certificate { return a.issue(certificate()) })
	for name, tt := range map[string]struct {
		c    *tls.Certificate
		err  error
		want string
	}{
		"an error":                      {nil, broken, "client certificate: the disk is gone"},
		"nil":                           {nil, nil, "client certificate: there is none"},
		"an empty one":                  {new(tls.Certificate), nil, "client certificate: there is none"},
		"a certificate without its key": {&tls.Certificate{Certificate: m.a.issue(certificate()).Certificate}, nil, "no private key"},
	} {
		s := confidential()
		s.p.CheckClient = nil
		s.r.Credential = oauth.MutualTLS(func() (*tls.Certificate, error) { return tt.c, tt.err })
		client, err := s.client()
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range append(slices.Clone(bounded), operations...) {
			err := op.run(t.Context(), client)
			testworld.WantIs(t, err, tokensource.ErrTemporary)
			if e, ok := errors.AsType[*tokensource.Error](err); !ok || e.InDoubt || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s, %s = %v, want an error with %q and no doubt", name, op.name, err, tt.want)
			}
		}
	}
}

// refusing is the transport of a server that read nothing of a request and
// ended the connection with an alert of TLS.
type refusing struct{ alert string }

func (r refusing) RoundTrip(req *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, req.Body)
	return nil, &net.OpError{Op: "remote error", Net: "tcp", Err: errors.New("tls: " + r.alert)}
}

// In TLS 1.3 a client sends its request before it knows that the server refuses
// its certificate. A refresh token is not in doubt then: an expired certificate
// must not cost a grant.
func TestARefusedCertificateLeavesNoDoubt(t *testing.T) {
	for alert, doubt := range map[string]bool{
		"expired certificate": false, "bad certificate": false, "certificate required": false, "unknown certificate authority": false,
		"revoked certificate": false, "internal error": true, "user canceled": true,
	} {
		s := generic()
		s.o = &oauth.Options{HTTPClient: &http.Client{Transport: refusing{alert}}}
		client, err := s.client()
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Refresh(t.Context(), someRefresh)
		testworld.WantIs(t, err, tokensource.ErrTemporary)
		if e, ok := errors.AsType[*tokensource.Error](err); !ok || e.InDoubt != doubt || !strings.Contains(err.Error(), alert) {
			t.Errorf("Refresh() after the alert %q = %v, want a text that names it, and in doubt: %v", alert, err, doubt)
		}
	}
}

// Options.Certificate binds tokens and does not authenticate: the secret does.
func TestOptionsCertificateBeside(t *testing.T) {
	m := newMutual(t, func(a *authority) tls.Certificate { return a.issue(certificate()) })
	if err := m.Register(oauthtest.ConfidentialApp()); err != nil {
		t.Fatal(err)
	}
	m.r.ClientID, m.r.Credential = oauthtest.ConfidentialApp().ClientID, oauth.Secret(secret)
	o := m.trusting()
	o.Certificate = fixed(m.a.issue(certificate()))
	client, err := oauth.New(m.p, m.r, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.login(t, client); err != nil {
		t.Errorf("a login with a secret and a certificate = %v, want none", err)
	}
	if r := m.Requests()[0]; r.Path != "/mtls/par" || r.Raw().Header.Get("Authorization") == "" {
		t.Errorf("%v, want the endpoint for certificates and the secret", r)
	}
}

type otherTransport struct{ http.RoundTripper }

func TestNewRefusesACertificateThatNobodyPresents(t *testing.T) {
	c := fixed(newAuthority(t).issue(certificate()))
	for name, tt := range map[string]struct {
		credential oauth.Credential
		o          oauth.Options
		want       string
	}{
		"MutualTLS and a Certificate": {oauth.MutualTLS(c), oauth.Options{Certificate: c}, "leave Options.Certificate out"},
		"MutualTLS over another transport": {
			oauth.MutualTLS(c), oauth.Options{HTTPClient: &http.Client{Transport: otherTransport{http.DefaultTransport}}}, "oauth_test.otherTransport",
		},
		"MutualTLS over a transport that makes TLS itself": {
			oauth.MutualTLS(c), oauth.Options{HTTPClient: &http.Client{Transport: &http.Transport{
				DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return nil, net.ErrClosed },
			}}}, "DialTLSContext",
		},
		"MutualTLS over a transport with the old function for TLS": {
			oauth.MutualTLS(c), oauth.Options{HTTPClient: &http.Client{Transport: &http.Transport{
				DialTLS: func(string, string) (net.Conn, error) { return nil, net.ErrClosed }, //nolint:staticcheck // it is deprecated, and it works
			}}}, "DialTLS",
		},
		"a Certificate over another transport": {
			oauth.Secret(secret), oauth.Options{Certificate: c, HTTPClient: &http.Client{Transport: otherTransport{http.DefaultTransport}}}, "*http.Transport",
		},
	} {
		s := generic()
		s.r.Credential, s.o = tt.credential, &tt.o
		if _, err := s.client(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("New() with %s = %v, want an error with %q", name, err, tt.want)
		}
	}
}

// A program may replace http.DefaultTransport by a transport that presents no
// certificate. Then nothing is sent.
func TestMutualTLSWithAReplacedDefaultTransport(t *testing.T) {
	s := generic()
	s.r.Credential = oauth.MutualTLS(fixed(newAuthority(t).issue(certificate())))
	client, err := s.client()
	if err != nil {
		t.Fatal(err)
	}
	w, before, dialled := newWorld(t), http.DefaultTransport, 0
	defer func() { http.DefaultTransport = before }()
	for _, other := range []http.RoundTripper{w.Fake.Transport(), &http.Transport{
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) { dialled++; return nil, net.ErrClosed },
	}} {
		http.DefaultTransport = other
		_, err = client.Refresh(context.WithoutCancel(t.Context()), someRefresh)
		sent := len(w.Fake.Requests()) + dialled
		if e, ok := errors.AsType[*tokensource.Error](err); !ok || e.Kind != tokensource.ErrTemporary || e.InDoubt || sent != 0 || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("Refresh() over a %T = %v after %d requests, want an error and no request", other, err, sent)
		}
	}
}

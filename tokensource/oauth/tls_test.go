package oauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// authority is a certificate authority for one test.
type authority struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	root *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	template := certificate()
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	c := a.issue(template)
	a.key, a.root = c.PrivateKey.(*ecdsa.PrivateKey), c.Leaf
	return a
}

// certificate is a template for 127.0.0.1 that is valid now.
func certificate() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
}

// issue signs template. An authority that has no root yet signs with the new
// key itself.
func (a *authority) issue(template *x509.Certificate) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	parent, signer := a.root, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// pool holds the root of a.
func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.root)
	return pool
}

// tlsServer is a token endpoint with a TLS configuration of its own. It answers
// every request with tokens, and counts them.
func tlsServer(t *testing.T, config *tls.Config) (tokenURL string, requests *atomic.Int32) {
	t.Helper()
	requests = new(atomic.Int32)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"access_token":"at-1","token_type":"bearer","expires_in":3600,"refresh_token":"rt-1"}`)
	}))
	s.TLS, s.Config.ErrorLog = config, log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL + "/token", requests
}

// over returns a client whose connections to tokenURL use config.
func over(t *testing.T, tokenURL string, credential oauth.Credential, config *tls.Config) *oauth.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: config}
	t.Cleanup(transport.CloseIdleConnections)
	client, err := oauth.New(
		&provider.Provider{Name: "generic", AuthorizationURL: "https://auth.example/authorize", TokenURL: tokenURL},
		oauth.Registration{ClientID: "an-id", Credential: credential, RedirectURL: "https://app.example/callback"},
		&oauth.Options{HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestBadCertificatesAreRefused(t *testing.T) {
	known, stranger := newAuthority(t), newAuthority(t)
	otherHost, expired, notYet := certificate(), certificate(), certificate()
	otherHost.IPAddresses, otherHost.DNSNames = nil, []string{"other.example"}
	expired.NotAfter = time.Now().Add(-time.Minute)
	notYet.NotBefore = time.Now().Add(time.Minute)
	tests := []struct {
		name        string
		certificate tls.Certificate
		ok          bool
	}{
		{"a good one", known.issue(certificate()), true},
		{"signed by itself", (&authority{t: t}).issue(certificate()), false},
		{"of an unknown authority", stranger.issue(certificate()), false},
		{"of another host", known.issue(otherHost), false},
		{"expired", known.issue(expired), false},
		{"not valid yet", known.issue(notYet), false},
	}
	for _, tt := range tests {
		tokenURL, requests := tlsServer(t, &tls.Config{Certificates: []tls.Certificate{tt.certificate}})
		_, err := over(t, tokenURL, oauth.Secret(secret), &tls.Config{RootCAs: known.pool()}).Refresh(t.Context(), someRefresh)
		if (err == nil) != tt.ok || (requests.Load() == 1) != tt.ok {
			t.Errorf("%s: Refresh() = %v after %d requests, want success: %v", tt.name, err, requests.Load(), tt.ok)
		}
		if !tt.ok {
			testworld.WantIs(t, err, tokensource.ErrTemporary)
		}
	}
}

func TestTLS11IsRefused(t *testing.T) {
	known := newAuthority(t)
	for version, ok := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		tokenURL, requests := tlsServer(t, &tls.Config{
			Certificates: []tls.Certificate{known.issue(certificate())}, MinVersion: version, MaxVersion: version,
		})
		_, err := over(t, tokenURL, oauth.Secret(secret), &tls.Config{RootCAs: known.pool()}).Refresh(t.Context(), someRefresh)
		if (err == nil) != ok || (requests.Load() == 1) != ok {
			t.Errorf("%s: Refresh() = %v after %d requests, want success: %v", tls.VersionName(version), err, requests.Load(), ok)
		}
	}
}

package oauth

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
)

// MutualTLS returns the Credential of a client that authenticates with a
// certificate ([RFC 8705] section 2). It serves both methods of the RFC: a
// certificate that an authority issued (tls_client_auth), and one that the
// client signed itself (self_signed_tls_client_auth). The client ID is in the
// body. The Client uses the endpoints in Provider.MTLS where there are any.
//
// The Client calls f more than once for each request, concurrently with itself.
// So f must be fast. It may return another certificate at any time, for example
// one that it has read again from a file. After an error of f, or without a
// private key, the request fails with tokensource.ErrTemporary and nothing is
// sent. A nil f is refused by [New].
//
// Tokens are usually bound to the certificate (section 3). Then the API wants
// to see it too: give the transport of the API requests the same certificate.
//
// [RFC 8705]: https://www.rfc-editor.org/rfc/rfc8705
func MutualTLS(f func() (*tls.Certificate, error)) Credential {
	return Authentication(mutualTLS{f})
}

// mutualTLS names the client. The certificate is in the connection.
type mutualTLS struct {
	certificate func() (*tls.Certificate, error)
}

func (m mutualTLS) Authenticate(_ context.Context, r *TokenRequest) error {
	r.Form().Set("client_id", r.ClientID)
	return nil
}

func (m mutualTLS) check() error {
	if m.certificate == nil {
		return errors.New("MutualTLS has no function that returns the certificate")
	}
	return nil
}

// Method returns the name of RFC 7591 for the method. The private key of the
// certificate signs no JSON.
func (mutualTLS) Method() (name, alg string) { return "tls_client_auth", "" }

// certificateOf returns the function that supplies the certificate of a client,
// or nil.
func certificateOf(c Credential, o *Options) (func() (*tls.Certificate, error), error) {
	var own func() (*tls.Certificate, error)
	if c.by != nil {
		if m, ok := c.by().(mutualTLS); ok {
			own = m.certificate
		}
	}
	if own == nil {
		own = o.Certificate
	} else if o.Certificate != nil {
		return nil, errors.New("oauth: the Credential is MutualTLS, which has a certificate: leave Options.Certificate out")
	}
	if own == nil {
		return nil, nil //nolint:nilnil // a client without a certificate
	}
	if base := transportOf(o.HTTPClient); base != nil {
		t, ok := base.(*http.Transport)
		switch {
		case !ok || t == nil:
			return nil, fmt.Errorf("oauth: a certificate is presented by an *http.Transport, and the Transport of Options.HTTPClient is a %T", base)
		case makesTLS(t):
			return nil, errors.New("oauth: the Transport of Options.HTTPClient has a DialTLSContext or a DialTLS, which would present no certificate: leave it out")
		}
	}
	return own, nil
}

// makesTLS reports whether a function of the program makes the TLS connections
// of t. It would present no certificate.
func makesTLS(t *http.Transport) bool {
	return t.DialTLSContext != nil || t.DialTLS != nil //nolint:staticcheck // it is deprecated, and it works
}

func transportOf(hc *http.Client) http.RoundTripper {
	if hc == nil {
		return nil
	}
	return hc.Transport
}

// checkCertificate reports why the client has no certificate now.
func (c *Client) checkCertificate() error {
	if c.carrier.certificate == nil {
		return nil
	}
	_, err := present(c.carrier.certificate)
	return err
}

func present(f func() (*tls.Certificate, error)) (*tls.Certificate, error) {
	certificate, err := f()
	switch {
	case err != nil:
		return nil, fmt.Errorf("client certificate: %w", err)
	case certificate == nil || len(certificate.Certificate) == 0:
		return nil, errors.New("client certificate: there is none")
	case certificate.PrivateKey == nil:
		return nil, errors.New("client certificate: it has no private key")
	}
	return certificate, nil
}

// withCertificate makes t present the certificate of f, whatever the server
// says about the authorities that it trusts: a server can then tell the client
// what is wrong with it. A session that was resumed would have the certificate
// of before.
func withCertificate(t *http.Transport, f func() (*tls.Certificate, error)) {
	config := new(tls.Config)
	if t.TLSClientConfig != nil {
		config = t.TLSClientConfig.Clone()
	}
	config.Certificates, config.ClientSessionCache = nil, nil
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return present(f) }
	t.TLSClientConfig = config
}

var errNoCertificate = errors.New("the client has a certificate, and http.DefaultTransport was replaced by a transport that cannot present it")

// certificateAlerts are texts of package tls for the alerts with which a server
// refuses the certificate of a client (RFC 8446 section 6.2).
var certificateAlerts = []string{
	"bad certificate", "unsupported certificate", "revoked certificate", "expired certificate", "unknown certificate",
	"unknown certificate authority", "access denied", "certificate required",
}

// refusedCertificate reports whether the server ended a connection because of
// the client's certificate. In TLS 1.3 it may do so after the client has sent
// its request. It has not read the request, so it redeemed nothing.
func refusedCertificate(err error) bool {
	e, ok := errors.AsType[*net.OpError](err)
	if !ok || e.Op != "remote error" || e.Err == nil {
		return false
	}
	text, ok := strings.CutPrefix(e.Err.Error(), "tls: ")
	return ok && slices.Contains(certificateAlerts, text)
}

// unable is a transport that sends nothing.
type unable struct{ why error }

func (u unable) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
	return nil, u.why
}

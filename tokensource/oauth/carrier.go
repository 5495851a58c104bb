package oauth

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/authtrip/authtrip/tokensource"
)

// maxAnswer is how many bytes of an answer are read, after decompression.
const maxAnswer = 1 << 20

// A carrier carries requests to the authorization server. It follows no
// redirect, which would send code, verifier and secret to another place (RFC
// 9700 section 4.12), and keeps no cookies.
type carrier struct {
	given       http.RoundTripper // nil means http.DefaultTransport, which a program may replace
	fresh       atomic.Pointer[freshTransport]
	certificate func() (*tls.Certificate, error) // of the client, or nil
}

// freshTransport is a transport that uses each connection once, made of another
// one.
type freshTransport struct {
	of, transport *http.Transport
	byDefault     bool // the program gave none: no proxy for http
	plain         bool // net/http itself speaks to the server, whatever protocol the two agree on
}

func newCarrier(hc *http.Client, certificate func() (*tls.Certificate, error)) *carrier {
	return &carrier{given: transportOf(hc), certificate: certificate}
}

// transport returns what sends a request. Each request travels on a connection
// of its own (G3). If the server has closed an idle one, net/http cannot know
// whether the server read the request. And what a server sends on an idle one
// goes to the log of the program, with every secret that it repeats.
//
// It also reports whether net/http itself writes the request to the connection.
func (c *carrier) transport() (transport http.RoundTripper, plain bool) {
	base := c.given
	if base == nil {
		base = http.DefaultTransport
	}
	pooled, ok := base.(*http.Transport)
	switch {
	case c.certificate != nil && (!ok || pooled == nil || makesTLS(pooled)):
		return unable{errNoCertificate}, false
	case !ok, pooled == nil, pooled.DisableKeepAlives && c.certificate == nil:
		return base, false
	}
	f := c.fresh.Load()
	if f == nil || f.of != pooled {
		f = c.freshOf(pooled)
		c.fresh.Store(f)
	}
	return f.transport, f.plain
}

// freshOf returns a transport that uses each connection once, made of pooled.
func (c *carrier) freshOf(pooled *http.Transport) *freshTransport {
	f := fresh(pooled, c.given == nil)
	if c.certificate == nil {
		return f
	}
	f = &freshTransport{of: pooled, transport: f.transport.Clone(), plain: f.plain}
	withCertificate(f.transport, c.certificate)
	return f
}

// httpsOnly returns the proxy of the environment for https, where it sees
// nothing. Through it, http in a private network (Provider.InsecureHTTP) would
// show every secret to one more machine.
func httpsOnly(proxy func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(req *http.Request) (*url.URL, error) {
		if proxy == nil || req.URL.Scheme != "https" {
			return nil, nil //nolint:nilnil // http.Transport means: no proxy
		}
		return proxy(req)
	}
}

var (
	errTooLarge = errors.New("the answer is larger than 1 MiB")
	errNothing  = errors.New("the http.RoundTripper returned neither an answer nor an error")
)

// send sends req and reads the answer. In s is what became of the form. If
// there is no answer, the error is a *tokensource.Error whose InDoubt says
// whether the form may have reached the server.
func (c *Client) send(op string, req *http.Request, s *sending) (answer, error) {
	ctx := req.Context()
	a := answer{sent: time.Now()}
	transport, plain := c.carrier.transport()
	if plain {
		s.inMemory(req)
	}
	resp, err := transport.RoundTrip(req.WithContext(httptrace.WithClientTrace(ctx, s.trace(ctx))))
	if err == nil && (resp == nil || resp.Body == nil) {
		err = errNothing
	}
	if err == nil {
		defer resp.Body.Close()
	}
	if refused := s.refused.Load(); refused != nil { // whatever an http.RoundTripper made of it
		return a, &tokensource.Error{Op: op, Kind: tokensource.ErrTemporary, InDoubt: s.left(), Err: *refused}
	}
	if err != nil {
		doubt := s.left() && !refusedCertificate(err)
		return a, &tokensource.Error{Op: op, Kind: tokensource.ErrTemporary, InDoubt: doubt, Err: cause(ctx, err)}
	}
	a.status, a.header = resp.StatusCode, resp.Header
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		a.cut = cause(ctx, err)
	case len(a.body) > maxAnswer:
		a.body, a.cut = a.body[:maxAnswer], errTooLarge
	}
	return a, nil
}

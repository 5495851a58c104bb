package oauth

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// A Client speaks OAuth 2.0 with one authorization server for one app. [New]
// makes one; the zero Client cannot be used. It is safe for concurrent use.
type Client struct {
	provider     *provider.Provider
	registration *Registration
	http         *http.Client
	timeout      time.Duration
	prepare      func(context.Context, *TokenRequest) error
	prover       func() Prover // nil for none; in a closure, since a Prover may hold a key
}

// Options adjusts a [Client]. The zero value is the safe default.
type Options struct {
	// HTTPClient carries the requests to the authorization server. Only its
	// Transport is used. Cookies, redirects and the timeout are the Client's
	// own. Nil means http.DefaultTransport.
	HTTPClient *http.Client

	// Timeout limits one call: from its begin, with everything that prepares
	// the request, to the last byte of the answer. Zero means 20 seconds, and
	// 24 hours are the most. It also decides how long other processes wait for
	// the refresh of this one before they redeem the token themselves.
	Timeout time.Duration

	// Prepare is called with each request to the token or revocation endpoint
	// after the client was authenticated. It may add parameters and headers,
	// such as resource indicators ([RFC 8707]). After an error nothing is sent,
	// and the call fails with tokensource.ErrTemporary. Prepare runs under the
	// context of the request and concurrently with itself.
	//
	// [RFC 8707]: https://www.rfc-editor.org/rfc/rfc8707
	Prepare func(ctx context.Context, r *TokenRequest) error
}

const (
	defaultTimeout = 20 * time.Second
	longestTimeout = 24 * time.Hour
)

// New returns a [Client] for the app that is registered as r at p. Nil options
// mean all defaults. It refuses settings that cannot work, with an error that
// says what to do.
func New(p *provider.Provider, r Registration, o *Options) (*Client, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if err := r.check(p); err != nil {
		return nil, err
	}
	if o == nil {
		o = new(Options)
	}
	if o.Timeout < 0 {
		return nil, fmt.Errorf("oauth: Options.Timeout %v is negative: zero means %v", o.Timeout, defaultTimeout)
	}
	if o.Timeout > longestTimeout {
		return nil, fmt.Errorf("oauth: Options.Timeout %v is above %v", o.Timeout, longestTimeout)
	}
	r.Scopes = slices.Clone(r.Scopes)
	c := &Client{
		provider:     p.Clone(),
		registration: &r,
		http:         backChannel(o.HTTPClient),
		timeout:      o.Timeout,
		prepare:      o.Prepare,
	}
	if c.timeout == 0 {
		c.timeout = defaultTimeout
	}
	return c, nil
}

// backChannel returns an HTTP client that shares nothing with hc but its
// transport. A redirect that is followed would send code, verifier and secret
// to another place (RFC 9700 section 4.12). Cookies have no place in these
// requests.
func backChannel(hc *http.Client) *http.Client {
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if hc != nil {
		c.Transport = hc.Transport
	}
	return c
}

// WithProver returns a Client that adds the proofs of p to its token requests,
// and is like c otherwise. A program that has a key for each grant makes one
// for each grant: this is cheap, because everything else is shared. A nil p
// means no proofs.
func (c *Client) WithProver(p Prover) *Client {
	with := *c
	with.prover = nil
	if p != nil {
		with.prover = func() Prover { return p }
	}
	return &with
}

// Provider returns the authorization server of c. It must not be changed.
func (c *Client) Provider() *provider.Provider { return c.provider }

// ClientID returns the client identifier.
func (c *Client) ClientID() string { return c.registration.ClientID }

// RedirectURL returns the redirect URI, exactly as it was configured.
func (c *Client) RedirectURL() string { return c.registration.RedirectURL }

// Scopes returns the scopes that c asks for.
func (c *Client) Scopes() []string { return slices.Clone(c.registration.Scopes) }

// Timeout returns the limit of one call.
func (c *Client) Timeout() time.Duration { return c.timeout }

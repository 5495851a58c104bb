package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/authtrip/authtrip/internal/redact"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// Client speaks OAuth 2.0 with one authorization server for one app: it builds authorization URLs, exchanges codes,
// refreshes and revokes tokens. Every call makes exactly one request, follows no redirect and keeps no cookie. It is safe
// for concurrent use.
type Client struct {
	provider     *provider.Provider
	registration *Registration // a pointer: in somebody's unexported field fmt prints an address, where it calls no Format
	http         *http.Client
	timeout      time.Duration
	prepare      func(context.Context, *TokenRequest) error
}

// Options adjusts a Client. The zero value is the safe default.
type Options struct {
	// HTTPClient carries the requests to the authorization server. Only its Transport is used: cookies, redirects and
	// timeout are the Client's own. Nil means http.DefaultTransport.
	HTTPClient *http.Client

	// Timeout bounds one request to the authorization server, from dialing to the last byte of the answer. Zero means
	// 20 seconds. It also decides how long other processes wait for this one's refresh before they take over.
	Timeout time.Duration

	// Prepare is called with every token and revocation request before it is sent and may add parameters and headers:
	// resource indicators (RFC 8707), client assertions (RFC 7523), DPoP proofs (RFC 9449). An error stops the request.
	// It runs under the request's context and concurrently with itself.
	Prepare func(ctx context.Context, r *TokenRequest) error
}

const defaultTimeout = 20 * time.Second

// New returns a Client for the app that is registered as r at p. Nil options mean all defaults. Settings that
// cannot work are refused here, with an error that says what to do.
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

// backChannel returns an HTTP client that shares nothing with hc but its transport: a followed redirect would send code,
// verifier and secret elsewhere (RFC 9700 section 4.12), and cookies have no place on the back channel.
func backChannel(hc *http.Client) *http.Client {
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if hc != nil {
		c.Transport = hc.Transport
	}
	return c
}

// Provider returns what the Client knows of the authorization server. It must not be changed.
func (c *Client) Provider() *provider.Provider { return c.provider }

// ClientID returns the client identifier.
func (c *Client) ClientID() string { return c.registration.ClientID }

// RedirectURL returns the redirect URI, exactly as it was configured.
func (c *Client) RedirectURL() string { return c.registration.RedirectURL }

// Scopes returns the scopes that the Client asks for.
func (c *Client) Scopes() []string { return slices.Clone(c.registration.Scopes) }

// Format prints the client without its secret, whatever the verb.
func (c *Client) Format(f fmt.State, _ rune) { redact.Write(f, c.String()) }

// String returns the client without its secret.
func (c *Client) String() string {
	if c == nil {
		return "Client(nil)"
	}
	return fmt.Sprintf("Client{%s, %v}", c.provider.Name, c.registration)
}

// AuthorizationRequest is one request for the user's authorization (RFC 6749 section 4.1.1, RFC 7636 section 4.3).
type AuthorizationRequest struct {
	State    string     `json:"-"` // unguessable, bound to the browser; required
	Verifier string     `json:"-"` // code verifier, 43 to 128 unreserved characters, as oauth2.GenerateVerifier makes them; required
	Params   url.Values // further parameters, or nil
}

// Format prints the request without state and verifier, whatever the verb.
func (r AuthorizationRequest) Format(f fmt.State, _ rune) { redact.Write(f, r.String()) }

// String returns the request without state and verifier.
func (r AuthorizationRequest) String() string {
	return fmt.Sprintf("AuthorizationRequest{State: %q, Verifier: %q, %d further parameters}",
		redact.Secret(r.State), redact.Secret(r.Verifier), len(r.Params))
}

var errNoState = errors.New("oauth: State is empty: it must be unguessable and bound to the browser (RFC 6749 section 10.12)")

// Timeout returns the limit of one request to the authorization server.
func (c *Client) Timeout() time.Duration { return c.timeout }

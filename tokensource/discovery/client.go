package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// Options adjusts a [Client]. The zero value is the safe default.
type Options struct {
	// HTTPClient carries the requests. Only its Transport is used: no cookies,
	// no redirects. Nil means a transport of [Guard], with the two switches
	// below. A transport of the caller's own decides itself which addresses it
	// reaches, and the switch InsecurePrivate has no effect on it.
	HTTPClient *http.Client

	// Allow says which issuers may be asked and used, such as a list of the
	// operator. It matters where an issuer comes from outside: from a user, or
	// from the metadata of a resource. Nil means every issuer.
	Allow func(issuer string) bool

	// RequireS256 refuses a server that does not say that it supports PKCE with
	// S256, as the Model Context Protocol demands. Otherwise only a server that
	// names other methods is refused. Many servers support S256 and do not say
	// so.
	RequireS256 bool

	// OnChange is called if an issuer has moved an endpoint to another origin.
	// It must return soon, and is called concurrently with itself. It must not
	// call Refresh or Close, which would wait for its end. Nil means that
	// nothing is reported.
	OnChange func(old, now *Server)

	// MaxAge is how long a document is used at most before it is read again.
	// Zero means a day, which is also the most. If the server names a shorter
	// time in Cache-Control, that counts, down to a minute.
	MaxAge time.Duration

	// Timeout limits one request. Zero means 10 seconds, and 5 minutes are the
	// most.
	Timeout time.Duration

	// InsecureLoopback allows http and loopback addresses, for tests and
	// demonstrations. What is lost: a URL from outside reaches the other
	// servers of this machine, and another user of it may listen there.
	InsecureLoopback bool

	// InsecurePrivate allows addresses in private networks, such as those of an
	// authorization server of the company. What is lost: a URL from outside
	// reaches all servers of that network. See [Guard].
	InsecurePrivate bool
}

const (
	longestAge     = 24 * time.Hour
	shortestAge    = time.Minute
	defaultTimeout = 10 * time.Second
	longestTimeout = 5 * time.Minute
)

// A Client reads metadata and keeps them in memory. [New] makes one; the zero
// Client cannot be used. It is safe for concurrent use. Close it when it is no
// longer needed.
type Client struct {
	options   Options
	transport http.RoundTripper
	begun     context.Context //nolint:containedctx // ends with Close, and stops the work that callers share
	end       context.CancelFunc

	mu      sync.Mutex // guards what follows; never held across I/O
	entries map[string]*entry
	closed  bool
	work    sync.WaitGroup
}

// New returns a [Client]. Nil options mean all defaults. It refuses options
// that cannot work.
func New(o *Options) (*Client, error) {
	if o == nil {
		o = new(Options)
	}
	c := &Client{options: *o, entries: map[string]*entry{}}
	switch {
	case o.MaxAge < 0 || o.MaxAge > longestAge:
		return nil, fmt.Errorf("discovery: Options.MaxAge %v: use up to %v, or zero for that", o.MaxAge, longestAge)
	case o.Timeout < 0 || o.Timeout > longestTimeout:
		return nil, fmt.Errorf("discovery: Options.Timeout %v: use up to %v, or zero for %v", o.Timeout, longestTimeout, defaultTimeout)
	case o.HTTPClient != nil && o.HTTPClient.Transport == nil:
		return nil, errors.New("discovery: Options.HTTPClient has no Transport: set one, or leave the client out for one that reaches public servers only")
	case o.HTTPClient != nil:
		c.transport = o.HTTPClient.Transport
	default:
		c.transport = Guard{InsecureLoopback: o.InsecureLoopback, InsecurePrivate: o.InsecurePrivate}.Transport()
	}
	if c.options.MaxAge == 0 {
		c.options.MaxAge = longestAge
	}
	if c.options.Timeout == 0 {
		c.options.Timeout = defaultTimeout
	}
	c.begun, c.end = context.WithCancel(context.Background())
	return c, nil
}

// Close stops the requests that are under way and waits for their end. Later
// calls of other methods fail with tokensource.ErrClosed. It may be called
// more than once.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.end()
	c.work.Wait()
	if c.options.HTTPClient == nil {
		c.transport.(*http.Transport).CloseIdleConnections()
	}
}

// Server returns the metadata of the authorization server with the given issuer
// identifier ([RFC 8414], [OpenID Connect Discovery]). They come from memory if
// they are there. Nobody may change them.
//
// The issuer is an https URL without query and fragment. It must stand in the
// metadata exactly as it is here. The errors are [ErrNotFound], [ErrMismatch],
// [ErrInvalid], [ErrNotAllowed], [ErrAddress] and tokensource.ErrTemporary.
//
// [RFC 8414]: https://www.rfc-editor.org/rfc/rfc8414
// [OpenID Connect Discovery]: https://openid.net/specs/openid-connect-discovery-1_0.html
func (c *Client) Server(ctx context.Context, issuer string) (*Server, error) {
	job, err := c.serverJob(issuer)
	if err != nil {
		return nil, err
	}
	return current[*Server](ctx, c, job)
}

// Refresh is like Server, but reads the metadata again, at most once a minute.
// Call it after a failure that a moved endpoint explains. If the metadata
// cannot be read, it returns the last that could, and an error only if there
// are none.
func (c *Client) Refresh(ctx context.Context, issuer string) (*Server, error) {
	job, err := c.serverJob(issuer)
	if err != nil {
		return nil, err
	}
	return renewed[*Server](ctx, c, job)
}

// Provider returns the facts about an authorization server, of its metadata. It
// is a new value at each call. The caller may complete it, for example with the
// API's origins, before it is given to oauth.New. The errors are those of
// [Client.Server].
func (c *Client) Provider(ctx context.Context, issuer string) (*provider.Provider, error) {
	s, err := c.Server(ctx, issuer)
	if err != nil {
		return nil, err
	}
	return s.Provider()
}

// Provider returns the facts about one authorization server. It is the short
// form of New, [Client.Provider] and Close, for programs that know their
// issuers when they start. Nil options mean all defaults. The errors are those
// of [Client.Server].
func Provider(ctx context.Context, issuer string, o *Options) (*provider.Provider, error) {
	c, err := New(o)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Provider(ctx, issuer)
}

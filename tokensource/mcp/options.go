package mcp

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/discovery"
	"github.com/authtrip/authtrip/tokensource/oauth"
)

// Why a program is not authorized. The text says what to do.
var (
	// ErrNoClient means that the authorization server does not know the program,
	// and that the program cannot introduce itself there.
	ErrNoClient = errors.New("mcp: the authorization server does not know this program")

	// ErrNoServer means that the MCP server names no authorization server that
	// can be used.
	ErrNoServer = errors.New("mcp: the server names no authorization server")

	// ErrRejected means that the MCP server rejects the token, and that no login
	// begins for that: the token is new, or the last logins did not help. A later
	// request may succeed.
	ErrRejected = errors.New("mcp: the server rejects a new token, and another login would not help now")

	// ErrInsufficient means that the server wants more scopes, and that logins
	// for them did not help.
	ErrInsufficient = errors.New("mcp: the server wants scopes that the login does not bring")
)

// Options adjusts a [Handler], a [Login] and [Find]. The zero value is the safe
// default.
type Options struct {
	// Name is what users see when they authorize the program, and on the page at
	// the end of the login. Empty means that the authorization server decides what
	// it shows.
	Name string

	// Clients are the clients that were registered by hand, by the issuer of the
	// authorization server. Only the ID and the credential are used. Nil means
	// that there are none.
	Clients map[string]oauth.Registration

	// ClientIDURL is where the client ID metadata document of the program is. It
	// is the client ID at all servers that read such documents. Empty means that
	// there is none.
	ClientIDURL string

	// RedirectURL is where a login ends. For a Handler it is on loopback, and
	// empty means http://127.0.0.1/callback at any free port. With a port in it,
	// that port is used. A Login needs it: https, or http on loopback.
	RedirectURL string

	// Account tells apart the accounts that a program has at one MCP server.
	// Empty means one account. It has no effect on a Login.
	Account string

	// Open and Timeout are those of nativeapp.Options, as is the meaning of their
	// zero values.
	Open    func(ctx context.Context, url string) error
	Timeout time.Duration

	// Proofs binds tokens to keys ([RFC 9449]) where the authorization server
	// supports that. Package jose makes it. Nil means Bearer tokens.
	//
	// [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449
	Proofs tokensource.Proofs

	// Allow says which issuers may be used. An MCP server names them. Nil means
	// every issuer.
	Allow func(issuer string) bool

	// Transport carries all requests. Nil means http.DefaultTransport for the
	// MCP server, and a transport of discovery.Guard for what it names.
	Transport http.RoundTripper

	// OnEvent is that of grant.Options. Nil means that no function is called.
	OnEvent func(ctx context.Context, e tokensource.Event)

	// InsecureLoopback allows http and loopback addresses, for tests. What is
	// lost: an MCP server reaches the other servers of this machine.
	InsecureLoopback bool

	// InsecurePrivate allows addresses in private networks. What is lost: an MCP
	// server reaches all servers of that network.
	InsecurePrivate bool

	// InsecurePlainStore is that of grant.Options.
	InsecurePlainStore bool

	guard *http.Transport // for servers that others name, if Transport is nil
}

// prepared returns a copy of o with one transport for all requests to servers
// that others name. Nil means all defaults.
func (o *Options) prepared() *Options {
	if o == nil {
		o = new(Options)
	}
	set := *o
	set.guard = discovery.Guard{InsecureLoopback: o.InsecureLoopback, InsecurePrivate: o.InsecurePrivate}.Transport()
	return &set
}

// idle closes the connections that nobody uses.
func (o *Options) idle() { o.guard.CloseIdleConnections() }

// guarded returns the transport for servers that others name.
func (o *Options) guarded() http.RoundTripper {
	if o.Transport != nil {
		return o.Transport
	}
	return o.guard
}

// base returns the transport for the MCP server, which the caller names.
func (o *Options) base() http.RoundTripper {
	return cmp.Or[http.RoundTripper](o.Transport, http.DefaultTransport)
}

// discover returns a reader of metadata. It remembers nothing of before,
// because a server that answers 401 may have another authorization server by
// now.
func (o *Options) discover() (*discovery.Client, error) {
	return discovery.New(&discovery.Options{
		HTTPClient: &http.Client{Transport: o.guarded()}, Allow: o.Allow, RequireS256: true,
		InsecureLoopback: o.InsecureLoopback, InsecurePrivate: o.InsecurePrivate,
	})
}

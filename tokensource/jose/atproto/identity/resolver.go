package identity

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/authtrip/authtrip/tokensource/discovery"
)

// plcDirectory is the address of the directory of DIDs with the method plc.
const plcDirectory = "https://plc.directory"

// Options adjusts a [Resolver]. The zero value is the safe default.
type Options struct {
	// HTTPClient carries the requests. Only its Transport is used: no cookies,
	// no redirects. Nil means a transport of discovery.Guard, which reaches
	// public servers only. A transport of the caller's own decides itself which
	// addresses it reaches.
	HTTPClient *http.Client

	// DNS looks up the TXT records of handles. Nil means net.DefaultResolver.
	DNS DNS

	// Directory is where the documents of DIDs with the method plc are: an https
	// URL without a path. Empty means https://plc.directory.
	Directory string

	// Timeout limits one request. Zero means 10 seconds, and a minute is the most.
	Timeout time.Duration
}

// A Resolver finds accounts and their authorization servers. [NewResolver]
// makes one; the zero Resolver cannot be used. It is safe for concurrent use.
// Close it when it is no longer needed.
type Resolver struct {
	transport http.RoundTripper // without the bound, for the authorization servers
	bounded   http.RoundTripper
	servers   *discovery.Client
	dns       DNS
	directory string
	timeout   time.Duration
}

// NewResolver returns a [Resolver]. Nil options mean all defaults. It refuses
// options that cannot work.
func NewResolver(o *Options) (*Resolver, error) {
	if o == nil {
		o = new(Options)
	}
	r := &Resolver{dns: o.DNS, directory: plcDirectory, timeout: o.Timeout}
	switch {
	case o.Timeout < 0 || o.Timeout > time.Minute:
		return nil, fmt.Errorf("identity: Options.Timeout %v: use up to a minute, or zero for 10s", o.Timeout)
	case o.HTTPClient != nil && o.HTTPClient.Transport == nil:
		return nil, errors.New("identity: Options.HTTPClient has no Transport: set one, or leave the client out for one that reaches public servers only")
	case o.HTTPClient != nil:
		r.transport = o.HTTPClient.Transport
	default:
		r.transport = discovery.Guard{}.Transport()
	}
	if o.Directory != "" {
		place, err := origin(o.Directory)
		if err != nil {
			return nil, fmt.Errorf("identity: Options.Directory %w", err)
		}
		r.directory = place
	}
	if r.timeout == 0 {
		r.timeout = 10 * time.Second
	}
	if r.dns == nil {
		r.dns = net.DefaultResolver
	}
	r.bounded = newBounded(r.transport)
	var err error
	r.servers, err = discovery.New(&discovery.Options{
		HTTPClient: &http.Client{Transport: r.bounded}, RequireS256: true, Timeout: r.timeout, MaxAge: metadataAge,
	})
	return r, err
}

// metadataAge is how long the metadata of a server are used. A login must see
// within ten minutes that a server has changed its authorization server
// ([identity authentication]).
//
// [identity authentication]: https://atproto.com/specs/oauth#identity-authentication
const metadataAge = 5 * time.Minute

// HTTPClient returns a client with the transport of r, for oauth.Options: the
// authorization server of an account is named by others too.
func (r *Resolver) HTTPClient() *http.Client { return &http.Client{Transport: r.transport} }

// Close stops the requests for metadata that are under way and waits for their
// end. It may be called more than once.
func (r *Resolver) Close() {
	r.servers.Close()
	if t, ok := r.transport.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
}

// An Account is an account and where it is.
type Account struct {
	// DID is the lasting name of the account. Grants are kept by it.
	DID string

	// Handle is the name that the user chose, checked in both directions. It can
	// change. Empty means that the account has none that is valid.
	Handle string

	// Server is the origin of the server that hosts the account (PDS). Requests
	// to the API go there. The account can move to another server.
	Server string

	// Issuer is the authorization server of that server.
	Issuer string
}

// Resolve returns the account with a handle or a DID, as it is now. A handle
// may begin with "@" or "at://".
//
// The errors are [ErrIdentifier], [ErrNotFound], [ErrHandle], [ErrDocument],
// [ErrServer], those of package discovery, and tokensource.ErrTemporary.
func (r *Resolver) Resolve(ctx context.Context, identifier string) (*Account, error) {
	name := bare(identifier)
	if strings.HasPrefix(name, "did:") {
		return r.resolveDID(ctx, name)
	}
	handle, err := parseHandle(name)
	if err != nil {
		return nil, err
	}
	did, err := r.lookUp(ctx, handle)
	if err != nil {
		return nil, err
	}
	d, err := r.document(ctx, did)
	if err != nil {
		return nil, err
	}
	if d.handle() != handle {
		return nil, fmt.Errorf("%w: %s names %s, whose document does not name it", ErrHandle, handle, did)
	}
	return r.account(ctx, d, handle)
}

// bare returns what a user typed without what is no part of a handle.
func bare(identifier string) string {
	name := strings.TrimSpace(identifier)
	return strings.TrimPrefix(strings.TrimPrefix(name, "at://"), "@")
}

// resolveDID returns the account with a DID. A handle in the document counts
// only if it leads to the DID. The account can be used without one.
func (r *Resolver) resolveDID(ctx context.Context, did string) (*Account, error) {
	if err := checkDID(did); err != nil {
		return nil, err
	}
	d, err := r.document(ctx, did)
	if err != nil {
		return nil, err
	}
	handle := d.handle()
	if handle != "" {
		if named, err := r.lookUp(ctx, handle); err != nil || named != did {
			handle = ""
		}
	}
	return r.account(ctx, d, handle)
}

// account follows a document to the authorization server.
func (r *Resolver) account(ctx context.Context, d *document, handle string) (*Account, error) {
	server, err := d.server()
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDocument, d.ID, err)
	}
	issuer, err := r.issuerOf(ctx, server)
	if err != nil {
		return nil, err
	}
	return &Account{DID: d.ID, Handle: handle, Server: server, Issuer: issuer}, nil
}

package oauth

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/authtrip/authtrip/internal/deviceauth"
	"github.com/authtrip/authtrip/internal/isnil"
	"github.com/authtrip/authtrip/internal/signedresponse"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// A Client speaks OAuth 2.0 with one authorization server for one app. [New]
// makes one; the zero Client cannot be used. It is safe for concurrent use.
type Client struct {
	deviceauth.Endpoint    // for package nativeapp
	signedresponse.Checker // for packages that receive authorization responses

	provider     *provider.Provider
	registration *Registration
	carrier      *carrier
	limits       *limits
	timeout      time.Duration
	at           endpoints // where requests are sent
	fapi         bool      // Options.FAPI2
	prepare      func(context.Context, *TokenRequest) error
	proofs       tokensource.Proofs
	prover       func() tokensource.ProofKey // nil for none; in a closure, which nothing prints
	idTokens     func() IDTokenVerifier      // nil for none
	moves        *moves
}

// Options adjusts a [Client]. The zero value is the safe default.
type Options struct {
	// HTTPClient carries the requests to the authorization server. Only its
	// Transport is used: no cookies, no redirects, and the timeout is the
	// Client's own. Nil means http.DefaultTransport with the proxy that the
	// environment names for https (HTTPS_PROXY), and with no proxy for http.
	// For no proxy, or for another one, bring an http.Transport. A proxy cannot
	// read what is sent by https, unless the program trusts its certificate.
	//
	// Each request travels on a connection of its own, because an idle one may
	// be dead (G3). That is so if the Transport is an *http.Transport. A
	// Transport of another kind should not send on an idle connection, and
	// should not read the body of a request before it has a connection: the
	// Client cannot always know then that nothing was sent, and a refresh token
	// counts as in doubt. It must not repeat requests.
	HTTPClient *http.Client

	// Reread returns the facts about the authorization server as they are now.
	// It is called before a request if the one before it found nothing at the
	// endpoint: no connection, a redirect, or a status such as 404. So an
	// endpoint that the server has moved is found without a restart. It is
	// called once a minute at most, for at most 5 seconds, and concurrently with
	// other requests. Only the endpoints of its result count, and only if its
	// Issuer is that of the Provider and if it allows http no more than the
	// Provider does. Nil means that endpoints do not move. With
	// package discovery, it is a function that calls Client.Refresh.
	Reread func(ctx context.Context) (*provider.Provider, error)

	// MaxInFlight is how many requests of one kind may be under way at once:
	// pushed authorization requests, exchanges, identity requests, revocations
	// and requests for an app's own token. One more waits for up to 5 seconds,
	// and then fails with tokensource.ErrTemporary: a server that hangs must
	// not take all memory and connections of the program (G10). Package grant
	// has its own limit for refreshes. Zero means 64.
	MaxInFlight int

	// Timeout limits one call: from its begin, with everything that prepares
	// the request, to the last byte of the answer. Zero means 20 seconds, and
	// 24 hours are the most. It also decides how long other processes wait for
	// the refresh of this one before they redeem the token themselves.
	Timeout time.Duration

	// Prepare is called with each request to the authorization server after the
	// client was authenticated. It may add parameters and headers that only
	// this server knows. After an error nothing is sent, and the call fails
	// with tokensource.ErrTemporary. Prepare runs under the context of the
	// request and concurrently with itself. Nil means that nothing is added.
	Prepare func(ctx context.Context, r *TokenRequest) error

	// IDTokens verifies the ID tokens of the authorization server, so that they
	// say who has logged in (OpenID Connect). Nil means that ID tokens are not
	// read.
	IDTokens IDTokenVerifier

	// Proofs makes and opens the keys with which requests prove possession
	// (DPoP, [RFC 9449]). With it, each login needs a key, and the server must
	// issue tokens that are bound to it: a Bearer token is refused. Packages
	// middleware, nativeapp, grant and derived do what is needed. A program
	// that calls the Client itself makes a key for each login, see
	// [Client.WithProver]. Nil means Bearer tokens.
	//
	// [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449
	Proofs tokensource.Proofs

	// Certificate is for a client that does not authenticate with a certificate
	// and whose tokens are bound to one ([RFC 8705] sections 3 and 4). The
	// rules of [MutualTLS] hold for it. Nil means no certificate.
	//
	// [RFC 8705]: https://www.rfc-editor.org/rfc/rfc8705
	Certificate func() (*tls.Certificate, error)

	// FAPI2 makes the Client keep the [FAPI 2.0 Security Profile]. New then
	// refuses what is weaker, with an error that says what to do. The profile
	// demands:
	//
	//   - endpoints that were read from the server's metadata
	//     (Provider.MetadataURL), all of them https
	//   - pushed authorization requests and PKCE with S256
	//   - iss in every authorization response
	//   - a client that authenticates with private_key_jwt, signed with PS256,
	//     ES256 or EdDSA for the issuer, or with MutualTLS
	//   - tokens that are bound to a key: by Proofs that sign with one of these
	//     algorithms, by MutualTLS, or by Certificate
	//
	// Prepare is refused too, because it could change all of this.
	//
	// [FAPI 2.0 Security Profile]: https://openid.net/specs/fapi-security-profile-2_0-final.html
	FAPI2 bool
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
	if o.MaxInFlight < 0 {
		return nil, fmt.Errorf("oauth: Options.MaxInFlight %d is negative: zero means %d", o.MaxInFlight, defaultInFlight)
	}
	certificate, err := certificateOf(r.Credential, o)
	if err != nil {
		return nil, err
	}
	if o.FAPI2 {
		if err := checkFAPI2(p, r, o, certificate != nil); err != nil {
			return nil, fmt.Errorf("oauth: Options.FAPI2: %w", err)
		}
	}
	r.Scopes, r.Resources = slices.Clone(r.Scopes), slices.Clone(r.Resources)
	p = adapted(p, r.ClientID)
	c := &Client{
		provider:     p,
		registration: &r,
		carrier:      newCarrier(o.HTTPClient, certificate),
		at:           endpointsOf(p, certificate != nil),
		moves:        &moves{first: p, mtls: certificate != nil, reread: o.Reread},
		fapi:         o.FAPI2,
		limits:       newLimits(o.MaxInFlight),
		timeout:      o.Timeout,
		prepare:      o.Prepare,
		proofs:       o.Proofs,
	}
	if c.timeout == 0 {
		c.timeout = defaultTimeout
	}
	if verifier := o.IDTokens; !isnil.Value(verifier) {
		c.idTokens = func() IDTokenVerifier { return verifier }
	}
	c.Endpoint, c.Checker = deviceauth.New(c.askDeviceCode), signedresponse.New(c.checkResponse)
	return c, nil
}

// WithProver returns a Client whose requests prove possession of key, and that
// is like c otherwise. It is cheap: everything else is shared. A nil key means
// no proofs.
//
// Each login has a key of its own ([Client.Proofs], NewKey). Make the
// authorization request, the exchange and the identity request with the Client
// of that key. The token that Exchange returns carries the key with it, so that
// grant.Keeper.Save stores both.
func (c *Client) WithProver(key tokensource.ProofKey) *Client {
	with := *c
	with.prover = nil
	if !isnil.Value(key) {
		with.prover = func() tokensource.ProofKey { return key }
	}
	with.Endpoint = deviceauth.New(with.askDeviceCode)
	return &with
}

// Proofs returns Options.Proofs: what makes and opens the keys of logins and
// grants. Nil means that c uses Bearer tokens.
func (c *Client) Proofs() tokensource.Proofs { return c.proofs }

// errNoKey is the error of a Client that must prove possession and has no key.
var errNoKey = errors.New("oauth: Options.Proofs is set, so this request needs a key: use Client.WithProver with a key of Proofs.NewKey")

// checkKey refuses to ask for a token that is not bound to a key (RFC 9449
// section 5), where the program wants that.
func (c *Client) checkKey() error {
	if c.proofs != nil && c.prover == nil {
		return errNoKey
	}
	return nil
}

// Provider returns the authorization server of c. It must not be changed.
func (c *Client) Provider() *provider.Provider { return c.provider }

// ClientID returns the client identifier.
func (c *Client) ClientID() string { return c.registration.ClientID }

// RedirectURL returns the redirect URI, exactly as it was configured.
func (c *Client) RedirectURL() string { return c.registration.RedirectURL }

// Scopes returns the scopes that c asks for.
func (c *Client) Scopes() []string { return slices.Clone(c.registration.Scopes) }

// Public reports whether c is a public client: it has no credential ([RFC 6749]
// section 2.1).
//
// [RFC 6749]: https://www.rfc-editor.org/rfc/rfc6749
func (c *Client) Public() bool { return c.registration.Credential.IsZero() }

// Timeout returns the limit of one call.
func (c *Client) Timeout() time.Duration { return c.timeout }

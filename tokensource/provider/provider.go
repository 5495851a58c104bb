package provider

import (
	"slices"
	"time"
)

// ClientAuth is how a confidential client authenticates at the token endpoint
// ([RFC 6749] section 2.3.1). A public client sends its client_id in the body,
// and nothing more.
//
// [RFC 6749]: https://www.rfc-editor.org/rfc/rfc6749
type ClientAuth int

const (
	// Basic sends an Authorization header. Client ID and secret are form-encoded
	// first, as the RFC demands.
	Basic ClientAuth = iota

	// BasicRaw is Basic without the form-encoding, for servers that do not
	// decode it.
	BasicRaw

	// Post sends client_id and client_secret in the body.
	Post
)

// A Provider describes one authorization server and the API that its tokens are
// for. The zero value of every optional field means that the server follows the
// RFCs. Constructors read a Provider. It must not be changed after that.
type Provider struct {
	// Name is short and never changes, such as "x".
	Name string

	// AuthorizationURL and TokenURL are endpoints. Required.
	AuthorizationURL string
	TokenURL         string

	// RevocationURL is the endpoint of [RFC 7009]. Empty means that the server
	// has none.
	//
	// [RFC 7009]: https://www.rfc-editor.org/rfc/rfc7009
	RevocationURL string

	// ClientCredentialsURL is where an app asks for its own token. Empty means
	// TokenURL.
	ClientCredentialsURL string

	// Issuer is compared with iss in the authorization response ([RFC 9207]) if
	// the server sends one. Empty refuses nothing.
	//
	// [RFC 9207]: https://www.rfc-editor.org/rfc/rfc9207
	Issuer string

	// IssuerRequired refuses a response without iss.
	IssuerRequired bool

	// ClientAuth is how a confidential client authenticates.
	ClientAuth ClientAuth

	// ClientIDInBody sends client_id in the body as well.
	ClientIDInBody bool

	// APIOrigins are the origins of the resource servers that the tokens are
	// for, such as "https://api.x.com".
	APIOrigins []string

	// Scopes is every scope that the server knows. A client that asks for
	// another scope is refused. Empty allows any scope.
	Scopes []string

	// RefreshScope is the scope without which the server issues no refresh
	// token. Empty means that there is no such scope.
	RefreshScope string

	// MaxState is the longest state, in characters, that the server accepts.
	// Zero means no limit.
	MaxState int

	// ExpiresIn is the lifetime that is assumed for an access token if the
	// server does not name one. Zero means unknown: the token is used until it
	// is rejected.
	ExpiresIn time.Duration

	// SingleGrant says that the server keeps one grant per client and user: a
	// new login ends the tokens of the old one. Without it, tokens that a new
	// login replaces stay valid at the server until they expire or are revoked.
	SingleGrant bool

	// CheckClient refuses a registration that cannot work, with an error that
	// says what to do. Optional.
	CheckClient func(clientID string, confidential bool) error

	// DeadGrant reports whether an error response means that the code or the
	// refresh token is not valid any more. It is asked about errors other than
	// the RFC's invalid_grant, which always means that. Optional.
	DeadGrant func(Failure) bool

	// IdentityURL answers a request that has an access token with the user of
	// that token, and ParseIdentity reads the body of a 200 response. Optional,
	// both or neither.
	IdentityURL   string
	ParseIdentity func(body []byte) (Identity, error)

	// InsecureLoopback allows http endpoints on loopback addresses, for tests
	// and demonstrations. What is lost: another user of the same machine may
	// listen there.
	InsecureLoopback bool
}

// A Failure is an error response of the token endpoint, as Provider.DeadGrant
// sees it.
type Failure struct {
	// GrantType is the grant_type of the request: "authorization_code",
	// "refresh_token" or "client_credentials".
	GrantType string

	Status      int    // the HTTP status
	Code        string // the error member, or empty
	Description string // the error_description member, or empty
}

// An Identity says which user a token is for.
type Identity struct {
	Subject  string // unique at this provider, never changes, never empty
	Username string // may change; for display
	Name     string // may change; for display
}

// Clone returns a copy that shares nothing which could be changed.
func (p *Provider) Clone() *Provider {
	c := *p
	c.APIOrigins = slices.Clone(p.APIOrigins)
	c.Scopes = slices.Clone(p.Scopes)
	return &c
}

// Authority returns what names the authorization server: Issuer, or TokenURL if
// there is no issuer. Grants are stored under it.
func (p *Provider) Authority() string {
	if p.Issuer != "" {
		return p.Issuer
	}
	return p.TokenURL
}

// Endpoints returns the URLs that clients of the authorization server call
// directly: token, revocation and client credentials. A resource server's token
// is never sent there.
func (p *Provider) Endpoints() []string {
	var list []string
	for _, endpoint := range []string{p.TokenURL, p.RevocationURL, p.ClientCredentialsURL} {
		if endpoint != "" && !slices.Contains(list, endpoint) {
			list = append(list, endpoint)
		}
	}
	return list
}

// Package provider holds what is known of authorization servers. Facts about a server live here and nowhere else: X
// returns all that is known of X (Twitter); for any other server fill in a Provider from its documentation.
package provider

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/authtrip/authtrip/internal/loopback"
)

// ClientAuth is how a confidential client authenticates at the token endpoint (RFC 6749 section 2.3.1). A public client
// always sends its client_id in the body and nothing else.
type ClientAuth int

const (
	// Basic sends an Authorization header, with client ID and secret form-encoded first as the RFC asks.
	Basic ClientAuth = iota
	// BasicRaw is Basic without the form-encoding, for servers that do not decode it.
	BasicRaw
	// Post sends client_id and client_secret in the body.
	Post
)

// Provider describes one authorization server and the API behind it. The zero value of every optional field follows the
// RFCs. A Provider is read by the constructors that take it and must not be changed afterwards.
type Provider struct {
	// Name is short and stable, such as "x": it is part of the key under which grants are stored.
	Name string

	// Endpoints. RevocationURL is empty if the server has none (RFC 7009); ClientCredentialsURL is empty if it is the
	// TokenURL.
	AuthorizationURL     string
	TokenURL             string
	RevocationURL        string
	ClientCredentialsURL string

	// Issuer is compared with iss in the authorization response (RFC 9207) when the server sends one. Empty refuses
	// nothing. IssuerRequired refuses a response without iss.
	Issuer         string
	IssuerRequired bool

	// ClientAuth is how a confidential client authenticates; ClientIDInBody sends client_id in the body as well.
	ClientAuth     ClientAuth
	ClientIDInBody bool

	// APIOrigins are the origins of the resource servers that the tokens are for, such as "https://api.x.com".
	APIOrigins []string

	// Scopes is every scope the server knows; a client that asks for another one is refused. Empty allows any.
	Scopes []string

	// RefreshScope is the scope without which the server issues no refresh token, or empty if there is no such scope.
	RefreshScope string

	// MaxState is the longest state, in characters, that the server accepts. Zero means no limit.
	MaxState int

	// ExpiresIn is the lifetime assumed for an access token if the server does not say. Zero means unknown: the token
	// is used until it is rejected.
	ExpiresIn time.Duration

	// SingleGrant says that the server keeps one live grant per client and user: a new login ends the old one's tokens.
	// Where it is not set, tokens that a new login replaces stay good at the server until they expire: Logout revokes
	// those of the last one.
	SingleGrant bool

	// CheckClient refuses a registration that cannot work, with an error that says what to do. Optional.
	CheckClient func(clientID string, confidential bool) error

	// DeadGrant says that an error response means that the code or the refresh token is dead, beyond the RFC's
	// invalid_grant, which always does. Optional.
	DeadGrant func(Failure) bool

	// IdentityURL answers who the user is when it is called with an access token; ParseIdentity reads the body of its
	// 200 response. Optional, both or neither.
	IdentityURL   string
	ParseIdentity func(body []byte) (Identity, error)

	// InsecureLoopback allows http endpoints on loopback addresses, for tests and demos. What is lost: another user of
	// the same machine may be listening there.
	InsecureLoopback bool
}

// Failure is an error response of the token endpoint, as a classifier sees it.
type Failure struct {
	GrantType   string // the grant_type of the request: "authorization_code", "refresh_token", "client_credentials"
	Status      int    // the HTTP status
	Code        string // the error member, or empty
	Description string // the error_description member, or empty
}

// Identity is who a user is at the authorization server.
type Identity struct {
	Subject  string // stable and unique at this provider; never empty
	Username string // may change; for display
	Name     string // may change; for display
}

// Validate returns an error that says what is wrong with p, or nil.
func (p *Provider) Validate() error {
	if p == nil {
		return errors.New("provider: nil Provider: use provider.X() or fill in a provider.Provider")
	}
	if p.Name == "" || strings.Trim(p.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Errorf("provider: Name %q: use lower-case letters, digits and hyphens, such as %q", p.Name, "x")
	}
	endpoints := []struct {
		field, value string
		required     bool
	}{
		{"AuthorizationURL", p.AuthorizationURL, true},
		{"TokenURL", p.TokenURL, true},
		{"RevocationURL", p.RevocationURL, false},
		{"ClientCredentialsURL", p.ClientCredentialsURL, false},
		{"IdentityURL", p.IdentityURL, false},
	}
	for _, e := range endpoints {
		if e.value == "" && !e.required {
			continue
		}
		if err := p.checkEndpoint(e.value); err != nil {
			return fmt.Errorf("provider %s: %s: %w", p.Name, e.field, err)
		}
	}
	for _, origin := range p.APIOrigins {
		if err := p.checkOrigin(origin); err != nil {
			return fmt.Errorf("provider %s: APIOrigins: %w", p.Name, err)
		}
	}
	if (p.IdentityURL == "") != (p.ParseIdentity == nil) {
		return fmt.Errorf("provider %s: set both IdentityURL and ParseIdentity, or neither", p.Name)
	}
	if p.IssuerRequired && p.Issuer == "" {
		return fmt.Errorf("provider %s: IssuerRequired is set without Issuer", p.Name)
	}
	if p.ClientAuth < Basic || p.ClientAuth > Post {
		return fmt.Errorf("provider %s: ClientAuth %d is unknown", p.Name, p.ClientAuth)
	}
	return nil
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

func (p *Provider) checkEndpoint(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return errors.New("is not a URL")
	case u.Hostname() == "" || u.Opaque != "":
		return fmt.Errorf("%q is not an absolute URL", raw)
	case strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fmt.Errorf("%q has spaces, or characters beyond ASCII: remove or percent-encode them", raw)
	case u.User != nil:
		return errors.New("carries a user name: endpoints have none")
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return fmt.Errorf("%q has a fragment: endpoints have none (RFC 6749 section 3)", raw)
	}
	return p.checkScheme(u)
}

func (p *Provider) checkOrigin(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.Scheme+"://"+u.Host != raw {
		return fmt.Errorf("%q is not an origin: write scheme and host only, such as %q", raw, "https://api.x.com")
	}
	return p.checkScheme(u)
}

func (p *Provider) checkScheme(u *url.URL) error {
	switch {
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && Loopback(u.Hostname()):
		if p.InsecureLoopback {
			return nil
		}
		return fmt.Errorf("%q is http: set InsecureLoopback if this is a test server", u.Scheme+"://"+u.Host)
	}
	return fmt.Errorf("%q must be https", u.Scheme+"://"+u.Host)
}

// Loopback reports whether host, without a port, names the loopback interface of
// this machine. Endpoints on it may be http, see [Provider.InsecureLoopback].
func Loopback(host string) bool {
	return loopback.Host(host)
}

package oidc

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// A Verifier verifies the ID tokens and logout tokens of one authorization
// server for one client. [New] makes one. It is safe for concurrent use.
type Verifier struct {
	clientID   string
	issuers    []issuer
	audiences  []string
	algorithms []string
	chosen     []string // claims that are kept
	wanted     []string // claims of which a UserInfo endpoint is asked
	skew       time.Duration
	keys       *keySet
}

// Options adjusts a [Verifier]. The zero value is the safe default.
type Options struct {
	// Claims are the names of the claims that are kept with the user, in
	// Identity.Claims, beside the name and the picture. A text is kept as it
	// is, anything else as JSON. A name with dots also finds a member of an
	// object, such as "realm_access.roles". If one of them is not in the ID
	// token, the UserInfo endpoint is asked. Nil means "email" and
	// "email_verified".
	Claims []string

	// Audiences are audiences that an ID token may have beside this client.
	// Such a token must name this client as its authorized party (azp). Nil
	// means that a token with another audience is refused.
	Audiences []string

	// Algorithms are the algorithms with which tokens may be signed: RS256,
	// RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 and EdDSA. Nil
	// means all of these.
	Algorithms []string

	// Skew is how much the clock of the authorization server may differ from
	// the clock of this machine. Zero means one minute, and 10 minutes are the
	// most.
	Skew time.Duration

	// HTTPClient reads the keys. Only its Transport is used: no cookies, no
	// redirects. Nil means http.DefaultTransport. For an authorization server
	// that users name, give the Client of a discovery.Guard, which refuses
	// private addresses.
	HTTPClient *http.Client
}

const (
	defaultSkew = time.Minute
	longestSkew = 10 * time.Minute
)

// algorithms are those with public keys. None of them can be forged by
// somebody who knows what the server publishes (RFC 8725 section 3.1).
var algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// New returns a [Verifier] for the client that is registered as clientID at p.
// Nil options mean all defaults. It refuses settings that cannot work, with an
// error that says what to do.
func New(p *provider.Provider, clientID string, o *Options) (*Verifier, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if o == nil {
		o = new(Options)
	}
	switch {
	case p.JWKSURL == "":
		return nil, fmt.Errorf("oidc: provider %s has no JWKSURL: ID tokens cannot be verified without the keys of the server", p.Name)
	case p.Issuer == "" && len(p.IDTokenIssuers) == 0:
		return nil, fmt.Errorf("oidc: provider %s has no Issuer: ID tokens cannot be verified without it", p.Name)
	case clientID == "":
		return nil, errors.New("oidc: the client ID is empty: ID tokens of any other client would be accepted")
	case o.Skew < 0 || o.Skew > longestSkew:
		return nil, fmt.Errorf("oidc: Options.Skew %v: use up to %v, or zero for %v", o.Skew, longestSkew, defaultSkew)
	}
	v := &Verifier{
		clientID: clientID, audiences: slices.Clone(o.Audiences), algorithms: slices.Clone(o.Algorithms),
		chosen: slices.Clone(o.Claims), wanted: slices.Clone(o.Claims), skew: o.Skew, keys: newKeySet(p.JWKSURL, o.HTTPClient),
	}
	for _, a := range v.algorithms {
		if !slices.Contains(algorithms, a) {
			return nil, fmt.Errorf("oidc: Options.Algorithms: %q is not allowed: use some of %s", a, strings.Join(algorithms, ", "))
		}
	}
	if len(v.algorithms) == 0 {
		v.algorithms = algorithms
	}
	if o.Claims == nil {
		v.chosen, v.wanted = []string{"email", "email_verified"}, []string{"email"}
	}
	v.wanted = append(v.wanted, "name")
	if v.skew == 0 {
		v.skew = defaultSkew
	}
	for _, text := range p.IDTokenIssuers {
		v.issuers = append(v.issuers, newIssuer(text))
	}
	if len(v.issuers) == 0 {
		v.issuers = []issuer{{text: p.Issuer}}
	}
	return v, nil
}

const (
	opIDToken     = "id_token"
	opLogoutToken = "logout_token"
)

// refused is the error for a token that is not believed. Another attempt would
// not help, so it has no kind.
func refused(op, format string, args ...any) error {
	return &tokensource.Error{Op: op, Err: fmt.Errorf(format, args...)}
}

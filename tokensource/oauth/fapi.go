package oauth

import (
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/authtrip/authtrip/internal/loopback"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// fapiAlgs are the signatures that FAPI 2.0 allows (section 5.4.1). EdDSA
// stands for Ed25519, which has a name of its own too.
var fapiAlgs = []string{"PS256", "ES256", "EdDSA", "Ed25519"}

// fapiState is the length of 128 bits in base64url (section 5.4.1).
const fapiState = 22

// checkFAPI2 refuses what is weaker than the FAPI 2.0 Security Profile
// (sections 5.3.3 and 5.4).
func checkFAPI2(p *provider.Provider, r Registration, o *Options, certificate bool) error {
	switch at := endpointsOf(p, certificate); {
	case p.MetadataURL == "":
		return errors.New("the endpoints must come from the server's metadata: make the Provider with package discovery")
	case p.InsecureHTTP, p.InsecureLoopback:
		return errors.New("every endpoint must be https: unset InsecureHTTP and InsecureLoopback in the Provider")
	case at.push == "":
		return errors.New("authorization requests must be pushed, and the Provider has no PushedAuthorizationURL")
	case p.PKCE != provider.S256:
		return errors.New("the Provider must take PKCE with S256: leave its PKCE out")
	case p.Issuer == "" || !p.IssuerRequired:
		return errors.New("every authorization response must name the issuer: set Issuer and IssuerRequired in the Provider, if the server sends iss")
	case p.AssertionAudience != "" && p.AssertionAudience != p.Issuer:
		return errors.New("an assertion must be for the issuer: leave AssertionAudience out of the Provider")
	case o.Proofs == nil && !certificate:
		return errors.New("tokens must be bound to a key: set Options.Proofs, such as those of package jose, or use MutualTLS")
	case o.Proofs != nil && !slices.Contains(fapiAlgs, algorithm(o.Proofs)):
		return errors.New("Options.Proofs must sign with PS256, ES256 or EdDSA, and say so in a method Algorithm() string")
	case o.Prepare != nil:
		return errors.New("Options.Prepare could weaken each request: leave it out")
	}
	if err := checkFAPI2Redirect(r.RedirectURL); err != nil {
		return err
	}
	switch method, alg := r.Credential.method(p); {
	case method == "private_key_jwt" && alg == "":
		return errors.New("the Credential does not say how its assertion is signed: use jose.PrivateKeyJWT, or MutualTLS")
	case method == "private_key_jwt" && !slices.Contains(fapiAlgs, alg):
		return fmt.Errorf("the assertion is signed with %s: use a key for PS256, ES256 or EdDSA", alg)
	case method != "private_key_jwt" && method != "tls_client_auth" && method != "self_signed_tls_client_auth":
		return errors.New("the client must authenticate with jose.PrivateKeyJWT or with MutualTLS: no secret is allowed, and no public client")
	}
	return nil
}

// checkFAPI2Redirect allows https, and http for a native app that listens on a
// loopback address (section 5.3.2.2).
func checkFAPI2Redirect(raw string) error {
	u, err := url.Parse(raw)
	if err == nil && u.Scheme == "http" && !loopback.Host(u.Hostname()) {
		return errors.New("RedirectURL must be https, or http on a loopback address")
	}
	return nil
}

// algorithm returns the algorithm with which proofs are signed, if they say so.
func algorithm(p tokensource.Proofs) string {
	if named, ok := p.(interface{ Algorithm() string }); ok {
		return named.Algorithm()
	}
	return ""
}

// unbound refuses a request for a token that would be bound to nothing. A grant
// without a key was made before the client kept the profile.
func (c *Client) unbound(op string) error {
	switch {
	case !c.fapi || c.carrier.certificate != nil || c.prover != nil:
		return nil
	case op == opRefresh:
		return &tokensource.Error{
			Op: op, Kind: tokensource.ErrReauthorize, Err: errors.New("oauth: Options.FAPI2: the grant is bound to no key"),
			Hint: "it was made before the app kept FAPI 2.0: a new login binds it",
		}
	}
	return errNoKey
}

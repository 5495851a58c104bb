package oauth

import (
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// fapiAlgs are the signatures that FAPI 2.0 allows (section 5.4.1). EdDSA stands
// for Ed25519, which has a name of its own too.
var fapiAlgs = []string{"PS256", "ES256", "EdDSA", "Ed25519"}

// checkFAPI2 refuses what is weaker than the FAPI 2.0 Security Profile (sections
// 5.3.3 and 5.4).
func checkFAPI2(p *provider.Provider, r Registration, o *Options) error {
	switch at := endpointsOf(p, true); {
	case p.MetadataURL == "":
		return errors.New("the endpoints must come from the server's metadata: make the Provider with package discovery")
	case p.InsecureHTTP, p.InsecureLoopback:
		return errors.New("every endpoint must be https: unset InsecureHTTP and InsecureLoopback in the Provider")
	case at.PushedAuthorizationURL == "":
		return errors.New("authorization requests must be pushed, and the Provider has no PushedAuthorizationURL")
	case p.PKCE != provider.S256:
		return errors.New("the Provider must take PKCE with S256: leave its PKCE out")
	case p.Issuer == "" || !p.IssuerRequired:
		return errors.New("every authorization response must name the issuer: set Issuer and IssuerRequired in the Provider, if the server sends iss")
	case p.AssertionAudience != "" && p.AssertionAudience != p.Issuer:
		return errors.New("an assertion must be for the issuer: leave AssertionAudience out of the Provider")
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
	if err == nil && u.Scheme == "http" && !provider.Loopback(u.Hostname()) {
		return errors.New("RedirectURL must be https, or http on a loopback address")
	}
	return nil
}

// NeedsProver reports whether c sends no request for a token without a
// [Prover]: it keeps the FAPI 2.0 profile and has no certificate to which the
// tokens could be bound. Whoever uses such a client for grants must give it
// proofs, see [Client.WithProver].
func (c *Client) NeedsProver() bool { return c.fapi && c.carrier.certificate == nil }

// unbound refuses a request for a token that would be bound to nothing, or to a
// key whose signatures are too weak.
func (c *Client) unbound(op string) error {
	if !c.NeedsProver() || op == opRevoke {
		return nil
	}
	hint := ""
	switch {
	case c.prover == nil:
		hint = "FAPI 2.0 demands tokens that are bound to a key: use DPoP, or oauth.MutualTLS"
	case !c.strongProver():
		hint = "FAPI 2.0 demands proofs that are signed with PS256, ES256 or EdDSA"
	default:
		return nil
	}
	return &tokensource.Error{Op: op, Kind: tokensource.ErrClient, Hint: hint, Err: errors.New("the request was not sent")}
}

// strongProver reports whether the Prover names an algorithm that the profile
// allows.
func (c *Client) strongProver() bool {
	p, ok := c.prover().(interface{ Method() (name, alg string) })
	if !ok {
		return false
	}
	_, alg := p.Method()
	return slices.Contains(fapiAlgs, alg)
}

package oauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// reserved are the parameters that only the Client sets. A second value would
// let an attacker choose between the two (RFC 6749 section 3.1).
var reserved = []string{
	"response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method",
	"request", "request_uri", "dpop_jkt", "resource",
}

// Authorize returns the URL to which the program sends the user's browser
// ([RFC 6749] section 4.1.1, [RFC 7636] section 4.3).
//
// If the provider has a PushedAuthorizationURL, the parameters are sent there
// first, with the authentication of the token endpoint ([RFC 9126]). The URL
// then names what was pushed and shows nothing else. The server takes it once,
// and for a short time: open it at once, and call Authorize with a new state
// and a new verifier for each attempt. If the push fails, there is no URL:
// Authorize never sends the parameters by way of the browser instead. Without
// a PushedAuthorizationURL no request is made. After the end of ctx nothing is
// pushed.
//
// The state must be unguessable and bound to the browser. The verifier is 43
// to 128 unreserved characters, as oauth2.GenerateVerifier makes them. It
// stays in the program: the request contains only its challenge, in the form
// that Provider.PKCE names. Both are arguments and not fields of a struct, so
// that no struct is printed with them.
//
// More parameters may be given in params, or nil. They win over
// Provider.AuthorizationParams. The endpoint's own query is kept. An error of a
// push is a [*tokensource.Error]: ErrClient if the server refused the client or
// the request, ErrTemporary otherwise. Any other error says which part of the
// request cannot be sent.
//
// [RFC 6749]: https://www.rfc-editor.org/rfc/rfc6749
// [RFC 7636]: https://www.rfc-editor.org/rfc/rfc7636
// [RFC 9126]: https://www.rfc-editor.org/rfc/rfc9126
func (c *Client) Authorize(ctx context.Context, state, verifier string, params url.Values) (string, error) {
	if err := c.checkFlow(state, verifier); err != nil {
		return "", err
	}
	endpoint, err := url.Parse(c.moves.known(c.provider.AuthorizationURL))
	if err != nil {
		return "", fmt.Errorf("oauth: AuthorizationURL: %w", err)
	}
	query := endpoint.Query()
	asked, err := c.parameters(query, params)
	if err != nil {
		return "", err
	}
	c.setFlow(asked, state, verifier)
	if c.at.push != "" {
		if asked, err = c.push(ctx, asked); err != nil {
			return "", err
		}
	}
	if id, ok := asked["client_id"]; ok && c.provider.ClientIDParam != "" {
		delete(asked, "client_id")
		asked[c.provider.ClientIDParam] = id
	}
	maps.Copy(query, asked)
	// X's documentation writes a space as %20, and every server reads that.
	endpoint.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
	return endpoint.String(), nil
}

// checkFlow refuses a state or a verifier that cannot be sent.
func (c *Client) checkFlow(state, verifier string) error {
	if state == "" {
		return errors.New("oauth: the state is empty: it must be unguessable and bound to the browser (RFC 6749 section 10.12)")
	}
	if n, limit := utf8.RuneCountInString(state), c.provider.MaxState; limit > 0 && n > limit {
		return fmt.Errorf("oauth: the state has %d characters and the provider accepts %d: keep data in another place", n, limit)
	}
	if c.provider.PKCE != provider.NoPKCE && !validVerifier(verifier) {
		return errors.New("oauth: the verifier must be 43 to 128 unreserved characters (RFC 7636 section 4.1): use oauth2.GenerateVerifier")
	}
	if c.fapi && len(state) < fapiState {
		return fmt.Errorf("oauth: Options.FAPI2: a state below %d characters cannot have 128 random bits", fapiState)
	}
	if state == verifier {
		return errors.New("oauth: the state is the verifier, which must not be in a URL")
	}
	return c.checkKey()
}

// parameters returns what every login asks for, and params. The query of the
// authorization endpoint has parameters too, which must not be there twice. A
// parameter with an empty value counts as left out (RFC 6749 section 3.1).
func (c *Client) parameters(query, params url.Values) (url.Values, error) {
	asked := url.Values{}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if slices.Contains(reserved, name) {
			return nil, fmt.Errorf("oauth: parameter %q is set by the Client and cannot be given: see Registration", name)
		}
		if strings.TrimSpace(strings.Join(params[name], "")) == "" {
			continue
		}
		if query.Has(name) {
			return nil, fmt.Errorf("oauth: parameter %q is already part of the authorization endpoint", name)
		}
		asked[name] = slices.Clone(params[name])
	}
	for name, values := range c.provider.AuthorizationParams {
		if !query.Has(name) && !asked.Has(name) {
			asked[name] = slices.Clone(values)
		}
	}
	if c.provider.Nonce && !query.Has("nonce") && !asked.Has("nonce") {
		asked.Set("nonce", rand.Text())
	}
	return asked, nil
}

// setFlow adds what only the Client sets.
func (c *Client) setFlow(asked url.Values, state, verifier string) {
	asked.Set("response_type", "code")
	asked.Set("client_id", c.registration.ClientID)
	asked.Set("redirect_uri", c.registration.RedirectURL)
	if len(c.registration.Scopes) > 0 {
		asked.Set("scope", joinScopes(c.provider, c.registration.Scopes))
	}
	c.addResources(asked)
	asked.Set("state", state)
	if c.prover != nil {
		asked.Set("dpop_jkt", c.prover().Thumbprint()) // binds the code to the key (RFC 9449 section 10)
	}
	if c.provider.PKCE != provider.NoPKCE {
		asked.Set("code_challenge", challenge(c.provider.PKCE, verifier))
		asked.Set("code_challenge_method", "S256")
	}
}

// addResources adds the resources that the tokens are for (RFC 8707 section 2).
func (c *Client) addResources(form url.Values) {
	if len(c.registration.Resources) > 0 && !c.provider.NoResource && !form.Has("resource") {
		form["resource"] = slices.Clone(c.registration.Resources)
	}
}

func challenge(form provider.PKCE, verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	if form == provider.S256Hex {
		return hex.EncodeToString(sum[:])
	}
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// validVerifier checks length and alphabet (RFC 7636 section 4.1).
func validVerifier(v string) bool {
	const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	return len(v) >= 43 && len(v) <= 128 && strings.Trim(v, unreserved) == ""
}

package oauth

import (
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
	"request", "request_uri", "dpop_jkt",
}

// AuthorizationURL returns the URL to which the program sends the user's
// browser ([RFC 6749] section 4.1.1, [RFC 7636] section 4.3).
//
// The state must be unguessable and bound to the browser. The verifier is 43
// to 128 unreserved characters, as oauth2.GenerateVerifier makes them. It
// stays in the program: the URL contains only its challenge, in the form that
// Provider.PKCE names. Both are arguments and not fields of a struct, so that
// no struct is printed with them.
//
// More parameters may be given in params, or nil. They win over
// Provider.AuthorizationParams. The endpoint's own query is kept. An error says
// which part of the request cannot be sent.
//
// [RFC 6749]: https://www.rfc-editor.org/rfc/rfc6749
// [RFC 7636]: https://www.rfc-editor.org/rfc/rfc7636
func (c *Client) AuthorizationURL(state, verifier string, params url.Values) (string, error) {
	if state == "" {
		return "", errors.New("oauth: the state is empty: it must be unguessable and bound to the browser (RFC 6749 section 10.12)")
	}
	if n, limit := utf8.RuneCountInString(state), c.provider.MaxState; limit > 0 && n > limit {
		return "", fmt.Errorf("oauth: the state has %d characters and the provider accepts %d: keep data in another place", n, limit)
	}
	pkce := c.provider.PKCE != provider.NoPKCE
	if pkce && !validVerifier(verifier) {
		return "", errors.New("oauth: the verifier must be 43 to 128 unreserved characters (RFC 7636 section 4.1): use oauth2.GenerateVerifier")
	}
	if state == verifier {
		return "", errors.New("oauth: the state is the verifier, which must not be in a URL")
	}
	endpoint, err := url.Parse(c.provider.AuthorizationURL)
	if err != nil {
		return "", fmt.Errorf("oauth: AuthorizationURL: %w", err)
	}
	query := endpoint.Query()
	if err := addParams(query, params); err != nil {
		return "", err
	}
	for name, values := range c.provider.AuthorizationParams {
		if !query.Has(name) {
			query[name] = values
		}
	}
	if c.provider.Nonce && !query.Has("nonce") {
		query.Set("nonce", rand.Text())
	}
	query.Set("response_type", "code")
	query.Set("client_id", c.registration.ClientID)
	query.Set("redirect_uri", c.registration.RedirectURL)
	if len(c.registration.Scopes) > 0 {
		query.Set("scope", joinScopes(c.provider, c.registration.Scopes))
	}
	query.Set("state", state)
	if pkce {
		query.Set("code_challenge", challenge(c.provider.PKCE, verifier))
		query.Set("code_challenge_method", "S256")
	}
	// X's documentation writes a space as %20, and every server reads that.
	endpoint.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
	return endpoint.String(), nil
}

func addParams(query, params url.Values) error {
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if slices.Contains(reserved, name) {
			return fmt.Errorf("oauth: parameter %q is set by the Client and cannot be given", name)
		}
		if query.Has(name) {
			return fmt.Errorf("oauth: parameter %q is already part of the authorization endpoint", name)
		}
		query[name] = params[name]
	}
	return nil
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

package oauth

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// reserved are the parameters that only the Client sets: a second value would let an attacker choose (RFC 6749 section 3.1).
var reserved = []string{
	"response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method",
	"request", "request_uri", "dpop_jkt",
}

// AuthorizationURL returns the URL to send the user's browser to. The code challenge method is always S256
// (RFC 7636 section 4.2). The endpoint's own query is kept. An error says which part of the request cannot be sent.
func (c *Client) AuthorizationURL(r AuthorizationRequest) (string, error) {
	if r.State == "" {
		return "", errNoState
	}
	if n, limit := utf8.RuneCountInString(r.State), c.provider.MaxState; limit > 0 && n > limit {
		return "", fmt.Errorf("oauth: State has %d characters and the provider takes %d: keep data elsewhere", n, limit)
	}
	if !validVerifier(r.Verifier) {
		return "", errors.New("oauth: Verifier must be 43 to 128 unreserved characters (RFC 7636 section 4.1): use oauth2.GenerateVerifier")
	}
	endpoint, err := url.Parse(c.provider.AuthorizationURL)
	if err != nil {
		return "", fmt.Errorf("oauth: AuthorizationURL: %w", err)
	}
	query := endpoint.Query()
	if err := addParams(query, r.Params); err != nil {
		return "", err
	}
	query.Set("response_type", "code")
	query.Set("client_id", c.registration.ClientID)
	query.Set("redirect_uri", c.registration.RedirectURL)
	if len(c.registration.Scopes) > 0 {
		query.Set("scope", strings.Join(c.registration.Scopes, " "))
	}
	query.Set("state", r.State)
	query.Set("code_challenge", challenge(r.Verifier))
	query.Set("code_challenge_method", "S256")
	// A space as %20 is what X's documentation shows, and what every server reads.
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

func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// validVerifier checks length and alphabet of RFC 7636 section 4.1.
func validVerifier(v string) bool {
	const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	return len(v) >= 43 && len(v) <= 128 && strings.Trim(v, unreserved) == ""
}

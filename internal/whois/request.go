package whois

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// Request returns what the ID token of a login has to agree with, if the
// authorization request has params and what the facts of the provider add to
// every request: acr_values and max_age (OpenID Connect Core section 3.1.2.1).
// An empty value counts as left out (RFC 6749 section 3.1). The nonce is up to
// the caller.
func Request(p *provider.Provider, params url.Values) (want provider.IDTokenRequest, err error) {
	endpoint, err := url.Parse(p.AuthorizationURL)
	if err != nil {
		return want, errors.New("the AuthorizationURL cannot be parsed")
	}
	get := func(name string) string {
		for _, from := range []url.Values{params, endpoint.Query(), p.AuthorizationParams} {
			if value := strings.Join(from[name], " "); strings.TrimSpace(value) != "" {
				return value
			}
		}
		return ""
	}
	if acr := strings.Fields(get("acr_values")); len(acr) > 0 {
		want.ACR = acr
	}
	if age := get("max_age"); age != "" {
		seconds, err := strconv.ParseUint(age, 10, 31)
		if err != nil {
			return want, errors.New("the parameter max_age is no number of seconds")
		}
		want.AuthenticatedAfter = time.Now().Add(-time.Duration(seconds) * time.Second).Truncate(time.Second).UTC()
	}
	return want, nil
}

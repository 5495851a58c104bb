package oauth

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/authtrip/authtrip/internal/ascii"
	"github.com/authtrip/authtrip/internal/redact"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// Registration is what the authorization server knows of an app (RFC 6749 section 2).
type Registration struct {
	// ClientID is the client identifier. Required.
	ClientID string

	// ClientSecret makes the client a confidential one. Empty means a public client, which sends none.
	ClientSecret string `json:"-"`

	// RedirectURL is the redirect URI, exactly as it was registered. It is https, http on loopback, or a private-use
	// scheme such as "com.example.app:/callback" (RFC 8252 section 7). Required.
	RedirectURL string

	// Scopes are what the app asks for. No scope is ever added to them. Empty leaves the choice to the server.
	Scopes []string
}

// Format prints the registration without its secret, whatever the verb.
func (r Registration) Format(f fmt.State, _ rune) { redact.Write(f, r.String()) }

// String returns the registration without its secret.
func (r Registration) String() string {
	return fmt.Sprintf("Registration{ClientID: %q, ClientSecret: %q, RedirectURL: %q, Scopes: %q}",
		r.ClientID, redact.Secret(r.ClientSecret), r.RedirectURL, r.Scopes)
}

// check returns an error that says what to do if r cannot work at p.
func (r Registration) check(p *provider.Provider) error {
	if r.ClientID == "" {
		return errors.New("oauth: ClientID is empty: copy it from the app's keys and tokens at the provider")
	}
	if !ascii.Visible(r.ClientID) {
		return errors.New("oauth: ClientID holds spaces, line breaks or other characters that no client ID has: copy it again")
	}
	if r.ClientSecret != "" && !ascii.Visible(r.ClientSecret) {
		return errors.New("oauth: ClientSecret holds spaces, line breaks or other characters that no secret has: trim what was read from a file")
	}
	if p.CheckClient != nil {
		if err := p.CheckClient(r.ClientID, r.ClientSecret != ""); err != nil {
			return fmt.Errorf("oauth: %w", err)
		}
	}
	if err := checkRedirectURL(r.RedirectURL); err != nil {
		return fmt.Errorf("oauth: RedirectURL %w", err)
	}
	return checkScopes(r.Scopes, p.Scopes)
}

func checkRedirectURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return errors.New("is empty: set the callback URL that is registered at the provider")
	case err != nil || !u.IsAbs():
		return errors.New("is not an absolute URL: write it as registered, such as https://app.example/callback")
	case !ascii.Visible(raw):
		return errors.New("has spaces, or characters beyond ASCII: write it as registered")
	case u.Scheme == "https" && u.Hostname() == "":
		return errors.New("names no host: write it as registered, such as https://app.example/callback")
	case strings.Contains(raw, "#"):
		return errors.New("has a fragment, which RFC 6749 section 3.1.2 forbids")
	case u.User != nil:
		return errors.New("carries a user name: remove it")
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && provider.Loopback(u.Hostname()):
		return nil
	case u.Scheme == "http":
		return fmt.Errorf("%q is http on a public host: the code would travel in clear, use https", u.Scheme+"://"+u.Host)
	case strings.Contains(u.Scheme, "."):
		return nil // private-use scheme, reverse domain name (RFC 8252 section 7.1)
	}
	return fmt.Errorf("has scheme %q: use https, http on 127.0.0.1, or a reverse domain name such as com.example.app", u.Scheme)
}

// checkScopes enforces the alphabet of RFC 6749 section 3.3 and the server's list, if it has one.
func checkScopes(scopes, known []string) error {
	for _, s := range scopes {
		if s == "" || !ascii.Visible(s) || strings.ContainsAny(s, `"\`) {
			return fmt.Errorf("oauth: scope %q is not a scope (RFC 6749 section 3.3): give each scope as a string of its own, without spaces", s)
		}
		if len(known) > 0 && !slices.Contains(known, s) {
			return fmt.Errorf("oauth: the provider knows no scope %q: correct it, or append it to Provider.Scopes if it is new", s)
		}
	}
	return nil
}

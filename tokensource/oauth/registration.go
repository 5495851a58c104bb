package oauth

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/authtrip/authtrip/internal/ascii"
	"github.com/authtrip/authtrip/internal/loopback"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// A Registration is an app as the authorization server knows it ([RFC 6749]
// section 2). It may be printed and logged: what is secret is in its
// [Credential], which shows nothing.
//
// [RFC 6749]: https://www.rfc-editor.org/rfc/rfc6749
type Registration struct {
	// ClientID is the client identifier. Required.
	ClientID string

	// Credential makes the client a confidential one. The zero Credential means
	// a public client, which sends no secret.
	Credential Credential

	// RedirectURL is the redirect URI, exactly as it was registered. It is
	// https, http on loopback, or a private-use scheme such as
	// "com.example.app:/callback" ([RFC 8252] section 7). Required.
	//
	// [RFC 8252]: https://www.rfc-editor.org/rfc/rfc8252
	RedirectURL string

	// Scopes are what the app asks for. No scope is ever added to them. Empty
	// means that the server chooses.
	Scopes []string

	// Resources name the APIs that the tokens are for, by absolute URIs such as
	// "https://api.example" ([RFC 8707]). They are sent with every
	// authorization request and with every request for a token, refreshes
	// included. Nothing is sent to a provider with NoResource. Empty means that
	// the server chooses.
	//
	// [RFC 8707]: https://www.rfc-editor.org/rfc/rfc8707
	Resources []string
}

// check returns an error that says what to do if r cannot work at p.
func (r Registration) check(p *provider.Provider) error {
	if r.ClientID == "" {
		return errors.New("oauth: ClientID is empty: copy it from the app's keys and tokens at the provider")
	}
	if !ascii.Text(r.ClientID) {
		return errors.New("oauth: ClientID has a space at an end, a line break or another character that no client ID has: copy it again")
	}
	if err := r.Credential.check(p); err != nil {
		return fmt.Errorf("oauth: Credential: %w", err)
	}
	if p.CheckClient != nil {
		if err := p.CheckClient(r.ClientID, !r.Credential.IsZero()); err != nil {
			return fmt.Errorf("oauth: %w", err)
		}
	}
	if err := checkRedirectURL(r.RedirectURL); err != nil {
		return fmt.Errorf("oauth: RedirectURL %w", err)
	}
	for _, check := range []func(Registration, *provider.Provider) error{checkAccepted, checkSigning} {
		if err := check(r, p); err != nil {
			return err
		}
	}
	for _, resource := range r.Resources {
		if err := checkResource(resource); err != nil {
			return fmt.Errorf("oauth: Resources: %q %w", resource, err)
		}
	}
	return checkScopes(r.Scopes, p.Scopes)
}

// checkResource checks what RFC 8707 section 2 demands of a resource.
func checkResource(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || !u.IsAbs() || !ascii.Visible(raw):
		return errors.New("is not an absolute URI (RFC 8707 section 2)")
	case strings.Contains(raw, "#"):
		return errors.New("has a fragment, which RFC 8707 section 2 forbids")
	}
	return nil
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
	case u.Scheme == "http" && loopback.Site(u.Hostname()):
		return nil
	case u.Scheme == "http":
		return fmt.Errorf("%q is http on a public host: everybody on the way could read the code, use https", u.Scheme+"://"+u.Host)
	case strings.Contains(u.Scheme, "."):
		return nil // private-use scheme, a domain name in reverse (RFC 8252 section 7.1)
	}
	return fmt.Errorf("has scheme %q: use https, http on 127.0.0.1, or a domain name in reverse such as com.example.app", u.Scheme)
}

// checkScopes checks the alphabet of RFC 6749 section 3.3, and that the server
// knows each scope if it has a list.
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

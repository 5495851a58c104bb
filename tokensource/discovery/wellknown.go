package discovery

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/authtrip/authtrip/internal/ascii"
	"github.com/authtrip/authtrip/internal/loopback"
)

// Names of well-known URIs.
const (
	oauthServer   = "/.well-known/oauth-authorization-server" // RFC 8414
	openID        = "/.well-known/openid-configuration"       // OpenID Connect Discovery
	protectedName = "/.well-known/oauth-protected-resource"   // RFC 9728
)

// serverURLs returns where the metadata of an issuer may be, in the order of
// trial: three places for an issuer with a path, two otherwise.
func serverURLs(issuer *url.URL) []string {
	path := strings.TrimRight(issuer.EscapedPath(), "/")
	origin := issuer.Scheme + "://" + issuer.Host
	list := []string{origin + oauthServer + path, origin + openID + path}
	if path != "" {
		list = append(list, origin+path+openID)
	}
	return list
}

// resourceURLs returns where the metadata of a resource may be: for the whole
// identifier, then for its host.
func resourceURLs(resource *url.URL) []string {
	origin := resource.Scheme + "://" + resource.Host
	path := strings.TrimRight(resource.EscapedPath(), "/")
	if resource.RawQuery != "" {
		path += "?" + resource.RawQuery
	}
	list := []string{origin + protectedName + path}
	if path != "" {
		list = append(list, origin+protectedName)
	}
	return list
}

// parseURL returns an absolute https URL, or an error that says what is wrong
// with it. With loose, http is allowed for hosts on loopback.
func parseURL(raw string, loose bool) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return nil, errors.New("is empty")
	case err != nil || !ascii.Visible(raw) || strings.ContainsAny(raw, `"<>\^`+"`{|}"):
		return nil, errors.New("is not a URL")
	case u.Hostname() == "" || u.Opaque != "":
		return nil, errors.New("is not an absolute URL")
	case u.User != nil:
		return nil, errors.New("has a user name")
	case strings.Contains(raw, "#"):
		return nil, errors.New("has a fragment")
	case u.Scheme == "https" || u.Scheme == "http" && loose && loopback.Host(u.Hostname()):
		return u, nil
	case u.Scheme == "http" && loopback.Host(u.Hostname()):
		return nil, fmt.Errorf("%q is http: set InsecureLoopback if this is a test server", u.Scheme+"://"+u.Host)
	}
	return nil, fmt.Errorf("%q is not https", u.Scheme+"://"+u.Host)
}

// parseIssuer returns an issuer identifier, which has no query ([RFC 8414]
// section 2).
//
// [RFC 8414]: https://www.rfc-editor.org/rfc/rfc8414
func parseIssuer(raw string, loose bool) (*url.URL, error) {
	u, err := parseURL(raw, loose)
	if err == nil && (u.RawQuery != "" || u.ForceQuery) {
		return nil, errors.New("has a query")
	}
	return u, err
}

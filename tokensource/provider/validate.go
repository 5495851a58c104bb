package provider

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/authtrip/authtrip/internal/loopback"
)

// Validate returns an error that says what is wrong with p, or nil.
// Constructors that need a Provider call it.
func (p *Provider) Validate() error {
	if p == nil {
		return errors.New("provider: nil Provider: use provider.X() or fill in a provider.Provider")
	}
	if p.Name == "" || strings.Trim(p.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Errorf("provider: Name %q: use lower-case letters, digits and hyphens, such as %q", p.Name, "x")
	}
	endpoints := []struct {
		field, value string
		required     bool
	}{
		{"AuthorizationURL", p.AuthorizationURL, true},
		{"TokenURL", p.TokenURL, true},
		{"RefreshURL", p.RefreshURL, false},
		{"RevocationURL", strings.ReplaceAll(p.RevocationURL, "{client_id}", "id"), false},
		{"ClientCredentialsURL", p.ClientCredentialsURL, false},
		{"IdentityURL", p.IdentityURL, false},
		{"PushedAuthorizationURL", p.PushedAuthorizationURL, false},
		{"MetadataURL", p.MetadataURL, false},
		{"RegistrationURL", p.RegistrationURL, false},
		{"DeviceAuthorizationURL", p.DeviceAuthorizationURL, false},
		{"MTLS.TokenURL", p.MTLS.TokenURL, false},
		{"MTLS.RevocationURL", p.MTLS.RevocationURL, false},
		{"MTLS.PushedAuthorizationURL", p.MTLS.PushedAuthorizationURL, false},
		{"MTLS.ClientCredentialsURL", p.MTLS.ClientCredentialsURL, false},
		{"MTLS.DeviceAuthorizationURL", p.MTLS.DeviceAuthorizationURL, false},
		{"Trade.First.URL", p.Trade.First.URL, false},
		{"Trade.Next.URL", p.Trade.Next.URL, false},
		{"JWKSURL", p.JWKSURL, false},
		{"EndSessionURL", p.EndSessionURL, false},
	}
	for _, e := range endpoints {
		if e.value == "" && !e.required {
			continue
		}
		if err := p.checkEndpoint(e.value); err != nil {
			return fmt.Errorf("provider %s: %s: %w", p.Name, e.field, err)
		}
	}
	for _, endpoint := range p.OtherEndpoints {
		if err := p.checkEndpoint(endpoint); err != nil {
			return fmt.Errorf("provider %s: OtherEndpoints: %w", p.Name, err)
		}
	}
	for _, origin := range p.APIOrigins {
		if err := p.checkOrigin(origin); err != nil {
			return fmt.Errorf("provider %s: APIOrigins: %w", p.Name, err)
		}
	}
	if err := p.checkIdentity(); err != nil {
		return fmt.Errorf("provider %s: %w", p.Name, err)
	}
	if p.IssuerRequired && p.Issuer == "" {
		return fmt.Errorf("provider %s: IssuerRequired is set without Issuer", p.Name)
	}
	if strings.ContainsFunc(p.AssertionAudience, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("provider %s: AssertionAudience has spaces, or characters beyond ASCII", p.Name)
	}
	if p.RequirePushed && p.PushedAuthorizationURL == "" {
		return fmt.Errorf("provider %s: RequirePushed is set without PushedAuthorizationURL", p.Name)
	}
	if p.ClientAuth < Basic || p.ClientAuth > Post {
		return fmt.Errorf("provider %s: ClientAuth %d is unknown", p.Name, p.ClientAuth)
	}
	if p.PKCE < S256 || p.PKCE > NoPKCE {
		return fmt.Errorf("provider %s: PKCE %d is unknown", p.Name, p.PKCE)
	}
	if err := p.checkFacts(); err != nil {
		return fmt.Errorf("provider %s: %w", p.Name, err)
	}
	return nil
}

func (p *Provider) checkEndpoint(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return errors.New("is not a URL")
	case u.Hostname() == "" || u.Opaque != "":
		return fmt.Errorf("%q is not an absolute URL", raw)
	case strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fmt.Errorf("%q has spaces, or characters beyond ASCII: remove or percent-encode them", raw)
	case u.User != nil:
		return errors.New("carries a user name: endpoints have none")
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return fmt.Errorf("%q has a fragment: endpoints have none (RFC 6749 section 3)", raw)
	}
	return p.checkScheme(u)
}

func (p *Provider) checkOrigin(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.Scheme+"://"+u.Host != raw {
		return fmt.Errorf("%q is not an origin: write scheme and host only, such as %q", raw, "https://api.x.com")
	}
	return p.checkScheme(u)
}

func (p *Provider) checkScheme(u *url.URL) error {
	switch {
	case u.Scheme == "https", u.Scheme == "http" && p.InsecureHTTP:
		return nil
	case u.Scheme == "http" && loopback.Host(u.Hostname()):
		if p.InsecureLoopback {
			return nil
		}
		return fmt.Errorf("%q is http: set InsecureLoopback if this is a test server", u.Scheme+"://"+u.Host)
	}
	return fmt.Errorf("%q must be https", u.Scheme+"://"+u.Host)
}

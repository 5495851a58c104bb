package provider

import (
	"maps"
	"net/url"
	"slices"

	"github.com/authtrip/authtrip/internal/members"
)

// Clone returns a copy that shares nothing which could be changed.
func (p *Provider) Clone() *Provider {
	c := *p
	c.APIOrigins = slices.Clone(p.APIOrigins)
	c.OtherEndpoints = slices.Clone(p.OtherEndpoints)
	c.IDTokenIssuers = slices.Clone(p.IDTokenIssuers)
	c.Scopes = slices.Clone(p.Scopes)
	c.IdentityScopes = slices.Clone(p.IdentityScopes)
	c.KeepMembers = slices.Clone(p.KeepMembers)
	c.AuthorizationParams = cloneValues(p.AuthorizationParams)
	c.API = p.API.Clone()
	c.TokenParams = cloneValues(p.TokenParams)
	c.TokenHeader = p.TokenHeader.Clone()
	c.TokenSample = slices.Clone(p.TokenSample)
	c.KeepCallback = slices.Clone(p.KeepCallback)
	c.TokenHosts = slices.Clone(p.TokenHosts)
	c.IdentityRequest.Header = p.IdentityRequest.Header.Clone()
	c.IdentityPaths.Subject = slices.Clone(p.IdentityPaths.Subject)
	c.IdentityPaths.Claims = maps.Clone(p.IdentityPaths.Claims)
	c.Revocation.Params = cloneValues(p.Revocation.Params)
	c.Trade.First.Params, c.Trade.Next.Params = cloneValues(p.Trade.First.Params), cloneValues(p.Trade.Next.Params)
	c.GrantOrigins = cloneValues(p.GrantOrigins)
	c.Refusals = slices.Clone(p.Refusals)
	for i := range c.Refusals {
		c.Refusals[i] = c.Refusals[i].clone()
	}
	return &c
}

func cloneValues[V ~map[string][]string](v V) V {
	c := maps.Clone(v)
	for name, values := range c {
		c[name] = slices.Clone(values)
	}
	return c
}

// Authority returns what names the authorization server: Issuer, or TokenURL if
// there is no issuer. Grants are stored under it.
func (p *Provider) Authority() string {
	if p.Issuer != "" {
		return p.Issuer
	}
	return p.TokenURL
}

// Endpoints returns the URLs that clients of the authorization server call
// directly: token, trade, revocation, pushed authorization, client credentials,
// device authorization, registration, keys, those of MTLS, OtherEndpoints, and
// the same paths at TokenHosts. A token of a user is never sent there.
func (p *Provider) Endpoints() []string {
	var list []string
	own := []string{
		p.TokenURL,
		p.RefreshURL,
		p.Trade.First.URL,
		p.Trade.Next.URL,
		p.RevocationURL,
		p.PushedAuthorizationURL,
		p.ClientCredentialsURL,
		p.DeviceAuthorizationURL,
		p.RegistrationURL,
		p.JWKSURL,
		p.MTLS.TokenURL,
		p.MTLS.RevocationURL,
		p.MTLS.PushedAuthorizationURL,
		p.MTLS.ClientCredentialsURL,
		p.MTLS.DeviceAuthorizationURL,
	}
	for _, endpoint := range append(own, p.OtherEndpoints...) {
		if endpoint != "" && !slices.Contains(list, endpoint) {
			list = append(list, endpoint)
		}
	}
	for _, origin := range p.TokenHosts {
		for _, endpoint := range list {
			if u, err := url.Parse(endpoint); err == nil && !slices.Contains(list, origin+u.EscapedPath()) {
				list = append(list, origin+u.EscapedPath())
			}
		}
	}
	return list
}

// Kept returns those members of an answer that KeepMembers names, each under
// the name that it has there. The argument is the method Extra of the token
// that package oauth made of the answer. A member that the answer does not have
// is missing from the result.
func (p *Provider) Kept(extra func(name string) any) map[string]any {
	kept := map[string]any{}
	for _, path := range p.KeepMembers {
		if v := members.Walk(extra, path); v != nil {
			kept[path] = v
		}
	}
	return kept
}

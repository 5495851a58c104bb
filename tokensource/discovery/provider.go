package discovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/authtrip/authtrip/internal/loopback"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// Provider returns the facts of s as package oauth uses them. It is a new value
// at each call.
//
// Its Name is made of the issuer. ClientAuth is Basic where the server takes
// it, otherwise Post. Scopes is empty, because a server need not list all of
// them. Its APIOrigins are empty: metadata do not say where the API is. A
// UserInfo endpoint gives IdentityURL, which needs the scope openid.
//
// The error is [ErrInvalid] if the server has no authorization endpoint or no
// token endpoint.
func (s *Server) Provider() (*provider.Provider, error) {
	p := &provider.Provider{
		Name: nameOf(s.Issuer), Issuer: s.Issuer, MetadataURL: s.URL, IssuerRequired: s.IssInResponse,
		AuthorizationURL: s.AuthorizationEndpoint, TokenURL: s.TokenEndpoint, RevocationURL: s.RevocationEndpoint,
		PushedAuthorizationURL: s.PushedEndpoint, RequirePushed: s.RequirePushed,
		DeviceAuthorizationURL: s.DeviceEndpoint, RegistrationURL: s.RegistrationEndpoint,
		JWKSURL: s.JWKSURI, EndSessionURL: s.EndSessionEndpoint, ClientAuth: s.clientAuth(),
	}
	p.MTLS.TokenURL = s.MTLSAliases["token_endpoint"]
	p.MTLS.RevocationURL = s.MTLSAliases["revocation_endpoint"]
	p.MTLS.PushedAuthorizationURL = s.MTLSAliases["pushed_authorization_request_endpoint"]
	p.MTLS.DeviceAuthorizationURL = s.MTLSAliases["device_authorization_endpoint"]
	if s.IntrospectionEndpoint != "" {
		p.OtherEndpoints = append(p.OtherEndpoints, s.IntrospectionEndpoint)
	}
	if s.UserInfoEndpoint != "" {
		p.IdentityURL, p.ParseIdentity, p.IdentityScopes = s.UserInfoEndpoint, parseUserInfo, []string{"openid"}
	}
	p.InsecureLoopback = s.loose && s.usesHTTP()
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrInvalid, s.URL, err)
	}
	return p, nil
}

// clientAuth returns how a client with a secret authenticates.
func (s *Server) clientAuth() provider.ClientAuth {
	if !slices.Contains(s.TokenAuthMethods, "client_secret_basic") && slices.Contains(s.TokenAuthMethods, "client_secret_post") {
		return provider.Post
	}
	return provider.Basic
}

// usesHTTP reports whether an endpoint is http, which only loopback hosts are.
func (s *Server) usesHTTP() bool {
	return slices.ContainsFunc(append(s.origins(), s.Issuer), func(origin string) bool {
		u, err := url.Parse(origin)
		return err == nil && u.Scheme == "http" && loopback.Host(u.Hostname())
	})
}

// nameOf returns a name for an issuer: its host and path, in the letters that
// the name of a provider may have.
func nameOf(issuer string) string {
	_, rest, _ := strings.Cut(issuer, "://")
	name := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(rest))
	return strings.Trim(name, "-")
}

// parseUserInfo reads the answer of a UserInfo endpoint ([OpenID Connect Core]
// section 5.3).
//
// [OpenID Connect Core]: https://openid.net/specs/openid-connect-core-1_0.html
func parseUserInfo(body []byte) (provider.Identity, error) {
	var claims struct {
		Subject  string `json:"sub"`
		Username any    `json:"preferred_username"`
		Name     any    `json:"name"`
		Picture  any    `json:"picture"`
		Email    any    `json:"email"`
	}
	if json.Unmarshal(body, &claims) != nil || claims.Subject == "" {
		return provider.Identity{}, errors.New("discovery: the UserInfo answer names no user")
	}
	id := provider.Identity{
		Subject: claims.Subject, Username: asText(claims.Username), Name: asText(claims.Name), Picture: asText(claims.Picture),
	}
	if email := asText(claims.Email); email != "" {
		id.Claims = map[string]string{"email": email}
	}
	return id, nil
}

func asText(v any) string {
	s, _ := v.(string)
	return s
}

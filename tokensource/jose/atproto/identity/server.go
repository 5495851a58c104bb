package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/authtrip/authtrip/tokensource/discovery"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// issuerOf returns the one authorization server of a server that hosts
// accounts.
func (r *Resolver) issuerOf(ctx context.Context, server string) (string, error) {
	resource, err := r.servers.Resource(ctx, server, nil)
	if err != nil {
		return "", err
	}
	if n := len(resource.AuthorizationServers); n != 1 {
		return "", fmt.Errorf("%w: %s names %d authorization servers, want 1", ErrServer, server, n)
	}
	issuer := resource.AuthorizationServers[0]
	if plain, err := origin(issuer); err != nil || plain != issuer {
		return "", fmt.Errorf("%w: the issuer %q is no origin", ErrServer, cut(issuer))
	}
	return issuer, nil
}

// Issuer returns the authorization server of a server that hosts accounts, or
// server itself if it is an authorization server. It is for a login without a
// handle: the user knows only where the account is, or the app names an
// entryway. The argument is a host, such as "bsky.social", or an https URL
// without a path.
//
// Who has logged in is known at the end, by [Resolver.Verify]. The errors are
// [ErrIdentifier], [ErrServer], those of package discovery, and
// tokensource.ErrTemporary.
func (r *Resolver) Issuer(ctx context.Context, server string) (string, error) {
	raw := strings.TrimSpace(server)
	if !strings.Contains(raw, "://") {
		raw = "https://" + raw
	}
	at, err := origin(raw)
	if err != nil {
		return "", fmt.Errorf("%w: the server %w", ErrIdentifier, err)
	}
	issuer, err := r.issuerOf(ctx, at)
	if errors.Is(err, discovery.ErrNotFound) {
		return at, nil
	}
	return issuer, err
}

// Provider returns the facts about the authorization server of an account, with
// the server of the account as the origin of its API. It is a new value at each
// call, for oauth.New with Options.Proofs of package jose.
//
// The scopes of the client begin with "atproto". The answer of the token
// endpoint names the user, and [Resolver.Verify] must accept it. The errors are
// [ErrServer], those of package discovery, and tokensource.ErrTemporary.
func (r *Resolver) Provider(ctx context.Context, a *Account) (*provider.Provider, error) {
	s, err := r.servers.Server(ctx, a.Issuer)
	if err != nil {
		return nil, err
	}
	if err := suits(s); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrServer, a.Issuer, err)
	}
	p, err := s.Provider()
	if err != nil {
		return nil, err
	}
	p.APIOrigins = []string{a.Server}
	p.IdentityURL, p.ParseIdentity, p.IdentityScopes = "", nil, nil
	p.IdentityInToken, p.IdentityPaths.Subject = true, []string{"sub"}
	p.KeepMembers = append(p.KeepMembers, "sub")
	return p, nil
}

// suits refuses an authorization server that lacks what the AT Protocol
// demands ([AT Protocol OAuth]). That it offers S256 was seen before.
//
// [AT Protocol OAuth]: https://atproto.com/specs/oauth#authorization-servers
func suits(s *discovery.Server) error {
	plain, err := origin(s.Issuer)
	switch {
	case err != nil || plain != s.Issuer:
		return errors.New("its issuer is no origin")
	case s.ResponseTypes != nil && !slices.Contains(s.ResponseTypes, "code"):
		return errors.New("it does not answer with a code")
	case !slices.Contains(s.GrantTypes, "authorization_code") || !slices.Contains(s.GrantTypes, "refresh_token"):
		return errors.New("it does not issue refresh tokens for codes")
	case !slices.Contains(s.TokenAuthMethods, "none") || !slices.Contains(s.TokenAuthMethods, "private_key_jwt"):
		return errors.New("it does not take public clients and clients with keys")
	case s.TokenAuthAlgorithms != nil && !slices.Contains(s.TokenAuthAlgorithms, "ES256"):
		return errors.New("it does not take assertions of clients with ES256")
	case s.Extra("require_request_uri_registration") == false:
		return errors.New("it takes request URIs of strangers")
	case s.PushedEndpoint == "" || !s.RequirePushed:
		return errors.New("it does not require pushed authorization requests")
	case !s.IssInResponse:
		return errors.New("it does not name itself in its answers (iss)")
	case !slices.Contains(s.DPoPAlgorithms, "ES256"):
		return errors.New("it does not take proofs of possession with ES256")
	case !s.ClientIDDocuments:
		return errors.New("it does not read client ID metadata documents")
	case !slices.Contains(s.ScopesSupported, "atproto"):
		return errors.New("it does not know the scope atproto")
	}
	return nil
}

// Verify returns the account of the user that an authorization server has named
// as sub, in an answer of its token endpoint. It resolves the DID again. Call
// it after each exchange and each refresh: an account that has moved belongs to
// another authorization server.
//
// The issuer is that of the server that answered. The did is that of the
// account that was asked for. It is empty if the login began without one, at a
// server that hosts many accounts.
//
// The error is [ErrUser] if sub is another user than did, or if the account
// leads to another issuer. Otherwise it is one of [Resolver.Resolve].
func (r *Resolver) Verify(ctx context.Context, sub, issuer, did string) (*Account, error) {
	if did != "" && sub != did {
		return nil, fmt.Errorf("%w: it named %q, not %s", ErrUser, cut(sub), did)
	}
	if err := checkDID(sub); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUser, err)
	}
	a, err := r.resolveDID(ctx, sub)
	if err != nil {
		return nil, err
	}
	if a.Issuer != issuer {
		return nil, fmt.Errorf("%w: %s belongs to %s, not to %s", ErrUser, sub, a.Issuer, issuer)
	}
	return a, nil
}

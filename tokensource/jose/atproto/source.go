package atproto

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/proving"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/jose/atproto/identity"
)

// checkEvery is how often a source asks where its account is.
const checkEvery = 10 * time.Minute

// source supplies the tokens of one account.
type source struct {
	proving.Authorizer
	accounts  *accounts
	issuer    string
	endpoints []string

	mu      sync.Mutex // guards what follows; never held across I/O
	account identity.Account
	checked [sha256.Size]byte // the hash of the access token that was checked last
	at      time.Time
}

func (a *accounts) source(ctx context.Context, did string) (tokensource.Renewer, *identity.Account, error) {
	account, err := a.resolver.Resolve(ctx, did)
	if err != nil {
		return nil, nil, err
	}
	srv, err := a.server(ctx, account.Issuer)
	if err != nil {
		return nil, nil, err
	}
	s := &source{accounts: a, issuer: account.Issuer, account: *account, endpoints: srv.keeper.Source(did).Endpoints()}
	s.Authorizer = proving.For(s.Token)
	return s, account, nil
}

func (s *source) where() identity.Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account
}

// Token returns a valid access token of the account. See grant.Keeper.Token.
func (s *source) Token(ctx context.Context) (*oauth2.Token, error) {
	return s.from(ctx, func(grant tokensource.Renewer) (*oauth2.Token, error) { return grant.Token(ctx) })
}

// Renew returns a token other than rejected. The contract is
// tokensource.Renewer.
func (s *source) Renew(ctx context.Context, rejected *oauth2.Token) (*oauth2.Token, error) {
	return s.from(ctx, func(grant tokensource.Renewer) (*oauth2.Token, error) { return grant.Renew(ctx, rejected) })
}

// from returns a token of the keeper that is in memory now. A keeper that has
// just made room for another one is replaced.
func (s *source) from(ctx context.Context, get func(tokensource.Renewer) (*oauth2.Token, error)) (*oauth2.Token, error) {
	for retry := true; ; retry = false {
		srv, err := s.accounts.server(ctx, s.issuer)
		if errors.Is(err, tokensource.ErrClosed) {
			return nil, err
		}
		if err != nil {
			return nil, &tokensource.Error{Op: "load", Kind: tokensource.ErrTemporary, Err: err}
		}
		tok, err := get(srv.keeper.Source(s.where().DID))
		if errors.Is(err, tokensource.ErrClosed) && retry {
			continue
		}
		if err != nil {
			return nil, err
		}
		return s.check(ctx, srv, tok)
	}
}

// check returns tok if the account still belongs to the server that issued it,
// and the server still grants the scope atproto.
func (s *source) check(ctx context.Context, srv *server, tok *oauth2.Token) (*oauth2.Token, error) {
	hash := sha256.Sum256([]byte(tok.AccessToken))
	s.mu.Lock()
	known := s.checked == hash && time.Since(s.at) < checkEvery
	did := s.account.DID
	s.mu.Unlock()
	if known {
		return tok, nil
	}
	g, err := srv.keeper.Grant(ctx, did)
	if err == nil && len(g.Scopes) > 0 && !slices.Contains(g.Scopes, "atproto") {
		return nil, reauthorize(identity.ErrServer, "the server has withdrawn the scope atproto: let the user log in again")
	}
	sub, ok := tok.Extra("sub").(string)
	if !ok {
		sub = did
	}
	a, err := s.accounts.resolver.Verify(ctx, sub, s.issuer, did)
	switch {
	case errors.Is(err, identity.ErrUser):
		return nil, reauthorize(err, "the account has moved: let the user log in again")
	case err != nil:
		return nil, &tokensource.Error{Op: "refresh", Kind: tokensource.ErrTemporary, Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.account, s.checked, s.at = *a, hash, time.Now()
	return tok, nil
}

func reauthorize(err error, hint string) error {
	return &tokensource.Error{Op: "refresh", Kind: tokensource.ErrReauthorize, Err: err, Hint: hint}
}

// APIOrigins returns the server of the account, wherever it is now.
func (s *source) APIOrigins(*oauth2.Token) []string { return []string{s.where().Server} }

// Endpoints returns the addresses of the authorization server, which get no
// token.
func (s *source) Endpoints() []string { return slices.Clone(s.endpoints) }

package atproto

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/proving"
	"github.com/authtrip/authtrip/tokensource"
)

// checkEvery is how often a source asks where its account is.
const checkEvery = 10 * time.Minute

// source supplies the tokens of one account.
type source struct {
	proving.Authorizer
	logins *Logins
	issuer string

	mu      sync.Mutex // guards what follows; never held across I/O
	account Account
	checked string // the access token that was checked last
	at      time.Time
}

// Source returns the tokens of an account that has logged in, for package
// transport, and the account, which it resolves first. The API origin is the
// server of the account. The errors are those of [Resolver.Resolve].
//
// Before the result hands out a token that it has not handed out before, and
// every ten minutes, it checks that the account still belongs to the
// authorization server (see [Resolver.Verify]). After a move the error is
// tokensource.ErrReauthorize. Keep the result: it is safe for concurrent use.
func (l *Logins) Source(ctx context.Context, did string) (tokensource.Renewer, *Account, error) {
	a, err := l.resolver.resolveDID(ctx, did)
	if err != nil {
		return nil, nil, err
	}
	s := &source{logins: l, issuer: a.Issuer, account: *a}
	s.Authorizer = proving.For(s.Token)
	if _, err := l.server(ctx, a.Issuer); err != nil {
		return nil, nil, err
	}
	return s, a, nil
}

func (s *source) where() Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account
}

// Token returns a valid access token of the account. See grant.Keeper.Token.
func (s *source) Token(ctx context.Context) (*oauth2.Token, error) {
	srv, err := s.logins.server(ctx, s.issuer)
	if err != nil {
		return nil, &tokensource.Error{Op: "load", Kind: tokensource.ErrTemporary, Err: err}
	}
	tok, err := srv.keeper.Source(s.where().DID).Token(ctx)
	if err != nil {
		return nil, err
	}
	return s.check(ctx, tok)
}

// Renew returns a token other than rejected. The contract is
// tokensource.Renewer.
func (s *source) Renew(ctx context.Context, rejected *oauth2.Token) (*oauth2.Token, error) {
	srv, err := s.logins.server(ctx, s.issuer)
	if err != nil {
		return nil, &tokensource.Error{Op: "load", Kind: tokensource.ErrTemporary, Err: err}
	}
	tok, err := srv.keeper.Source(s.where().DID).Renew(ctx, rejected)
	if err != nil {
		return nil, err
	}
	return s.check(ctx, tok)
}

// check returns tok if the account still belongs to the server that issued it.
func (s *source) check(ctx context.Context, tok *oauth2.Token) (*oauth2.Token, error) {
	s.mu.Lock()
	known := s.checked == tok.AccessToken && time.Since(s.at) < checkEvery
	did := s.account.DID
	s.mu.Unlock()
	if known {
		return tok, nil
	}
	sub, ok := tok.Extra("sub").(string)
	if !ok {
		sub = did
	}
	a, err := s.logins.resolver.Verify(ctx, sub, s.issuer, did)
	switch {
	case errors.Is(err, ErrUser):
		return nil, &tokensource.Error{Op: "refresh", Kind: tokensource.ErrReauthorize, Err: err, Hint: "the account has moved: let the user log in again"}
	case err != nil:
		return nil, &tokensource.Error{Op: "refresh", Kind: tokensource.ErrTemporary, Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.account, s.checked, s.at = *a, tok.AccessToken, time.Now()
	return tok, nil
}

// APIOrigins returns the server of the account, wherever it is now.
func (s *source) APIOrigins(*oauth2.Token) []string { return []string{s.where().Server} }

// Endpoints returns the addresses of the authorization server, which get no
// token.
func (s *source) Endpoints() []string {
	s.logins.mu.Lock()
	defer s.logins.mu.Unlock()
	if srv := s.logins.servers[s.issuer]; srv != nil {
		p := srv.keeper.Client().Provider()
		return []string{p.TokenURL, p.PushedAuthorizationURL, p.AuthorizationURL}
	}
	return nil
}

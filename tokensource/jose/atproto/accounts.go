package atproto

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/jose/atproto/identity"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// maxServers is how many authorization servers are kept in memory. The one that
// was used least recently makes room: everybody can run a server and name it in
// a login (G10).
const maxServers = 256

// accounts are the grants of an app at the authorization servers of all its
// users. Each server has a client and a keeper of its own. So what one server
// says never reaches the users of another one.
type accounts struct {
	resolver *identity.Resolver
	app      App

	// complete makes what a server needs beside its keeper. Nil means nothing.
	complete func(*server) error

	mu      sync.Mutex // guards what follows; never held across I/O
	servers map[string]*server
	uses    uint64
	closed  bool
	closing sync.WaitGroup // keepers that made room
}

// server is one authorization server.
type server struct {
	issuer string
	keeper *grant.Keeper
	login  *middleware.Login // of Logins
	used   uint64
}

func newAccounts(r *identity.Resolver, app *App) *accounts {
	a := &accounts{resolver: r, app: *app, servers: map[string]*server{}}
	a.app.Registration.Scopes = slices.Clone(app.Registration.Scopes)
	return a
}

// close stops all keepers. It may be called twice.
func (a *accounts) close() error {
	a.mu.Lock()
	a.closed = true
	all := a.servers
	a.servers = map[string]*server{}
	a.mu.Unlock()
	var errs []error
	for _, s := range all {
		errs = append(errs, s.keeper.Close())
	}
	a.closing.Wait()
	return errors.Join(errs...)
}

// server returns the authorization server of an issuer. Two callers may build
// it at once; one of the results is used.
func (a *accounts) server(ctx context.Context, issuer string) (*server, error) {
	if s, err := a.keep(issuer, nil); s != nil || err != nil {
		return s, err
	}
	built, err := a.build(ctx, issuer)
	if err != nil {
		return nil, err
	}
	s, err := a.keep(issuer, built)
	if s != built {
		_ = built.keeper.Close()
	}
	return s, err
}

// keep returns the server in memory, or puts built there if it is not nil.
func (a *accounts) keep(issuer string, built *server) (*server, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil, tokensource.ErrClosed
	}
	s := a.servers[issuer]
	if s == nil && built != nil {
		a.makeRoom()
		s = built
		a.servers[issuer] = s
	}
	if s != nil {
		a.uses++
		s.used = a.uses
	}
	return s, nil
}

// makeRoom removes the server that was used least recently. Its grants stay in
// the store. The caller holds mu.
func (a *accounts) makeRoom() {
	if len(a.servers) < maxServers {
		return
	}
	oldest, at := "", a.uses+1
	for issuer, s := range a.servers {
		if s.used < at {
			oldest, at = issuer, s.used
		}
	}
	gone := a.servers[oldest]
	delete(a.servers, oldest)
	a.closing.Go(func() { _ = gone.keeper.Close() })
}

// build makes the client and the keeper of a server.
func (a *accounts) build(ctx context.Context, issuer string) (*server, error) {
	p, err := a.resolver.Provider(ctx, &identity.Account{Issuer: issuer, Server: issuer})
	if err != nil {
		return nil, err
	}
	r, proofs := a.app.registration()
	client, err := oauth.New(p, r, &oauth.Options{HTTPClient: a.resolver.HTTPClient(), Proofs: proofs})
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", identity.ErrServer, issuer, err)
	}
	keeper, err := grant.New(client, a.app.Store, a.app.Grants)
	if err != nil {
		return nil, err
	}
	s := &server{issuer: issuer, keeper: keeper}
	if a.complete != nil {
		if err := a.complete(s); err != nil {
			return nil, errors.Join(err, keeper.Close())
		}
	}
	return s, nil
}

// identify returns the account whom a server has named in an answer of its
// token endpoint ([identity authentication]). Nobody is believed whose account
// does not lead back to the server, and no answer without the scope atproto:
// the server did not serve this profile. If did is not empty, it must be the
// user. A refusal matches identity.ErrUser or identity.ErrServer.
//
// [identity authentication]: https://atproto.com/specs/oauth#identity-authentication
func (a *accounts) identify(ctx context.Context, issuer, did string, tok *oauth2.Token) (*identity.Account, error) {
	scope, _ := tok.Extra("scope").(string)
	if !slices.Contains(strings.Fields(scope), "atproto") {
		return nil, fmt.Errorf("%w: %s did not grant the scope atproto", identity.ErrServer, issuer)
	}
	sub, _ := tok.Extra("sub").(string)
	return a.resolver.Verify(ctx, sub, issuer, did)
}

// named returns an account as other packages know a user.
func named(a *identity.Account) provider.Identity {
	return provider.Identity{Subject: a.DID, Username: a.Handle}
}

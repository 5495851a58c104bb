package mcp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/registration"
	"github.com/authtrip/authtrip/transport"
)

// connection is a client at one authorization server, for one MCP server.
type connection struct {
	memory
	found     *Found
	at        time.Time // when the metadata were read
	registrar *registration.Registrar
	keeper    *grant.Keeper
	app       *nativeapp.App
	source    *grant.Source
	tokens    http.RoundTripper // sends the token

	known   atomic.Bool  // the server has known the client before
	loginAt atomic.Int64 // when the last login ended, in seconds since 1970
	refused atomic.Bool  // the server does not know the client any more
	over    atomic.Bool  // what was found is not so any more: requests leave without a token
}

// connect returns the connection to the server that was found.
func (h *Handler) connect(ctx context.Context, f *Found, clientID string) (*connection, error) {
	begun := time.Now().Truncate(time.Second)
	client, registrar, err := h.options.client(ctx, f, h.store.Store, clientID)
	if err != nil {
		return nil, err
	}
	keeper, err := grant.New(client, h.store.Store, &grant.Options{
		OnEvent: h.options.OnEvent, InsecurePlainStore: h.options.InsecurePlainStore, WithoutRefresh: true,
	})
	if err != nil {
		return nil, err
	}
	// A stored grant belongs to one token endpoint. So a server that has moved
	// needs a login, and its grant another name.
	subject := f.Resource + " " + f.Provider.TokenURL
	if h.options.Account != "" {
		subject += " " + h.options.Account
	}
	c := &connection{
		found: f, at: begun, registrar: registrar, keeper: keeper, source: keeper.Source(subject),
		memory: memory{
			Issuer: issuerOf(f.Provider), ClientID: client.ClientID(), Resource: f.Resource, TokenURL: f.Provider.TokenURL, Scopes: f.Scopes,
		},
	}
	c.known.Store(clientID != "" || registrar != nil && h.registeredBefore(ctx, registrar, f, c.ClientID, begun))
	c.app, err = nativeapp.New(keeper, &nativeapp.Options{
		Name: h.options.Name, Subject: subject, Open: c.open(&h.options), Timeout: h.options.Timeout, AnyPort: h.anyPort,
	})
	if err == nil {
		c.tokens, err = transport.New(c.source, &transport.Options{Base: h.options.base()})
	}
	if err != nil {
		return nil, errors.Join(err, keeper.Close())
	}
	return c, nil
}

// registeredBefore reports whether a client was registered before a time.
func (h *Handler) registeredBefore(ctx context.Context, r *registration.Registrar, f *Found, clientID string, begun time.Time) bool {
	all, err := r.All(ctx, f.Provider)
	return err == nil && slices.ContainsFunc(all, func(r *registration.Registered) bool {
		return r.Registration.ClientID == clientID && r.At.Before(begun)
	})
}

// restore returns the connection of an earlier login, of this or of another
// process, or nil. Its grant may be dead.
func (h *Handler) restore(ctx context.Context) (*connection, error) {
	m, ok, err := h.recall(ctx)
	if err != nil || !ok {
		return nil, err
	}
	f, err := h.options.find(ctx, h.endpoint, nil, m.Issuer)
	if err != nil {
		return nil, fmt.Errorf("mcp: the authorization server of an earlier login: %w", err)
	}
	if !m.same(f) {
		return nil, nil //nolint:nilnil // the MCP server has another one now: log in there
	}
	c, err := h.reconnect(ctx, f, m)
	if errors.Is(err, ErrNoClient) {
		return nil, nil //nolint:nilnil // the client of that login is not known any more
	}
	return c, err
}

// reconnect returns the connection of a login at the server that was found.
func (h *Handler) reconnect(ctx context.Context, f *Found, m memory) (*connection, error) {
	stored := *f
	stored.Scopes = m.Scopes
	c, err := h.connect(ctx, &stored, m.ClientID)
	if err == nil {
		c.Login = m.Login
	}
	return c, err
}

// same reports whether a login is one at what was found. A server whose token
// endpoint has moved needs another login.
func (m memory) same(f *Found) bool {
	return m.Issuer == issuerOf(f.Provider) && m.Resource == f.Resource && m.TokenURL == f.Provider.TokenURL
}

// leadsTo reports whether the connection leads to what was found.
func (c *connection) leadsTo(f *Found) bool { return c != nil && c.same(f) && !c.refused.Load() }

// current reports whether the connection knows all endpoints as they are now
// (T9). Otherwise another connection must take over the login.
func (c *connection) current(f *Found) bool {
	a, b := c.found.Provider, f.Provider
	return slices.Equal(a.Endpoints(), b.Endpoints()) && a.AuthorizationURL == b.AuthorizationURL &&
		a.RegistrationURL == b.RegistrationURL && a.IssuerRequired == b.IssuerRequired
}

// login logs the user in with the scopes.
func (c *connection) login(ctx context.Context, scopes []string, params url.Values) error {
	_, err := c.app.Loopback(ctx, &nativeapp.LoginOptions{Scopes: scopes, Params: params})
	if err == nil {
		c.known.Store(true)
		c.loginAt.Store(time.Now().Unix())
		c.used(ctx)
	}
	return err
}

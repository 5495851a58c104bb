package connect

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// A Connection is an account at an authorization server that is connected to a
// user of the app.
type Connection struct {
	// ID names the connection in forms and in the records of the app. It is the
	// same whenever the same account is connected, and no secret.
	ID string

	// Provider is the name of the provider, such as "x".
	Provider string

	// User is who the account belongs to, as the server said at the last
	// authorization: Subject, and Username, Name and Picture for display.
	User provider.Identity

	// Connected is when the account was connected first.
	Connected time.Time

	// Grant are the facts of the grant. It is zero if there is no grant.
	Grant grant.Grant

	// Dead says why the user must connect the account again. It is empty while the
	// connection can be used.
	Dead tokensource.Reason

	// Err says why the state of the grant could not be read. It is nil otherwise.
	Err error

	at func() *part // in a closure, so that printing a Connection shows no Keeper
}

// Context returns a context that names the account: an http.Client with the
// transport of its Keeper then acts for it. A context can name one account of
// each provider. Without a grant of the connection, the context names no
// account of this provider, and a request fails with tokensource.ErrNoSubject.
//
// The connection was the user's when it was read. Read it once for each request
// of a user, and keep it no longer.
func (c Connection) Context(ctx context.Context) context.Context {
	p := c.part()
	switch {
	case p == nil:
		return ctx
	case c.Dead == tokensource.ReasonNoGrant:
		return p.grants.WithSubject(ctx, "")
	}
	return p.grants.WithSubject(ctx, c.User.Subject)
}

// Source returns the tokens of the account, for a program that acts for one
// account only. Without a grant of the connection it returns an error that
// matches tokensource.ErrReauthorize. The Source lives on when the connection
// passes to another user of the app: keep it no longer than the Connection.
func (c Connection) Source() (*grant.Source, error) {
	p := c.part()
	if p == nil || c.Dead == tokensource.ReasonNoGrant {
		return nil, tokensource.ErrNoGrant
	}
	return p.grants.Source(c.User.Subject), nil
}

func (c Connection) part() *part {
	if c.at == nil {
		return nil
	}
	return c.at()
}

// Connections returns the connections of a user of the app, in the order in
// which they were connected first. It asks the store about the list, about each
// connection and about its grant. A user without connections has an empty list.
//
// The error matches tokensource.ErrTemporary, or middleware.ErrUnreadable. If
// only one grant cannot be read, its Connection has the error.
func (a *Accounts) Connections(ctx context.Context, account string) ([]Connection, error) {
	l, err := a.listed(ctx, account)
	if err != nil {
		return nil, err
	}
	var list []Connection
	for _, e := range l.List {
		c, err := a.look(ctx, account, e)
		if err != nil {
			return nil, err
		}
		if !e.vain(c, time.Now()) {
			list = append(list, c)
		}
	}
	return list, nil
}

// Connection returns one connection of a user of the app. It returns
// ErrNoConnection if the user has none with this ID. Otherwise it is like
// Connections.
func (a *Accounts) Connection(ctx context.Context, account, id string) (Connection, error) {
	l, err := a.listed(ctx, account)
	if err != nil {
		return Connection{}, err
	}
	e := l.find(id)
	if e == nil {
		return Connection{}, ErrNoConnection
	}
	return a.look(ctx, account, e)
}

// listed reads the record of an account for a caller of this package.
func (a *Accounts) listed(ctx context.Context, account string) (*listing, error) {
	if err := checkAccount(account); err != nil {
		return nil, err
	}
	if a.records() == nil {
		return nil, &tokensource.Error{Op: "connect", Kind: tokensource.ErrClient, Err: errors.New("connect: no Provider was added")}
	}
	return a.listing(ctx, a.named(account))
}

// vainTime is how long a login can go on after its connection was listed. Until
// then a connection without a grant is not shown.
const vainTime = time.Hour

// vain reports whether a connection has no grant yet.
func (e *entry) vain(c Connection, now time.Time) bool {
	return e.Connected == 0 && c.Dead == tokensource.ReasonNoGrant && now.Sub(time.Unix(e.Claimed, 0)) < vainTime
}

// look returns a connection with the state of its grant. A grant that is not
// held by the account is none: the account at the server belongs to another
// user of the app now.
func (a *Accounts) look(ctx context.Context, account string, e *entry) (Connection, error) {
	p := a.part(e.owner())
	if p == nil {
		c := (*part)(nil).connection(e)
		c.Dead, c.Err = tokensource.ReasonNoGrant, errNotAdded
		return c, nil
	}
	c := p.connection(e)
	h, err := p.holders(ctx, e.Subject)
	if err != nil {
		return Connection{}, err
	}
	if !h.has(a.named(account)) {
		c.Dead = tokensource.ReasonNoGrant
		return c, nil
	}
	g, err := p.grants.Grant(ctx, e.Subject)
	switch {
	case errors.Is(err, tokensource.ErrReauthorize):
		c.Dead = tokensource.ReasonNoGrant
	case err != nil:
		c.Err = err
	default:
		c.Grant, c.Dead = g, g.Dead
	}
	return c, nil
}

// connection returns what is known of an entry without the store.
func (p *part) connection(e *entry) Connection {
	c := Connection{ID: e.ID, Provider: e.Provider, User: e.user()}
	if at := cmp.Or(e.Connected, e.Claimed); at != 0 {
		c.Connected = time.Unix(at, 0).UTC()
	}
	if p != nil {
		c.at = func() *part { return p }
	}
	return c
}

var errNotAdded error = &tokensource.Error{
	Op: "connect", Kind: tokensource.ErrClient, Err: errors.New("connect: the provider of this connection was not added"),
}

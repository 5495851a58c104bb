// Package connecting is what packages middleware and connect know of each
// other.
//
// # What it is for
//
// A login of package middleware ends in a session. A login of package connect
// ends in a connection: the grant is listed for a user of the app. Both go
// through the same steps at the authorization server. Package connect gives
// middleware its Hooks, and gets a Machine in return.
//
// # Concurrency
//
// Implementations of both interfaces are safe for concurrent use.
//
// # Errors
//
// The errors are those of package connect.
package connecting

import (
	"context"
	"errors"
	"net/http"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// The kinds of failure that only a connection has. Package connect explains
// them.
var (
	ErrNoAccount = errors.New("connect: nobody is logged in at the app")
	ErrChanged   = errors.New("connect: another user of the app began this")
	ErrElsewhere = errors.New("connect: the account is connected to another user of the app")
	ErrTooMany   = errors.New("connect: too many connections")
	ErrNotListed = errors.New("connect: no such connection")
)

// EventConnected is an event of package connect.
const EventConnected tokensource.EventKind = "account connected"

// A Claim is a connection that is being made.
type Claim struct {
	Account string // the user of the app
	Login   string // names the login, also when its steps are made again
	User    provider.Identity
}

// Hooks are what package connect does for one authorization server. The steps
// of a connection are Accept, Claim, the write of the grant, and Confirm. Each
// can be made again.
type Hooks interface {
	// Attach is called once, before any other method.
	Attach(m Machine)

	// Account returns the user of the app who sent r. It returns "" if there is
	// none, and an error if that cannot be told now.
	Account(r *http.Request) (string, error)

	// Accept asks the app whether a connection may be made. Nothing is stored yet.
	Accept(ctx context.Context, c Claim) error

	// Claim lists the connection, and makes sure that nobody else has it. The
	// error matches ErrElsewhere or ErrTooMany if it can never be made.
	Claim(ctx context.Context, c Claim) error

	// Confirm notes that the grant is stored.
	Confirm(ctx context.Context, c Claim) error

	// Undo removes what Claim has listed, if there is no older connection.
	Undo(ctx context.Context, c Claim) error

	// End ends the connection of an account that id names.
	End(ctx context.Context, account, id string) error
}

// A Machine is what package middleware does for package connect.
type Machine interface {
	// Abandon ends the logins that could become connections of an account and
	// could not finish yet: those of a subject, or all if subject is empty.
	Abandon(ctx context.Context, account, subject string) error

	// Tell reports an event to the hook of the Login.
	Tell(ctx context.Context, e tokensource.Event)
}

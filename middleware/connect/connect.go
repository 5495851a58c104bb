// Package connect connects accounts at authorization servers to the users that
// an app has already.
//
// # What it is for
//
// An app has its own users and its own sessions. A user connects accounts: two
// at X, one at Google. The app then acts for each of them. Package middleware
// is for the other case: users log in with such an account.
//
// # Types
//
// [New] returns the [Accounts] of an app. [Accounts.Add] adds a [Provider] for
// a [grant.Keeper]. A Provider has three routes beside its redirect URL, here
// /x/callback. A form that posts to /x/connect begins a connection. The server
// sends the browser back to /x/callback. A form that posts the ID of a
// connection to /x/disconnect ends it. There is no cookie of a session: the
// function that New gets says which user of the app sent a request.
//
// A [Connection] is one connected account. [Accounts.Connections] lists those
// of a user with the state of their grants, and [Accounts.Connection] returns
// one of them. [Connection.Context] makes a request act for it.
// [Provider.Adopt] takes over accounts whose tokens the app has already.
//
// # Example
//
//	accounts, err := connect.New(currentUser, nil)
//	x, err := accounts.Add(xGrants, keys, nil)
//	google, err := accounts.Add(googleGrants, keys, nil)
//	x.Mount(mux)      // /x/connect, /x/callback, /x/disconnect
//	google.Mount(mux) // /google/connect, ...
//
//	c, err := accounts.Connection(ctx, "user 17", id)
//	resp, err := client.Do(req.WithContext(c.Context(ctx)))
//
// # Who a connection belongs to
//
// The callback refuses an answer if another user of the app is logged in than
// the one who began (ErrAccountChanged). An account at a server belongs to one
// user of the app (ErrConnectedElsewhere), unless Options.Shared is set. Only
// the user whose connection it is can end it in the browser.
//
// A user signs in to the app by its own means. The session cookie of the app
// must reach the callback, to which another site sends the browser. So it needs
// SameSite=Lax.
//
// # State
//
// The store of the grants has one record for each user of the app ("account."
// and a hash), and one for each connected account ("connection." and a hash). A
// connection is listed before its grant is stored, and its grant is ended
// before it is taken from the list. So a process that dies in between leaves no
// grant that nobody can end: the connection is shown, and connecting or
// disconnecting it once more completes the work.
//
// # Concurrency
//
// Accounts and Providers are safe for concurrent use, also in several processes
// with one store.
//
// # Errors
//
// Options.OnError of a Provider receives a *middleware.Error. Match its kind
// with the errors of this package and of package middleware. No error contains
// a token, a code, a secret or a cookie.
package connect

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/authtrip/authtrip/internal/connecting"
	"github.com/authtrip/authtrip/internal/timed"
	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
)

// EventConnected means that an account is connected. It goes to Options.OnEvent
// of the Provider, and has Account and Subject. [middleware.EventDisconnected]
// is the end of a connection.
const EventConnected = connecting.EventConnected

// The kinds of failure of this package. The default pages explain them to the
// user.
var (
	// ErrNoAccount means that nobody is logged in at the app.
	ErrNoAccount = connecting.ErrNoAccount

	// ErrAccountChanged means that another user of the app is logged in than when
	// the connection was begun. Nothing was connected.
	ErrAccountChanged = connecting.ErrChanged

	// ErrConnectedElsewhere means that the account is connected to another user of
	// the app already. The connection of that user stays.
	ErrConnectedElsewhere = connecting.ErrElsewhere

	// ErrTooMany means that the user has 64 connections, or that 64 users share
	// the account.
	ErrTooMany = connecting.ErrTooMany

	// ErrNoConnection means that the user has no connection with this ID.
	ErrNoConnection = connecting.ErrNotListed
)

// Options adjusts Accounts. The zero value is the safe default.
type Options struct {
	// App tells the users of this app from those of other apps, or of other
	// tenants, whose Accounts have the same store: user 17 of one is not user 17
	// of another. All replicas of an app have the same App, which never changes.
	// It is up to 255 bytes of UTF-8 without a zero byte. Empty is a name like
	// any other.
	App string

	// OnConnect is called when it is known which account is to be connected to
	// which user of the app, before anything is stored. Connection has its ID,
	// Provider and User. It refuses with [middleware.ErrRefused], alone or
	// wrapped. Then the tokens are revoked. But where the server keeps one grant
	// of a user, they have ended those of an older connection of this account,
	// and take their place. After any other error OnConnect is called again for
	// the same login, as Options.OnLogin of package middleware is.
	//
	// The ctx has a deadline. Nil means that every account may be connected.
	OnConnect func(ctx context.Context, account string, c Connection) error

	// Shared allows several users of the app to connect the same account. They
	// share its grant: a new authorization replaces the tokens for all of them,
	// and the grant is revoked with the last connection. False means that a second
	// user is refused (ErrConnectedElsewhere).
	Shared bool
}

// Accounts are the connections of all users of an app. It is safe for
// concurrent use. New makes one.
type Accounts struct {
	account func(*http.Request) (string, error)
	options Options

	mu    sync.Mutex // guards the rest; never held across I/O
	store *timed.Store
	parts map[tokensource.Owner]*part
}

// storeTime bounds one operation of the store.
const storeTime = 3 * time.Second

// New returns Accounts without a Provider. The function account returns the
// user of the app who sent a request: a name that never changes, such as the
// primary key of the user, of up to 255 bytes of UTF-8 without a zero byte. It
// returns "" if nobody is logged in, and an error if that cannot be told now.
// Then the answer is 503. If apps or tenants share a store, see Options.App.
// Nil options mean all defaults.
func New(account func(r *http.Request) (string, error), o *Options) (*Accounts, error) {
	if account == nil {
		return nil, errors.New("connect: nil account: give a function that returns the user of the app who sent a request")
	}
	a := &Accounts{account: account, parts: map[tokensource.Owner]*part{}}
	if o != nil {
		a.options = *o
	}
	if a.options.App != "" && !isName(a.options.App) {
		return nil, errors.New("connect: Options.App is up to 255 bytes of UTF-8 without a zero byte")
	}
	return a, nil
}

// named returns the name of a user in the store.
func (a *Accounts) named(account string) string {
	if a.options.App == "" {
		return account
	}
	return a.options.App + "\x00" + account // no name has such a byte
}

// Add makes the accounts of one provider connectable: those for whose client
// grants is. All Keepers must have the same store. The cookies of connections
// under way are sealed with keys, which must be the same in every replica.
//
// The options adjust the connections of this provider. Those that concern
// sessions and logouts are refused, and so is OnLogin, in place of which there
// is Options.OnConnect. AuthorizePath is that of Connect, and by default
// "connect" in the folder of the redirect URL. A connection that was made ends
// at AfterLogin, and one that was ended at AfterLogout. Nil means all defaults.
func (a *Accounts) Add(grants *grant.Keeper, keys seal.AEAD, o *middleware.Options) (*Provider, error) {
	if grants == nil {
		return nil, errors.New("connect: nil Keeper: make one with grant.New")
	}
	var options middleware.Options
	if o != nil {
		options = *o
	}
	if err := checkOptions(options); err != nil {
		return nil, err
	}
	client := grants.Client()
	p := &part{
		accounts: a, grants: grants, name: client.Provider().Name,
		owner: tokensource.Owner{Authority: client.Provider().Authority(), ClientID: client.ClientID()},
	}
	if err := a.add(p, false); err != nil {
		return nil, err
	}
	options.Connections = p
	login, err := middleware.New(grants, keys, &options)
	if err != nil {
		return nil, err
	}
	if err := a.add(p, true); err != nil {
		return nil, err
	}
	return &Provider{login, func() *part { return p }}, nil
}

// checkOptions refuses options that mean nothing without sessions.
func checkOptions(o middleware.Options) error {
	for name, set := range map[string]bool{
		"LogoutPath":            o.LogoutPath != "",
		"BackChannelLogoutPath": o.BackChannelLogoutPath != "",
		"LogoutAtServer":        o.LogoutAtServer,
		"SessionLifetime":       o.SessionLifetime != 0,
		"IdleTimeout":           o.IdleTimeout != 0,
		"Sessions":              o.Sessions != nil,
		"OnLogin":               o.OnLogin != nil,
		"Connections":           o.Connections != nil,
	} {
		if set {
			return errors.New("connect: Options." + name + " means nothing here: the sessions are those of the app, and connect.Options has OnConnect")
		}
	}
	return nil
}

// add takes p into the list, or with final false says whether that is possible.
func (a *Accounts) add(p *part, final bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.parts[p.owner] != nil:
		return errors.New("connect: this client of this provider was added before")
	case a.store != nil && !same(a.store.Store, p.grants.Store()):
		return errors.New("connect: the Keepers have several stores: give all of them one")
	case final:
		a.parts[p.owner] = p
		fallthrough
	default:
		if a.store == nil {
			a.store = &timed.Store{Store: p.grants.Store(), Timeout: storeTime}
		}
	}
	return nil
}

func same(a, b storage.Store) bool {
	return !reflect.ValueOf(a).Comparable() || !reflect.ValueOf(b).Comparable() || a == b
}

// part returns what was added for an owner, or nil.
func (a *Accounts) part(o tokensource.Owner) *part {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.parts[o]
}

// records returns the store, or nil if no Provider was added.
func (a *Accounts) records() *timed.Store {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.store
}

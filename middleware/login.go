// Package middleware logs users in with OAuth 2.0, on the mux of an app.
//
// # What it is for
//
// It adds four routes. /authorize sends the browser to the authorization
// server. /callback receives the answer, stores the grant and begins a session.
// /logout ends the session in this browser. /disconnect revokes the grant, and
// so ends all sessions of the user. [Login.Require] protects pages: only users
// who are logged in reach them.
//
// If the app has users of its own, who connect accounts, use package connect. A
// program without a web server uses package nativeapp.
//
// # Types
//
// [New] returns a [Login] for the client of a [grant.Keeper]. [Login.Mount]
// registers its routes, [Login.Handler] serves all of them, and [Options] are
// its settings. A [Session] is one browser in which a user is logged in. It
// says who the user is. [Sessions] is the interface to the session library of
// an app. Options.OnError receives an [*Error].
//
// # Example
//
//	login, err := middleware.New(keeper, keys, nil)
//	login.Mount(mux)
//	mux.Handle("/me", login.Require(page))
//
// # OpenID Connect
//
// If the client verifies ID tokens (oauth.Options.IDTokens), each login has a
// nonce, and the ID token says who the user is. With Options.LogoutAtServer, a
// logout goes on at the authorization server. With
// Options.BackChannelLogoutPath, the server reports logouts, and sessions end
// here too.
//
// # State
//
// What one login needs is in a sealed cookie of its own. The store of the
// grants records, by compare-and-swap, that a login was used, which sessions a
// user has, and which logins could not finish yet. So any replica can answer
// any request. A process remembers the sessions that it has seen, and asks the
// store again as often as the Keeper does for a grant (Recheck). Without the
// store it honours them for 15 minutes.
//
// # Logins that cannot finish
//
// The exchange of a code may end the tokens of an earlier login. So what comes
// after it is repeated if it fails: to ask who the user is, Options.OnLogin,
// and the writes to the store. If it still fails, the login is kept, sealed,
// for an hour. "Try again" on the error page finishes the same login, without
// asking the user again. Otherwise the background goes on, in any process, and
// stores the grant without a session. A login that is not finished within the
// hour is revoked. Where the server keeps one grant of a user and the user is
// known, it is stored instead.
//
// The tokens of a grant that is stored are not revoked, also if the answer of
// the store was lost: the store is asked. One case remains. The process ends,
// or a day has passed, and the store has neither taken the login nor says
// whether it has the grant. Then the tokens are revoked, and if it has the
// grant, the user must log in again.
//
// # Concurrency
//
// A Login is safe for concurrent use.
//
// # Errors
//
// Match the kinds of failure with errors.Is: [ErrAccessDenied],
// [ErrFlowNotFound] and the others below. No error contains a token, a code, a
// secret or a cookie.
package middleware

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/authtrip/authtrip/internal/attempts"
	"github.com/authtrip/authtrip/internal/connecting"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
)

// Login is the login of one app at one authorization server. It is safe for
// concurrent use. Several Logins, for several providers, can be on one mux if
// their redirect URLs are in different folders.
//
// New makes one. The zero Login cannot be used.
type Login struct {
	inner func() *login // in a closure, so that a Login that is printed does not show its keys
}

type login struct {
	grants   *grant.Keeper
	client   *oauth.Client
	keys     seal.AEAD
	options  Options
	hooks    connecting.Hooks // of package connect; nil where users log in
	asks     bool             // the provider, or an ID token, who the user is: Options.Identify is nil
	atServer serverNames
	sessions Sessions
	site     site
	tag      string // names this Login in cookies, sealed values and the store
	cookies  cookies
	used     ledger
	guard    *http.CrossOriginProtection

	store     storage.Store // of the grants
	keeping   upkeep
	known     *knowledge
	unwritten *unwritten
	stepUps   *attempts.Log
	self      string // names this process
}

// upkeep is what a Login needs of its Keeper besides the public methods. It
// comes with Keeper.ReadyFor.
type upkeep interface {
	Go(work func(context.Context)) bool
	OnClose(func()) bool
	Watch(prefix string, f func(storage.Change))
	Work(prefix string, work func(ctx context.Context, key string) (again time.Time, mine bool))
	Enlist(ctx context.Context, key string, due time.Time) error
	Enlisted(ctx context.Context, prefix string) ([]string, error)
	Epoch(subject string) (string, bool)
	Read(ctx context.Context, subject string) (grant.Grant, error)
	Holds(ctx context.Context, subject, login string) (bool, error)
	Recheck() time.Duration
}

// New returns the login for the client of grants. The cookies are sealed with
// keys, which must be the same in every replica. They may be the keys of the
// store. Nil options mean all defaults. New refuses settings that cannot work,
// with an error that says what to do.
func New(grants *grant.Keeper, keys seal.AEAD, o *Options) (*Login, error) {
	if grants == nil {
		return nil, errors.New("middleware: nil Keeper: make one with grant.New")
	}
	if k, ok := keys.(*seal.Keys); keys == nil || ok && k == nil {
		return nil, errors.New("middleware: nil keys: build them with seal.NewKeys; cookies are never left unsealed")
	}
	client := grants.Client()
	if o == nil {
		o = new(Options)
	}
	s, err := newSite(client.RedirectURL(), o)
	if err != nil {
		return nil, err
	}
	options, err := o.resolve(client)
	if err != nil {
		return nil, err
	}
	// Browsers send the cookies of one port to the other ports of the host.
	tag := fingerprint(client.Provider().Authority(), client.ClientID(), s.port, s.path)[:8]
	l := &login{
		grants: grants, client: client, keys: keys, options: options, hooks: options.Connections, site: s, tag: tag, asks: o.Identify == nil,
		atServer: serverNamesOf(grants.Store(), client.Provider().Authority(), client.ClientID(), s.path),
		cookies:  newCookies(s.secure, tag),
		sessions: options.Sessions,
		used:     ledgerOf(grants.Store(), client.Provider().Authority(), client.ClientID(), s.path),
		guard:    newGuard(s),
		store:    grants.Store(), keeping: grants.ReadyFor(grants).(upkeep), known: newKnowledge(), unwritten: new(unwritten), stepUps: &attempts.Log{Max: maxStepUps, Window: stepUpWindow}, self: rand.Text(),
	}
	if l.sessions == nil {
		l.sessions = cookieSessions{l.cookies, options.SessionLifetime}
	}
	for _, c := range s.callbacks {
		if err := l.try(c.url); err != nil {
			return nil, fmt.Errorf("middleware: no authorization request can be made: %w", err)
		}
	}
	if err := claim(l); err != nil {
		return nil, err
	}
	l.keeping.Watch(sessionPrefix, l.known.notify)
	if l.connects() {
		l.hooks.Attach(machine{l})
	}
	l.keeping.Work(keptPrefix, l.workKept)
	return &Login{func() *login { return l }}, nil
}

// workTime bounds what happens at the authorization server and in the store for
// one request of a browser. It is less than the thirty seconds that a code
// lives at X.
const workTime = 25 * time.Second

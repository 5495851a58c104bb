package middleware

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/authtrip/authtrip/tokensource"
)

// endRetry is how long a logout or a disconnect that failed can be tried again
// without logging in first.
const endRetry = 10 * time.Minute

// Logout ends the session in this browser (M9). The other sessions of the user
// and the grant live on. Disconnect ends those too.
//
// It answers a POST from this site only. For a POST from another site the error
// is ErrCrossOrigin. For a GET it is ErrMethod, and the default page has a
// button.
//
// If the store cannot be reached, the browser has no session any more, but the
// session may still exist. The error is then ErrLogoutFailed. For ten minutes,
// another POST from the same browser tries again.
//
// With Options.LogoutAtServer, the browser then goes to the authorization
// server ([OpenID Connect RP-Initiated Logout]). The app's own session has
// ended before, whatever happens there. A page of the app that posts here needs
// a Content-Security-Policy whose form-action allows the server.
//
// [OpenID Connect RP-Initiated Logout]: https://openid.net/specs/openid-connect-rpinitiated-1_0.html
func (l *Login) Logout() http.Handler {
	in := l.inner()
	ending := in.ending(ending{
		op: opLogout, path: in.site.logout, purpose: forLogout, cookie: in.cookies.logout(), do: in.endThis,
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !in.returned(w, r) {
			ending.ServeHTTP(w, r)
		}
	})
}

// Disconnect ends the grant of the user who is logged in. It revokes the tokens
// at the authorization server and deletes them in the store (M5). All sessions
// of the user end, in this browser and in others. The app has no access to the
// account of the user any more.
//
// It answers the same requests as Logout. If the server cannot be reached, the
// sessions have ended nevertheless, no token is handed out any more, and the
// revocation is repeated in the background for a week. The error is then
// ErrLogoutFailed. For ten minutes, another POST from the same browser tries
// again.
func (l *Login) Disconnect() http.Handler {
	in := l.inner()
	if in.connects() {
		return in.disconnectOne()
	}
	return in.ending(ending{
		op: opDisconnect, path: in.site.disconnect, purpose: forDisconnect, cookie: in.cookies.disconnect(), do: in.endGrant,
	})
}

// ending is a route that ends something for the user who is logged in.
type ending struct {
	op, path string
	purpose  string // of the sealed value for another attempt, in the cookie of that name
	cookie   string

	// do ends what a ticket stands for. It can be repeated. It completes the ticket
	// for another attempt.
	do func(context.Context, *ticket) error
}

// ending makes the handler of a route.
func (l *login) ending(e ending) http.Handler {
	return l.route(e.op, func(w http.ResponseWriter, r *http.Request) error {
		if !l.sameOrigin(r, e.op) {
			return &Error{Op: e.op, Kind: ErrCrossOrigin, Retry: e.path}
		}
		return l.end(w, r, e)
	}, http.MethodPost)
}

func (l *login) end(w http.ResponseWriter, r *http.Request, e ending) error {
	// Like a login, it is finished when the browser leaves.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), workTime)
	defer cancel()
	ctx = withVisitor(ctx, r)
	c, err := l.leaving(r.WithContext(ctx), e)
	if err != nil && !errors.Is(err, errNoSession) {
		// Which session it is cannot be told now. The browser keeps it: without it,
		// another attempt would end nothing.
		return &Error{Op: e.op, Kind: tokensource.ErrTemporary, Cause: "the session cannot be read now", Retry: e.path, Err: err}
	}
	after := l.options.AfterLogout
	leaves := e.op == opLogout && l.options.LogoutAtServer && c.ID != ""
	var hint string
	if leaves {
		hint = l.hint(ctx, c) // it goes with the session
	}
	cleared := l.clearSession(ctx, w, r)
	if c.ID != "" {
		if err := e.do(ctx, &c); err != nil {
			return l.offerRetry(context.WithoutCancel(ctx), w, e, c, errors.Join(err, cleared)) // the time may be up
		}
	}
	l.cookies.drop(w, r, e.cookie)
	l.cookies.drop(w, r, l.cookies.form())
	if cleared != nil {
		return &Error{Op: e.op, Kind: tokensource.ErrTemporary, Cause: "the session cannot be removed now", Retry: e.path, Err: cleared}
	}
	if leaves {
		after = l.leaveServer(w, hint)
	}
	seeOther(w, after)
	return nil
}

// leaving returns the session that is to end: that of the browser, or that of
// an attempt which failed a moment ago.
func (l *login) leaving(r *http.Request, e ending) (ticket, error) {
	c, err := l.claimed(r)
	if !errors.Is(err, errNoSession) {
		return c, err
	}
	value := l.cookies.get(r, e.cookie)
	if value == "" {
		return ticket{}, errNoSession
	}
	return l.openTicket(r.Context(), e.purpose, e.cookie, value)
}

// endThis ends one session.
func (l *login) endThis(ctx context.Context, c *ticket) error {
	name := c.name()
	l.known.end(c.Subject, name)
	return l.endSessions(ctx, c.Subject, reasonLogout, func(s storedSession) bool { return s.Name == name })
}

// endGrant ends the grant that a session belongs to, and all sessions with it.
// A session that has ended, or from before the grant, ends no grant.
func (l *login) endGrant(ctx context.Context, c *ticket) error {
	if c.Epoch == "" {
		v, err := l.visit(ctx, *c)
		if errors.Is(err, errNoSession) {
			return nil
		}
		if err != nil {
			return err
		}
		c.Epoch = v.session.Epoch
	}
	grant, err := l.grants.Grant(ctx, c.Subject)
	if err == nil && grant.Epoch != c.Epoch {
		return nil
	}
	err = unreadable(l.grantKey(ctx, c.Subject), l.grants.Logout(ctx, c.Subject))
	l.tell(ctx, tokensource.Event{Kind: EventDisconnected, Subject: c.Subject, Session: c.name(), Err: err})
	return errors.Join(err, l.endSessions(ctx, c.Subject, reasonDisconnected, func(s storedSession) bool { return s.Epoch == c.Epoch }))
}

// offerRetry leaves a cookie for another attempt, because the browser has no
// session any more.
func (l *login) offerRetry(ctx context.Context, w http.ResponseWriter, e ending, c ticket, reason error) error {
	failure := &Error{Op: e.op, Kind: ErrLogoutFailed, Err: reason}
	c.Expires = time.Now().Add(endRetry).Round(0).UTC()
	value, err := l.seal(ctx, e.purpose, e.cookie, c)
	if err != nil {
		failure.Err = errors.Join(reason, err)
		return failure
	}
	l.cookies.set(w, e.cookie, value, endRetry)
	failure.Retry = e.path
	return failure
}

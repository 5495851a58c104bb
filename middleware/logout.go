package middleware

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/authtrip/authtrip/tokensource"
)

// logoutRetry is how long a logout that failed can be tried again without
// logging in first.
const logoutRetry = 10 * time.Minute

// Logout ends the session in this browser and the grant of the user. It revokes
// the tokens at the authorization server and deletes them in the store. So the
// sessions of the user in other browsers end too.
//
// It answers a POST from this site only (http.CrossOriginProtection). For a
// POST from another site the error is ErrCrossOrigin. For a GET it is
// ErrMethod, and the default page has a button.
//
// If the server cannot be reached, the session has ended nevertheless, and no
// token is handed out any more. The error is then ErrLogoutFailed. For ten
// minutes, another POST from the same browser tries again.
func (l *Login) Logout() http.Handler {
	in := l.inner()
	return in.route(opLogout, in.logout, http.MethodPost)
}

func (l *login) logout(w http.ResponseWriter, r *http.Request) error {
	if !l.sameOrigin(r) {
		return &Error{Op: opLogout, Kind: ErrCrossOrigin, Retry: l.site.logout}
	}
	// Like a login, a logout that has begun is finished when the browser leaves.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), workTime)
	defer cancel()
	s, err := l.leaving(r.WithContext(ctx))
	if err != nil && !errors.Is(err, errNoSession) {
		// Whose grant it is cannot be told now. The session stays: without it, another
		// attempt would end nothing.
		return &Error{Op: opLogout, Kind: tokensource.ErrTemporary, Cause: "the session cannot be read now", Retry: l.site.logout, Err: err}
	}
	cleared := l.sessions.Set(w, r.WithContext(ctx), "")
	if s.Subject != "" {
		if err := l.endGrant(ctx, s); err != nil {
			return l.offerRetry(context.WithoutCancel(ctx), w, s, errors.Join(err, cleared)) // the time may be up
		}
	}
	l.cookies.drop(w, r, l.cookies.logout())
	if cleared != nil {
		return &Error{Op: opLogout, Kind: tokensource.ErrTemporary, Cause: "the session cannot be removed now", Retry: l.site.logout, Err: cleared}
	}
	seeOther(w, l.options.AfterLogout)
	return nil
}

// leaving returns whose grant is to end: the session's, or that of a logout
// which failed a moment ago.
func (l *login) leaving(r *http.Request) (session, error) {
	s, err := l.claimed(r)
	if !errors.Is(err, errNoSession) {
		return s, err
	}
	name := l.cookies.logout()
	value := l.cookies.get(r, name)
	if value == "" {
		return session{}, errNoSession
	}
	return l.openSession(r.Context(), forLogout, name, value)
}

// endGrant revokes and deletes the grant, unless the user has logged out and in
// again since: a session from before does not end the new grant.
func (l *login) endGrant(ctx context.Context, s session) error {
	grant, err := l.grants.Grant(ctx, s.Subject)
	if err == nil && grant.Epoch != s.Epoch {
		return nil
	}
	return unreadable(l.grantKey(ctx, s.Subject), l.grants.Logout(ctx, s.Subject))
}

// offerRetry leaves a cookie that names the user for another attempt, since the
// session is gone.
func (l *login) offerRetry(ctx context.Context, w http.ResponseWriter, s session, reason error) error {
	e := &Error{Op: opLogout, Kind: ErrLogoutFailed, Err: reason}
	s.Expires = time.Now().Add(logoutRetry).Round(0).UTC()
	value, err := l.seal(ctx, forLogout, l.cookies.logout(), s)
	if err != nil {
		e.Err = errors.Join(reason, err)
		return e
	}
	l.cookies.set(w, l.cookies.logout(), value, logoutRetry)
	e.Retry = l.site.logout
	return e
}

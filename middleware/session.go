package middleware

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
)

// Sessions keeps one value for a browser between its requests. Implement it to
// use the app's own session library; the value is text of up to 4 KiB that is
// sealed already. Implementations are safe for concurrent use.
type Sessions interface {
	// Get returns the value of the session that r belongs to, or "" if there is
	// none. An error means that it cannot be told now: the user is not logged out,
	// the request is answered with 503.
	Get(r *http.Request) (value string, err error)

	// Set stores value for the browser that w answers; an empty value removes it.
	// It is called at login and logout, and must give the session a new identifier
	// (RenewToken in scs): an identifier from before the login may be known to
	// somebody else.
	Set(w http.ResponseWriter, r *http.Request, value string) error
}

// cookieSessions keeps the value in a cookie. Nothing is kept on the server,
// and yet a logout ends it everywhere, since the value names the grant.
type cookieSessions struct {
	cookies cookies
	life    time.Duration
}

func (s cookieSessions) Get(r *http.Request) (string, error) {
	return s.cookies.get(r, s.cookies.session()), nil
}

func (s cookieSessions) Set(w http.ResponseWriter, _ *http.Request, value string) error {
	name := s.cookies.session()
	switch {
	case value == "":
		s.cookies.clear(w, name)
	case len(name)+len(value) > maxCookie:
		return errors.New("middleware: the session does not fit into a cookie: the subject is too long, or what the keys add")
	default:
		s.cookies.set(w, name, value, s.life)
	}
	return nil
}

// session is who is logged in, and under which grant. It is sealed before
// Sessions gets it.
type session struct {
	Subject string    `json:"s"`
	Epoch   string    `json:"g"` // of the grant: it does not outlive a logout
	Expires time.Time `json:"e"`
}

// errNoSession means that nobody is logged in.
var errNoSession = errors.New("middleware: not logged in")

// startSession begins a new session: its value is a new one at every login,
// also for the same user.
func (l *login) startSession(ctx context.Context, w http.ResponseWriter, r *http.Request, subject, epoch string) error {
	s := session{subject, epoch, time.Now().Add(l.options.SessionLifetime).Round(0).UTC()}
	value, err := l.seal(ctx, forSession, l.cookies.session(), s)
	if err != nil {
		return err
	}
	if err := l.sessions.Set(w, r.WithContext(ctx), value); err != nil {
		return err
	}
	l.cookies.drop(w, r, l.cookies.logout()) // a logout that could be retried is of the past
	return nil
}

// claimed returns what the browser's session says, which is genuine and has not
// expired; whether the grant still exists is not asked. It returns
// errNoSession, or the error of Sessions or keys.
func (l *login) claimed(r *http.Request) (session, error) {
	value, err := l.sessions.Get(r)
	if err != nil {
		return session{}, err
	}
	if value == "" {
		return session{}, errNoSession
	}
	return l.openSession(r.Context(), forSession, l.cookies.session(), value)
}

func (l *login) openSession(ctx context.Context, purpose, name, value string) (session, error) {
	var s session
	err := l.open(ctx, purpose, name, value, &s)
	switch {
	case err != nil && notOurs(err):
		return session{}, errNoSession
	case err != nil:
		return session{}, err
	case s.Subject == "" || !time.Now().Before(s.Expires):
		return session{}, errNoSession
	}
	return s, nil
}

// current returns the session of r if its grant is alive and still the one that
// it was made for. It returns errNoSession, or another error if that cannot be
// told now.
func (l *login) current(r *http.Request) (session, error) {
	s, err := l.claimed(r)
	if err != nil {
		return session{}, err
	}
	grant, err := l.grants.Grant(r.Context(), s.Subject)
	switch {
	case errors.Is(err, tokensource.ErrReauthorize):
		return session{}, errNoSession
	case err != nil:
		return session{}, unreadable(l.grantKey(r.Context(), s.Subject), err)
	case grant.Dead != "" || grant.Epoch != s.Epoch:
		return session{}, errNoSession
	}
	return s, nil
}

// notOurs reports whether a value could not be opened for good, as opposed to
// keys that cannot be asked now.
func notOurs(err error) bool {
	return errors.Is(err, errNotSealed) || errors.Is(err, seal.ErrUnsealed)
}

// unsealed turns an error of open into what the user is told.
func (l *login) unsealed(op string, err error) *Error {
	if notOurs(err) {
		return &Error{Op: op, Kind: ErrFlowNotFound, Cause: causeNoFlow}
	}
	return &Error{Op: op, Kind: tokensource.ErrTemporary, Cause: "the keys cannot be used now", Err: err}
}

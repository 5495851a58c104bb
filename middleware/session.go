package middleware

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
)

// Sessions keeps values for a browser between its requests. Implement it to use
// the app's own session library. A value is text of up to 4 KiB that is sealed
// already. The name of a value is that of its Login, so that several Logins can
// share one session library. Implementations are safe for concurrent use.
type Sessions interface {
	// Get returns the value with this name in the session that r belongs to, or
	// "" if there is none. An error means that the library cannot tell now. Then
	// the user is not logged out, and the request is answered with 503.
	Get(r *http.Request, name string) (value string, err error)

	// Set stores a value for the browser that w answers. An empty value removes
	// it. Set is called at login and logout. It must give the session a new
	// identifier (RenewToken in scs), because another person may know the one from
	// before the login.
	Set(w http.ResponseWriter, r *http.Request, name, value string) error
}

// cookieSessions keeps the value in a cookie of that name.
type cookieSessions struct {
	cookies cookies
	life    time.Duration
}

func (s cookieSessions) Get(r *http.Request, name string) (string, error) {
	return s.cookies.get(r, name), nil
}

func (s cookieSessions) Set(w http.ResponseWriter, _ *http.Request, name, value string) error {
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

// ticket is what a browser says of its session. It is sealed before Sessions
// gets it. Whether the session exists is in the store (M9).
type ticket struct {
	Subject string    `json:"s"`
	ID      string    `json:"i"` // 32 random bytes, new at each login
	Expires time.Time `json:"e"`

	// In the cookie for another attempt to log out or to disconnect, Epoch is that
	// of the grant, if the first attempt could tell that the session existed.
	Epoch string `json:"g,omitempty"`
}

// name is the public name of the session. It cannot be used to act as the user.
func (c ticket) name() string { return fingerprint("session", c.ID)[:22] }

func newTicket(subject string, life time.Duration) ticket {
	var id [32]byte
	_, _ = rand.Read(id[:]) // never fails
	return ticket{
		Subject: subject, ID: base64.RawURLEncoding.EncodeToString(id[:]),
		Expires: time.Now().Add(life).Round(0).UTC(),
	}
}

// errNoSession means that nobody is logged in.
var errNoSession = errors.New("middleware: not logged in")

// setSession gives the browser the value of its session.
func (l *login) setSession(ctx context.Context, w http.ResponseWriter, r *http.Request, c ticket) error {
	name := l.cookies.session()
	value, err := l.seal(ctx, forSession, name, c)
	if err != nil {
		return err
	}
	return l.sessions.Set(w, r.WithContext(ctx), name, value)
}

// clearSession removes the value from the browser.
func (l *login) clearSession(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	return l.sessions.Set(w, r.WithContext(ctx), l.cookies.session(), "")
}

// claimed returns what the browser says of its session. That is genuine, and
// has not expired. Whether the session still exists is not asked. It returns
// errNoSession, or the error of Sessions or of the keys.
func (l *login) claimed(r *http.Request) (ticket, error) {
	name := l.cookies.session()
	value, err := l.sessions.Get(r, name)
	if err != nil {
		return ticket{}, err
	}
	if value == "" {
		return ticket{}, errNoSession
	}
	return l.openTicket(r.Context(), forSession, name, value)
}

func (l *login) openTicket(ctx context.Context, purpose, name, value string) (ticket, error) {
	var c ticket
	err := l.open(ctx, purpose, name, value, &c)
	switch {
	case err != nil && notOurs(err):
		return ticket{}, errNoSession
	case err != nil:
		return ticket{}, err
	case c.Subject == "" || c.ID == "" || !time.Now().Before(c.Expires):
		return ticket{}, errNoSession
	}
	return c, nil
}

// notOurs reports whether a value can never be opened, as opposed to keys that
// cannot be asked now.
func notOurs(err error) bool {
	return errors.Is(err, errNotSealed) || errors.Is(err, seal.ErrUnsealed)
}

// unsealed turns an error of open into the error that the user sees.
func (l *login) unsealed(op string, err error) *Error {
	if notOurs(err) {
		return &Error{Op: op, Kind: ErrFlowNotFound, Cause: causeNoFlow}
	}
	return &Error{Op: op, Kind: tokensource.ErrTemporary, Cause: "the keys cannot be used now", Err: err}
}

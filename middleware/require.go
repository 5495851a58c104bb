package middleware

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

type userKey struct{ login *login }

// Require passes a request to next if its user is logged in. The context of the
// request then names the user (Keeper.WithSubject). So an http.Client with
// authtrip's transport acts as this user. Several Logins can be stacked.
//
// The answer must not be stored (Cache-Control: no-store), so that no browser
// shows the page from its cache after the logout, or to another user. If next
// sets Cache-Control, that counts.
//
// If the user is not logged in, a browser is sent to log in, and returns to the
// page. A program gets 401 and JSON with "error" and "authorize_url". The
// routes of the Login itself pass, so a whole mux can be behind Require.
//
// If the store or the session library fails, nobody is logged out. A process
// honours the sessions that it knows for 15 minutes, and then answers with 503
// (G12). It is 500 if the grant cannot be read (ErrUnreadable).
func (l *Login) Require(next http.Handler) http.Handler {
	in := l.inner()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if route, ok := in.site.pass(r); ok {
			next.ServeHTTP(w, route) // otherwise nobody could log in
			return
		}
		v, err := in.current(r)
		switch {
		case errors.Is(err, errNoSession):
			l.Reauthorize(w, r)
		case err != nil:
			private(w)
			in.fail(w, r, stopped(opRequire, "the session cannot be checked", err))
		default:
			w.Header().Set("Cache-Control", "no-store")
			ctx := context.WithValue(r.Context(), userKey{in}, v)
			next.ServeHTTP(w, r.WithContext(in.grants.WithSubject(ctx, v.ticket.Subject)))
		}
	})
}

// Subject returns the user who is logged in, as the authorization server names
// the user, and whether there is one. Behind Require it costs nothing.
// Elsewhere it checks the session, and after a failed check it returns false.
func (l *Login) Subject(r *http.Request) (string, bool) {
	v, ok := l.inner().visitOf(r)
	return v.ticket.Subject, ok
}

// Reauthorize answers r with a request for a new login. A browser is sent to
// log in. It returns to this page, or to AfterLogin if r posted a form. A
// program gets 401 and JSON. Call Reauthorize when a call to the API failed
// with tokensource.ErrReauthorize, before anything was written to w.
func (l *Login) Reauthorize(w http.ResponseWriter, r *http.Request) {
	private(w)
	in := l.inner()
	if isPage(r) {
		seeOther(w, in.authorizePath(in.pageOf(r)))
		return
	}
	// A 401 needs a challenge (RFC 9110 section 11.6.1). No browser asks for a
	// password because of this one.
	w.Header().Set("WWW-Authenticate", fmt.Sprintf("Cookie realm=%q, authorize_url=%q", in.site.host, in.site.origin+in.site.authorize))
	writeJSON(w, http.StatusUnauthorized, map[string]string{
		"error": "login_required", "authorize_url": in.site.origin + in.site.authorize,
	})
}

func writeJSON(w http.ResponseWriter, status int, body map[string]string) {
	text, err := json.Marshal(body)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte("{}")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // the client may be gone
}

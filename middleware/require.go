package middleware

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

type userKey struct{ login *login }

// Require passes a request to next if its user is logged in. The context of the
// request then names the user (grant.Keeper.WithSubject). So an http.Client with
// authtrip's transport acts as this user. Caches must treat the answer as
// private, unless next says otherwise.
//
// If the user is not logged in, a browser is sent to log in, and returns to the
// page. A program gets 401 and JSON with "error" and "authorize_url".
//
// If the store or the session library fails, nobody is logged out, and the
// answer is 503. It is 500 if the grant cannot be read (ErrUnreadable).
func (l *Login) Require(next http.Handler) http.Handler {
	in := l.inner()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := in.current(r)
		switch {
		case errors.Is(err, errNoSession):
			l.Reauthorize(w, r)
		case err != nil:
			private(w)
			in.fail(w, r, stopped(opRequire, "the session cannot be checked", err))
		default:
			w.Header().Set("Cache-Control", "private")
			ctx := context.WithValue(r.Context(), userKey{in}, s.Subject)
			next.ServeHTTP(w, r.WithContext(in.grants.WithSubject(ctx, s.Subject)))
		}
	})
}

// Subject returns the user who is logged in, as the authorization server names
// the user, and whether there is one. Behind Require it costs nothing.
// Elsewhere it checks the session, and after a failed check it returns false.
func (l *Login) Subject(r *http.Request) (string, bool) {
	in := l.inner()
	if subject, ok := r.Context().Value(userKey{in}).(string); ok {
		return subject, true
	}
	s, err := in.current(r)
	return s.Subject, err == nil
}

// Reauthorize answers r with a request for a new login. A browser is sent to
// log in. It returns to this page, or to AfterLogin if r posted a form. A
// program gets 401 and JSON. Call Reauthorize when a call to the API failed
// with tokensource.ErrReauthorize, before anything was written to w.
func (l *Login) Reauthorize(w http.ResponseWriter, r *http.Request) {
	private(w)
	in := l.inner()
	if isPage(r) {
		seeOther(w, in.authorizePath(pageOf(r)))
		return
	}
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

package middleware

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/authtrip/authtrip/tokensource"
)

// route makes a handler of a function that returns what went wrong. It sets the
// headers that all answers have and refuses other methods before anything is
// read.
func (l *login) route(op string, serve func(http.ResponseWriter, *http.Request) error, methods ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		private(w)
		if !slices.Contains(methods, r.Method) {
			w.Header().Set("Allow", strings.Join(methods, ", "))
			l.fail(w, r, l.wrongMethod(r, op))
			return
		}
		if op == opLogout || op == opDisconnect { // a login has the ID that belongs to its state
			r = correlate(r, "")
		}
		if err := serve(w, r); err != nil {
			l.fail(w, r, err)
		}
	})
}

func (l *login) wrongMethod(r *http.Request, op string) *Error {
	e := &Error{Op: op, Kind: ErrMethod, Retry: l.site.authorize}
	switch op { // the page has a button that posts
	case opLogout:
		e.Retry = l.site.logout
	case opDisconnect:
		e.Retry = l.site.disconnect
		if l.connects() {
			e.Retry = l.disconnectPath(r)
		}
	}
	return e
}

// fail reports what went wrong, and answers with it.
func (l *login) fail(w http.ResponseWriter, r *http.Request, err error) {
	if e, ok := errors.AsType[*Error](err); ok {
		e.App, e.Home, e.connects = l.options.AppName, l.options.Home, l.connects()
		if e.posts() && isPage(r) && (!errors.Is(e.Kind, ErrCrossOrigin) || isOpaque(r)) {
			l.cookies.setForm(w, e.Op) // the page has a form
		}
	}
	r = correlate(r, "")
	l.reportFailure(r, err)
	if errors.Is(err, tokensource.ErrTemporary) {
		w.Header().Set("Retry-After", retryAfter(err))
	}
	if l.options.OnError != nil {
		l.options.OnError(w, r, err)
		return
	}
	ErrorPage(w, r, err)
}

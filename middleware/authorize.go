package middleware

import (
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// maxForm bounds what is read of a posted form.
const maxForm = 16 << 10

// Authorize starts a login. It sets the cookie of the flow and redirects to the
// authorization server, with PKCE S256 and a state that contains no data. It
// answers GET and POST. The parameter return_to is the local path where the
// login ends. Authorize refuses a return_to that is not a local path
// (ErrReturnPath), and a request that does not open a page (ErrNotNavigation).
func (l *Login) Authorize() http.Handler {
	in := l.inner()
	return in.route(opAuthorize, in.authorize, http.MethodGet, http.MethodPost)
}

func (l *login) authorize(w http.ResponseWriter, r *http.Request) error {
	if !isOpened(r) {
		return &Error{Op: opAuthorize, Kind: ErrNotNavigation, Retry: l.site.authorize}
	}
	returnTo, err := l.returnTo(w, r)
	if err != nil {
		return err
	}
	if home := l.otherLoopback(r); home != "" {
		seeOther(w, home+l.authorizePath(returnTo))
		return nil
	}
	if r.Form.Get("resume") != "" {
		if done, err := l.resume(w, r); done || err != nil {
			return err
		}
	}
	f := newFlow(l.client.RedirectURL(), returnTo, l.options.FlowLifetime)
	target, err := l.options.authorizationURL(l.client, f)
	if err != nil {
		return &Error{Op: opAuthorize, Kind: tokensource.ErrClient, Err: err}
	}
	if err := l.begin(w, r, f); err != nil {
		return &Error{Op: opAuthorize, Kind: tokensource.ErrTemporary, Cause: "the login could not be sealed", Retry: l.site.authorize, Err: err}
	}
	seeOther(w, target)
	return nil
}

// returnTo reads where the login shall end.
func (l *login) returnTo(w http.ResponseWriter, r *http.Request) (string, error) {
	refused := &Error{Op: opAuthorize, Kind: ErrReturnPath, Retry: l.site.authorize}
	if r.Body != nil {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	}
	if r.ParseForm() != nil {
		return "", refused
	}
	values := r.Form["return_to"]
	switch {
	case len(values) == 0 || (len(values) == 1 && values[0] == ""):
		return l.options.AfterLogin, nil
	case len(values) > 1 || !localPath(values[0]):
		return "", refused
	}
	return values[0], nil
}

// authorizePath is the local URL that starts a login which ends at returnTo.
func (l *login) authorizePath(returnTo string) string {
	if returnTo == "" {
		return l.site.authorize
	}
	return l.site.authorize + "?return_to=" + url.QueryEscape(returnTo)
}

// otherLoopback returns the origin to start at if the browser came by the other
// name of the loopback interface. The cookie would be set for localhost while
// the answer comes to 127.0.0.1, which X asks to register. It looks at loopback
// with the same port only, so that a proxy which rewrites Host causes no loop.
func (l *login) otherLoopback(r *http.Request) string {
	if r.Host == l.site.host || l.site.secure {
		return ""
	}
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil || !provider.Loopback(strings.ToLower(host)) || !strings.HasSuffix(l.site.host, ":"+port) {
		return ""
	}
	return l.site.origin
}

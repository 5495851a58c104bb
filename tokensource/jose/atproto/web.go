package atproto

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/authtrip/authtrip/internal/opened"
	"github.com/authtrip/authtrip/internal/routes"
	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/jose/atproto/identity"
)

// maxForm bounds what is read of a posted form.
const maxForm = 16 << 10

// site is where the routes are.
type site struct {
	callback, authorize, logout, disconnect string

	prefix string // of the cookies
	secure bool
}

func newSite(redirectURL string) (site, error) {
	u, err := url.Parse(redirectURL)
	if err != nil || u.Path == "" || u.Path == "/" {
		return site{}, errors.New("atproto: App.Registration.RedirectURL needs a path of its own, such as /auth/callback")
	}
	at := func(name string) string { return path.Join(path.Dir(u.Path), name) }
	s := site{callback: u.Path, authorize: at("authorize"), logout: at("logout"), disconnect: at("disconnect"), secure: u.Scheme == "https"}
	if s.secure {
		s.prefix = "__Host-"
	}
	return s, nil
}

// Mount registers the routes: the callback, and beside it "authorize", "logout"
// and "disconnect". The client ID metadata document is at the path of the
// client ID. The routes of an http.ServeMux are registered for each method, as
// those of middleware.Login are. Options.PathPrefix is left out.
func (l *Logins) Mount(mux middleware.Mux) {
	prefix := ""
	if o := l.accounts.app.Options; o != nil {
		prefix = strings.TrimSuffix(o.PathPrefix, "/")
	}
	add := func(at string, h http.Handler) { routes.Handle(mux, strings.TrimPrefix(at, prefix), h) }
	add(l.site.authorize, http.HandlerFunc(l.serveAuthorize))
	add(l.site.callback, http.HandlerFunc(l.serveCallback))
	add(l.site.logout, l.ofSession((*middleware.Login).Logout))
	add(l.site.disconnect, l.ofSession((*middleware.Login).Disconnect))
	if u, err := url.Parse(l.accounts.app.Registration.ClientID); err == nil && l.document != nil {
		add(u.Path, l.document)
	}
}

// ClientMetadata returns the handler of the client ID metadata document, which
// Mount registers too. It is for a router that does not see the whole path. It
// is nil for an app under development: see [Development].
func (l *Logins) ClientMetadata() http.Handler { return l.document }

// serveAuthorize begins a login at the authorization server of the account that
// the user typed, or of the server that was named. Without either it begins one
// at App.Server, or asks.
func (l *Logins) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	if !opened.Page(r) {
		l.refuse(w, r, middleware.ErrNotNavigation)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	typed, at := strings.TrimSpace(r.FormValue("identifier")), r.FormValue("server")
	if strings.Contains(typed, "://") && !strings.HasPrefix(typed, "at://") {
		typed, at = "", typed
	}
	switch {
	case typed == "" && at == "" && r.FormValue("resume") != "":
		l.resume(w, r)
	case typed == "" && at == "" && l.accounts.app.Server == "":
		l.ask(w, r, r.FormValue("return_to"))
	case typed == "" && at == "":
		l.beginAt(w, r, l.accounts.app.Server)
	case typed == "":
		l.beginAt(w, r, at)
	default:
		l.beginAs(w, r, typed)
	}
}

// beginAs begins the login of an account. The server gets the name that the
// user typed, because users do not know their DIDs.
func (l *Logins) beginAs(w http.ResponseWriter, r *http.Request, typed string) {
	a, err := l.accounts.resolver.Resolve(r.Context(), typed)
	if err != nil {
		l.refuse(w, r, err)
		return
	}
	l.begin(w, r, a.Issuer, asked{did: a.DID, typed: hintOf(typed, a)})
}

// hintOf returns what the server is told that the user typed.
func hintOf(typed string, a *identity.Account) string {
	if strings.Contains(typed, "did:") { // no handle has a colon
		return a.DID
	}
	return a.Handle
}

// beginAt begins a login at a server. Who the user is comes at its end.
func (l *Logins) beginAt(w http.ResponseWriter, r *http.Request, host string) {
	issuer, err := l.accounts.resolver.Issuer(r.Context(), host)
	if err != nil {
		l.refuse(w, r, err)
		return
	}
	l.begin(w, r, issuer, asked{})
}

func (l *Logins) begin(w http.ResponseWriter, r *http.Request, issuer string, a asked) {
	s, err := l.accounts.server(r.Context(), issuer)
	if err == nil {
		err = l.noteBegun(w, r, issuer)
	}
	if err != nil {
		l.refuse(w, r, err)
		return
	}
	s.login.Authorize().ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), askedKey{}, a)))
}

// resume finishes a login that could not finish before ("Try again").
func (l *Logins) resume(w http.ResponseWriter, r *http.Request) {
	switch s, err := l.serverOf(r, pendingName); {
	case err != nil:
		l.refuse(w, r, err)
	case s == nil:
		l.ask(w, r, r.FormValue("return_to"))
	default:
		s.login.Authorize().ServeHTTP(l.marking(w, r, s.issuer), r)
	}
}

// serveCallback finishes a login. The answer names its server (RFC 9207). The
// login of that server accepts only what it began, in this browser. A server at
// which this browser has begun no login is not asked anything.
func (l *Logins) serveCallback(w http.ResponseWriter, r *http.Request) {
	issuer := r.URL.Query().Get("iss")
	if !l.hasBegun(r, issuer) {
		l.refuse(w, r, middleware.ErrFlowNotFound)
		return
	}
	s, err := l.accounts.server(r.Context(), issuer)
	if err == nil {
		err = l.set(w, r, pendingName, issuer, pendingAge)
	}
	if err != nil {
		l.refuse(w, r, err)
		return
	}
	s.login.Callback().ServeHTTP(l.marking(w, r, issuer), r)
}

// marking notes with an answer that is a redirect at which server the browser
// is logged in: the login has finished.
type marking struct {
	http.ResponseWriter
	mark func()
}

func (l *Logins) marking(w http.ResponseWriter, r *http.Request, issuer string) *marking {
	return &marking{w, func() { _ = l.set(w, r, serverName, issuer, serverAge) }} // without it, the user logs in again
}

func (m *marking) WriteHeader(status int) {
	if status >= 300 && status < 400 {
		m.mark()
	}
	m.ResponseWriter.WriteHeader(status)
}

func (m *marking) Unwrap() http.ResponseWriter { return m.ResponseWriter }

// Require passes a request to next if its user is logged in, at whatever
// server. See middleware.Login.Require. A browser without a login is sent to
// App.LoginPage, and a program gets 401.
func (l *Logins) Require(next http.Handler) http.Handler {
	return l.ofSession(func(login *middleware.Login) http.Handler { return login.Require(next) })
}

// Session returns the session that r belongs to, and whether there is one. The
// subject of its user is the DID, and the username the handle at the time of
// the login, or empty.
func (l *Logins) Session(r *http.Request) (middleware.Session, bool) {
	s, err := l.serverOf(r, serverName)
	if s == nil || err != nil {
		return middleware.Session{}, false
	}
	return s.login.Session(r)
}

// ofSession serves a request by the login of the server that the browser is
// logged in at.
func (l *Logins) ofSession(serve func(*middleware.Login) http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch s, err := l.serverOf(r, serverName); {
		case err != nil:
			l.refuse(w, r, err)
		case s == nil:
			l.ask(w, r, r.URL.RequestURI())
		default:
			serve(s.login).ServeHTTP(w, r)
		}
	})
}

// serverOf returns the server that a cookie of the browser names, or nil. The
// cookie proves no login: the session of that server does.
func (l *Logins) serverOf(r *http.Request, name string) (*server, error) {
	issuer := l.read(r, name)
	if issuer == "" {
		return nil, nil //nolint:nilnil // there is none
	}
	return l.accounts.server(r.Context(), issuer)
}

// ask leads a browser to the page where the user types a handle.
func (l *Logins) ask(w http.ResponseWriter, r *http.Request, back string) {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodGet && r.Method != http.MethodPost || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.Error(w, "log in first", http.StatusUnauthorized)
		return
	}
	to := l.accounts.app.LoginPage
	if back != "" {
		to += "?" + url.Values{"return_to": {back}}.Encode()
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// refuse answers a request that leads to no server.
func (l *Logins) refuse(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case l.accounts.app.OnError != nil:
		l.accounts.app.OnError(w, r, err)
	case errors.Is(err, middleware.ErrNotNavigation):
		http.Error(w, "Open this address as a page.", http.StatusForbidden)
	case errors.Is(err, middleware.ErrFlowNotFound):
		http.Error(w, "This login is not under way in this browser. Log in again.", http.StatusBadRequest)
	case errors.Is(err, tokensource.ErrTemporary) || errors.Is(err, tokensource.ErrClosed):
		http.Error(w, "A server of this account does not answer now. Try again later.", http.StatusServiceUnavailable)
	default:
		http.Error(w, "This account cannot log in here: check the handle.", http.StatusBadRequest)
	}
}

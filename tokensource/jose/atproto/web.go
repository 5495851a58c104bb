package atproto

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/authtrip/authtrip/internal/loopback"
	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/tokensource"
)

// site is where the routes are.
type site struct {
	callback, authorize, logout, disconnect string

	prefix string // of the cookies
	secure bool
}

func newSite(redirectURL string) (site, error) {
	u, err := url.Parse(redirectURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback.Host(u.Hostname())) {
		return site{}, errors.New("atproto: App.Registration.RedirectURL must be https, or http on loopback")
	}
	at := func(name string) string { return path.Join(path.Dir(u.Path), name) }
	s := site{callback: u.Path, authorize: at("authorize"), logout: at("logout"), disconnect: at("disconnect"), secure: u.Scheme == "https"}
	if s.secure {
		s.prefix = "__Host-"
	}
	return s, nil
}

// askedKey is the key of the DID that a login asked for, in a context. hintKey
// is that of what the user typed.
type (
	askedKey struct{}
	hintKey  struct{}
)

// begin passes on what the user typed.
func begin(r *http.Request) *middleware.BeginOptions {
	hint, _ := r.Context().Value(hintKey{}).(string)
	return &middleware.BeginOptions{Params: url.Values{"login_hint": {hint}}}
}

// Mount registers the routes: the callback, and beside it "authorize", "logout"
// and "disconnect".
func (l *Logins) Mount(mux middleware.Mux) {
	mux.Handle(l.site.authorize, http.HandlerFunc(l.serveAuthorize))
	mux.Handle(l.site.callback, http.HandlerFunc(l.serveCallback))
	mux.Handle(l.site.logout, l.ofSession((*middleware.Login).Logout))
	mux.Handle(l.site.disconnect, l.ofSession((*middleware.Login).Disconnect))
}

// serveAuthorize begins a login at the authorization server of the account that
// the user typed. Without an account it asks for one.
func (l *Logins) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	typed := r.FormValue("identifier")
	if typed == "" && r.FormValue("resume") != "" {
		l.resume(w, r)
		return
	}
	if typed == "" {
		l.ask(w, r, r.FormValue("return_to"))
		return
	}
	a, err := l.resolver.Resolve(r.Context(), typed)
	if err != nil {
		refuse(w, err)
		return
	}
	s, err := l.server(r.Context(), a.Issuer)
	if err != nil {
		refuse(w, err)
		return
	}
	http.SetCookie(w, l.cookie(askedName(a.Issuer), a.DID, pendingAge))
	hint := a.Handle
	if hint == "" {
		hint = a.DID
	}
	s.login.Authorize().ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), hintKey{}, hint)))
}

// resume finishes a login that could not finish before ("Try again").
func (l *Logins) resume(w http.ResponseWriter, r *http.Request) {
	s, issuer, err := l.serverOf(r, pendingName)
	switch {
	case err != nil:
		refuse(w, err)
	case s == nil:
		l.ask(w, r, r.FormValue("return_to"))
	default:
		if asked, err := r.Cookie(l.site.prefix + askedName(issuer)); err == nil {
			r = r.WithContext(context.WithValue(r.Context(), askedKey{}, asked.Value))
		}
		s.login.Authorize().ServeHTTP(l.marking(w, issuer), r)
	}
}

// serveCallback finishes a login. The answer names its server (RFC 9207). The
// login of that server accepts only what it began, in this browser.
func (l *Logins) serveCallback(w http.ResponseWriter, r *http.Request) {
	issuer := r.URL.Query().Get("iss")
	asked, err := r.Cookie(l.site.prefix + askedName(issuer))
	if err != nil || checkDID(asked.Value) != nil {
		refuse(w, middleware.ErrFlowNotFound)
		return
	}
	s, err := l.server(r.Context(), issuer)
	if err != nil {
		refuse(w, err)
		return
	}
	r = r.WithContext(context.WithValue(r.Context(), askedKey{}, asked.Value))
	http.SetCookie(w, l.cookie(pendingName, encode(issuer), pendingAge))
	s.login.Callback().ServeHTTP(l.marking(w, issuer), r)
}

// marking sets a cookie with an answer that is a redirect: a login that has
// finished.
type marking struct {
	http.ResponseWriter
	mark *http.Cookie
}

func (l *Logins) marking(w http.ResponseWriter, issuer string) *marking {
	return &marking{ResponseWriter: w, mark: l.cookie(serverName, encode(issuer), 400*24*3600)}
}

func (m *marking) WriteHeader(status int) {
	if status >= 300 && status < 400 {
		http.SetCookie(m.ResponseWriter, m.mark)
	}
	m.ResponseWriter.WriteHeader(status)
}

func (m *marking) Unwrap() http.ResponseWriter { return m.ResponseWriter }

// Require passes a request to next if its user is logged in, at whatever
// server.
// See middleware.Login.Require. A browser without a login is sent to
// App.LoginPage, and a program gets 401.
func (l *Logins) Require(next http.Handler) http.Handler {
	return l.ofSession(func(login *middleware.Login) http.Handler { return login.Require(next) })
}

// Session returns the session that r belongs to, and whether there is one. The
// subject of its user is the DID.
func (l *Logins) Session(r *http.Request) (middleware.Session, bool) {
	s, _, err := l.serverOf(r, serverName)
	if s == nil || err != nil {
		return middleware.Session{}, false
	}
	return s.login.Session(r)
}

// ofSession serves a request by the login of the server that the browser is
// logged in at.
func (l *Logins) ofSession(serve func(*middleware.Login) http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch s, _, err := l.serverOf(r, serverName); {
		case err != nil:
			refuse(w, err)
		case s == nil:
			l.ask(w, r, r.URL.RequestURI())
		default:
			serve(s.login).ServeHTTP(w, r)
		}
	})
}

// serverOf returns the server that a cookie of the browser names, and its
// issuer, or nil. The cookie proves nothing: the session of that server does.
func (l *Logins) serverOf(r *http.Request, name string) (*server, string, error) {
	issuer := issuerIn(r, l.site.prefix+name)
	if issuer == "" {
		return nil, "", nil
	}
	s, err := l.server(r.Context(), issuer)
	return s, issuer, err
}

// issuerIn returns the issuer that a cookie names, or "".
func issuerIn(r *http.Request, cookie string) string {
	c, err := r.Cookie(cookie)
	if err != nil {
		return ""
	}
	raw, err := base64.RawURLEncoding.DecodeString(c.Value)
	if issuer, bad := origin(string(raw)); err != nil || bad != nil || issuer != string(raw) {
		return ""
	}
	return string(raw)
}

// ask leads a browser to the page where the user types a handle.
func (l *Logins) ask(w http.ResponseWriter, r *http.Request, back string) {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodGet && r.Method != http.MethodPost || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.Error(w, "log in first", http.StatusUnauthorized)
		return
	}
	to := l.app.LoginPage
	if back != "" {
		to += "?" + url.Values{"return_to": {back}}.Encode()
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// refuse answers a request that leads to no server.
func refuse(w http.ResponseWriter, err error) {
	w.Header().Set("Cache-Control", "no-store")
	if errors.Is(err, tokensource.ErrTemporary) {
		http.Error(w, "A server of this account does not answer now. Try again later.", http.StatusServiceUnavailable)
		return
	}
	http.Error(w, "This account cannot log in here: check the handle.", http.StatusBadRequest)
}

// The names of cookies: serverName of the server at which the browser is logged
// in, and pendingName of the server of its latest login. A login can be
// finished
// within an hour.
const (
	serverName  = "atproto-server"
	pendingName = "atproto-pending"
	pendingAge  = 3600
)

// cookie is for this host. The age is in seconds.
func (l *Logins) cookie(name, value string, age int) *http.Cookie {
	return &http.Cookie{
		Name: l.site.prefix + name, Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, Secure: l.site.secure, SameSite: http.SameSiteLaxMode,
	}
}

// askedName names the cookie with the DID that was asked for at a server.
func askedName(issuer string) string { return "atproto-asked-" + encode(issuer) }

func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

package main

import (
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"slices"

	"github.com/alexedwards/scs/v2"

	"github.com/authtrip/authtrip/middleware/connect"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/transport"
)

//go:embed page.html
var pageHTML string

var page = template.Must(template.New("page").Parse(pageHTML))

// app is the web app. Its users log in with a name. What connect adds is in
// add and in call.
type app struct {
	data     *database
	sessions *scs.SessionManager
	accounts *connect.Accounts
	routes   []*connect.Provider
	client   *http.Client      // acts for the account that the context of a request names
	probes   map[string]string // by provider: where to ask who an account is
	ends     []func() error
}

// newApp makes the app.
func newApp(data *database) (*app, error) {
	a := &app{data: data, sessions: scs.New(), client: &http.Client{}, probes: map[string]string{}}
	a.sessions.Store = data.sessions
	var err error
	a.accounts, err = connect.New(a.currentUser, nil)
	return a, err
}

// add makes the accounts at one server connectable.
func (a *app) add(up *upstream) error {
	a.ends = append(a.ends, up.stop)
	client, err := oauth.New(up.provider, up.registration, &oauth.Options{HTTPClient: &http.Client{Transport: up.base}})
	if err != nil {
		return err
	}
	grants, err := grant.New(client, a.data.grants, nil)
	if err != nil {
		return err
	}
	a.ends = append(a.ends, grants.Close)
	routes, err := a.accounts.Add(grants, a.data.keys, nil)
	if err != nil {
		return err
	}
	a.routes = append(a.routes, routes)
	// One client for all accounts: the transport of each server attaches the
	// token of the account that the context names, at this server only.
	t, err := transport.New(grants, &transport.Options{Base: up.through(a.client.Transport)})
	if err != nil {
		return err
	}
	a.client.Transport = t
	a.probes[up.provider.Name] = up.provider.IdentityURL
	return nil
}

// close ends everything, the database last.
func (a *app) close() error {
	var errs []error
	for _, end := range slices.Backward(a.ends) {
		errs = append(errs, end())
	}
	a.data.close()
	return errors.Join(errs...)
}

// currentUser says which user of the app sent a request. It is what connect
// needs to know of the sessions.
func (a *app) currentUser(r *http.Request) (string, error) {
	return a.sessions.GetString(r.Context(), "user"), nil
}

// handler returns the app. LoadAndSave is around the routes of connect as well,
// because they ask for the user.
func (a *app) handler() http.Handler {
	mux := http.NewServeMux()
	for _, routes := range a.routes {
		routes.Mount(mux) // /x/connect, /x/callback, /x/disconnect
	}
	mux.HandleFunc("GET /{$}", a.home)
	own := http.NewCrossOriginProtection()
	mux.Handle("POST /login", own.Handler(http.HandlerFunc(a.login)))
	mux.Handle("POST /logout", own.Handler(http.HandlerFunc(a.logout)))
	mux.Handle("POST /call", own.Handler(http.HandlerFunc(a.call)))
	return a.sessions.LoadAndSave(mux)
}

type view struct {
	Name        string // of the user; empty if nobody is logged in
	Providers   []string
	Connections []connect.Connection
	Said        string // what the API said
}

func (a *app) home(w http.ResponseWriter, r *http.Request) {
	user, _ := a.currentUser(r)
	v := view{Said: a.sessions.PopString(r.Context(), "said")}
	if user != "" {
		var err error
		if v.Name, err = a.data.users.name(r.Context(), user); err != nil {
			http.Error(w, "the database cannot be reached", http.StatusServiceUnavailable)
			return
		}
		if v.Connections, err = a.accounts.Connections(r.Context(), user); err != nil {
			http.Error(w, "the connections cannot be read", http.StatusServiceUnavailable)
			return
		}
		v.Providers = []string{"x", "google"}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
	_ = page.Execute(w, v) // the browser may be gone
}

// login is the app's own login. A real one asks for a password.
func (a *app) login(w http.ResponseWriter, r *http.Request) {
	user, err := a.data.users.find(r.Context(), r.PostFormValue("name"))
	switch {
	case errors.Is(err, errName):
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	case err != nil: // its text is for the operator
		http.Error(w, "the database cannot be reached", http.StatusServiceUnavailable)
		return
	}
	if err := a.sessions.RenewToken(r.Context()); err != nil {
		http.Error(w, "the database cannot be reached", http.StatusServiceUnavailable)
		return
	}
	a.sessions.Put(r.Context(), "user", user)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *app) logout(w http.ResponseWriter, r *http.Request) {
	if err := a.sessions.Destroy(r.Context()); err != nil {
		http.Error(w, "the database cannot be reached", http.StatusServiceUnavailable)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// call asks the API of one connected account who it is.
func (a *app) call(w http.ResponseWriter, r *http.Request) {
	user, _ := a.currentUser(r)
	if user == "" {
		http.Error(w, "log in first", http.StatusUnauthorized)
		return
	}
	c, err := a.accounts.Connection(r.Context(), user, r.PostFormValue("connection"))
	switch {
	case errors.Is(err, connect.ErrNoConnection):
		http.Error(w, "no such connection", http.StatusNotFound)
		return
	case err != nil:
		http.Error(w, "the connections cannot be read", http.StatusServiceUnavailable)
		return
	}
	a.sessions.Put(r.Context(), "said", a.ask(r, c))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// ask returns what the API says, or what the user can do.
func (a *app) ask(r *http.Request, c connect.Connection) string {
	req, err := http.NewRequestWithContext(c.Context(r.Context()), http.MethodGet, a.probes[c.Provider], nil)
	if err != nil {
		return err.Error()
	}
	resp, err := a.client.Do(req)
	switch {
	case errors.Is(err, tokensource.ErrReauthorize), errors.Is(err, tokensource.ErrNoSubject):
		return "This account has to be connected again."
	case err != nil:
		return "The API cannot be reached."
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	return fmt.Sprintf("%s: %s", resp.Status, body)
}

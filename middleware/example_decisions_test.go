package middleware_test

import (
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// Who may log in? OnLogin decides before anything is stored. It can also create
// the user in the app's own database. The tokens of a user who is refused are
// revoked.
func ExampleOptions_onLogin() {
	members := map[string]bool{"2244994945": true}
	o := &middleware.Options{
		OnLogin: func(_ context.Context, user provider.Identity) error {
			if !members[user.Subject] {
				return fmt.Errorf("no member: %w", middleware.ErrRefused)
			}
			return nil // an error of the database is another error: the login is tried again
		},
	}
	fmt.Println(o.OnLogin(context.Background(), provider.Identity{Subject: "2244994945"}))
	fmt.Println(o.OnLogin(context.Background(), provider.Identity{Subject: "7"}))
	// Output:
	// <nil>
	// no member: middleware: this user may not log in
}

// Log out or disconnect? Two buttons: one ends the session in this browser, and
// the other one revokes what the user gave the app, and ends all sessions. Both
// are forms that post to this site.
func ExampleLogin_Disconnect() {
	var login *middleware.Login // from middleware.New, mounted at /auth
	page := template.Must(template.New("").Parse(`
<form method="post" action="/auth/logout"><button>Log out</button></form>
<form method="post" action="/auth/disconnect"><button>Disconnect my account</button></form>`))
	settings := func(w http.ResponseWriter, _ *http.Request) { _ = page.Execute(w, nil) }
	http.Handle("/settings", login.Require(http.HandlerFunc(settings)))
}

// A page that lists where the user is logged in, and ends the other sessions.
func ExampleLogin_EndSessions() {
	var login *middleware.Login // from middleware.New
	page := func(w http.ResponseWriter, r *http.Request) {
		here, ok := login.Session(r)
		if !ok {
			login.Reauthorize(w, r)
			return
		}
		if r.Method == http.MethodPost {
			if err := login.EndSessions(r.Context(), here.User.Subject, here.ID); err != nil {
				http.Error(w, "try again", http.StatusServiceUnavailable)
				return
			}
		}
		all, err := login.Sessions(r.Context(), here.User.Subject)
		if err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		for _, s := range all {
			fmt.Fprintln(w, s.Device, s.Seen.Format("2006-01-02"), s.ID == here.ID)
		}
	}
	_ = http.HandlerFunc(page)
}

// library stands for the session library of an app, with its sessions by the
// value of a cookie.
type library struct {
	mu   sync.Mutex // guards what follows
	data map[string]map[string]string
	next int
}

// Get implements middleware.Sessions.
func (l *library) Get(r *http.Request, name string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, err := r.Cookie("app")
	if err != nil {
		return "", nil // no session is no failure
	}
	return l.data[c.Value][name], nil
}

// Set implements middleware.Sessions. The session gets a new identifier,
// because another person may know the one from before the login.
func (l *library) Set(w http.ResponseWriter, r *http.Request, name, value string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	values := map[string]string{}
	if c, err := r.Cookie("app"); err == nil && l.data[c.Value] != nil {
		values = l.data[c.Value]
		delete(l.data, c.Value)
	}
	values[name] = value
	l.next++
	id := fmt.Sprint("session-", l.next) // a library uses 32 random bytes
	l.data[id] = values
	http.SetCookie(w, &http.Cookie{Name: "app", Value: id, Path: "/", HttpOnly: true, Secure: true})
	return nil
}

// An app that has sessions keeps them: the login is one value in there. The
// folder examples/sessions has this for scs and gorilla/sessions.
func ExampleSessions() {
	sessions := &library{data: map[string]map[string]string{}}
	o := &middleware.Options{Sessions: sessions} // for middleware.New

	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	fmt.Println(o.Sessions.Set(w, r, "login", "value"))
	r.AddCookie(w.Result().Cookies()[0])
	fmt.Println(o.Sessions.Get(r, "login"))
	// Output:
	// <nil>
	// value <nil>
}

// Who is logged in? The session says it, without a call to the server.
func ExampleLogin_Session() {
	var login *middleware.Login // from middleware.New
	http.Handle("/api/me", login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := login.Session(r)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"id": session.User.Subject, "name": session.User.Name})
	})))
}

// A user closes the account at the app. Forget ends the sessions and the grant,
// and revokes the tokens. It can be repeated.
func ExampleLogin_Forget() {
	var login *middleware.Login // from middleware.New
	closeAccount := func(w http.ResponseWriter, r *http.Request) {
		user, ok := login.Subject(r)
		if !ok {
			login.Reauthorize(w, r)
			return
		}
		if err := login.Forget(r.Context(), user); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		// Now delete what the app itself knows of the user.
	}
	_ = http.HandlerFunc(closeAccount)
}

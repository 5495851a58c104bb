package moving

import (
	"fmt"
	"net/http"

	"github.com/markbates/goth"
	"github.com/markbates/goth/gothic"
	"github.com/markbates/goth/providers/google"

	"github.com/authtrip/authtrip/middleware"
)

// BeforeGoth logs users in with goth. It keeps no token: a program that calls
// an API later stores tokens and refreshes them by itself.
func BeforeGoth(mux *http.ServeMux, clientID, secret string) {
	goth.UseProviders(google.New(clientID, secret, "https://app.example/auth/google/callback", "email"))
	mux.HandleFunc("GET /auth/{provider}", gothic.BeginAuthHandler)
	mux.HandleFunc("GET /auth/{provider}/callback", func(w http.ResponseWriter, r *http.Request) {
		user, err := gothic.CompleteUserAuth(w, r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintln(w, "Hello,", user.Name) // and now the app makes a session of its own
	})
}

// AfterGoth is the same login. It comes with a session, and stores the grant.
func AfterGoth(mux *http.ServeMux, login *middleware.Login) {
	login.Mount(mux) // /authorize, /callback, /logout, /disconnect
	mux.Handle("GET /me", login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := login.Session(r)
		fmt.Fprintln(w, "Hello,", session.User.Name)
	})))
}

package sessions

import (
	"net/http"

	"github.com/gorilla/sessions"
)

// Gorilla keeps the login in the app's sessions of gorilla/sessions. Take a
// Store that keeps values on the server: a cookie holds 4 KiB.
type Gorilla struct{ sessions.Store }

// Get implements middleware.Sessions. A cookie that cannot be read is no
// session.
func (g Gorilla) Get(r *http.Request, name string) (string, error) {
	session, _ := g.Store.Get(r, "app")
	value, _ := session.Values[name].(string)
	return value, nil
}

// Set implements middleware.Sessions. It gives the session a new ID.
func (g Gorilla) Set(w http.ResponseWriter, r *http.Request, name, value string) error {
	session, _ := g.Store.Get(r, "app")
	session.ID, session.Values[name] = "", value
	return session.Save(r, w)
}

package sessions

import (
	"net/http"

	"github.com/alexedwards/scs/v2"
)

// SCS keeps the login in the app's sessions of alexedwards/scs. The app's
// handler must be wrapped in LoadAndSave, the routes of the login too.
type SCS struct{ *scs.SessionManager }

// Get implements middleware.Sessions.
func (s SCS) Get(r *http.Request, name string) (string, error) {
	return s.GetString(r.Context(), name), nil
}

// Set implements middleware.Sessions. It gives the session a new token.
func (s SCS) Set(_ http.ResponseWriter, r *http.Request, name, value string) error {
	s.Put(r.Context(), name, value)
	return s.RenewToken(r.Context())
}

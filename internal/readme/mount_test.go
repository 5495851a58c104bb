package readme_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/filestore"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/transport"
)

// mount is everything that an existing server needs.
func mount(mux *http.ServeMux) error {
	client, err := oauth.New(provider.X(), oauth.Registration{
		ClientID:    os.Getenv("X_CLIENT_ID"),
		Credential:  oauth.Secret(os.Getenv("X_CLIENT_SECRET")), // empty for a public client
		RedirectURL: "https://app.example/callback",
		Scopes:      []string{"tweet.read", "users.read", "offline.access"},
	}, nil)
	if err != nil {
		return err
	}
	keys, err := seal.ParseKeys(os.Getenv("APP_KEYS")) // 32 random bytes in base64; several to rotate
	if err != nil {
		return err
	}
	files, err := filestore.Open("grants", nil)
	if err != nil {
		return err
	}
	store, err := storage.Sealed(files, keys)
	if err != nil {
		return err
	}
	grants, err := grant.New(client, store, nil)
	if err != nil {
		return err
	}
	login, err := middleware.New(grants, keys, &middleware.Options{AppName: "My app"})
	if err != nil {
		return err
	}
	authenticated, err := transport.New(grants, nil)
	if err != nil {
		return err
	}
	api := &http.Client{Transport: authenticated} // one for all users

	login.Mount(mux) // /authorize, /callback, /logout, /disconnect
	mux.Handle("GET /me", login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, err := http.NewRequestWithContext(r.Context(), "GET", "https://api.x.com/2/users/me", nil)
		if err != nil {
			http.Error(w, "bug", http.StatusInternalServerError)
			return
		}
		resp, err := api.Do(req) // as the user of this web session
		if errors.Is(err, tokensource.ErrReauthorize) {
			login.Reauthorize(w, r)
			return
		}
		if err != nil {
			http.Error(w, "X cannot be reached", http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		fmt.Fprintln(w, "X answers", resp.Status)
	})))
	return nil
}

package middleware_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// A whole login: an app on a mux of its own, the fake of X, and a browser that
// opens a page.
func Example() {
	x, _ := xapi.NewServer(nil)
	mux := http.NewServeMux()
	app := httptest.NewServer(mux)
	defer app.Close()

	// At the real X: provider.X(), and the ID and secret from the developer
	// console.
	registered := oauthtest.ConfidentialApp()
	registered.RedirectURLs = []string{app.URL + "/auth/callback"}
	_ = x.Register(registered)
	client, err := oauth.New(x.Provider(""), oauth.Registration{
		ClientID: registered.ClientID, Credential: oauth.Secret(registered.Secret()), RedirectURL: app.URL + "/auth/callback",
		Scopes: []string{"tweet.read", "users.read", "offline.access"},
	}, &oauth.Options{HTTPClient: &http.Client{Transport: x.Transport()}})
	if err != nil {
		fmt.Println(err)
		return
	}
	keys, _ := seal.NewKeys(seal.NewKey())
	grants, err := grant.New(client, storage.NewMemory(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = grants.Close() }()

	login, err := middleware.New(grants, keys, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	login.Mount(mux) // /auth/authorize, /auth/callback, /auth/logout
	mux.Handle("/timeline", login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := login.Subject(r)
		fmt.Fprintln(w, "Hello,", user)
	})))

	// The browser: X's pages are in memory, the app is on the network.
	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Jar: jar, Transport: hosts{"x.com": x.Transport()}}
	req, _ := http.NewRequest(http.MethodGet, app.URL+"/timeline", nil)
	req.Header.Set("Accept", "text/html")
	resp, err := browser.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Print(resp.Request.URL.Path, ": ", string(body))
	// Output: /timeline: Hello, 2244994945
}

// hosts sends the requests to some hosts elsewhere.
type hosts map[string]http.RoundTripper

func (h hosts) RoundTrip(r *http.Request) (*http.Response, error) {
	if rt, ok := h[r.URL.Hostname()]; ok {
		return rt.RoundTrip(r)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// One page of the app's own, and the default page for everything else.
func ExampleOptions_onError() {
	o := &middleware.Options{
		OnError: func(w http.ResponseWriter, r *http.Request, err error) {
			if errors.Is(err, middleware.ErrAccessDenied) {
				http.Redirect(w, r, "/why-we-need-access", http.StatusSeeOther)
				return
			}
			middleware.ErrorPage(w, r, err)
		},
	}
	w := httptest.NewRecorder()
	o.OnError(w, httptest.NewRequest("GET", "/callback", nil), &middleware.Error{Kind: middleware.ErrAccessDenied})
	fmt.Println(w.Code, w.Header().Get("Location"))
	// Output: 303 /why-we-need-access
}

// A router that strips the prefix of its parts gets all routes as one handler.
func ExampleLogin_Handler() {
	var login *middleware.Login // from middleware.New
	mux := http.NewServeMux()
	mux.Handle("/auth/", http.StripPrefix("/auth", login.Handler()))
}

// A handler of the app asks for one more scope, for this login only.
func ExampleLogin_Begin() {
	var login *middleware.Login // from middleware.New
	page := func(w http.ResponseWriter, r *http.Request) {
		login.Begin(w, r, &middleware.BeginOptions{
			ReturnTo: "/compose",
			Scopes:   []string{"tweet.read", "users.read", "offline.access", "tweet.write"},
		})
	}
	_ = http.HandlerFunc(page)
}

// An API call that fails because the user has withdrawn access leads to a new
// login, and back to the page.
func ExampleLogin_Reauthorize() {
	var login *middleware.Login // from middleware.New
	var api *http.Client        // with authtrip's transport
	page := func(w http.ResponseWriter, r *http.Request) {
		req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "https://api.x.com/2/users/me", nil)
		if err != nil {
			http.Error(w, "internal error", http.StatusInternalServerError)
			return
		}
		resp, err := api.Do(req)
		switch {
		case errors.Is(err, tokensource.ErrReauthorize):
			login.Reauthorize(w, r)
			return
		case err != nil:
			http.Error(w, "X cannot be reached", http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		_, _ = io.Copy(w, resp.Body)
	}
	_ = http.HandlerFunc(page)
}

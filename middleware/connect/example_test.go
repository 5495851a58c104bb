package connect_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/authtrip/authtrip/middleware/connect"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/transport"
)

// An app with its own users: user 17 connects an account at X, and a page of
// the app acts for it.
func Example() {
	mux := http.NewServeMux()
	app := httptest.NewServer(mux)
	defer app.Close()
	x, grants := exampleX(app.URL + "/x/callback")
	defer func() { _ = grants.Close() }()

	// The app's own sessions say who sent a request.
	currentUser := func(*http.Request) (string, error) { return "17", nil }

	accounts, err := connect.New(currentUser, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	keys, _ := seal.NewKeys(seal.NewKey())
	provider, err := accounts.Add(grants, keys, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	provider.Mount(mux) // /x/connect, /x/callback, /x/disconnect

	t, _ := transport.New(grants, &transport.Options{Base: x.Transport()})
	client := &http.Client{Transport: t} // for the accounts of all users
	mux.HandleFunc("/accounts", func(w http.ResponseWriter, r *http.Request) {
		list, err := accounts.Connections(r.Context(), "17")
		if err != nil {
			http.Error(w, "the store cannot be reached", http.StatusServiceUnavailable)
			return
		}
		for _, c := range list {
			ctx := c.Context(r.Context())
			req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "https://api.x.com/2/users/me", nil)
			resp, err := client.Do(req)
			if err != nil {
				fmt.Fprintln(w, c.User.Name, "has to be connected again")
				continue
			}
			_ = resp.Body.Close()
			fmt.Fprintln(w, c.Provider, c.User.Subject, resp.StatusCode)
		}
	})

	// The browser: X's pages are in memory, the app is on the network.
	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Jar: jar, Transport: hosts{"x.com": x.Transport()}}
	begin, _ := http.NewRequest(http.MethodPost, app.URL+"/x/connect", strings.NewReader(url.Values{"return_to": {"/accounts"}}.Encode()))
	begin.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	begin.Header.Set("Sec-Fetch-Site", "same-origin") // as a form of the app's page sends it
	resp, err := browser.Do(begin)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	page, _ := io.ReadAll(resp.Body)
	fmt.Print(resp.Request.URL.Path, ": ", string(page))
	// Output: /accounts: x 2244994945 200
}

// exampleX returns a fake of X and the grants of an app there. At the real X:
// provider.X(), and the ID and secret from the developer console.
func exampleX(redirectURL string) (*xapi.Server, *grant.Keeper) {
	x, _ := xapi.NewServer(nil)
	app := oauthtest.ConfidentialApp()
	app.RedirectURLs = []string{redirectURL}
	_ = x.Register(app)
	client, err := oauth.New(x.Provider(""), oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: redirectURL,
		Scopes: []string{"tweet.read", "users.read", "offline.access"},
	}, &oauth.Options{HTTPClient: &http.Client{Transport: x.Transport()}})
	if err != nil {
		panic(err)
	}
	grants, err := grant.New(client, storage.NewMemory(), nil)
	if err != nil {
		panic(err)
	}
	return x, grants
}

// hosts sends the requests to some hosts elsewhere.
type hosts map[string]http.RoundTripper

func (h hosts) RoundTrip(r *http.Request) (*http.Response, error) {
	if rt, ok := h[r.URL.Hostname()]; ok {
		return rt.RoundTrip(r)
	}
	return http.DefaultTransport.RoundTrip(r)
}

package transport_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/transport"
)

// nothingButTokens hides everything that a Keeper knows beside its tokens, such
// as its endpoints.
type nothingButTokens struct{ tokensource.Renewer }

// A program may put a Transport in the place of http.DefaultTransport, which
// the engine uses too. Its requests pass, also if the source names no
// endpoints and the authorization server and the API have one origin (T9).
func TestT9_TheDefaultTransportIsWrapped(t *testing.T) {
	for name, app := range map[string]oauthtest.App{"public": oauthtest.PublicApp(), "confidential": oauthtest.ConfidentialApp()} {
		for _, hidden := range []bool{false, true} {
			x := xapi.New(t, nil)
			server := httptest.NewServer(x)
			defer server.Close()
			var credential oauth.Credential
			if name == "confidential" {
				credential = oauth.Secret(app.Secret())
			}
			client, err := oauth.New(x.Provider(server.URL), oauth.Registration{
				ClientID: app.ClientID, Credential: credential, RedirectURL: app.RedirectURLs[0], Scopes: []string{"offline.access", "users.read", "tweet.read"},
			}, nil)
			if err != nil {
				t.Fatal(err)
			}
			keeper, err := grant.New(client, storage.NewMemory(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := keeper.Close(); err != nil {
					t.Error(err)
				}
			}()
			user := oauthtest.DefaultUser().ID
			var src tokensource.Source = keeper.Source(user)
			if hidden {
				src = nothingButTokens{keeper.Source(user)}
			}
			rt, err := transport.New(src, &transport.Options{Origins: []string{server.URL}})
			if err != nil {
				t.Fatal(err)
			}
			func() {
				before := http.DefaultTransport
				http.DefaultTransport = rt
				defer func() { http.DefaultTransport = before }()
				access, refresh, err := x.IssueToken(user, app.ClientID, client.Scopes()...)
				if err != nil {
					t.Fatal(err)
				}
				tok := &oauth2.Token{AccessToken: access, RefreshToken: refresh, TokenType: "bearer", Expiry: time.Now().Add(time.Hour)}
				if _, err := keeper.Save(t.Context(), user, tok); err != nil {
					t.Fatal(err)
				}
				x.ExpireAccess("")
				if status, body := roundTrip(t, http.DefaultTransport, newRequest(t, "GET", server.URL+xapi.PathMe, nil)); status != 200 {
					t.Errorf("%s, hidden %t: GET = %d %s, want 200 after a refresh", name, hidden, status, body)
				}
				if err := keeper.Logout(t.Context(), user); err != nil {
					t.Errorf("%s, hidden %t: Logout() = %v, want none", name, hidden, err)
				}
			}()
			for _, r := range x.Requests(oauthtest.Match{Op: "token"}, oauthtest.Match{Op: "revoke"}) {
				auth := r.Raw().Header.Get("Authorization")
				if strings.HasPrefix(auth, "Bearer ") || (auth == "") != (name == "public") {
					t.Errorf("%s, hidden %t: %v was sent with %.7q, want the credential of the client", name, hidden, r, auth)
				}
			}
			if n := x.TokenCalls("refresh_token"); n != 1 {
				t.Errorf("%s, hidden %t: %d refreshes, want 1", name, hidden, n)
			}
		}
	}
}

// The engine's own requests travel on connections of their own, also through a
// Transport whose base keeps connections.
func TestG3_TheEnginesRequestsUseNewConnections(t *testing.T) {
	var mu sync.Mutex
	used := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			mu.Lock()
			used[r.RemoteAddr]++
			mu.Unlock()
			_, _ = io.WriteString(w, `{"access_token":"a","refresh_token":"r"}`)
		}
	}))
	defer server.Close()
	base := &http.Transport{}
	defer base.CloseIdleConnections()
	inner := newTransport(t, newSource(), base, transport.Options{Origins: []string{server.URL}, Endpoints: []string{server.URL + "/token"}})
	rt := newTransport(t, newSource(), inner, transport.Options{Origins: []string{"https://other.example"}})
	client, err := oauth.New(&provider.Provider{
		Name: "test", AuthorizationURL: server.URL + "/authorize", TokenURL: server.URL + "/token", InsecureLoopback: true,
	}, oauth.Registration{ClientID: "app", RedirectURL: "https://app.example/callback"}, &oauth.Options{HTTPClient: &http.Client{Transport: rt}})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		roundTrip(t, rt, newRequest(t, "GET", server.URL+"/api", nil))
		if _, err := client.Refresh(t.Context(), "r"); err != nil {
			t.Fatal(err)
		}
	}
	if len(used) != 3 {
		t.Errorf("3 refreshes came on the connections %v, want 3", used)
	}
}

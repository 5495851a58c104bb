package transport_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/transport"
)

// late is a base that is set after its client was made, as
// http.DefaultTransport is when a program wraps it.
type late struct{ rt http.RoundTripper }

func (l *late) RoundTrip(req *http.Request) (*http.Response, error) { return l.rt.RoundTrip(req) }

// vault keeps the client secret at an origin of its own, before the fake X.
type vault struct {
	http.RoundTripper
	secret string
	auths  []string // the Authorization headers that it got
}

func (v *vault) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host != "vault.example" {
		return v.RoundTripper.RoundTrip(req)
	}
	v.auths = append(v.auths, authorizations(req.Header)...)
	return response(req, 200, nil, v.secret), nil
}

// A program may use one http.Client for everything. Requests for a token, a
// revocation, the user's identity and the client secret pass as they are, and
// no token waits for itself.
func TestT9_OneClientForEverything(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		x, app := xapi.New(t, nil), oauthtest.ConfidentialApp()
		v := &vault{RoundTripper: x.Transport(), secret: app.Secret()}
		everything := &late{}
		hc := &http.Client{Transport: everything}
		secret := oauth.SecretFunc(func(ctx context.Context) (string, error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://vault.example/secret", nil)
			if err != nil {
				return "", err
			}
			resp, err := hc.Do(req)
			if err != nil {
				return "", err
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			return string(text), err
		})
		client, err := oauth.New(x.Provider(""), oauth.Registration{
			ClientID: app.ClientID, Credential: secret, RedirectURL: app.RedirectURLs[0], Scopes: []string{"offline.access", "users.read", "tweet.read"},
		}, &oauth.Options{HTTPClient: hc})
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
		rt := newTransport(t, keeper.Source(user), v, transport.Options{})
		everything.rt = rt
		access, refresh, err := x.IssueToken(user, app.ClientID, client.Scopes()...)
		if err != nil {
			t.Fatal(err)
		}
		tok := &oauth2.Token{AccessToken: access, RefreshToken: refresh, TokenType: "bearer", Expiry: time.Now().Add(time.Hour)}
		if _, err := keeper.Save(t.Context(), user, tok); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour) // the token has expired: a request waits for a refresh
		if status, body := roundTrip(t, rt, newRequest(t, "GET", xAPI+xapi.PathMe, nil)); status != 200 {
			t.Errorf("GET = %d %s, want 200 after a refresh", status, body)
		}
		foreign := &oauth2.Token{AccessToken: access}
		if _, err := client.Identity(t.Context(), foreign); err == nil {
			t.Error("Identity() of an expired token = nil: it was sent with another token")
		}
		if err := keeper.Logout(t.Context(), user); err != nil {
			t.Errorf("Logout() = %v, want none", err)
		}
		if n := x.TokenCalls("refresh_token"); n != 1 || len(v.auths) != 0 {
			t.Errorf("%d refreshes, and the vault got %q, want 1 and no token", n, v.auths)
		}
		for _, r := range x.Requests(oauthtest.Match{Op: "token"}) {
			if got := r.Raw().Header.Get("Authorization"); !strings.HasPrefix(got, "Basic ") {
				t.Errorf("%v was sent with %.10q, want Basic", r, got)
			}
		}
		if _, err := keeper.Source(user).Token(t.Context()); err == nil {
			t.Error("Token() after Logout = nil, want an error")
		}
		if status, _ := roundTrip(t, rt, newRequest(t, "GET", "https://vault.example/other", nil)); status != 200 {
			t.Errorf("GET elsewhere without a grant = %d, want 200: it passes", status)
		}
	})
}

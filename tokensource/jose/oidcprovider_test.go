package jose_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/authtrip/authtrip/internal/nodekit"
	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/transport"
)

// nodeApp is an app with a login at npm's oidc-provider.
type nodeApp struct {
	url, issuer string
	client      *oauth.Client
	grants      *grant.Keeper
	api         *http.Client
}

// npm's oidc-provider binds tokens to keys, with nonces and rotation: for a
// confidential and for a public client, and for a pushed request.
func TestOIDCProviderWithDPoP(t *testing.T) {
	for _, tt := range []struct {
		clientID string
		pushed   bool
	}{{"confidential", false}, {"public", false}, {"public", true}} {
		t.Run(fmt.Sprintf("%s, pushed %v", tt.clientID, tt.pushed), func(t *testing.T) {
			t.Parallel()
			a := newNodeApp(t, tt.clientID, tt.pushed)
			me := nodekit.NewPerson(t)
			if got := me.Decide(me.Get(a.url+"/me"), "alice", true); got.Text != "alice" {
				t.Fatalf("after the login the app answers %d %q, want alice", got.Status, got.Text)
			}
			for n := 1; n <= 3; n++ {
				before := a.get(t, "/kill-access")
				if got := me.Get(a.url + "/me"); got.Text != "alice" {
					t.Fatalf("call %d after the token became invalid = %d %.200s, want alice", n, got.Status, got.Text)
				}
				if after := a.get(t, "/counts"); after.Refreshes != before.Refreshes+1 || after.Refused != 0 || after.Challenges > 2 {
					t.Errorf("an invalid token took the server from %+v to %+v, want one refresh and no refusal", before, after)
				}
			}
			g, err := a.grants.Grant(t.Context(), "alice")
			if err != nil || !g.Bound {
				t.Errorf("the grant is %+v, %v, want one that is bound", g, err)
			}
		})
	}
}

func newNodeApp(t *testing.T, clientID string, pushed bool) *nodeApp {
	t.Helper()
	mux := http.NewServeMux()
	live := httptest.NewServer(mux)
	t.Cleanup(live.Close)
	a := &nodeApp{url: live.URL}
	a.issuer = nodekit.Serve(t, "testdata/oidc-provider.mjs", "CLIENT_SECRET=a secret", "CALLBACK="+live.URL+"/callback")
	r := oauth.Registration{ClientID: clientID, RedirectURL: live.URL + "/callback", Scopes: []string{"openid", "profile", "offline_access"}}
	if clientID == "confidential" {
		r.Credential = oauth.Secret("a secret")
	}
	var err error
	if a.client, err = oauth.New(a.provider(pushed), r, &oauth.Options{Proofs: newDPoP(t, nil)}); err != nil {
		t.Fatal(err)
	}
	keys := must(seal.NewKeys(seal.NewKey()))
	if a.grants, err = grant.New(a.client, must(storage.Sealed(storage.NewMemory(), keys)), &grant.Options{RenewSpacing: time.Nanosecond}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.grants.Close() })
	login, err := middleware.New(a.grants, keys, &middleware.Options{Params: url.Values{"prompt": {"consent"}}})
	if err != nil {
		t.Fatal(err)
	}
	a.api = &http.Client{Transport: must(transport.New(a.grants, nil))}
	login.Mount(mux)
	mux.Handle("/me", login.Require(http.HandlerFunc(a.me)))
	return a
}

func (a *nodeApp) provider(pushed bool) *provider.Provider {
	p := &provider.Provider{
		Name: "oidc-provider", Issuer: a.issuer, IssuerRequired: true,
		AuthorizationURL: a.issuer + "/auth", TokenURL: a.issuer + "/token", RevocationURL: a.issuer + "/token/revocation",
		APIOrigins: []string{a.issuer}, RefreshScope: "offline_access", RevokesAll: true,
		IdentityURL: a.issuer + "/me", InsecureLoopback: true,
		ParseIdentity: func(body []byte) (provider.Identity, error) {
			var user struct{ Sub string }
			err := json.Unmarshal(body, &user)
			return provider.Identity{Subject: user.Sub}, err
		},
	}
	if pushed {
		p.PushedAuthorizationURL, p.RequirePushed = a.issuer+"/request", true
	}
	return p
}

// me asks the API for the user of the token, and answers with that.
func (a *nodeApp) me(w http.ResponseWriter, r *http.Request) {
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, a.issuer+"/me", nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	resp, err := a.api.Do(req)
	if errors.Is(err, tokensource.ErrReauthorize) {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	var user struct{ Sub string }
	if err := json.NewDecoder(resp.Body).Decode(&user); err != nil || resp.StatusCode != http.StatusOK {
		http.Error(w, fmt.Sprint("the API answers ", resp.StatusCode), http.StatusBadGateway)
		return
	}
	_, _ = io.WriteString(w, user.Sub)
}

// nodeCounts is what the server has done.
type nodeCounts struct{ Refreshes, Exchanges, Challenges, Refused int }

func (a *nodeApp) get(t *testing.T, path string) (c nodeCounts) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.issuer+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&c); err != nil {
		t.Fatal(err)
	}
	return c
}

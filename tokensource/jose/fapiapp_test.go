package jose_test

import (
	"context"
	"crypto/elliptic"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/transport"
)

// toBank sends requests for the bank to its fake, and others to the network.
type toBank struct{ fake http.RoundTripper }

func (b toBank) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Hostname() == "bank.example" || r.URL.Hostname() == "api.bank.example" {
		return b.fake.RoundTrip(r)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// A web app keeps the profile through all of authtrip: the login of a browser,
// a call of the API, a token that is rejected, and the end.
func TestAnAppThatKeepsFAPI2(t *testing.T) {
	mux := http.NewServeMux()
	live := httptest.NewServer(mux)
	t.Cleanup(live.Close)
	fake, p, r, o := bank(t, curve(t, elliptic.P256()), nil)
	r.RedirectURL = live.URL + "/callback"
	if err := fake.Register(oauthtest.App{ClientID: clientID, RedirectURLs: []string{r.RedirectURL}, Auth: "private_key_jwt"}); err != nil {
		t.Fatal(err)
	}
	client, err := oauth.New(p, r, o)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := seal.NewKeys(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	store, err := storage.Sealed(storage.NewMemory(), keys)
	if err != nil {
		t.Fatal(err)
	}
	grants, err := grant.New(client, store, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = grants.Close() })
	login, err := middleware.New(grants, keys, &middleware.Options{Identify: func(context.Context, *oauth2.Token) (provider.Identity, error) {
		return provider.Identity{Subject: "alice"}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	rt, err := transport.New(grants, &transport.Options{Base: fake.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	login.Mount(mux)
	mux.HandleFunc("/{$}", func(http.ResponseWriter, *http.Request) {})
	mux.Handle("/accounts", login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, "https://api.bank.example/accounts", http.NoBody)
		resp, err := (&http.Client{Transport: rt}).Do(req)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
	})))

	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Transport: toBank{fake.Transport()}}
	open := func(method, target string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, live.URL+target, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", "text/html")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		resp, err := browser.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		if resp.StatusCode >= 400 {
			t.Logf("%s: %d %.300s", target, resp.StatusCode, text)
		}
		return resp.StatusCode
	}
	if got := open(http.MethodGet, "/accounts"); got != http.StatusOK {
		t.Fatalf("the page = %d after the login, want 200", got)
	}
	fake.ExpireAccess("")
	if got := open(http.MethodGet, "/accounts"); got != http.StatusOK {
		t.Errorf("the page = %d after the token became invalid, want 200", got)
	}
	open(http.MethodPost, "/disconnect")
	for _, seen := range fake.Requests() {
		raw := seen.Raw()
		switch query := raw.URL.Query(); seen.Op {
		case "authorize":
			if len(query) != 2 || !query.Has("request_uri") {
				t.Errorf("the browser carried %v, want client_id and request_uri only", query)
			}
		case "push", "token":
			if raw.PostForm.Get("client_assertion") == "" || raw.Header.Get("DPoP") == "" {
				t.Errorf("%v has no assertion or no proof", seen)
			}
		case "api":
			if raw.Header.Get("DPoP") == "" {
				t.Errorf("%v has no proof", seen)
			}
		}
	}
	if n := fake.TokenCalls("refresh_token"); n != 1 {
		t.Errorf("%d refreshes, want one for one token that was rejected", n)
	}
	if list := fake.Grants(); len(list) != 1 || list[0].LiveRefresh != 0 {
		t.Errorf("the server has %v after the end, want no live grant", list)
	}
}

package oauthtest_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

func TestLogoutOfTheServer(t *testing.T) {
	p := &provider.Provider{
		Name: "as", AuthorizationURL: "https://as.example/authorize", TokenURL: "https://as.example/token", EndSessionURL: "https://as.example/end",
	}
	app := oauthtest.ConfidentialApp()
	app.PostLogoutURLs = []string{"https://app.example/bye", "https://app.example/bye?lang=en"}
	s := oauthtest.New(t, &oauthtest.Options{Provider: p, Apps: []oauthtest.App{app}})
	for _, tt := range []struct {
		name, method, client, back, state string
		status                            int
		want                              string // the way back
	}{
		{"a registered URL", http.MethodGet, app.ClientID, "https://app.example/bye", "a b", http.StatusSeeOther, "https://app.example/bye?state=a+b"},
		{"a registered URL with a query", http.MethodGet, app.ClientID, "https://app.example/bye?lang=en", "s", http.StatusSeeOther, "https://app.example/bye?lang=en&state=s"},
		{"no state", http.MethodGet, app.ClientID, "https://app.example/bye", "", http.StatusSeeOther, "https://app.example/bye"},
		{"no way back", http.MethodGet, app.ClientID, "", "s", http.StatusOK, ""},
		{"another URL", http.MethodGet, app.ClientID, "https://app.example/bye/", "s", http.StatusBadRequest, ""},
		{"an unknown app", http.MethodGet, "other", "https://app.example/bye", "s", http.StatusBadRequest, ""},
		{"no app", http.MethodGet, "", "https://app.example/bye", "s", http.StatusBadRequest, ""},
		{"POST", http.MethodPost, app.ClientID, "https://app.example/bye", "s", http.StatusMethodNotAllowed, ""},
	} {
		query := url.Values{"client_id": {tt.client}, "post_logout_redirect_uri": {tt.back}, "state": {tt.state}}
		req, err := http.NewRequestWithContext(t.Context(), tt.method, p.EndSessionURL+"?"+query.Encode(), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := s.Transport().RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tt.status || resp.Header.Get("Location") != tt.want {
			t.Errorf("logout with %s = %d to %q, want %d to %q", tt.name, resp.StatusCode, resp.Header.Get("Location"), tt.status, tt.want)
		}
	}
}

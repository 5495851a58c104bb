package oauth_test

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/firsttrade"
	"github.com/authtrip/authtrip/internal/home"
	"github.com/authtrip/authtrip/internal/sendguard"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// recorded is a transport that keeps the last request, and answers all of them.
type recorded struct {
	method, url, body string
	header            http.Header
	status            int
	answer            string
}

func (r *recorded) RoundTrip(req *http.Request) (*http.Response, error) {
	r.method, r.url, r.header, r.body = req.Method, req.URL.String(), req.Header, ""
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		r.body = string(body)
	}
	return canned{status: r.status, body: []byte(r.answer)}.RoundTrip(req)
}

func (r *recorded) client(t *testing.T, s setting) *oauth.Client {
	t.Helper()
	s.o = &oauth.Options{HTTPClient: &http.Client{Transport: r}}
	client, err := s.client()
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// The requests for tokens have the form that the provider names.
func TestTokenRequestsOfOtherForms(t *testing.T) {
	tests := []struct {
		name   string
		s      setting
		change func(*provider.Provider)
		want   string // part of "URL, header, body"
	}{
		{"another endpoint for refreshes", confidential(), func(p *provider.Provider) { p.RefreshURL = "https://as.example/refresh" }, "https://as.example/refresh "},
		{"another name of the client ID", public(), func(p *provider.Provider) { p.ClientIDParam = "client_key" }, "client_key="},
		{"a public client by Basic", public(), func(p *provider.Provider) { p.PublicBasic = true }, "Basic " + base64.StdEncoding.EncodeToString([]byte(public().r.ClientID+":"))},
		{"a parameter more", public(), func(p *provider.Provider) { p.TokenParams = url.Values{"expiring": {"1"}} }, "expiring=1"},
		{"a header more", public(), func(p *provider.Provider) { p.TokenHeader = http.Header{"Notion-Version": {"2026"}} }, "2026"},
		{"another User-Agent", public(), func(p *provider.Provider) { p.TokenHeader = http.Header{"User-Agent": {"my app"}} }, "my app"},
		{"a JSON object", public(), func(p *provider.Provider) { p.TokenJSON = true }, `"refresh_token":"` + someRefresh + `"`},
		{"the media type of a JSON object", public(), func(p *provider.Provider) { p.TokenJSON = true }, "application/json"},
	}
	for _, tt := range tests {
		tt.change(tt.s.p)
		r := &recorded{status: 200, answer: someTokens}
		if _, err := r.client(t, tt.s).Refresh(t.Context(), someRefresh); err != nil {
			t.Errorf("%s: Refresh() = %v", tt.name, err)
		}
		got := strings.Join([]string{r.url, r.header.Get("Authorization"), r.header.Get("Content-Type"), r.header.Get("Notion-Version"), r.header.Get("User-Agent"), r.body}, " ")
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s: the request is %q, want one with %q", tt.name, got, tt.want)
		}
		if strings.Contains(got, "client_id") && tt.s.p.ClientIDParam != "" {
			t.Errorf("%s: the request has client_id as well", tt.name)
		}
	}
	s := public()
	s.p.ClientIDParam = "client_key"
	if _, q := authorizationQuery(t, s, "st4te", rfcVerifier, nil); q.Get("client_key") != s.r.ClientID || q.Has("client_id") {
		t.Errorf("the authorization request has %q, want client_key and no client_id", q)
	}
}

// A server without expires_in says in another way when a token ends.
func TestExpiryOfOtherForms(t *testing.T) {
	at := time.Now().Add(time.Hour).Truncate(time.Second)
	unix := at.Unix()
	jwt := func(claims string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
	}
	stamp := at.UTC().Format(time.RFC3339)
	tests := []struct {
		name, form, member, value string
		want                      time.Time
	}{
		{"RFC 3339", "rfc3339", "expires_at", `"` + stamp + `"`, at},
		{"a Unix time", "unix", "expires_at", strconv.FormatInt(unix, 10), at},
		{"a Unix time as a text", "unix", "expires_at", `"` + strconv.FormatInt(unix, 10) + `"`, at},
		{"the token itself", "jwt", "access_token", `"` + jwt(`{"exp":`+strconv.FormatInt(unix, 10)+`}`) + `"`, at},
		{"no time", "rfc3339", "expires_at", `"soon"`, time.Time{}},
		{"a Unix time far away", "unix", "expires_at", "99999999999999", time.Time{}},
		{"a negative Unix time", "unix", "expires_at", "-1", time.Time{}},
		{"no such member", "unix", "other", "1", time.Time{}},
		{"a token that is no JWT", "jwt", "access_token", `"opaque"`, time.Time{}},
		{"a JWT without exp", "jwt", "access_token", `"` + jwt(`{}`) + `"`, time.Time{}},
		{"a JWT that is none", "jwt", "access_token", `"a.%.c"`, time.Time{}},
	}
	for _, tt := range tests {
		s := public()
		s.p.ExpiresIn, s.p.ExpiryMember, s.p.ExpiryForm = 0, tt.member, tt.form
		if tt.name == "no such member" {
			s.p.ExpiryMember = "absent"
		}
		body := `{"access_token":"a","` + tt.member + `":` + tt.value + `}`
		if tt.member == "access_token" {
			body = `{"access_token":` + tt.value + `}`
		}
		r := &recorded{status: 200, answer: body}
		tok, err := r.client(t, s).Refresh(t.Context(), someRefresh)
		if err != nil {
			t.Errorf("%s: Refresh() = %v", tt.name, err)
			continue
		}
		if got := tok.Expiry.Round(0).Sub(tt.want.Round(0)).Abs(); tt.want.IsZero() != tok.Expiry.IsZero() || !tt.want.IsZero() && got > 2*time.Second {
			t.Errorf("%s: Expiry = %v, want %v", tt.name, tok.Expiry, tt.want)
		}
	}
}

// A revocation has the form that the provider names.
func TestRevocationsOfOtherForms(t *testing.T) {
	secret := base64.StdEncoding.EncodeToString([]byte(confidential().r.ClientID + ":"))
	tests := []struct {
		name     string
		change   func(*provider.Provider)
		want     string // method, URL, Authorization, body
		unwanted string
	}{
		{"no authentication", func(p *provider.Provider) { p.Revocation.Auth, p.Revocation.NoHint = "none", true },
			"POST https://api.x.com/2/oauth2/revoke  token=" + someAccess, "client"},
		{"the client ID only", func(p *provider.Provider) { p.Revocation.Auth = "id" }, "client_id=" + confidential().r.ClientID, "Basic"},
		{"the token itself", func(p *provider.Provider) { p.Revocation.Auth = "token" }, "Bearer " + someAccess, "token="},
		{"GET with the token", func(p *provider.Provider) { p.Revocation.Auth, p.Revocation.Method = "token", "GET" }, "GET https", "token="},
		{"DELETE, JSON and Basic, with the client ID in the path", func(p *provider.Provider) {
			p.ClientAuth, p.RevocationURL = provider.Post, "https://api.x.com/apps/{client_id}/token"
			p.Revocation.Method, p.Revocation.Auth, p.Revocation.JSON, p.Revocation.TokenParam, p.Revocation.NoHint = "DELETE", "basic", true, "access_token", true
		}, "DELETE https://api.x.com/apps/" + confidential().r.ClientID + "/token Basic " + secret[:20], "client_secret"},
		{"a parameter more", func(p *provider.Provider) { p.Revocation.Params = url.Values{"all": {"1"}} }, "all=1", "\x00"},
	}
	for _, tt := range tests {
		s := confidential()
		tt.change(s.p)
		r := &recorded{status: 200}
		if err := r.client(t, s).Revoke(t.Context(), someAccess, oauth.HintAccessToken); err != nil {
			t.Errorf("%s: Revoke() = %v", tt.name, err)
		}
		got := strings.Join([]string{r.method, r.url, r.header.Get("Authorization"), r.body}, " ")
		if !strings.Contains(got, tt.want) || strings.Contains(got, tt.unwanted) {
			t.Errorf("%s: the request is %q, want one with %q and without %q", tt.name, got, tt.want, tt.unwanted)
		}
	}
}

// A token of a kind that cannot be revoked is not sent. A token that does not
// work any more counts as revoked.
func TestRevocationsThatAreNotNeeded(t *testing.T) {
	s := confidential()
	s.p.Revocation.Only = oauth.HintAccessToken
	r := &recorded{status: 200}
	if err := r.client(t, s).Revoke(t.Context(), someRefresh, oauth.HintRefreshToken); err == nil || r.url != "" {
		t.Errorf("Revoke() of a refresh token = %v after a request to %q, want an error and no request", err, r.url)
	}
	s = confidential()
	s.p.Revocation.Auth = "token"
	for status, works := range map[int]bool{401: true, 403: false, 500: false} {
		r := &recorded{status: status}
		if err := r.client(t, s).Revoke(t.Context(), someAccess, oauth.HintAccessToken); (err == nil) != works {
			t.Errorf("Revoke() after %d = %v, want success: %v", status, err, works)
		}
	}
}

// The identity is read where the provider says, from what is asked as it says.
func TestIdentitiesOfOtherForms(t *testing.T) {
	plain := func(p *provider.Provider) {
		p.ParseIdentity, p.IdentityPaths.Subject, p.IdentityPaths.Name = nil, []string{"data.0.id"}, "data.0.name"
	}
	tests := []struct {
		name, body string
		change     func(*provider.Provider)
		want       provider.Identity // Subject empty: an error
		request    string
	}{
		{"a number above 2^53", `{"data":[{"id":17841400000000001,"name":"n"}]}`, plain, provider.Identity{Subject: "17841400000000001", Name: "n"}, "GET"},
		{"two parts", `{"data":[{"id":"7"}],"team":{"id":"T1"}}`, func(p *provider.Provider) {
			plain(p)
			p.IdentityPaths.Subject = []string{"team.id", "data.0.id"}
		}, provider.Identity{Subject: "T1/7"}, "GET"},
		{"two parts, one of them missing", `{"data":[{"id":"7"}]}`, func(p *provider.Provider) {
			plain(p)
			p.IdentityPaths.Subject = []string{"team.id", "data.0.id"}
		}, provider.Identity{}, "GET"},
		{"a list", `[{"id":"7"}]`, func(p *provider.Provider) { plain(p); p.IdentityPaths.Subject = []string{"0.id"} }, provider.Identity{Subject: "7"}, "GET"},
		{"an empty list", `{"data":[]}`, plain, provider.Identity{}, "GET"},
		{"a page", `<html>`, plain, provider.Identity{}, "GET"},
		{"POST with a body and headers", `{"data":[{"id":"7"}]}`, func(p *provider.Provider) {
			plain(p)
			p.IdentityRequest.Method, p.IdentityRequest.Body = "POST", `{"query":"{me}"}`
			p.IdentityRequest.Header = http.Header{"Content-Type": {"application/json"}, "Client-Id": {"{client_id}"}}
		}, provider.Identity{Subject: "7"}, "POST application/json " + confidential().r.ClientID + " Bearer " + someAccess + ` {"query":"{me}"}`},
		{"the token in another header", `{"data":[{"id":"7"}]}`, func(p *provider.Provider) { plain(p); p.API.TokenHeader = "X-Token" }, provider.Identity{Subject: "7"}, "GET    " + someAccess},
		{"another scheme", `{"data":[{"id":"7"}]}`, func(p *provider.Provider) { plain(p); p.API.TokenScheme = "Zoho-oauthtoken" }, provider.Identity{Subject: "7"}, "GET   Zoho-oauthtoken " + someAccess},
	}
	for _, tt := range tests {
		s := confidential()
		tt.change(s.p)
		r := &recorded{status: 200, answer: tt.body}
		got, err := r.client(t, s).Identity(t.Context(), &oauth2.Token{AccessToken: someAccess, TokenType: "Bearer"})
		if (err == nil) != (tt.want.Subject != "") || got.Subject != tt.want.Subject || got.Name != tt.want.Name {
			t.Errorf("%s: Identity() = %+v, %v, want %+v", tt.name, got, err, tt.want)
		}
		asked := strings.Join([]string{r.method, r.header.Get("Content-Type"), r.header.Get("Client-Id"), r.header.Get("X-Token"), r.header.Get("Authorization"), r.body}, " ")
		if asked = strings.Join(strings.Fields(asked), " "); !strings.HasPrefix(asked, strings.Join(strings.Fields(tt.request), " ")) {
			t.Errorf("%s: the request is %q, want %q", tt.name, asked, tt.request)
		}
	}
}

// If the token answer names the user, nobody is asked.
func TestIdentityInTheTokenAnswer(t *testing.T) {
	s := confidential()
	s.p.IdentityURL, s.p.ParseIdentity = "", nil
	s.p.IdentityInToken, s.p.IdentityPaths.Subject = true, []string{"team.id", "authed_user.id"}
	r := &recorded{status: 200, answer: `{"ok":true,"access_token":"a","team":{"id":"T1"},"authed_user":{"id":17841400000000001}}`}
	client := r.client(t, s)
	tok, err := client.Exchange(t.Context(), someCode, rfcVerifier)
	if err != nil {
		t.Fatal(err)
	}
	r.url = ""
	id, err := client.Identity(t.Context(), tok)
	if err != nil || id.Subject != "T1/17841400000000001" || r.url != "" {
		t.Errorf("Identity() = %+v, %v after a request to %q, want T1/17841400000000001 and no request", id, err, r.url)
	}
	r.answer = `{"access_token":"a","team":{"id":"T1"}}`
	if tok, err = client.Exchange(t.Context(), someCode, rfcVerifier); err != nil {
		t.Fatal(err)
	}
	if id, err := client.Identity(t.Context(), tok); err == nil {
		t.Errorf("Identity() of an answer without the user = %+v, want an error", id)
	}
}

// What a server is known to refuse is refused by New.
func TestNewRefusesWhatTheServerRefuses(t *testing.T) {
	tests := []struct {
		name, redirect string
		change         func(*provider.Provider)
		want           string // empty: accepted
	}{
		{"localhost", "http://localhost:8080/cb", func(p *provider.Provider) { p.Redirects.NoLocalhost = true }, "use 127.0.0.1"},
		{"127.0.0.1 where localhost is refused", "http://127.0.0.1:8080/cb", func(p *provider.Provider) { p.Redirects.NoLocalhost = true }, ""},
		{"127.0.0.1", "http://127.0.0.1/cb", func(p *provider.Provider) { p.Redirects.NoLoopbackIP = true }, "use localhost"},
		{"localhost where addresses are refused", "http://localhost/cb", func(p *provider.Provider) { p.Redirects.NoLoopbackIP = true }, ""},
		{"http", "http://127.0.0.1/cb", func(p *provider.Provider) { p.Redirects.NoHTTP = true }, "https only"},
		{"https where http is refused", "https://app.example/cb", func(p *provider.Provider) { p.Redirects.NoHTTP = true }, ""},
		{"a scheme of an app", "com.example.app:/cb", func(p *provider.Provider) { p.Redirects.NoCustomScheme = true }, "no scheme of an app"},
		{"https where schemes are refused", "https://app.example/cb", func(p *provider.Provider) { p.Redirects.NoCustomScheme = true }, ""},
		{"a public client", "https://app.example/cb", func(p *provider.Provider) { p.NoPublicClients = true }, "set Credential"},
	}
	for _, tt := range tests {
		s := public()
		tt.change(s.p)
		s.r.RedirectURL = tt.redirect
		if _, err := s.client(); (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: New() = %v, want %q", tt.name, err, tt.want)
		}
	}
}

// A request for a grant goes to the server of that grant, if the provider lists
// it. The client secret goes nowhere else.
func TestServerOfAGrant(t *testing.T) {
	const other = "https://accounts.x.example"
	for named, want := range map[string]string{
		other: other, "": "https://api.x.com", "https://evil.example": "https://api.x.com", other + "/": "https://api.x.com",
	} {
		s := confidential()
		s.p.TokenHostParam, s.p.TokenHosts = "server", []string{"https://api.x.com", other}
		r := &recorded{status: 200, answer: someTokens}
		ctx := home.With(t.Context(), named)
		if _, err := r.client(t, s).Refresh(ctx, someRefresh); err != nil || r.url != want+"/2/oauth2/token" {
			t.Errorf("Refresh() for a grant of %q = %v, sent to %s, want %s", named, err, r.url, want)
		}
	}
}

// A server without refresh tokens trades access tokens, in requests of its own.
func TestRefreshTradesAnAccessToken(t *testing.T) {
	next := func(p *provider.Provider) {
		p.RefreshTokens.None, p.ClientAuth = true, provider.Post
		p.Trade.Next.URL, p.Trade.Next.TokenParam = "https://as.example/next", "old"
		p.Trade.Next.Params = url.Values{"grant_type": {"next_token"}}
	}
	first := func(p *provider.Provider) {
		next(p)
		p.Trade.First = p.Trade.Next
		p.Trade.First.URL, p.Trade.First.Params = "https://as.example/first?v=1", url.Values{"grant_type": {"first_token"}}
	}
	tests := []struct {
		name         string
		first        bool
		change       func(*provider.Provider)
		method, want string // the URL and the body
	}{
		{"a form", false, next, "POST", "https://as.example/next client_id=ID&client_secret=SECRET&grant_type=next_token&old=access-token"},
		{"a form, of a login", true, next, "POST", "https://as.example/next client_id=ID&client_secret=SECRET&grant_type=next_token&old=access-token"},
		{"a query", false, func(p *provider.Provider) { next(p); p.Trade.Next.Method = "GET" }, "GET", "https://as.example/next?client_id=ID&client_secret=SECRET&grant_type=next_token&old=access-token "},
		{"a query without the client", false, func(p *provider.Provider) { next(p); p.Trade.Next.Method, p.Trade.Next.Auth = "GET", "none" }, "GET", "https://as.example/next?grant_type=next_token&old=access-token "},
		{"a query beside a query with the secret alone, of a login", true, func(p *provider.Provider) {
			first(p)
			p.Trade.First.Method, p.Trade.First.Auth = "GET", "secret"
		}, "GET", "https://as.example/first?v=1&client_secret=SECRET&grant_type=first_token&old=access-token "},
		{"another request for the token of a login", false, first, "POST", "https://as.example/next client_id=ID&client_secret=SECRET&grant_type=next_token&old=access-token"},
	}
	for _, tt := range tests {
		s := confidential()
		s.r.ClientID, s.r.Credential = "ID", oauth.Secret("SECRET")
		tt.change(s.p)
		r := &recorded{status: http.StatusOK, answer: `{"access_token":"next","expires_in":5184000}`}
		ctx := t.Context()
		if tt.first {
			ctx = firsttrade.With(ctx)
		}
		tok, err := r.client(t, s).Refresh(ctx, "access-token")
		if err != nil || tok.AccessToken != "next" {
			t.Errorf("%s: Refresh() = %v, want a token", tt.name, err)
		}
		if got := r.url + " " + r.body; r.method != tt.method || got != tt.want {
			t.Errorf("%s: the request is %s %s, want %s %s", tt.name, r.method, got, tt.method, tt.want)
		}
	}
}

// No error of a trade shows the token or the secret, although they stand in the
// URL. Nothing is sent after the deadline.
func TestTradeThatFailsShowsNothing(t *testing.T) {
	s := confidential()
	s.r.Credential = oauth.Secret("the-client-secret")
	s.p.RefreshTokens.None, s.p.ClientAuth = true, provider.Post
	s.p.Trade.Next.URL, s.p.Trade.Next.TokenParam, s.p.Trade.Next.Method = "https://as.example/next", "old", http.MethodGet
	s.p.Trade.Next.Params = url.Values{"grant_type": {"next_token"}}
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	stopped := sendguard.With(t.Context(), func() error { return errors.New("too late") })
	for name, tt := range map[string]struct {
		ctx  context.Context
		r    *recorded
		sent bool
	}{
		"an echo":                {t.Context(), &recorded{status: 400, answer: `{"error":"no the-access-token of the-client-secret"}`}, true},
		"a deadline that passed": {late, &recorded{status: 200}, false},
		"a check that refuses":   {stopped, &recorded{status: 200}, false},
	} {
		_, err := tt.r.client(t, s).Refresh(tt.ctx, "the-access-token")
		if err == nil || strings.Contains(err.Error(), "the-access") || strings.Contains(err.Error(), "the-client") {
			t.Errorf("%s: Refresh() = %v, want an error without what was sent", name, err)
		}
		if sent := tt.r.url != ""; sent != tt.sent {
			t.Errorf("%s: a request was sent: %v, want %v", name, sent, tt.sent)
		}
	}
}

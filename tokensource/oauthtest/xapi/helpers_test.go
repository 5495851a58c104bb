package xapi_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

const (
	redirectURL = "https://app.example/callback"
	verifier    = "a-verifier-of-forty-three-characters-0123456"
	allScopes   = "tweet.read tweet.write users.read offline.access"
	userID      = "2244994945"
	tokenURL    = "https://api.x.com" + xapi.PathToken
	revokeURL   = "https://api.x.com" + xapi.PathRevoke
	meURL       = "https://api.x.com" + xapi.PathMe
	echoURL     = "https://api.x.com" + xapi.PathEcho
	tweetsURL   = "https://api.x.com" + xapi.PathTweets
)

var ci, na = oauthtest.ConfidentialApp(), oauthtest.PublicApp()

// answered is a response that was read to its end.
type answered struct {
	status int
	header http.Header
	body   string
}

// fake returns a server with knobs.
func fake(t *testing.T, change func(*xapi.Knobs)) *xapi.Server {
	t.Helper()
	s := xapi.New(t, nil)
	if change != nil {
		s.Set(change)
	}
	return s
}

// do sends req in memory.
func do(t *testing.T, s *xapi.Server, req *http.Request) answered {
	t.Helper()
	resp, err := s.Transport().RoundTrip(req)
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: body: %v", req.Method, req.URL.Path, err)
	}
	return answered{resp.StatusCode, resp.Header, string(body)}
}

func request(t *testing.T, method, target, body string) *http.Request {
	t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, target, r)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// formRequest is a form post; a confidential app authenticates with Basic, a
// public one with client_id in the body.
func formRequest(t *testing.T, target string, app oauthtest.App, form url.Values) *http.Request {
	t.Helper()
	if app.Secret() == "" && app.ClientID != "" {
		form.Set("client_id", app.ClientID)
	}
	req := request(t, http.MethodPost, target, form.Encode())
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if app.Secret() != "" {
		req.SetBasicAuth(app.ClientID, app.Secret())
	}
	return req
}

// values builds a form from names and values.
func values(list ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(list); i += 2 {
		v.Add(list[i], list[i+1])
	}
	return v
}

// authorizeQuery is a good request for the app, with the S256 challenge of
// verifier.
func authorizeQuery(app oauthtest.App) url.Values {
	return values("response_type", "code", "client_id", app.ClientID, "redirect_uri", redirectURL, "state", "the-state",
		"scope", allScopes, "code_challenge", challenge(), "code_challenge_method", "S256")
}

func authorizeURL(q url.Values) string {
	return "https://x.com" + xapi.PathAuthorize + "?" + q.Encode()
}

// callback plays the browser and returns the parameters of the callback.
func callback(t *testing.T, s *xapi.Server, q url.Values) url.Values {
	t.Helper()
	back, err := s.Authorize(t.Context(), "", authorizeURL(q))
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(back)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

// exchangeForm is a good exchange of the code.
func exchangeForm(code string) url.Values {
	return values("grant_type", "authorization_code", "code", code, "redirect_uri", redirectURL, "code_verifier", verifier)
}

func refreshForm(token string) url.Values {
	return values("grant_type", "refresh_token", "refresh_token", token)
}

type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Scope   string `json:"scope"`
}

// parseTokens reads a success answer.
func parseTokens(t *testing.T, got answered) tokens {
	t.Helper()
	var out tokens
	if got.status != http.StatusOK || json.Unmarshal([]byte(got.body), &out) != nil {
		t.Fatalf("token answer = %d %s, want 200 and JSON", got.status, got.body)
	}
	return out
}

// login goes through the browser and the exchange.
func login(t *testing.T, s *xapi.Server, app oauthtest.App) tokens {
	t.Helper()
	code := callback(t, s, authorizeQuery(app)).Get("code")
	return parseTokens(t, do(t, s, formRequest(t, tokenURL, app, exchangeForm(code))))
}

// reused reports whether a grant has ended because a refresh token was used
// twice.
func reused(s *xapi.Server) bool {
	return slices.ContainsFunc(s.Grants(), func(g oauthtest.Grant) bool { return g.Ended == oauthtest.Reused })
}

// apiKeys returns the API key and secret of an app as an app of their own.
func apiKeys(app oauthtest.App) oauthtest.App {
	key, secret := xapi.APIKeys(app)
	return oauthtest.App{ClientID: key}.WithSecret(secret)
}

// listen serves s on a loopback port.
func listen(t *testing.T, s *xapi.Server) *httptest.Server {
	t.Helper()
	live := httptest.NewServer(s)
	t.Cleanup(live.Close)
	return live
}

func issue(t *testing.T, s *xapi.Server, app oauthtest.App, scopes ...string) tokens {
	t.Helper()
	a, r, err := s.IssueToken(userID, app.ClientID, scopes...)
	if err != nil {
		t.Fatal(err)
	}
	return tokens{Access: a, Refresh: r}
}

func refresh(t *testing.T, s *xapi.Server, app oauthtest.App, token string) answered {
	t.Helper()
	return do(t, s, formRequest(t, tokenURL, app, refreshForm(token)))
}

// call sends an API request with a bearer token.
func call(t *testing.T, s *xapi.Server, method, target, token, body string) answered {
	t.Helper()
	req := request(t, method, target, body)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return do(t, s, req)
}

// wantAnswer compares status and body.
func wantAnswer(t *testing.T, what string, got answered, status int, body string) {
	t.Helper()
	if got.status != status || got.body != body {
		t.Errorf("%s = %d %s, want %d %s", what, got.status, got.body, status, body)
	}
}

// wantInvalid expects X's invalid_request with a description.
func wantInvalid(t *testing.T, what string, got answered, description string) {
	t.Helper()
	wantAnswer(t, what, got, http.StatusBadRequest, `{"error":"invalid_request","error_description":"`+description+`"}`)
}

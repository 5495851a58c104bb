package oauthtest_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

const verifier = "a-verifier-of-forty-three-characters-0123456"

var ci, na, userID = oauthtest.ConfidentialApp(), oauthtest.PublicApp(), oauthtest.DefaultUser().ID

// peer is an app that talks to a fake by hand.
type peer struct {
	*testing.T
	*oauthtest.Server
	p   *provider.Provider
	app oauthtest.App
	rt  http.RoundTripper
}

// play returns the confidential app of a fake in memory.
func play(t *testing.T, o *oauthtest.Options) *peer {
	t.Helper()
	s := oauthtest.New(t, o)
	return &peer{T: t, Server: s, p: s.Provider(""), app: ci, rt: s.Transport()}
}

// onListener returns the same app, which now reaches the fake through a socket.
func (c *peer) onListener() *peer {
	c.Helper()
	live := httptest.NewServer(c.Server)
	c.Cleanup(live.Close)
	return &peer{T: c.T, Server: c.Server, p: c.Provider(live.URL), app: c.app, rt: live.Client().Transport}
}

func (c *peer) as(app oauthtest.App) *peer {
	other := *c
	other.app = app
	return &other
}

// answered is a response that was read to its end.
type answered struct {
	status int
	header http.Header
	body   string
}

// code returns the error member of an answer.
func (a answered) code() string {
	var body struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal([]byte(a.body), &body)
	return body.Error
}

// try sends a request. It returns what arrived of the answer with the error.
func (c *peer) try(req *http.Request) (answered, error) {
	resp, err := c.rt.RoundTrip(req)
	if err != nil {
		return answered{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answered{resp.StatusCode, resp.Header, string(body)}, err
}

func (c *peer) do(req *http.Request) answered {
	c.Helper()
	got, err := c.try(req)
	if err != nil {
		c.Fatalf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	return got
}

func (c *peer) request(method, target, body string) *http.Request {
	c.Helper()
	req, err := http.NewRequestWithContext(c.Context(), method, target, strings.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	return req
}

// form is a form post with names and values, authenticated as the provider
// asks.
func (c *peer) form(target string, params ...string) *http.Request {
	c.Helper()
	body := url.Values{}
	for i := 0; i+1 < len(params); i += 2 {
		body.Set(params[i], params[i+1])
	}
	public, auth := c.app.Secret() == "", c.p.ClientAuth
	if public || auth == provider.Post {
		body.Set("client_id", c.app.ClientID)
	}
	if !public && auth == provider.Post {
		body.Set("client_secret", c.app.Secret())
	}
	req := c.request(http.MethodPost, target, body.Encode())
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	switch {
	case public || auth == provider.Post:
	case auth == provider.BasicRaw:
		req.SetBasicAuth(c.app.ClientID, c.app.Secret())
	default:
		req.SetBasicAuth(url.QueryEscape(c.app.ClientID), url.QueryEscape(c.app.Secret()))
	}
	return req
}

func (c *peer) post(target string, params ...string) answered {
	c.Helper()
	return c.do(c.form(target, params...))
}

// get calls the API with a bearer token.
func (c *peer) get(target, token string) answered {
	c.Helper()
	req := c.request(http.MethodGet, target, "")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return c.do(req)
}

// works reports whether the API accepts the token.
func (c *peer) works(token string) bool {
	c.Helper()
	return c.get(c.p.APIOrigins[0]+"/things", token).status == http.StatusOK
}

// authorizeURL is a good authorization request, changed by names and values. An
// empty value removes the parameter.
func (c *peer) authorizeURL(params ...string) string {
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"response_type": {"code"}, "client_id": {c.app.ClientID}, "redirect_uri": {c.app.RedirectURLs[0]}, "state": {"the-state"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
		"scope": {strings.TrimSpace(append(c.p.Scopes, "read")[0] + " " + c.p.RefreshScope)},
	}
	for i := 0; i+1 < len(params); i += 2 {
		q.Set(params[i], params[i+1])
		if params[i+1] == "" {
			q.Del(params[i])
		}
	}
	separator := "?"
	if strings.Contains(c.p.AuthorizationURL, "?") {
		separator = "&"
	}
	return c.p.AuthorizationURL + separator + q.Encode()
}

// callback plays the browser, and returns the parameters of the callback.
func (c *peer) callback(params ...string) url.Values {
	c.Helper()
	back, err := c.Authorize(c.Context(), "", c.authorizeURL(params...))
	if err != nil {
		c.Fatal(err)
	}
	u, err := url.Parse(back)
	if err != nil {
		c.Fatal(err)
	}
	return u.Query()
}

// exchange is a good exchange of the code, changed by names and values.
func (c *peer) exchange(code string, params ...string) answered {
	c.Helper()
	return c.post(c.p.TokenURL, append([]string{
		"grant_type", "authorization_code", "code", code, "redirect_uri", c.app.RedirectURLs[0], "code_verifier", verifier,
	}, params...)...)
}

func (c *peer) refresh(token string) answered {
	c.Helper()
	return c.post(c.p.TokenURL, "grant_type", "refresh_token", "refresh_token", token)
}

type tokens struct {
	Access    string `json:"access_token"`
	Refresh   string `json:"refresh_token"`
	Scope     string `json:"scope"`
	ExpiresIn int    `json:"expires_in"`
}

// parse reads a success answer.
func (c *peer) parse(got answered) (out tokens) {
	c.Helper()
	if got.status != http.StatusOK || json.Unmarshal([]byte(got.body), &out) != nil {
		c.Fatalf("token answer = %d %s, want 200 and JSON", got.status, got.body)
	}
	return out
}

func (c *peer) login() tokens {
	c.Helper()
	return c.parse(c.exchange(c.callback().Get("code")))
}

// issue logs the app in without a browser.
func (c *peer) issue() tokens {
	c.Helper()
	a, r, err := c.IssueToken("", c.app.ClientID)
	if err != nil {
		c.Fatal(err)
	}
	return tokens{Access: a, Refresh: r}
}

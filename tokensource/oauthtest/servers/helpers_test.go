package servers_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

const verifier = "a-verifier-of-forty-three-characters-0123456"

var ci, na = oauthtest.ConfidentialApp(), oauthtest.PublicApp()

// peer is an app that talks to a fake by hand.
type peer struct {
	*testing.T
	*oauthtest.Server
	p   *provider.Provider
	app oauthtest.App
}

// play returns the confidential app of a fake in memory.
func play(t *testing.T, o *oauthtest.Options) *peer {
	t.Helper()
	s := oauthtest.New(t, o)
	return &peer{T: t, Server: s, p: s.Provider(""), app: ci}
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
	_ = json.Unmarshal([]byte(a.body), &body) // another body has no code
	return body.Error
}

func (c *peer) do(req *http.Request) answered {
	c.Helper()
	resp, err := c.Transport().RoundTrip(req)
	if err != nil {
		c.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.Fatal(err)
	}
	return answered{resp.StatusCode, resp.Header, string(body)}
}

// post sends a form with names and values.
func (c *peer) post(target string, params ...string) answered {
	c.Helper()
	form := url.Values{"client_id": {c.app.ClientID}}
	for i := 0; i+1 < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	req, err := http.NewRequestWithContext(c.Context(), http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		c.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if c.app.Secret() != "" {
		req.SetBasicAuth(c.app.ClientID, c.app.Secret())
	}
	return c.do(req)
}

// works reports whether the API accepts the token.
func (c *peer) works(token string) bool { return c.call(token) == http.StatusOK }

// call returns the status of an API call with a token.
func (c *peer) call(token string) int {
	c.Helper()
	req, err := http.NewRequestWithContext(c.Context(), http.MethodGet, c.p.APIOrigins[0]+"/things", nil)
	if err != nil {
		c.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return c.do(req).status
}

// authorized returns the code of an authorization.
func (c *peer) authorized() string {
	c.Helper()
	q := url.Values{
		"response_type": {"code"}, "client_id": {c.app.ClientID}, "redirect_uri": {c.app.RedirectURLs[0]}, "state": {"the-state"},
		"code_challenge": {verifier}, "code_challenge_method": {"plain"}, "scope": {"read"},
	}
	back, err := c.Authorize(c.Context(), "", c.p.AuthorizationURL+"?"+q.Encode())
	if err != nil {
		c.Fatal(err)
	}
	u, err := url.Parse(back)
	if err != nil {
		c.Fatal(err)
	}
	return u.Query().Get("code")
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
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

// parse reads a success answer.
func (c *peer) parse(got answered) (out tokens) {
	c.Helper()
	if got.status != http.StatusOK || json.Unmarshal([]byte(got.body), &out) != nil {
		c.Fatalf("token answer = %d %s, want 200 and JSON", got.status, got.body)
	}
	return out
}

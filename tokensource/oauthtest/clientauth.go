package oauthtest

import (
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// client resolves and authenticates the app (RFC 6749 section 2.3) in the way
// that the provider asks for. It returns a refusal in its place if that fails.
func (c *call) client() (*App, *reply) {
	id, secret, basic, bad := basicOf(c.r.Header, c.rawBasic())
	inBody := c.form.Get("client_id")
	switch {
	case bad:
		return nil, c.say("client", "")
	case inBody == "" && (!basic || c.k.Token.RequireBodyClientID):
		return nil, c.say("missing", "client_id")
	case basic && inBody != "" && inBody != id:
		return nil, c.say("client", "")
	case !basic:
		id = inBody
	}
	post := c.s.provider.ClientAuth == provider.Post
	if c.k.Token.AnyClientAuth {
		post = !basic
	}
	if post {
		secret = c.form.Get("client_secret")
	}
	c.s.mu.Lock()
	app := c.s.apps[id]
	c.s.mu.Unlock()
	switch {
	case app == nil:
		return nil, c.say("unknown client", "")
	case app.secret == nil && (basic || post && secret != "") && !c.k.Token.AllowPublicBasic,
		app.secret != nil && (basic == post || !same(secret, app.Secret())):
		return nil, c.say("client", "")
	}
	return app, nil
}

func (c *call) rawBasic() bool {
	return c.k.Token.RawBasic || c.s.provider.ClientAuth == provider.BasicRaw
}

// basicOf reads HTTP Basic (RFC 7617), whose halves are form-encoded first (RFC
// 6749 section 2.3.1) unless raw.
func basicOf(h http.Header, raw bool) (id, secret string, basic, bad bool) {
	values := h.Values("Authorization")
	if len(values) == 0 {
		return "", "", false, false
	}
	scheme, encoded, _ := strings.Cut(values[0], " ")
	if len(values) > 1 {
		return "", "", true, true
	}
	if !strings.EqualFold(scheme, "Basic") {
		return "", "", false, false
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	id, secret, ok := strings.Cut(string(decoded), ":")
	if err != nil || !ok || id == "" {
		return "", "", true, true
	}
	if raw {
		return id, secret, true, false
	}
	id, errID := url.QueryUnescape(id)
	secret, errSecret := url.QueryUnescape(secret)
	return id, secret, true, errID != nil || errSecret != nil
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

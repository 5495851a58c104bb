package oauthtest

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"github.com/authtrip/authtrip/tokensource/provider"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// keyed authenticates an app without a secret: by an assertion, or by the
// certificate of its connection. One method is allowed.
func (c *call) keyed(app *App, basic bool) *reply {
	assertion := c.form.Get("client_assertion")
	fine := !basic && !c.form.Has("client_secret") && (assertion != "") == (app.Auth == "private_key_jwt")
	switch app.Auth {
	case "private_key_jwt":
		audience := cmp.Or(c.s.provider.AssertionAudience, c.s.provider.Issuer, c.s.provider.TokenURL)
		fine = fine && c.form.Get("client_assertion_type") == assertionType && c.asserts(app, assertion, audience)
	case "tls_client_auth":
		fine = fine && c.presents(app)
	default:
		fine = false
	}
	if !fine {
		return c.say("client", "")
	}
	return nil
}

func (c *call) asserts(app *App, assertion, audience string) bool {
	if c.s.options.Assertions == nil {
		return false
	}
	c.s.mu.Lock()
	now := c.s.now()
	c.s.mu.Unlock()
	id, err := c.s.options.Assertions.VerifyAssertion(assertion, audience, now)
	return err == nil && id == app.ClientID
}

// presents reports whether the connection has the certificate of the app.
func (c *call) presents(app *App) bool {
	if c.r.TLS == nil || len(c.r.TLS.PeerCertificates) == 0 {
		return false
	}
	sum := sha256.Sum256(c.r.TLS.PeerCertificates[0].Raw)
	return same(base64.RawURLEncoding.EncodeToString(sum[:]), app.Thumbprint)
}

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
	if c.op == opRevoke && c.s.provider.Revocation.Auth == "basic" {
		post = false
	}
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
	case c.s.provider.PublicBasic && app.public() && !basic:
		return nil, c.say("client", "")
	case app.Auth != "":
		return app, c.keyed(app, basic)
	case c.form.Has("client_assertion"):
		return nil, c.say("client", "")
	case app.secret == nil && (basic || post && secret != "") && !c.k.Token.AllowPublicBasic && (secret != "" || !c.s.provider.PublicBasic),
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

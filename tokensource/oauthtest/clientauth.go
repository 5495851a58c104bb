package oauthtest

import (
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
)

// client resolves and authenticates the app (RFC 6749 section 2.3). It returns a refusal instead if that fails.
func (c *call) client() (*App, *reply) {
	id, secret, basic, bad := basicOf(c.r.Header, c.k.Token.RawBasic)
	inBody := c.form.Get("client_id")
	switch {
	case bad:
		return nil, unauthorizedClient()
	case inBody == "" && (!basic || c.k.Token.RequireBodyClientID):
		return nil, missing("client_id")
	case basic && inBody != "" && inBody != id:
		return nil, unauthorizedClient()
	case !basic:
		id = inBody
	}
	c.s.mu.Lock()
	app := c.s.apps[id]
	c.s.mu.Unlock()
	switch {
	case app == nil:
		return nil, newReply(http.StatusUnauthorized, typeJSON, bodyInvalidClient)
	case app.Secret == "" && basic && !c.k.Token.AllowPublicBasic:
		return nil, unauthorizedClient()
	case app.Secret != "" && (!basic || !same(secret, app.Secret)):
		return nil, unauthorizedClient()
	}
	return app, nil
}

// basicOf reads HTTP Basic (RFC 7617), whose halves are form-encoded first (RFC 6749 section 2.3.1) unless raw.
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

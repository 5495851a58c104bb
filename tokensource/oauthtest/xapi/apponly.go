package oauthtest

import (
	"net/http"
	"net/url"
)

// bearer is the one token that is kept as it is, because X gives it out again and again.
type bearer struct{ raw string }

// is reports whether raw is the bearer, as it was given out or percent-decoded.
func (b *bearer) is(raw string) bool {
	decoded, err := url.QueryUnescape(b.raw)
	return same(raw, b.raw) || err == nil && same(raw, decoded)
}

// appToken issues the app-only bearer (client credentials): the same one until it is invalidated, and without an expiry.
func (c *call) appToken() *reply {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	app := c.keyHolder()
	if app == nil || c.form.Get("grant_type") != "client_credentials" {
		return newReply(http.StatusForbidden, typeJSON, bodyAppOnly)
	}
	b := c.s.bearers[app.ClientID]
	if b == nil {
		b = &bearer{"AAAAAAAAAAAAAAAAAAAAA" + c.s.randomText(30) + "%2F" + c.s.randomText(50) + "%3D"}
		c.s.bearers[app.ClientID] = b
		c.s.tokens[digestOf(b.raw)] = &token{kind: access, client: app.ClientID}
	}
	return newReply(http.StatusOK, typeJSON, `{"token_type":"bearer","access_token":`+string(quote(b.raw))+`}`)
}

// invalidate ends the app-only bearer of the app that asks.
func (c *call) invalidate() *reply {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	app := c.keyHolder()
	raw := c.form.Get("access_token")
	if raw == "" {
		raw = c.query.Get("access_token")
	}
	if app == nil || raw == "" {
		return newReply(http.StatusForbidden, typeJSON, bodyAppOnly)
	}
	b := c.s.bearers[app.ClientID]
	if b == nil || !b.is(raw) {
		return newReply(http.StatusForbidden, typeJSON, bodyAppOnly)
	}
	delete(c.s.tokens, digestOf(b.raw))
	delete(c.s.bearers, app.ClientID)
	return newReply(http.StatusOK, typeJSON, `{"access_token":`+string(quote(b.raw))+`}`)
}

// keyHolder returns the app whose API key and secret authenticate the request, or nil. The lock must be held.
func (c *call) keyHolder() *App {
	key, secret, basic, bad := basicOf(c.r.Header, false)
	if !basic || bad {
		return nil
	}
	for _, app := range c.s.apps {
		if app.APIKey != "" && same(key, app.APIKey) && same(secret, app.APISecret) {
			return app
		}
	}
	return nil
}

package oauthtest

import (
	"net/http"
	"net/url"
)

// appToken issues the app-only bearer (client credentials): the same one until it is invalidated, and without an expiry.
func (c *call) appToken() *reply {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	app := c.keyHolder()
	if app == nil || c.form.Get("grant_type") != "client_credentials" {
		return newReply(http.StatusForbidden, typeJSON, bodyAppOnly)
	}
	bearer := c.s.bearers[app.ClientID]
	if bearer == "" {
		bearer = "AAAAAAAAAAAAAAAAAAAAA" + c.s.randomText(30) + "%2F" + c.s.randomText(50) + "%3D"
		c.s.bearers[app.ClientID] = bearer
		c.s.tokens[digestOf(bearer)] = &token{kind: access, client: app.ClientID}
	}
	return newReply(http.StatusOK, typeJSON, `{"token_type":"bearer","access_token":`+string(quote(bearer))+`}`)
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
	bearer := c.s.bearers[app.ClientID]
	if decoded, err := url.QueryUnescape(bearer); bearer == "" || err != nil || raw != bearer && raw != decoded {
		return newReply(http.StatusForbidden, typeJSON, bodyAppOnly)
	}
	c.s.tokens[digestOf(bearer)].revoked = true
	delete(c.s.bearers, app.ClientID)
	return newReply(http.StatusOK, typeJSON, `{"access_token":`+string(quote(bearer))+`}`)
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

package oauthtest

import (
	"cmp"
	"net/http"
	"net/url"
	"time"
)

// tradedTTL is how long an access token lives that came from a trade.
const tradedTTL = 60 * 24 * time.Hour

// trading returns which request of Provider.Trade this is: "first", "next" or
// nothing. A GET has its parameters in the query.
func (c *call) trading() string {
	params := c.form
	if c.r.Method == http.MethodGet {
		params = c.query
	}
	t := c.s.provider.Trade
	is := func(url, method, grantType string) bool {
		return url != "" && pathOf(url) == c.r.URL.Path && cmp.Or(method, http.MethodPost) == c.r.Method && params.Get("grant_type") == grantType
	}
	switch {
	case is(t.First.URL, t.First.Method, t.First.Params.Get("grant_type")):
		return "first"
	case is(t.Next.URL, t.Next.Method, t.Next.Params.Get("grant_type")):
		return "next"
	}
	return ""
}

// trade issues an access token for an access token, in the window of
// Provider.Trade. The old one stays good until it expires.
func (c *call) trade() *reply {
	facts, how := c.s.provider.Trade, c.trades()
	if how.Auth == "" {
		if _, refusal := c.client(); refusal != nil {
			return refusal
		}
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	now := c.s.now()
	t := c.s.books.tokens[digestOf(c.form.Get(how.TokenParam))]
	if t == nil || t.kind != access || t.pair == nil || !t.good(now) {
		return c.refusal("refresh", "refresh_token")
	}
	g := t.pair.grant
	if app := c.s.apps[g.client]; how.Auth == "secret" && (app == nil || !same(c.form.Get("client_secret"), app.Secret())) {
		return c.say("client", "")
	}
	login := t.pair.parent == 0
	if c.traded == "first" && !login || c.traded == "next" && facts.First.URL != "" && (login || now.Sub(t.issued) < facts.From) {
		c.noteLocked("the token is too young for a trade, or of the wrong kind")
		return newReply(http.StatusBadRequest, typeJSON, `{"error":{"message":"The token cannot be traded","type":"IGApiException","code":100}}`)
	}
	return c.tradedFor(t, g, now)
}

// tradeRequest is the type of Provider.Trade.First and of Provider.Trade.Next.
type tradeRequest = struct {
	URL, Method, TokenParam, Auth string
	Params                        url.Values
}

// trades returns how the server wants the request, which is a trade.
func (c *call) trades() tradeRequest {
	if c.traded == "first" {
		return c.s.provider.Trade.First
	}
	return c.s.provider.Trade.Next
}

// tradedFor answers a trade. The lock must be held.
func (c *call) tradedFor(t *token, g *grant, now time.Time) *reply {
	g.refreshes++
	k := c.k
	k.Token.AccessTTL = cmp.Or(k.Token.TradedTTL, tradedTTL)
	p := c.s.newPair(g, t.pair.number, now)
	raw := c.s.issueAccess(&k, p, now)
	c.issued(p, "access token traded")
	return c.granted(raw, "", nil, k.Token.AccessTTL)
}

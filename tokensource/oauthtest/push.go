package oauthtest

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// requestURI is the beginning of the names of pushed requests (RFC 9126 section
// 2.2).
const requestURI = "urn:ietf:params:oauth:request_uri:"

// pushed is an authorization request that waits for its browser.
type pushed struct {
	client  string
	params  url.Values
	expires time.Time
}

// push is the endpoint for pushed authorization requests (RFC 9126).
func (c *call) push() *reply {
	if c.form == nil {
		return c.say("missing", "client_id")
	}
	app, refusal := c.client()
	if refusal != nil {
		return refusal
	}
	if c.form.Get("client_id") != app.ClientID || c.form.Has("request_uri") {
		return refused(http.StatusBadRequest, "invalid_request", "the client_id is another one, or there is a request_uri")
	}
	if refusal := c.proven(); refusal != nil {
		return refusal
	}
	params := maps.Clone(c.form)
	if c.thumbprint != "" && !params.Has("dpop_jkt") {
		params.Set("dpop_jkt", c.thumbprint) // RFC 9449 section 10.1
	}
	if c.thumbprint != "" && params.Get("dpop_jkt") != c.thumbprint {
		return refused(http.StatusBadRequest, "invalid_dpop_proof", "dpop_jkt names another key")
	}
	for _, name := range []string{"client_secret", "client_assertion", "client_assertion_type"} {
		delete(params, name)
	}
	ask := *c
	ask.query = params
	req, page := ask.readAuthorize()
	if req == nil {
		return refused(http.StatusBadRequest, codeIn(page), "the request was not accepted")
	}
	ttl := cmp.Or(c.k.Push.TTL, time.Minute)
	c.s.mu.Lock()
	now := c.s.now()
	maps.DeleteFunc(c.s.pushed, func(_ digest, p *pushed) bool { return !now.Before(p.expires) })
	uri := requestURI + c.s.mint("pr", now)
	c.s.pushed[digestOf(uri)] = &pushed{app.ClientID, params, now.Add(ttl)}
	c.noteLocked("request pushed")
	c.s.mu.Unlock()
	var b members
	b.add("request_uri", uri)
	b.add("expires_in", int(ttl/time.Second))
	return newReply(http.StatusCreated, typeJSON, b.String()+"}")
}

// codeIn returns the error with which a refused request would have been sent
// back, or that of a request which is not sent back.
func codeIn(page *reply) string {
	u, err := url.Parse(page.header.Get("Location"))
	if err != nil {
		return "invalid_request"
	}
	return cmp.Or(u.Query().Get("error"), "invalid_request")
}

// unpush replaces the query by the pushed request that it names. It reports
// whether that is a request which the server takes: each one once, and only
// those, if the server demands it.
func (c *call) unpush() bool {
	uri := c.query.Get("request_uri")
	if uri == "" {
		return !c.s.provider.RequirePushed
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	p := c.s.pushed[digestOf(uri)]
	delete(c.s.pushed, digestOf(uri))
	if p == nil || !strings.HasPrefix(uri, requestURI) || !c.s.now().Before(p.expires) || !slices.Equal(c.query["client_id"], []string{p.client}) {
		return false
	}
	c.query = p.params
	return true
}

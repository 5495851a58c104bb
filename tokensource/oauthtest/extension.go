package oauthtest

import (
	"cmp"
	"net/http"
	"strings"
)

const (
	jwtBearerGrant     = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	tokenExchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange"

	typeIDJAG = "urn:ietf:params:oauth:token-type:id-jag"
	typeToken = "urn:ietf:params:oauth:token-type:access_token"
)

// asserted trades an assertion for a token (RFC 7523 section 2.1). Knobs say
// which assertions are good.
func (c *call) asserted(client string) *reply {
	assertion := c.form.Get("assertion")
	if assertion == "" {
		return c.say("missing", "assertion")
	}
	if !c.believed(assertion) {
		return c.say("assertion", "")
	}
	return c.derived(client, "an assertion was traded", "")
}

// exchanged trades one token for another one (RFC 8693).
func (c *call) exchanged(client string) *reply {
	for _, name := range []string{"subject_token", "subject_token_type"} {
		if c.form.Get(name) == "" {
			return c.say("missing", name)
		}
	}
	if (c.form.Get("actor_token") == "") != (c.form.Get("actor_token_type") == "") {
		return c.say("missing", "actor_token")
	}
	for _, name := range []string{"subject_token", "actor_token"} {
		if raw := c.form.Get(name); raw != "" && !c.live(raw) && !c.believed(raw) {
			return c.say("subject_token", "")
		}
	}
	return c.derived(client, "a token was exchanged", cmp.Or(c.form.Get("requested_token_type"), typeToken))
}

// believed reports whether an assertion is good.
func (c *call) believed(assertion string) bool {
	return c.k.Token.Believe != nil && c.k.Token.Believe(assertion)
}

// live reports whether an access token is one of this server, and good.
func (c *call) live(raw string) bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	t := c.s.books.tokens[digestOf(raw)]
	return t != nil && t.kind == access && t.good(c.s.now())
}

// derived issues a token without a refresh token. In an exchange, the answer
// names its type.
func (c *call) derived(client, note, issuedType string) *reply {
	scopes := strings.Fields(c.form.Get("scope"))
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	raw := c.s.issueOwn(&c.k, client, scopes, c.s.now())
	c.noteLocked(note)
	rep := c.granted(raw, "", scopes, c.accessTTL())
	if issuedType != "" {
		text := strings.TrimSuffix(string(rep.body), "}") + `,"issued_token_type":` + string(quote(issuedType)) + "}"
		if issuedType == typeIDJAG {
			text = strings.Replace(text, `"token_type":"bearer"`, `"token_type":"N_A"`, 1)
		}
		rep.body = []byte(text)
	}
	return rep
}

// extension answers an extension grant (RFC 6749 section 4.5). A request that
// names no client may bring an assertion that says who asks.
func (c *call) extension() *reply {
	grantType := c.form.Get("grant_type")
	client := ""
	if grantType == deviceGrant || c.form.Has("client_id") || c.form.Has("client_assertion") || c.r.Header.Get("Authorization") != "" {
		app, refusal := c.client()
		if refusal != nil {
			return refusal
		}
		if refusal := c.proven(); refusal != nil {
			return refusal
		}
		if grantType == deviceGrant {
			return c.polled(app)
		}
		client = app.ClientID
	}
	switch grantType {
	case jwtBearerGrant:
		return c.asserted(client)
	case tokenExchangeGrant:
		return c.exchanged(client)
	}
	return c.say("grant_type", "")
}

// originOf returns scheme and host of a URL that Provider.Validate has
// accepted.
func originOf(raw string) string {
	scheme, rest, _ := strings.Cut(raw, "://")
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}

// isExtension reports whether a token request has an extension grant.
func (c *call) isExtension() bool {
	return c.r.Method == http.MethodPost && strings.HasPrefix(c.form.Get("grant_type"), "urn:")
}

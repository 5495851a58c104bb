package oauthtest

import "net/http"

// revoke is the revocation endpoint (RFC 7009).
func (c *call) revoke() *reply {
	app, refusal := c.client()
	if refusal != nil {
		return refusal
	}
	if app.public() && c.k.Revoke.RefusePublic {
		return c.say("client", "")
	}
	raw, hint := c.form.Get("token"), c.form.Get("token_type_hint")
	switch {
	case raw == "":
		return c.say("missing", "token")
	case hint == "" && c.s.options.RequireHint && !c.k.Revoke.HintOptional:
		return c.say("missing", "token_type_hint")
	case hint != "" && hint != "access_token" && hint != "refresh_token":
		return c.say("token_type_hint", "")
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	t := c.s.books.tokens[digestOf(raw)]
	k := &c.k.Revoke
	switch {
	case t == nil || t.owner() != app.ClientID, k.TrustHint && hint != "" && hint != t.kind.name():
		if k.RefuseUnknown {
			return c.say("token", "")
		}
		c.noteLocked("unknown token revoked")
		return c.revoked()
	case k.RefuseGone && !t.good(c.s.now()):
		return c.say("token", "")
	}
	c.revokeToken(t)
	return c.revoked()
}

// revoked is the success answer (RFC 7009 section 2.2), whose body means
// nothing.
func (c *call) revoked() *reply {
	if rep := c.own("revoked", ""); rep != nil {
		return rep
	}
	return newReply(http.StatusOK, "", "")
}

// revokeToken ends t, and what ends with it. The lock must be held.
func (c *call) revokeToken(t *token) {
	k := &c.k.Revoke
	now := c.s.now()
	t.kill(Revoked, now)
	g := t.grantOf()
	switch {
	case g != nil && k.EndsAllGrants:
		c.s.books.endGrant(g, Revoked, now)
		c.s.books.endHolder(holder{g.client, g.user}, Revoked, now)
		c.noteLocked("all grants revoked")
	case g == nil, t.kind == access && !k.AccessEndsGrant, t.kind == refresh && k.RefreshOnlyItself:
		c.noteLocked("token revoked")
	default:
		c.s.books.endGrant(g, Revoked, now)
		c.noteLocked("grant revoked")
	}
}

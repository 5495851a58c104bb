package oauthtest

import "net/http"

// revoke is the revocation endpoint (RFC 7009).
func (c *call) revoke() *reply {
	app, refusal := c.client()
	if refusal != nil {
		return refusal
	}
	raw, hint := c.form.Get("token"), c.form.Get("token_type_hint")
	switch {
	case raw == "":
		return missing("token")
	case hint == "" && !c.k.Revoke.HintOptional:
		return missing("token_type_hint")
	case hint != "" && hint != "access_token" && hint != "refresh_token":
		return invalid(badHint)
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	t := c.s.tokens[digestOf(raw)]
	if t == nil || t.grant == nil || t.grant.client != app.ClientID {
		if c.k.Revoke.RefuseUnknown {
			return invalid(badToken)
		}
		c.noteLocked("unknown token revoked")
		return newReply(http.StatusOK, typeJSON, bodyRevoked)
	}
	c.revokeToken(t)
	return newReply(http.StatusOK, typeJSON, bodyRevoked)
}

// revokeToken ends t, and what ends with it. The lock must be held.
func (c *call) revokeToken(t *token) {
	k := c.k.Revoke
	t.revoked = true
	if t.kind == access && !k.AccessEndsGrant || t.kind == refresh && k.RefreshOnlyItself {
		c.noteLocked("token revoked")
		return
	}
	c.s.endGrant(t.grant, endedRevoked)
	c.noteLocked("grant revoked")
}

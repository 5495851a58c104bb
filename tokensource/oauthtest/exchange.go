package oauthtest

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"time"
)

// code is what is kept of an authorization code.
type code struct {
	client      string
	user        string
	redirectURL string
	scopes      []string
	challenge   string
	plain       bool
	issued      time.Time
	used        bool
	grant       *grant // what it led to, or nil
}

// exchange trades a code for tokens (RFC 6749 section 4.1.3, RFC 7636 section 4.5).
func (c *call) exchange(app *App) *reply {
	for _, name := range []string{"code", "redirect_uri", "code_verifier"} {
		if c.form.Get(name) == "" {
			return missing(name)
		}
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	now := c.s.now()
	held := c.s.codes[digestOf(c.form.Get("code"))]
	if held == nil || held.client != app.ClientID {
		return invalid(badCode)
	}
	if held.used {
		c.codeReused(held)
		return invalid(badCode)
	}
	if u := c.s.users[held.user]; !now.Before(held.issued.Add(c.k.Authorize.codeTTL())) || u == nil || u.suspended {
		return invalid(badCode)
	}
	held.used = true
	if refusal := c.mismatch(held); refusal != nil {
		held.used = !c.k.Token.KeepCode
		return refusal
	}
	scopes := held.scopes
	if c.k.Token.GrantedScopes != nil {
		scopes = slices.Clone(c.k.Token.GrantedScopes)
	}
	held.grant = c.s.openGrant(app.ClientID, held.user, scopes, now)
	p := c.s.issue(held.grant, c.k.Token, now)
	c.noteLocked("code exchanged")
	return c.granted(p.access, p.refresh, scopes)
}

func (c *call) codeReused(held *code) {
	c.noteLocked("code used again")
	if c.k.Token.RevokeOnCodeReuse && held.grant != nil && held.grant.ended == "" {
		c.s.endGrant(held.grant, endedCodeReuse)
	}
}

// mismatch refuses a code that was meant for another redirect URL or another verifier.
func (c *call) mismatch(held *code) *reply {
	if c.form.Get("redirect_uri") != held.redirectURL {
		return invalid(badRedirect)
	}
	challenge := c.form.Get("code_verifier")
	if !held.plain {
		sum := sha256.Sum256([]byte(challenge))
		challenge = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if !same(challenge, held.challenge) {
		return invalid(badVerifier)
	}
	return nil
}

func (k AuthorizeKnobs) codeTTL() time.Duration {
	if k.CodeTTL == 0 {
		return 30 * time.Second
	}
	return k.CodeTTL
}

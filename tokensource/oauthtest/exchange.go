package oauthtest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"time"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// code is what is kept of an authorization code.
type code struct {
	client      string
	user        string
	redirectURL string
	scopes      []string
	nonce, acr  string
	challenge   string // empty if the request had none
	plain       bool
	resources   []string
	thumbprint  string // of the key to which the request binds the code; empty if it names none
	issued      time.Time
	used        bool
	grant       *grant // what it led to, or nil
}

// exchange trades a code for tokens (RFC 6749 section 4.1.3, RFC 7636 section
// 4.5).
func (c *call) exchange(app *App) *reply {
	needed := []string{"code", "redirect_uri"}
	if c.s.options.RequirePKCE {
		needed = append(needed, "code_verifier")
	}
	for _, name := range needed {
		if c.form.Get(name) == "" {
			return c.say("missing", name)
		}
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	now := c.s.now()
	held := c.s.codes[digestOf(c.form.Get("code"))]
	if held == nil || held.client != app.ClientID {
		return c.refusal("exchange", "code")
	}
	if held.used {
		c.codeReused(held, now)
		return c.refusal("exchange", "code")
	}
	if u := c.s.users[held.user]; !now.Before(held.issued.Add(c.codeTTL())) || u == nil || u.Suspended {
		return c.refusal("exchange", "code")
	}
	held.used = true
	if refusal := c.untargeted(held.resources); refusal != nil {
		return refusal
	}
	if held.thumbprint != "" && c.foreignKey(held.thumbprint) {
		return c.say("code", "")
	}
	if refusal := c.mismatch(held); refusal != nil {
		held.used = !c.k.Token.KeepCode
		return refusal
	}
	scopes := held.scopes
	if c.k.Token.GrantedScopes != nil {
		scopes = slices.Clone(c.k.Token.GrantedScopes)
	}
	held.grant = c.s.openGrant(&c.k, app.ClientID, held.user, scopes, now)
	held.grant.resources, held.grant.thumbprint = held.resources, c.thumbprint
	accessToken, refreshToken, p := c.s.issue(&c.k, held.grant, 0, now)
	held.grant.acr = held.acr
	c.issued(p, "code exchanged")
	return c.withIDToken(c.granted(accessToken, refreshToken, scopes, c.accessTTL()), held.grant, accessToken, held.nonce, now)
}

func (c *call) codeReused(held *code, now time.Time) {
	c.noteLocked("code used again")
	if c.k.Token.RevokeOnCodeReuse && held.grant != nil && held.grant.ended == "" {
		c.s.books.endGrant(held.grant, Reused, now)
	}
}

// mismatch refuses a code that was meant for another redirect URL or another
// verifier. A verifier without a challenge is refused too: somebody may have
// removed the challenge from the authorization request (RFC 9700 section 4.8).
func (c *call) mismatch(held *code) *reply {
	if c.form.Get("redirect_uri") != held.redirectURL {
		return c.say("redirect_uri", "")
	}
	verifier := c.form.Get("code_verifier")
	if held.challenge == "" && verifier == "" {
		return nil
	}
	challenge := verifier
	if !held.plain {
		sum := sha256.Sum256([]byte(verifier))
		challenge = base64.RawURLEncoding.EncodeToString(sum[:])
		if c.s.provider.PKCE == provider.S256Hex {
			challenge = hex.EncodeToString(sum[:])
		}
	}
	if held.challenge == "" || !same(challenge, held.challenge) {
		return c.say("code_verifier", "")
	}
	return nil
}

package oauthtest

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// idTokenLife is how long an ID token is valid.
const idTokenLife = 10 * time.Minute

// scopeOpenID asks for an ID token (OpenID Connect Core 1.0, section 3.1.2.1).
const scopeOpenID = "openid"

// withIDToken adds an ID token to an answer that issues tokens, if the grant
// has the scope for it. A refreshed ID token has no nonce, and the time of the
// login as its auth_time (OpenID Connect Core 1.0, sections 2 and 12.2). The
// lock must be held.
func (c *call) withIDToken(rep *reply, g *grant, accessToken, nonce string, now time.Time) *reply {
	maker := c.s.options.IDTokens
	if maker == nil || !g.has(scopeOpenID) {
		return rep
	}
	claims := map[string]any{
		"iss": c.s.provider.Issuer, "sub": g.user, "aud": g.client, "iat": now.Unix(), "exp": now.Add(idTokenLife).Unix(),
		"auth_time": g.created.Unix(), "sid": "session-" + strconv.Itoa(g.number),
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	if g.acr != "" {
		claims["acr"] = g.acr
	}
	if u := c.s.users[g.user]; u != nil {
		info := userInfo(*u)
		maps.DeleteFunc(info, func(name string, _ any) bool {
			return !g.has("profile") && name != "email" || !g.has("email") && name == "email"
		})
		maps.Copy(claims, info)
		claims["sub"] = g.user
	}
	if c.k.Token.IDToken != nil {
		c.k.Token.IDToken(claims)
	}
	raw, err := maker.IDToken(claims, accessToken)
	if err != nil {
		c.noteLocked("no ID token: " + err.Error())
		return rep
	}
	rep.body = slices.Concat(rep.body[:len(rep.body)-1], []byte(`,"id_token":`), quote(raw), []byte("}"))
	return rep
}

// firstACR returns the authentication context that a request prefers.
func (c *call) firstACR() string {
	first, _, _ := strings.Cut(c.query.Get("acr_values"), " ")
	return first
}

// keys publishes the keys of ID tokens (RFC 7517).
func (c *call) keys() *reply {
	if c.r.Method != http.MethodGet {
		return c.say("method", http.MethodGet)
	}
	if c.s.options.IDTokens == nil {
		return c.say("path", "")
	}
	return newReply(http.StatusOK, typeJSON, string(c.s.options.IDTokens.JWKS()))
}

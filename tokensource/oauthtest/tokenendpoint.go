package oauthtest

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// token is the token endpoint (RFC 6749 section 3.2).
func (c *call) token() *reply {
	if c.form == nil {
		return c.say("missing", "grant_type")
	}
	if c.k.Token.StrictQuery && len(c.query) > 0 {
		return c.say("query", "")
	}
	if name := c.lacks(); name != "" {
		return c.say("missing", name)
	}
	if c.isExtension() {
		return c.extension()
	}
	app, refusal := c.client()
	if refusal != nil {
		if c.k.Token.ConsumeBeforeAuth {
			c.consume()
		}
		return refusal
	}
	if refusal := c.proven(); refusal != nil {
		return refusal
	}
	switch c.form.Get("grant_type") {
	case "":
		return c.say("missing", "grant_type")
	case "authorization_code":
		return c.exchange(app)
	case "refresh_token":
		return c.refresh(app)
	case "client_credentials":
		if c.s.routes.credentials == "" || c.s.routes.credentials == c.r.URL.Path {
			return c.ownToken(app)
		}
	}
	return c.say("grant_type", "")
}

// consume uses up what an unauthenticated request brought, as harsh servers do.
func (c *call) consume() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if code := c.s.codes[digestOf(c.form.Get("code"))]; code != nil {
		code.used = true
	}
	if t := c.s.books.tokens[digestOf(c.form.Get("refresh_token"))]; t != nil && t.kind == refresh {
		t.kill(Revoked, c.s.now())
	}
}

// ownToken issues an access token to the app itself (RFC 6749 section 4.4).
func (c *call) ownToken(app *App) *reply {
	if app.public() {
		return c.say("client", "")
	}
	scopes := splitScopes(c.s.provider, c.form.Get("scope"))
	if slices.ContainsFunc(scopes, c.unknownScope) {
		return c.say("scope", "")
	}
	if refusal := c.untargeted(nil); refusal != nil {
		return refusal
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	now := c.s.now()
	raw := c.s.issueOwn(&c.k, app.ClientID, scopes, now)
	c.s.books.tokens[digestOf(raw)].thumbprint = c.thumbprint
	c.noteLocked("the app got a token for itself")
	return c.granted(raw, "", scopes, c.accessTTL())
}

// granted is the success answer (RFC 6749 section 5.1). refreshToken may be
// empty.
func (c *call) granted(accessToken, refreshToken string, scopes []string, ttl time.Duration) *reply {
	if c.s.provider.TokenSample != nil && c.traded == "" {
		rep := c.sampled(accessToken, refreshToken, scopes, ttl)
		rep.tokens = true
		return rep
	}
	k := &c.k.Token
	var b members
	kind := "bearer"
	if c.thumbprint != "" {
		kind = "DPoP"
	}
	b.add("token_type", cmp.Or(k.TokenType, kind))
	switch k.ExpiresIn {
	case "":
		b.add("expires_in", json.RawMessage(strconv.FormatInt(int64(ttl/time.Second), 10)))
	case "-":
	default:
		b.addRaw("expires_in", k.ExpiresIn)
	}
	b.add("access_token", accessToken)
	if !k.OmitScope && len(scopes) > 0 {
		b.add("scope", strings.Join(shuffled(scopes), " "))
	}
	if refreshToken != "" {
		b.add("refresh_token", refreshToken)
	}
	for _, name := range slices.Sorted(maps.Keys(k.ExtraJSON)) {
		b.add(name, k.ExtraJSON[name])
	}
	rep := newReply(http.StatusOK, typeJSON, b.String()+"}")
	rep.header.Set("Cache-Control", "no-cache, no-store, max-age=0")
	rep.tokens = true
	return rep
}

// reworded is the answer as Knobs.Token.Granted wants it.
func (c *call) reworded(rep *reply) *reply {
	if !rep.tokens || c.k.Token.Granted == nil {
		return rep
	}
	a := &Answer{Status: rep.status, Header: rep.header, Body: string(rep.body)}
	c.k.Token.Granted(a)
	return replyOf(a)
}

// members builds a JSON object whose members stand in the order of their
// addition. The closing brace is the caller's.
type members struct{ strings.Builder }

// add appends a member. A value that JSON cannot express becomes null.
func (b *members) add(name string, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		text = []byte("null")
	}
	b.addRaw(name, string(text))
}

// addRaw appends a member whose value is JSON, or is meant not to be.
func (b *members) addRaw(name, value string) {
	separator := ","
	if b.Len() == 0 {
		separator = "{"
	}
	b.WriteString(separator + string(quote(name)) + ":" + value)
}

// quote returns text as a JSON string.
func quote(text string) []byte {
	b, err := json.Marshal(text)
	if err != nil {
		return []byte(`""`) // cannot happen: every string can be encoded
	}
	return b
}

// shuffled returns the scopes in an order that nobody asked for, as X does.
func shuffled(scopes []string) []string {
	list := slices.Clone(scopes)
	if len(list) > 1 {
		list[0], list[1] = list[1], list[0]
	}
	return list
}

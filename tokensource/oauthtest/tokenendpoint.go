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
		return missing("grant_type")
	}
	if c.k.Token.StrictQuery && len(c.query) > 0 {
		return invalid(badQuery)
	}
	app, refusal := c.client()
	if refusal != nil {
		if c.k.Token.ConsumeBeforeAuth {
			c.consume()
		}
		return refusal
	}
	switch c.form.Get("grant_type") {
	case "":
		return missing("grant_type")
	case "authorization_code":
		return c.exchange(app)
	case "refresh_token":
		return c.refresh(app)
	}
	return invalid(badGrant)
}

// consume uses up what an unauthenticated request brought, as harsh servers do.
func (c *call) consume() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if code := c.s.codes[digestOf(c.form.Get("code"))]; code != nil {
		code.used = true
	}
	if t := c.s.tokens[digestOf(c.form.Get("refresh_token"))]; t != nil && t.kind == refresh {
		t.revoked = true
	}
}

// granted is the success answer (RFC 6749 section 5.1), its members in X's order. refreshToken may be empty.
func (c *call) granted(accessToken, refreshToken string, scopes []string) *reply {
	k := c.k.Token
	var b strings.Builder
	member := func(name string, value []byte) {
		separator := byte(',')
		if b.Len() == 0 {
			separator = '{'
		}
		b.WriteByte(separator)
		b.WriteString(`"` + name + `":`)
		b.Write(value)
	}
	member("token_type", quote(cmp.Or(k.TokenType, "bearer")))
	switch k.ExpiresIn {
	case "":
		member("expires_in", strconv.AppendInt(nil, int64(k.accessTTL()/time.Second), 10))
	case "-":
	default:
		member("expires_in", []byte(k.ExpiresIn))
	}
	member("access_token", quote(accessToken))
	if !k.OmitScope {
		member("scope", quote(strings.Join(shuffled(scopes), " ")))
	}
	if refreshToken != "" {
		member("refresh_token", quote(refreshToken))
	}
	for _, name := range slices.Sorted(maps.Keys(k.ExtraJSON)) {
		value, err := json.Marshal(k.ExtraJSON[name])
		if err != nil {
			value = []byte("null")
		}
		member(string(quote(name)[1:len(quote(name))-1]), value)
	}
	b.WriteByte('}')
	rep := newReply(http.StatusOK, typeJSON, b.String())
	rep.header.Set("Cache-Control", "no-cache, no-store, max-age=0")
	return rep
}

// shuffled returns the scopes in an order that nobody asked for, as X does.
func shuffled(scopes []string) []string {
	list := slices.Clone(scopes)
	if len(list) > 1 {
		list[0], list[1] = list[1], list[0]
	}
	return list
}

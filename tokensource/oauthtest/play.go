package oauthtest

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// This file and the next one make the server behave as the facts of its
// Provider say, where they say more than RFC 6749. A knob overrules a fact.

// likeProvider completes knobs that have their zero value.
func (s *Server) likeProvider(k *Knobs) {
	facts := s.provider.RefreshTokens
	t := &k.Token
	t.OmitRefresh = t.OmitRefresh || facts.Reusable && !t.RepeatRefresh
	t.GraceWindow = cmp.Or(t.GraceWindow, facts.Grace)
	t.NoFamilyRevocation = t.NoFamilyRevocation || facts.ReuseSparesGrant
	t.KillOldAccess = t.KillOldAccess || facts.EndsAccess
	t.RefreshTTL = cmp.Or(t.RefreshTTL, facts.Idle, facts.Lifetime)
	k.Revoke.EndsAllGrants = k.Revoke.EndsAllGrants || s.provider.RevokesAll
	if api := s.provider.API.RejectedStatuses; k.RejectStatus == 0 && len(api) > 0 {
		k.RejectStatus = api[0]
	}
}

// readsJSON reports whether an endpoint wants JSON and no form.
func (c *call) readsJSON() bool {
	return c.op == opToken && c.s.provider.TokenJSON || c.op == opRevoke && c.s.provider.Revocation.JSON
}

// readable reports whether the body of a request is one that this endpoint
// reads, and whether that is JSON.
func (c *call) readable() (json, ok bool) {
	mediaType, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	switch mediaType {
	case "application/x-www-form-urlencoded":
		return false, !c.readsJSON()
	case "application/json":
		return true, c.readsJSON() || c.s.options.JSONBodies && c.op != opAuthorize
	}
	return false, false
}

// translate gives parameters their names in RFC 6749.
func (c *call) translate(params url.Values) {
	name := c.s.provider.ClientIDParam
	if name == "" || params == nil {
		return
	}
	delete(params, "client_id")
	if values, ok := params[name]; ok {
		params["client_id"] = values
		delete(params, name)
	}
}

// lacks returns what a token request lacks, or nothing: a parameter or a header
// that this server wants in every one.
func (c *call) lacks() string {
	for name, values := range c.s.provider.TokenParams {
		if !slices.Equal(c.form[name], values) {
			return name
		}
	}
	for name, values := range c.s.provider.TokenHeader {
		if !slices.Equal(c.r.Header[name], values) {
			return name
		}
	}
	return ""
}

// splitScopes reads a list of scopes.
func splitScopes(p *provider.Provider, text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || strings.ContainsRune(p.ScopeSeparator, r) })
}

// withParams adds the parameters of the response that only this server sends.
func (c *call) withParams(list []string) []string {
	p := c.s.provider
	for _, name := range p.KeepCallback {
		if _, fixed := p.CallbackValues[name]; !fixed && !c.k.Authorize.ExtraParams.Has(name) {
			list = append(list, name, "kept-"+name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.CallbackValues)) {
		if !c.k.Authorize.ExtraParams.Has(name) {
			list = append(list, name, p.CallbackValues[name])
		}
	}
	if p.TokenHostParam != "" && !c.k.Authorize.ExtraParams.Has(p.TokenHostParam) {
		list = append(list, p.TokenHostParam, p.TokenHosts[len(p.TokenHosts)-1])
	}
	return list
}

// signed adds the signature of a server that signs its responses with the
// secret of the app, over the text that a form with these parameters has. A
// knob can send another one.
func (c *call) signed(app *App, params []string) []string {
	name := c.s.provider.CallbackSignature
	if name == "" || c.k.Authorize.ExtraParams.Has(name) {
		return params
	}
	var pairs []string
	for i := 0; i+1 < len(params); i += 2 {
		pairs = append(pairs, url.QueryEscape(params[i])+"="+url.QueryEscape(params[i+1]))
	}
	slices.Sort(pairs)
	mac := hmac.New(sha256.New, []byte(app.Secret()))
	mac.Write([]byte(strings.Join(pairs, "&")))
	return append(params, name, hex.EncodeToString(mac.Sum(nil)))
}

// revocation is the revocation endpoint, in the form that Provider.Revocation
// describes.
func (c *call) revocation() *reply {
	facts := c.s.provider.Revocation
	if method := cmp.Or(facts.Method, http.MethodPost); c.r.Method != method {
		return c.say("method", method)
	}
	if c.form == nil {
		c.form = url.Values{}
	}
	if name := facts.TokenParam; name != "" {
		c.form["token"] = c.form[name]
		delete(c.form, name)
	}
	for name, values := range facts.Params {
		if !slices.Equal(c.form[name], values) {
			return c.say("missing", name)
		}
	}
	switch facts.Auth {
	case "", "basic":
		return c.revoke()
	case "token":
		raw := bearerOf(c.r, c.query)
		c.form.Set("token", raw)
		if c.s.Token(raw).Dead != "" {
			return c.rejected()
		}
	}
	return c.revokeUnauthenticated(facts.Auth == "id")
}

// revokeUnauthenticated revokes a token for any client that has it, or for the
// app that the request names.
func (c *call) revokeUnauthenticated(named bool) *reply {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	t := c.s.books.tokens[digestOf(c.form.Get("token"))]
	if t == nil || !t.good(c.s.now()) || named && c.form.Get("client_id") != t.owner() || c.form.Has("client_secret") {
		if rep := c.refused("revoke"); rep != nil {
			return rep
		}
		return c.revoked() // as RFC 7009 has it
	}
	c.revokeToken(t)
	return c.revoked()
}

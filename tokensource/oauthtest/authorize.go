package oauthtest

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/authtrip/authtrip/internal/loopback"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// authRequest is a checked authorization request.
type authRequest struct {
	app         *App
	redirectURL string
	state       string
	scopes      []string
	challenge   string
	plain       bool
	nonce, acr  string
	resources   []string
	thumbprint  string
}

// authorize is the authorization endpoint (RFC 6749 section 3.1).
func (c *call) authorize() *reply {
	if c.r.Method == http.MethodPost && c.k.Authorize.Ask {
		return c.decided()
	}
	if c.r.Method != http.MethodGet {
		return c.say("method", http.MethodGet)
	}
	if !c.unpush() {
		return c.say("page", "")
	}
	req, refusal := c.readAuthorize()
	if refusal != nil {
		return refusal
	}
	user := c.currentUser()
	if user == nil {
		return c.say("page", "")
	}
	if c.k.Authorize.Ask && c.ctx.Value(pressKey{}) == nil {
		return c.ask(req, user)
	}
	approved := !c.k.Authorize.Deny
	if c.k.Authorize.Decide != nil {
		approved = c.k.Authorize.Decide(req.app.ClientID, user.ID, slices.Clone(req.scopes))
	}
	return c.decide(req, user, approved)
}

// decide carries out what the user wants.
func (c *call) decide(req *authRequest, user *User, approved bool) *reply {
	switch {
	case approved:
		return c.approve(req, user)
	case c.k.Authorize.DenyAs != "":
		return c.sendBack(req.redirectURL, c.k.Authorize.DenyAs, req.state)
	}
	return c.sendError(req, "access_denied")
}

// sendError sends the browser back with an error (RFC 6749 section 4.1.2.1).
func (c *call) sendError(req *authRequest, code string) *reply {
	return c.sendBack(req.redirectURL, c.withIss(withState(req.state, "error", code))...)
}

// readAuthorize checks a request. A request that cannot be trusted gets a page.
// What is wrong with any other is sent back to the app.
func (c *call) readAuthorize() (*authRequest, *reply) {
	q := c.query
	c.s.mu.Lock()
	app := c.s.apps[q.Get("client_id")]
	c.s.mu.Unlock()
	if app == nil || len(q["client_id"]) != 1 || len(q["redirect_uri"]) != 1 || !c.registered(app, q.Get("redirect_uri")) {
		return nil, c.say("page", "")
	}
	method := q.Get("code_challenge_method")
	req := &authRequest{
		app: app, redirectURL: q.Get("redirect_uri"), state: q.Get("state"), scopes: splitScopes(c.s.provider, q.Get("scope")),
		challenge: q.Get("code_challenge"), plain: method == "" || method == "plain",
		nonce: q.Get("nonce"), acr: c.firstACR(),
		resources: q["resource"], thumbprint: q.Get("dpop_jkt"),
	}
	limit := c.k.Authorize.MaxState
	if limit == 0 {
		limit = c.s.provider.MaxState
	}
	if limit > 0 && utf8.RuneCountInString(req.state) > limit {
		return nil, c.sendBack(req.redirectURL,
			"error", "invalid_request", "error_description", "Redirect is requested.", "state", "")
	}
	code := c.flaw(req)
	if code == "" && slices.Contains(strings.Fields(q.Get("prompt")), "none") {
		code = c.k.Authorize.PromptNone
	}
	if code != "" {
		return nil, c.sendError(req, code)
	}
	return req, nil
}

// registered reports whether the redirect URL is one of the app's.
func (c *call) registered(app *App, redirectURL string) bool {
	if slices.Contains(app.RedirectURLs, redirectURL) {
		return true
	}
	if !c.k.Authorize.AnyLoopbackPort {
		return false
	}
	without := withoutLoopbackPort(redirectURL)
	return without != "" && slices.ContainsFunc(app.RedirectURLs, func(other string) bool {
		return withoutLoopbackPort(other) == without
	})
}

// withoutLoopbackPort returns a URL at a loopback IP address without its port,
// or nothing (RFC 8252 section 7.3).
func withoutLoopbackPort(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" || u.Hostname() == "localhost" || !loopback.Host(u.Hostname()) {
		return ""
	}
	u.Host = u.Hostname()
	return u.String()
}

// flaw returns the error code for what is wrong with a request that can be sent
// back, or nothing.
func (c *call) flaw(req *authRequest) string {
	for name, values := range c.query {
		if len(values) > 1 && name != "resource" {
			return "invalid_request"
		}
	}
	method := c.query.Get("code_challenge_method")
	switch {
	case c.query.Get("response_type") == "":
		return "invalid_request"
	case c.query.Get("response_type") != "code":
		return "unsupported_response_type"
	case req.state == "" && c.s.options.RequireState && !c.k.Authorize.AllowMissingState,
		!req.plain && !strings.EqualFold(method, "S256"),
		req.challenge == "" && c.s.options.RequirePKCE,
		req.challenge != "" && !goodChallenge(req.challenge, c.k.Authorize.StrictPKCE):
		return "invalid_request"
	}
	if req.challenge != "" && c.s.provider.PKCE == provider.NoPKCE {
		return "invalid_request"
	}
	if !c.targets(req.resources, nil) {
		return "invalid_target"
	}
	if c.k.Authorize.DropUnknownScopes {
		req.scopes = slices.DeleteFunc(req.scopes, c.unknownScope)
	}
	if len(req.scopes) == 0 && len(c.s.provider.Scopes) == 0 {
		req.scopes = c.s.defaultScopes()
	} else if len(req.scopes) == 0 || slices.ContainsFunc(req.scopes, c.unknownScope) {
		return "invalid_scope"
	}
	return ""
}

// unknownScope reports whether the server does not know the scope.
func (c *call) unknownScope(scope string) bool {
	known := c.s.provider.Scopes
	return len(known) > 0 && !slices.Contains(known, scope)
}

// goodChallenge checks the length, and if strict the length and alphabet of RFC
// 7636 section 4.2.
func goodChallenge(challenge string, strict bool) bool {
	if !strict {
		return len(challenge) <= 128
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	return len(challenge) >= 43 && len(challenge) <= 128 && strings.Trim(challenge, alphabet) == ""
}

// currentUser returns the user who is logged in, or nil.
func (c *call) currentUser() *User {
	id := c.k.Authorize.User
	if named, ok := c.ctx.Value(userKey{}).(string); ok {
		id = named
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if id == "" && len(c.s.userOrder) > 0 {
		id = c.s.userOrder[0]
	}
	if u := c.s.users[id]; u != nil && !u.Suspended {
		return u
	}
	return nil
}

// approve issues a code and sends the browser back (RFC 6749 section 4.1.2).
// The state comes first, as at X.
func (c *call) approve(req *authRequest, user *User) *reply {
	c.s.mu.Lock()
	now := c.s.now()
	raw := c.s.mint("ac", now)
	c.s.codes[digestOf(raw)] = &code{
		client: req.app.ClientID, user: user.ID, redirectURL: req.redirectURL, scopes: req.scopes,
		challenge: req.challenge, plain: req.plain, resources: req.resources, thumbprint: req.thumbprint, issued: now,
		nonce: req.nonce, acr: req.acr,
	}
	c.s.dropOldCodes(now)
	if c.k.Authorize.RevokeAtConsent {
		c.s.books.endHolder(holder{req.app.ClientID, user.ID}, Replaced, now)
	}
	c.rec.UserID = user.ID
	c.noteLocked("code issued")
	c.s.mu.Unlock()
	return c.sendBack(req.redirectURL, c.signed(req.app, c.callback(req.state, raw))...)
}

// dropOldCodes forgets, now and then, codes that were issued long ago. The lock
// must be held.
func (s *Server) dropOldCodes(now time.Time) {
	if len(s.codes)%1024 != 0 {
		return
	}
	for id, held := range s.codes {
		if now.Sub(held.issued) > 24*time.Hour {
			delete(s.codes, id)
		}
	}
}

// callback returns the parameters of a success, distorted as the knobs say.
func (c *call) callback(state, code string) []string {
	k := &c.k.Authorize
	var list []string
	if k.TamperState && state != "" {
		last := byte('A')
		if state[len(state)-1] == 'A' {
			last = 'B'
		}
		state = state[:len(state)-1] + string(last)
	}
	switch {
	case k.EmptyState:
		list = append(list, "state", "")
	case !k.OmitState && state != "":
		list = append(list, "state", state)
	}
	list = append(list, "code", code)
	if k.DuplicateCode {
		list = append(list, "code", code[1:]+"A")
	}
	list = c.withParams(c.withIss(list))
	for _, name := range slices.Sorted(maps.Keys(k.ExtraParams)) {
		for _, value := range k.ExtraParams[name] {
			list = append(list, name, value)
		}
	}
	return list
}

// withIss adds the issuer (RFC 9207).
func (c *call) withIss(params []string) []string {
	iss := c.s.provider.Issuer
	if c.k.Authorize.SendIss != "" {
		iss = c.k.Authorize.SendIss
	}
	if iss == "" || iss == "-" {
		return params
	}
	return append(params, "iss", iss)
}

// withState adds the state to the parameters if the request had one.
func withState(state string, params ...string) []string {
	if state == "" {
		return params
	}
	return append(params, "state", state)
}

// sendBack redirects with parameters, given as names and values, in this order.
func (c *call) sendBack(target string, params ...string) *reply {
	var b strings.Builder
	b.WriteString(target)
	separator := byte('?')
	switch {
	case c.k.Authorize.InFragment:
		separator = '#'
	case strings.Contains(target, "?"):
		separator = '&'
	}
	for i := 0; i+1 < len(params); i += 2 {
		b.WriteByte(separator)
		b.WriteString(url.QueryEscape(params[i]) + "=" + url.QueryEscape(params[i+1]))
		separator = '&'
	}
	rep := newReply(cmp.Or(c.k.Authorize.Status, http.StatusFound), "", "")
	rep.header.Set("Location", b.String())
	return rep
}

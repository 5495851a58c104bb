package oauthtest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

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
}

// authorize is the authorization endpoint (RFC 6749 section 3.1).
func (c *call) authorize() *reply {
	if c.r.Method == http.MethodPost && c.k.Authorize.asks() {
		return c.decided()
	}
	if c.r.Method != http.MethodGet {
		return methodNotAllowed(http.MethodGet)
	}
	req, refusal := c.readAuthorize()
	if refusal != nil {
		return refusal
	}
	user := c.currentUser()
	if user == nil {
		return wentWrong()
	}
	k := c.k.Authorize
	consent := k.Consent
	if k.Decide != nil {
		consent = k.Decide(req.app.ClientID, user.ID, slices.Clone(req.scopes))
	}
	if consent == Ask {
		if c.ctx.Value(pressKey{}) == nil {
			return c.ask(req, user)
		}
		consent = Approve
	}
	return c.decide(req, user, consent)
}

// decide carries out what the user wants.
func (c *call) decide(req *authRequest, user *User, consent Consent) *reply {
	switch consent {
	case Approve:
		return c.approve(req, user)
	case Deny:
		return sendBack(req.redirectURL, withState(req.state, "error", "access_denied")...)
	case DenyOAuth1:
		return sendBack(req.redirectURL, "denied", req.state)
	case Ignore:
		<-c.ctx.Done()
		return dropped(c.ctx.Err())
	}
	return newReply(http.StatusOK, typeHTML, "<!DOCTYPE html>\n<title>X</title>\n<p>You have not given access to the App.</p>\n")
}

// readAuthorize checks a request. What cannot be trusted to be sent back gets a page, the rest an error redirect.
func (c *call) readAuthorize() (*authRequest, *reply) {
	q := c.query
	c.s.mu.Lock()
	app := c.s.apps[q.Get("client_id")]
	c.s.mu.Unlock()
	if app == nil || len(q["client_id"]) != 1 || len(q["redirect_uri"]) != 1 || !slices.Contains(app.RedirectURLs, q.Get("redirect_uri")) {
		return nil, wentWrong()
	}
	req := &authRequest{
		app: app, redirectURL: q.Get("redirect_uri"), state: q.Get("state"), scopes: strings.Fields(q.Get("scope")),
		challenge: q.Get("code_challenge"), plain: q.Get("code_challenge_method") == "" || q.Get("code_challenge_method") == "plain",
	}
	limit := c.k.Authorize.MaxState
	if limit == 0 {
		limit = 500
	}
	if utf8.RuneCountInString(req.state) > limit {
		return nil, sendBack(req.redirectURL,
			"error", "invalid_request", "error_description", "Redirect is requested.", "state", "")
	}
	if code := c.flaw(req); code != "" {
		return nil, sendBack(req.redirectURL, withState(req.state, "error", code)...)
	}
	return req, nil
}

// flaw returns the error code for what is wrong with a request that can be sent back, or nothing.
func (c *call) flaw(req *authRequest) string {
	for _, values := range c.query {
		if len(values) > 1 {
			return "invalid_request"
		}
	}
	k := c.k.Authorize
	method := c.query.Get("code_challenge_method")
	switch {
	case c.query.Get("response_type") != "code",
		req.state == "" && !k.AllowMissingState,
		!req.plain && method != "S256" && method != "s256",
		!goodChallenge(req.challenge, k.StrictPKCE):
		return "invalid_request"
	}
	scopes := provider.X().Scopes
	unknown := func(scope string) bool { return !slices.Contains(scopes, scope) }
	if k.DropUnknownScopes {
		req.scopes = slices.DeleteFunc(req.scopes, unknown)
	}
	if len(req.scopes) == 0 || slices.ContainsFunc(req.scopes, unknown) {
		return "invalid_scope"
	}
	return ""
}

// goodChallenge checks the length, and if strict the length and alphabet of RFC 7636 section 4.2.
func goodChallenge(challenge string, strict bool) bool {
	if !strict {
		return len(challenge) >= 1 && len(challenge) <= 128
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	return len(challenge) >= 43 && len(challenge) <= 128 && strings.Trim(challenge, alphabet) == ""
}

// currentUser returns who is logged in, or nil.
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
	if u := c.s.users[id]; u != nil && !u.suspended {
		return u
	}
	return nil
}

// approve issues a code and sends the browser back (RFC 6749 section 4.1.2): state first, as X does.
func (c *call) approve(req *authRequest, user *User) *reply {
	k := c.k.Authorize
	c.s.mu.Lock()
	now := c.s.now()
	raw := c.s.mint("ac", now)
	c.s.codes[digestOf(raw)] = &code{
		client: req.app.ClientID, user: user.ID, redirectURL: req.redirectURL, scopes: req.scopes,
		challenge: req.challenge, plain: req.plain, issued: now,
	}
	c.s.dropOldCodes(now)
	if k.RevokeAtConsent {
		c.s.endPair(pair{req.app.ClientID, user.ID}, endedReplaced)
	}
	c.noteLocked("code issued")
	c.s.mu.Unlock()
	return sendBack(req.redirectURL, k.callback(req.state, raw)...)
}

// dropOldCodes forgets codes that were issued long ago. The lock must be held.
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
func (k AuthorizeKnobs) callback(state, code string) []string {
	var list []string
	if k.TamperState && state != "" {
		last := byte('A')
		if state[len(state)-1] == 'A' {
			last = 'B'
		}
		state = state[:len(state)-1] + string(last)
	}
	if !k.OmitState && state != "" {
		list = append(list, "state", state)
	}
	list = append(list, "code", code)
	if k.DuplicateCode {
		list = append(list, "code", code[1:]+"A")
	}
	if k.SendIss != "" {
		list = append(list, "iss", k.SendIss)
	}
	for name, values := range k.ExtraParams {
		for _, value := range values {
			list = append(list, name, value)
		}
	}
	return list
}

// withState adds the state to the parameters if the request had one.
func withState(state string, params ...string) []string {
	if state == "" {
		return params
	}
	return append(params, "state", state)
}

// sendBack redirects with parameters, given as names and values, in this order.
func sendBack(target string, params ...string) *reply {
	var b strings.Builder
	b.WriteString(target)
	separator := byte('?')
	if strings.Contains(target, "?") {
		separator = '&'
	}
	for i := 0; i+1 < len(params); i += 2 {
		b.WriteByte(separator)
		b.WriteString(url.QueryEscape(params[i]) + "=" + url.QueryEscape(params[i+1]))
		separator = '&'
	}
	rep := newReply(http.StatusFound, "", "")
	rep.header.Set("Location", b.String())
	return rep
}

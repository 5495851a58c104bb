package oauthtest

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// endpoint says who may call what.
type endpoint struct {
	scopes   []string
	userOnly bool
	serve    func(*call, *token, payload) *reply
}

var endpoints = map[string]endpoint{
	"GET " + PathMe:       {[]string{"users.read", "tweet.read"}, true, (*call).me},
	"POST " + PathTweets:  {[]string{"tweet.read", "tweet.write", "users.read"}, true, (*call).createPost},
	"GET " + PathTweets:   {[]string{"tweet.read", "users.read"}, false, (*call).listPosts},
	"GET " + PathStream:   {nil, false, (*call).openStream},
	"GET " + PathRedirect: {nil, false, (*call).redirect},
}

// api answers a resource request: token, rate limit, enrolment, credits, scopes, in this order.
func (c *call) api() *reply {
	e, ok := endpoints[c.r.Method+" "+c.r.URL.Path]
	if c.r.URL.Path == PathEcho {
		e, ok = endpoint{serve: (*call).echo}, true
	}
	if c.r.URL.Path == PathRedirect {
		e, ok = endpoints["GET "+PathRedirect], true
	}
	if !ok {
		return methodNotAllowed("GET")
	}
	var body payload
	if !c.k.API.EarlyReject {
		body = c.readBody()
	}
	limits := make(http.Header, 9)
	t, refusal := c.admit(e, limits)
	if refusal == nil {
		if c.k.API.EarlyReject {
			body = c.readBody()
		}
		refusal = e.serve(c, t, body)
	}
	maps.Copy(refusal.header, limits)
	return refusal
}

// payload is the body of an API request: its first MiB, and the size and hash of all of it.
type payload struct {
	text []byte
	size int64
	sum  []byte
}

// readBody reads what the client sends, to its end; what breaks off is as short as it arrived.
func (c *call) readBody() payload {
	sum := sha256.New()
	if c.r.Body == http.NoBody {
		return payload{sum: sum.Sum(nil)}
	}
	var head bytes.Buffer
	size, err := io.Copy(io.MultiWriter(&head, sum), io.LimitReader(c.r.Body, 1<<20))
	if err == nil {
		var more int64
		more, err = io.Copy(sum, c.r.Body)
		size += more
	}
	if err != nil {
		c.note("the request's body broke off")
	}
	return payload{text: head.Bytes(), size: size, sum: sum.Sum(nil)}
}

// admit decides whether the request may be served.
func (c *call) admit(e endpoint, limits http.Header) (*token, *reply) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	t := c.bearer()
	if rep := c.limited(t, limits); rep != nil {
		return nil, rep
	}
	if t == nil {
		return nil, c.unauthorized()
	}
	client := t.client
	if t.grant != nil {
		client = t.grant.client
	}
	app := c.s.apps[client]
	switch {
	case app == nil, t.grant != nil && c.s.users[t.grant.user] == nil:
		return nil, c.unauthorized()
	case app.NotEnrolled, c.k.API.UserNotEnrolled:
		return nil, clientForbidden(client, !app.NotEnrolled)
	case c.k.API.NoCredits:
		return nil, problem(http.StatusPaymentRequired, bodyCredits)
	case t.grant == nil && e.userOnly:
		return nil, problem(http.StatusForbidden, bodyUnsupported)
	case t.grant != nil && !t.grant.has(e.scopes...):
		return nil, problem(http.StatusForbidden, bodyForbidden)
	}
	return t, nil
}

// bearer returns the valid access token of the request (RFC 6750 section 2.1), or nil. The lock must be held.
func (c *call) bearer() *token {
	values := c.r.Header.Values("Authorization")
	if len(values) != 1 || c.query.Has("access_token") {
		return nil
	}
	scheme, raw, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil
	}
	t := c.s.tokens[digestOf(raw)]
	if t == nil || t.kind != access || !t.good(c.s.now()) {
		return nil
	}
	return t
}

func (c *call) unauthorized() *reply {
	status := cmp.Or(c.k.API.RejectStatus, http.StatusUnauthorized)
	rep := problem(status, bodyUnauthorized)
	switch c.k.API.ErrorStyle {
	case StyleV1:
		rep = newReply(status, typeJSON, bodyUnauthorizedV1)
	case StyleText:
		rep = newReply(status, typeText, "Unauthorized")
	}
	if c.k.API.WWWAuthenticate != "" {
		rep.header.Set("WWW-Authenticate", c.k.API.WWWAuthenticate)
	}
	return rep
}

// me says who the user is.
func (c *call) me(t *token, _ payload) *reply {
	c.s.mu.Lock()
	u := *c.s.users[t.grant.user]
	c.s.mu.Unlock()
	var email string
	fields := strings.Split(c.query.Get("user.fields"), ",")
	if slices.Contains(fields, "confirmed_email") && t.grant.has("users.email") {
		email = u.ConfirmedEmail
	}
	return answerJSON(http.StatusOK, struct {
		Data any `json:"data"`
	}{struct {
		ID       string `json:"id"`
		Name     string `json:"name"`
		Username string `json:"username"`
		Email    string `json:"confirmed_email,omitempty"`
	}{u.ID, u.Name, u.Username, email}})
}

// echo tells what arrived.
func (c *call) echo(_ *token, body payload) *reply {
	return answerJSON(http.StatusOK, map[string]any{
		"method":            c.r.Method,
		"length":            body.size,
		"sha256":            hex.EncodeToString(body.sum),
		"content_length":    c.r.ContentLength,
		"transfer_encoding": strings.Join(c.r.TransferEncoding, ","),
		"expect":            c.r.Header.Get("Expect"),
		"content_type":      c.r.Header.Get("Content-Type"),
		"idempotency_key":   c.r.Header.Get("Idempotency-Key"),
	})
}

// redirect sends the client elsewhere, to see what it takes along.
func (c *call) redirect(_ *token, _ payload) *reply {
	status, err := strconv.Atoi(c.query.Get("status"))
	if err != nil || status < 300 || status > 399 {
		status = http.StatusFound
	}
	rep := newReply(status, "", "")
	rep.header.Set("Location", cmp.Or(c.k.API.RedirectTo, "https://elsewhere.test/landing"))
	return rep
}

func answerJSON(status int, value any) *reply {
	body, err := json.Marshal(value)
	if err != nil {
		return problem(http.StatusInternalServerError, "") // cannot happen: the values above can be encoded
	}
	return newReply(status, typeJSON, string(body))
}

package oauthtest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// recorder keeps the latest requests, counters, and what clients did that they
// should not. Server.mu guards it.
type recorder struct {
	limit     int
	number    int64
	kept      []*Request // a ring once it is full
	calls     map[string]int
	counts    map[likeness]int
	dials     map[string]int // by Op
	verifiers map[digest]bool
	offences  []string
}

// likeness is what requests have in common that Request.Count counts together.
type likeness struct{ op, grantType, client, user string }

func (rec *recorder) init(limit int) {
	switch {
	case limit == 0:
		limit = 4096
	case limit < 0:
		limit = 0
	}
	rec.limit = limit
	rec.calls, rec.counts, rec.dials = map[string]int{}, map[likeness]int{}, map[string]int{}
	rec.verifiers = map[digest]bool{}
}

// countDial counts the requests that are about to arrive.
func (rec *recorder) countDial(op string) int {
	rec.dials[op]++
	return rec.dials[op]
}

func (rec *recorder) add(c *call) *Request {
	rec.number++
	seen := c.request()
	r := &seen
	r.Number = rec.number
	if c.form != nil && c.op == opToken {
		r.GrantType = known(c.form.Get("grant_type"))
		if c.traded != "" { // the provider names it
			r.GrantType = c.form.Get("grant_type")
		}
		rec.calls[r.GrantType]++
	}
	r.ClientID = c.claimedClient()
	r.UserID, r.Grant = c.subject()
	key := likeness{r.Op, r.GrantType, r.ClientID, r.UserID}
	rec.counts[key]++
	r.Count = rec.counts[key]
	rec.inspect(c, r)
	if rec.limit > 0 {
		rec.store(c, r)
	}
	return r
}

// store keeps the request, and its raw values behind a closure.
func (rec *recorder) store(c *call, r *Request) {
	address := *c.r.URL
	raw := &rawRequest{url: &address, header: c.r.Header.Clone(), form: c.form}
	r.raw = func() *rawRequest { return raw }
	if len(rec.kept) < rec.limit {
		rec.kept = append(rec.kept, r)
		return
	}
	rec.kept[(rec.number-1)%int64(rec.limit)] = r
}

// known keeps a grant type only if it is one. A client that mixes its
// parameters up must not put a secret into it.
func known(grantType string) string {
	switch grantType {
	case "", "authorization_code", "refresh_token", "client_credentials",
		deviceGrant, jwtBearerGrant, tokenExchangeGrant:
		return grantType
	}
	return "other"
}

// claimedClient returns the registered app that the request names. Server.mu
// must be held.
func (c *call) claimedClient() string {
	id, _, _, _ := basicOf(c.r.Header, c.rawBasic())
	for _, id := range []string{id, c.form.Get("client_id"), c.query.Get("client_id")} {
		if c.s.apps[id] != nil {
			return id
		}
	}
	return ""
}

// subject returns the user and the grant of the token or code that the request
// brought. Server.mu must be held.
func (c *call) subject() (user string, number int) {
	if code := c.s.codes[digestOf(c.form.Get("code"))]; code != nil {
		return code.user, 0
	}
	for _, raw := range []string{c.form.Get("refresh_token"), c.form.Get("token"), c.form.Get(c.trades().TokenParam), bearerOf(c.r, c.query)} {
		if raw == "" {
			continue
		}
		if g := c.s.books.tokens[digestOf(raw)].grantOf(); g != nil {
			return g.user, g.number
		}
	}
	return "", 0
}

// bearerOf returns the access token of a request (RFC 6750 section 2.1), or
// nothing.
func bearerOf(r *http.Request, query url.Values) string {
	values := r.Header.Values("Authorization")
	if len(values) != 1 || query.Has("access_token") {
		return ""
	}
	scheme, raw, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "DPoP") {
		return ""
	}
	return raw
}

// Requests returns the recorded requests, oldest first: all of them, or those
// that are matched by one of the arguments.
func (s *Server) Requests(only ...Match) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Request
	for _, r := range s.recorder.kept {
		if len(only) == 0 || slices.ContainsFunc(only, func(m Match) bool { return m.matches(r) }) {
			list = append(list, r.clone())
		}
	}
	slices.SortFunc(list, func(a, b Request) int { return int(a.Number - b.Number) })
	return list
}

// TokenCalls counts the requests of a grant type ("authorization_code",
// "refresh_token", "client_credentials", "ig_refresh_token"), whatever became
// of them. It counts from the beginning, whatever the record still holds. A
// request that did not reach the server is not counted.
func (s *Server) TokenCalls(grantType string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.recorder.calls[grantType]
}

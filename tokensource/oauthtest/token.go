package oauthtest

import (
	"slices"
	"time"
)

// Token is what the books hold of a token: everything but the token.
type Token struct {
	Kind     string // "access_token" or "refresh_token"; empty if the token is unknown
	ClientID string
	User     User     // zero for a token that an app got for itself
	Scopes   []string // of the grant
	Grant    int      // Grant.Number; 0 for a token that an app got for itself
	Pair     int      // Pair.Number
	Issued   time.Time
	Expires  time.Time // zero means never

	// Thumbprint is that of the key to which the token is bound. Empty means that
	// it is a Bearer token.
	Thumbprint string

	// Dead says why the token is not good. Empty means that it is good.
	Dead   Reason
	DeadAt time.Time // zero while the token is good

	// Grace is how long a redeemed refresh token is still answered. Zero means
	// that it is not.
	Grace time.Time
}

type kind string

const (
	access  kind = "at"
	refresh kind = "rt"
)

// name is what token_type_hint calls the kind (RFC 7009 section 2.1).
func (k kind) name() string {
	if k == refresh {
		return "refresh_token"
	}
	return "access_token"
}

// token is an entry of the books.
type token struct {
	id     digest
	kind   kind
	pair   *pair    // in which it was issued first; nil for an app's own token
	client string   // of an app's own token
	scopes []string // of an app's own token

	thumbprint string // of an app's own token
	issued     time.Time
	epoch      int       // the grant's when it was issued
	expires    time.Time // zero means never
	dead       Reason    // Revoked or Redeemed, of the token itself; otherwise empty
	deadAt     time.Time
	grace      time.Time // until when a redeemed one is answered
	again      func() (accessToken, refreshToken string, p *pair)
}

// state returns why a token is dead and since when, or nothing. The lock must
// be held.
func (t *token) state(now time.Time) (Reason, time.Time) {
	switch {
	case t == nil:
		return Unknown, time.Time{}
	case t.dead != "":
		return t.dead, t.deadAt
	case t.pair != nil && t.pair.grant.ended != "":
		return t.pair.grant.ended, t.pair.grant.endedAt
	case t.pair != nil && t.kind == access && t.epoch < t.pair.grant.epoch:
		return Redeemed, t.pair.grant.epochAt
	case !t.expires.IsZero() && !now.Before(t.expires):
		return Expired, t.expires
	}
	return "", time.Time{}
}

// good reports whether the token is accepted. The lock must be held.
func (t *token) good(now time.Time) bool {
	why, _ := t.state(now)
	return why == ""
}

// grantOf returns the token's grant, or nil.
func (t *token) grantOf() *grant {
	if t == nil || t.pair == nil {
		return nil
	}
	return t.pair.grant
}

// owner returns the app that the token was issued to.
func (t *token) owner() string {
	if g := t.grantOf(); g != nil {
		return g.client
	}
	return t.client
}

// kill marks the token itself as dead. The first reason stays.
func (t *token) kill(why Reason, now time.Time) {
	if t.dead == "" {
		t.dead, t.deadAt = why, now
	}
}

// Token returns what the books hold of a token, and in Dead whether it is good.
// It costs the same however many tokens there are.
func (s *Server) Token(raw string) Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.describe(s.books.tokens[digestOf(raw)], s.now())
}

// describe returns an entry of the books for others. The lock must be held.
func (s *Server) describe(t *token, now time.Time) Token {
	if t == nil {
		return Token{Dead: Unknown}
	}
	out := Token{
		Kind: t.kind.name(), ClientID: t.owner(), Scopes: slices.Clone(t.scopes),
		Issued: t.issued, Expires: t.expires, Grace: t.grace,
	}
	out.Dead, out.DeadAt = t.state(now)
	out.Thumbprint = t.thumbprint
	g := t.grantOf()
	if g == nil {
		return out
	}
	out.Thumbprint = g.thumbprint
	out.Scopes, out.Grant, out.Pair = slices.Clone(g.scopes), g.number, t.pair.number
	out.User = User{ID: g.user}
	u := s.users[g.user]
	if u != nil {
		out.User = *u
	}
	if out.Dead == "" && (u == nil || u.Suspended || s.apps[g.client] == nil) {
		out.Dead, out.DeadAt = Withdrawn, now
	}
	return out
}

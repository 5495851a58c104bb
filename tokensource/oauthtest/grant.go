package oauthtest

import (
	"fmt"
	"slices"
	"time"
)

// Why a grant ended. These texts are in Grant.Ended.
const (
	endedReplaced  = "replaced by a new login"
	endedFamily    = "a refresh token was used twice"
	endedCodeReuse = "an authorization code was used twice"
	endedRevoked   = "revoked by the app"
	endedByUser    = "revoked by the user"
	endedSuspended = "the user was suspended"
)

// pair is an app and a user.
type pair struct{ client, user string }

// grant is what a user gave an app in one login: a family of tokens.
type grant struct {
	id        int
	client    string
	user      string
	scopes    []string
	created   time.Time
	refreshes int
	epoch     int    // access tokens of an earlier one are dead
	branched  bool   // GraceFresh made a second line of refresh tokens
	ended     string // why, or empty while it lives
}

type kind string

const (
	access  kind = "at"
	refresh kind = "rt"
)

// token is what is kept of a token: everything but the token.
type token struct {
	kind      kind
	grant     *grant    // nil for an app-only bearer
	client    string    // of an app-only bearer
	epoch     int       // the grant's when it was issued
	expires   time.Time // zero means never
	revoked   bool
	rotatedAt time.Time  // zero means not rotated
	next      *tokenPair // what a rotated one is answered with within the grace window; else nil
}

type tokenPair struct{ access, refresh string }

// good reports whether the token is accepted.
func (t *token) good(now time.Time) bool {
	if t == nil || t.revoked || !t.rotatedAt.IsZero() || !t.expires.IsZero() && !now.Before(t.expires) {
		return false
	}
	return t.grant == nil || t.grant.ended == "" && (t.kind == refresh || t.epoch == t.grant.epoch)
}

func (g *grant) has(scopes ...string) bool {
	for _, scope := range scopes {
		if !slices.Contains(g.scopes, scope) {
			return false
		}
	}
	return true
}

// openGrant begins a grant and ends the earlier ones of the pair unless many are allowed. The lock must be held.
func (s *Server) openGrant(client, user string, scopes []string, now time.Time) *grant {
	p := pair{client, user}
	if !s.knobs.Token.ManyGrants {
		s.endPair(p, endedReplaced)
	}
	g := &grant{id: len(s.grants) + 1, client: client, user: user, scopes: scopes, created: now}
	s.grants = append(s.grants, g)
	s.live[p] = append(s.live[p], g)
	return g
}

// endPair ends the live grants of an app and a user. The lock must be held.
func (s *Server) endPair(p pair, why string) {
	for _, g := range s.live[p] {
		g.end(why)
	}
	delete(s.live, p)
}

// endGrants ends the live grants that match. The lock must be held.
func (s *Server) endGrants(match func(*grant) bool, why string) (n int) {
	for _, g := range s.grants {
		if g.ended == "" && match(g) {
			s.endGrant(g, why)
			n++
		}
	}
	return n
}

// endGrant ends one grant. The lock must be held.
func (s *Server) endGrant(g *grant, why string) {
	p := pair{g.client, g.user}
	g.end(why)
	s.live[p] = slices.DeleteFunc(s.live[p], func(other *grant) bool { return other == g })
	if len(s.live[p]) == 0 {
		delete(s.live, p)
	}
}

func (g *grant) end(why string) {
	if g.ended == "" {
		g.ended = why
	}
}

// issue mints tokens for a grant, and a refresh token only if the scopes allow it. The lock must be held.
func (s *Server) issue(g *grant, k TokenKnobs, now time.Time) tokenPair {
	p := tokenPair{access: s.issueAccess(g, k, now)}
	if g.has("offline.access") {
		p.refresh = s.mint(string(refresh), now)
		s.tokens[digestOf(p.refresh)] = &token{kind: refresh, grant: g, expires: after(now, k.RefreshTTL)}
	}
	return p
}

func (s *Server) issueAccess(g *grant, k TokenKnobs, now time.Time) string {
	raw := s.mint(string(access), now)
	s.tokens[digestOf(raw)] = &token{kind: access, grant: g, epoch: g.epoch, expires: now.Add(k.accessTTL())}
	return raw
}

func after(now time.Time, ttl time.Duration) time.Time {
	if ttl <= 0 {
		return time.Time{}
	}
	return now.Add(ttl)
}

func (k TokenKnobs) accessTTL() time.Duration {
	if k.AccessTTL == 0 {
		return 2 * time.Hour
	}
	return k.AccessTTL
}

// IssueToken mints a live grant without a browser, as if the user had just logged in: earlier grants of the pair end. An
// empty userID means the first user, an empty clientID the first app. No scopes means tweet.read, tweet.write,
// users.read and offline.access. It returns the access token and, with offline.access, the refresh token.
func (s *Server) IssueToken(userID, clientID string, scopes ...string) (accessToken, refreshToken string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if userID == "" && len(s.userOrder) > 0 {
		userID = s.userOrder[0]
	}
	if clientID == "" && len(s.appOrder) > 0 {
		clientID = s.appOrder[0]
	}
	if s.users[userID] == nil || s.users[userID].suspended {
		return "", "", fmt.Errorf("oauthtest: no user %q", userID)
	}
	if s.apps[clientID] == nil {
		return "", "", fmt.Errorf("oauthtest: no app %q", clientID)
	}
	if len(scopes) == 0 {
		scopes = []string{"tweet.read", "tweet.write", "users.read", "offline.access"}
	}
	now := s.now()
	g := s.openGrant(clientID, userID, slices.Clone(scopes), now)
	p := s.issue(g, s.knobs.Token, now)
	return p.access, p.refresh, nil
}

// RevokeGrant ends the user's grants to the app, as the user can in X's settings. Having none is an error.
func (s *Server) RevokeGrant(userID, clientID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.live[pair{clientID, userID}]) == 0 {
		return fmt.Errorf("oauthtest: user %q has no live grant to app %q", userID, clientID)
	}
	s.endPair(pair{clientID, userID}, endedByUser)
	return nil
}

// ExpireAccess makes the user's access tokens expire now, at every app. Refresh tokens stay good.
func (s *Server) ExpireAccess(userID string) {
	s.expire(func(t *token) bool { return t.kind == access && t.grant != nil && t.grant.user == userID })
}

// ExpireAll makes every access token expire now. Refresh tokens stay good.
func (s *Server) ExpireAll() {
	s.expire(func(t *token) bool { return t.kind == access && t.grant != nil })
}

func (s *Server) expire(match func(*token) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, t := range s.tokens {
		if match(t) && (t.expires.IsZero() || t.expires.After(now)) {
			t.expires = now
		}
	}
}

package oauthtest

import (
	"fmt"
	"slices"
	"time"
)

// Grant is one grant of a user to an app: one login, and the family of tokens
// that came from it.
type Grant struct {
	Number      int // counts from 1
	ClientID    string
	UserID      string
	Scopes      []string
	Created     time.Time
	Thumbprint  string // of the key to which its tokens are bound; empty for Bearer tokens
	Refreshes   int    // successful ones
	LiveAccess  int    // access tokens that would be accepted now
	LiveRefresh int    // refresh tokens that would be accepted now
	Ended       Reason // empty while the grant lives
	EndedAt     time.Time

	// Pairs are the tokens that were issued, oldest first. Those that have been
	// dead for longer than Options.Keep are missing.
	Pairs []Pair
}

// Pair is what one answer of the token endpoint issued.
type Pair struct {
	Number  int   // counts from 1 within its grant
	Parent  int   // the pair whose refresh token was redeemed for it; 0 for a login
	Access  Token // the access token
	Refresh Token // the refresh token; Kind is empty if there is none
}

// grant is an entry of the books.
type grant struct {
	number    int
	client    string
	user      string
	scopes    []string
	resources []string // that the login was for

	thumbprint string // of the key of its tokens; empty if they are Bearer tokens
	created    time.Time
	acr        string // how the user authenticated, as the app asked for it
	refreshes  int
	epoch      int // access tokens of an earlier one are dead
	epochAt    time.Time
	branched   bool   // GraceFresh made a second line of refresh tokens
	ended      Reason // empty while it lives
	endedAt    time.Time
	issued     int      // pairs so far
	pairs      []*pair  // those that are not forgotten, oldest first
	spent      []digest // redeemed refresh tokens of forgotten pairs
}

// pair is an entry of the books.
type pair struct {
	grant   *grant
	number  int
	parent  int
	access  *token
	refresh *token // nil if there is none
}

func (g *grant) has(scope string) bool { return slices.Contains(g.scopes, scope) }

// end ends the grant. The first reason stays.
func (g *grant) end(why Reason, now time.Time) {
	if g.ended == "" {
		g.ended, g.endedAt = why, now
	}
}

// Grants returns the grants in the order of their creation. It costs time in
// proportion to the grants, and to the tokens that are not forgotten
// (Options.Keep).
func (s *Server) Grants() []Grant {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	list := make([]Grant, 0, len(s.books.grants))
	for _, g := range s.books.grants {
		list = append(list, s.export(g, now))
	}
	return list
}

// export returns a grant for others. The lock must be held.
func (s *Server) export(g *grant, now time.Time) Grant {
	out := Grant{
		Number: g.number, ClientID: g.client, UserID: g.user, Scopes: slices.Clone(g.scopes), Created: g.created, Thumbprint: g.thumbprint,
		Refreshes: g.refreshes, Ended: g.ended, EndedAt: g.endedAt,
	}
	out.LiveAccess, out.LiveRefresh = g.live(now)
	for _, p := range g.pairs {
		next := Pair{Number: p.number, Parent: p.parent, Access: s.describe(p.access, now)}
		if p.refresh != nil {
			next.Refresh = s.describe(p.refresh, now)
		}
		out.Pairs = append(out.Pairs, next)
	}
	return out
}

// live counts the good tokens. Without rotation several pairs share a refresh
// token, which counts once.
func (g *grant) live(now time.Time) (accessTokens, refreshTokens int) {
	for _, p := range g.pairs {
		if p.access.good(now) {
			accessTokens++
		}
		if p.refresh != nil && p.refresh.pair == p && p.refresh.good(now) {
			refreshTokens++
		}
	}
	return accessTokens, refreshTokens
}

// IssueToken issues a grant without a browser, as if the user had just logged
// in. An empty userID means the first user, an empty clientID the first app. No
// scopes means Options.DefaultScopes. It returns the access token and, if the
// server issues one for these scopes, the refresh token.
func (s *Server) IssueToken(userID, clientID string, scopes ...string) (accessToken, refreshToken string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if userID == "" && len(s.userOrder) > 0 {
		userID = s.userOrder[0]
	}
	if clientID == "" && len(s.appOrder) > 0 {
		clientID = s.appOrder[0]
	}
	if s.users[userID] == nil || s.users[userID].Suspended {
		return "", "", fmt.Errorf("oauthtest: no user %q", userID)
	}
	if s.apps[clientID] == nil {
		return "", "", fmt.Errorf("oauthtest: no app %q", clientID)
	}
	if len(scopes) == 0 {
		scopes = s.defaultScopes()
	}
	now := s.now()
	g := s.openGrant(&s.knobs, clientID, userID, slices.Clone(scopes), now)
	accessToken, refreshToken, _ = s.issue(&s.knobs, g, 0, now)
	return accessToken, refreshToken, nil
}

func (s *Server) defaultScopes() []string {
	if s.options.DefaultScopes != nil || s.provider.RefreshScope == "" {
		return slices.Clone(s.options.DefaultScopes)
	}
	return []string{s.provider.RefreshScope}
}

// RevokeGrant ends the user's grants to the app, as users can in the settings
// of their accounts. Having none is an error.
func (s *Server) RevokeGrant(userID, clientID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.endGrants(func(g *grant) bool { return g.user == userID && g.client == clientID }, Withdrawn) == 0 {
		return fmt.Errorf("oauthtest: user %q has no live grant to app %q", userID, clientID)
	}
	return nil
}

// ExpireAccess makes the user's access tokens expire now, at every app. An
// empty userID means all users. Refresh tokens stay good.
func (s *Server) ExpireAccess(userID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, g := range s.books.grants {
		if userID != "" && g.user != userID {
			continue
		}
		for _, p := range g.pairs {
			if p.access.good(now) {
				p.access.expires = now
			}
		}
	}
}

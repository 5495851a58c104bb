package oauthtest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// State is what the server holds at one moment. It contains no token.
type State struct {
	Grants       []Grant // in the order of their creation
	Posts        []Post  // in the order of their creation
	PostAttempts int     // POST requests to PathTweets that carried a valid token
	AppBearers   int     // live app-only bearer tokens

	// RateUsed is what the rate limits have counted in their present window, by whose and which, such as
	// "user 2244994945 GET /2/users/me".
	RateUsed map[string]int
}

// Grant is one grant of a user to an app: one login and the family of tokens that came from it.
type Grant struct {
	ClientID    string
	UserID      string
	Scopes      []string
	Created     time.Time
	Refreshes   int    // successful ones
	LiveAccess  int    // access tokens that would be accepted now
	LiveRefresh int    // refresh tokens that would be accepted now
	Ended       string // why it ended, in words; empty while it lives
}

// Post is what a user posted with PathTweets.
type Post struct {
	ID     string
	UserID string
	Text   string
}

// State returns a snapshot. It costs time in proportion to the number of tokens.
func (s *Server) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := State{Posts: slices.Clone(s.posts), PostAttempts: s.attempts, AppBearers: len(s.bearers), RateUsed: map[string]int{}}
	now := s.now()
	for key, b := range s.buckets {
		if now.Before(b.reset) {
			st.RateUsed[strings.TrimSpace(key.owner+" "+key.endpoint)] = b.used
		}
	}
	counts := s.liveTokens()
	for _, g := range s.grants {
		st.Grants = append(st.Grants, Grant{
			ClientID: g.client, UserID: g.user, Scopes: slices.Clone(g.scopes), Created: g.created, Refreshes: g.refreshes,
			LiveAccess: counts[g].access, LiveRefresh: counts[g].refresh, Ended: g.ended,
		})
	}
	return st
}

// FamilyRevoked reports whether a grant of the user has ended because a refresh token was used twice.
func (s *Server) FamilyRevoked(userID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.grants, func(g *grant) bool { return g.user == userID && g.ended == endedFamily })
}

type liveCount struct{ access, refresh int }

// liveTokens counts the tokens of each grant. The lock must be held.
func (s *Server) liveTokens() map[*grant]liveCount {
	counts := map[*grant]liveCount{}
	now := s.now()
	for _, t := range s.tokens {
		if t.grant == nil || !t.good(now) {
			continue
		}
		n := counts[t.grant]
		if t.kind == access {
			n.access++
		} else {
			n.refresh++
		}
		counts[t.grant] = n
	}
	return counts
}

// check returns what is wrong with the server itself. The lock must be held.
func (s *Server) check() (list []error) {
	for g, n := range s.liveTokens() {
		if n.refresh > 1 && !g.branched {
			list = append(list, fmt.Errorf("oauthtest: grant %d has %d live refresh tokens", g.id, n.refresh))
		}
		if !slices.Contains(s.live[pair{g.client, g.user}], g) {
			list = append(list, fmt.Errorf("oauthtest: grant %d ended and has live tokens", g.id))
		}
	}
	return list
}

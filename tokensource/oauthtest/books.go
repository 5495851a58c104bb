package oauthtest

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// books hold what the server has issued. Server.mu guards them.
type books struct {
	keep   time.Duration
	tokens map[digest]*token
	grants []*grant            // in the order of their creation
	live   map[holder][]*grant // those that have not ended
	own    map[digest]*token   // the tokens that apps got for themselves
	writes int                 // since the last sweep
}

// holder is an app and a user.
type holder struct{ client, user string }

func (b *books) init(keep time.Duration) {
	b.keep = cmp.Or(max(keep, 0), 24*time.Hour)
	b.tokens, b.live, b.own = map[digest]*token{}, map[holder][]*grant{}, map[digest]*token{}
}

// openGrant begins a grant, and ends the earlier ones of the same app and user
// where the server keeps only one. The lock must be held.
func (s *Server) openGrant(k *Knobs, client, user string, scopes []string, now time.Time) *grant {
	h := holder{client, user}
	if s.provider.SingleGrant && !k.Token.ManyGrants {
		s.books.endHolder(h, Replaced, now)
	}
	g := &grant{number: len(s.books.grants) + 1, client: client, user: user, scopes: scopes, created: now}
	s.books.grants = append(s.books.grants, g)
	s.books.live[h] = append(s.books.live[h], g)
	return g
}

// endHolder ends the live grants of an app and a user.
func (b *books) endHolder(h holder, why Reason, now time.Time) {
	for _, g := range b.live[h] {
		g.end(why, now)
	}
	delete(b.live, h)
}

// endGrant ends one grant.
func (b *books) endGrant(g *grant, why Reason, now time.Time) {
	h := holder{g.client, g.user}
	g.end(why, now)
	b.live[h] = slices.DeleteFunc(b.live[h], func(other *grant) bool { return other == g })
	if len(b.live[h]) == 0 {
		delete(b.live, h)
	}
}

// endGrants ends the live grants that match and counts them. The lock must be
// held.
func (s *Server) endGrants(match func(*grant) bool, why Reason) (n int) {
	now := s.now()
	for _, g := range s.books.grants {
		if g.ended == "" && match(g) {
			s.books.endGrant(g, why, now)
			n++
		}
	}
	return n
}

// issue issues a pair of tokens, and a refresh token only if the scopes allow
// it. The lock must be held.
func (s *Server) issue(k *Knobs, g *grant, parent int, now time.Time) (accessToken, refreshToken string, p *pair) {
	p = s.newPair(g, parent, now)
	if !s.provider.RefreshTokens.None && (s.provider.RefreshScope == "" || g.has(s.provider.RefreshScope)) {
		refreshToken = s.mint(string(refresh), now)
		p.refresh = &token{kind: refresh, pair: p, issued: now, expires: after(now, k.Token.RefreshTTL)}
		s.books.add(refreshToken, p.refresh)
	}
	accessToken = s.issueAccess(k, p, now)
	return accessToken, refreshToken, p
}

// extend issues an access token for a refresh token that stays as it is. The
// lock must be held.
func (s *Server) extend(k *Knobs, t *token, now time.Time) (accessToken string, p *pair) {
	p = s.newPair(t.pair.grant, t.pair.number, now)
	p.refresh = t
	return s.issueAccess(k, p, now), p
}

// newPair begins a pair. The lock must be held.
func (s *Server) newPair(g *grant, parent int, now time.Time) *pair {
	s.books.sweep(now)
	g.issued++
	p := &pair{grant: g, number: g.issued, parent: parent}
	g.pairs = append(g.pairs, p)
	return p
}

func (s *Server) issueAccess(k *Knobs, p *pair, now time.Time) string {
	raw := s.mint(string(access), now)
	p.access = &token{kind: access, pair: p, issued: now, epoch: p.grant.epoch, expires: now.Add(s.accessTTL(k))}
	s.books.add(raw, p.access)
	return raw
}

// issueOwn issues an access token to an app itself. The lock must be held.
func (s *Server) issueOwn(k *Knobs, client string, scopes []string, now time.Time) string {
	s.books.sweep(now)
	raw := s.mint(string(access), now)
	t := &token{kind: access, client: client, scopes: scopes, issued: now, expires: now.Add(s.accessTTL(k))}
	s.books.add(raw, t)
	s.books.own[t.id] = t
	return raw
}

func (b *books) add(raw string, t *token) {
	t.id = digestOf(raw)
	b.tokens[t.id] = t
}

func after(now time.Time, ttl time.Duration) time.Time {
	if ttl <= 0 {
		return time.Time{}
	}
	return now.Add(ttl)
}

// sweepEvery is how many pairs are issued between two sweeps.
const sweepEvery = 256

// sweep forgets, now and then, what has been dead for long. So a query costs
// time by what lives and what died lately, and not by all tokens ever.
func (b *books) sweep(now time.Time) {
	if b.writes++; b.writes < sweepEvery {
		return
	}
	b.writes = 0
	before := now.Add(-b.keep)
	for _, g := range b.grants {
		b.forget(g, now, before)
	}
	for id, t := range b.own {
		if _, at := t.state(now); !at.IsZero() && at.Before(before) {
			delete(b.own, id)
			delete(b.tokens, id)
		}
	}
}

// forget drops the pairs of a grant that were dead before a moment. A redeemed
// refresh token stays known while the grant lives, so that its reuse is
// noticed.
func (b *books) forget(g *grant, now, before time.Time) {
	long := func(t *token) bool {
		_, at := t.state(now)
		return !at.IsZero() && at.Before(before)
	}
	g.pairs = slices.DeleteFunc(g.pairs, func(p *pair) bool {
		own := p.refresh != nil && p.refresh.pair == p
		if !long(p.access) || own && !long(p.refresh) {
			return false
		}
		delete(b.tokens, p.access.id)
		switch {
		case own && p.refresh.dead == Redeemed:
			p.refresh.again = nil
			g.spent = append(g.spent, p.refresh.id)
		case own:
			delete(b.tokens, p.refresh.id)
		}
		return true
	})
	if g.ended != "" && g.endedAt.Before(before) {
		for _, id := range g.spent {
			delete(b.tokens, id)
		}
		g.spent = nil
	}
}

// check returns what is wrong with the books themselves.
func (b *books) check(now time.Time) (list []error) {
	for _, g := range b.grants {
		accessTokens, refreshTokens := g.live(now)
		if refreshTokens > 1 && !g.branched {
			list = append(list, fmt.Errorf("oauthtest: grant %d has %d live refresh tokens", g.number, refreshTokens))
		}
		if g.ended != "" && accessTokens+refreshTokens > 0 {
			list = append(list, fmt.Errorf("oauthtest: grant %d ended and has live tokens", g.number))
		}
		if (g.ended == "") != slices.Contains(b.live[holder{g.client, g.user}], g) {
			list = append(list, fmt.Errorf("oauthtest: grant %d is listed as alive: %v", g.number, g.ended != ""))
		}
	}
	return list
}

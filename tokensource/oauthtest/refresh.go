package oauthtest

import (
	"cmp"
	"context"
	"net/http"
	"time"
)

// refresh redeems a refresh token (RFC 6749 section 6). It rotates under the lock, so one of many parallel refreshes
// of one token wins, and the others are reuse.
func (c *call) refresh(app *App) *reply {
	raw := c.form.Get("refresh_token")
	if raw == "" {
		return missing("refresh_token")
	}
	if err := c.s.pass(c.ctx); err != nil {
		return dropped(err)
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	now := c.s.now()
	t := c.s.tokens[digestOf(raw)]
	switch {
	case t == nil || t.kind != refresh || t.grant.client != app.ClientID:
		return c.refusedToken()
	case t.good(now):
		if c.k.Token.MaxRefreshes > 0 && t.grant.refreshes >= c.k.Token.MaxRefreshes {
			return c.refusedToken()
		}
		return c.rotate(t, raw, now)
	case t.rotatedAt.IsZero() || t.grant.ended != "":
		return c.refusedToken()
	}
	return c.reused(t, now)
}

func (c *call) refusedToken() *reply {
	k := c.k.Token
	return refused(cmp.Or(k.RefreshErrorStatus, http.StatusBadRequest), cmp.Or(k.RefreshErrorCode, "invalid_request"), badToken)
}

// rotate answers a good refresh token. The lock must be held.
func (c *call) rotate(t *token, raw string, now time.Time) *reply {
	g := t.grant
	g.refreshes++
	if c.k.Token.KillOldAccess {
		g.epoch++
	}
	c.noteLocked("refreshed")
	switch c.k.Token.Rotation {
	case RepeatSame:
		return c.granted(c.s.issueAccess(g, c.k.Token, now), raw, g.scopes)
	case KeepSilent:
		return c.granted(c.s.issueAccess(g, c.k.Token, now), "", g.scopes)
	}
	p := c.s.issue(g, c.k.Token, now)
	t.rotatedAt = now
	if c.k.Token.GraceWindow > 0 {
		t.next = &p
	}
	return c.granted(p.access, p.refresh, g.scopes)
}

// reused answers a refresh token that was rotated before. The lock must be held.
func (c *call) reused(t *token, now time.Time) *reply {
	k, g := c.k.Token, t.grant
	if t.next != nil && now.Before(t.rotatedAt.Add(k.GraceWindow)) {
		if !k.GraceFresh {
			c.noteLocked("refresh token used again within the grace window: same answer")
			return c.granted(t.next.access, t.next.refresh, g.scopes)
		}
		c.noteLocked("refresh token used again within the grace window: fresh answer")
		g.refreshes++
		g.branched = true
		p := c.s.issue(g, k, now)
		return c.granted(p.access, p.refresh, g.scopes)
	}
	c.noteLocked("refresh token used again")
	if !k.NoFamilyRevocation {
		c.s.endGrant(g, endedFamily)
		c.noteLocked("the whole grant ended")
	}
	return c.refusedToken()
}

// gate holds refreshes back until enough have arrived.
type gate struct {
	missing int
	open    chan struct{}
}

// Barrier holds the next n refresh requests back, after client authentication, until all n have arrived, and then lets
// them go at once: a race that happens every time. A request whose context ends leaves without an answer. Later refreshes
// pass freely. Zero opens the barrier.
func (s *Server) Barrier(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gate != nil {
		close(s.gate.open)
		s.gate = nil
	}
	if n > 0 {
		s.gate = &gate{missing: n, open: make(chan struct{})}
	}
}

// pass waits at the barrier, if there is one.
func (s *Server) pass(ctx context.Context) error {
	s.mu.Lock()
	g := s.gate
	if g != nil {
		if g.missing--; g.missing == 0 {
			close(g.open)
			s.gate = nil
		}
	}
	s.mu.Unlock()
	if g == nil {
		return nil
	}
	select {
	case <-g.open:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

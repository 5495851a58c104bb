package oauthtest

import (
	"cmp"
	"net/http"
	"time"
)

// refresh redeems a refresh token (RFC 6749 section 6). It rotates under the
// lock. So one of many parallel refreshes of one token wins, and the others are
// reuse.
func (c *call) refresh(app *App) *reply {
	raw := c.form.Get("refresh_token")
	if raw == "" {
		return c.say("missing", "refresh_token")
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	now := c.s.now()
	t := c.s.books.tokens[digestOf(raw)]
	g := t.grantOf()
	switch {
	case t == nil || t.kind != refresh || g.client != app.ClientID:
		return c.refusedToken()
	case t.good(now):
		if c.foreignKey(g.thumbprint) {
			return c.refusedToken()
		}
		if refusal := c.untargeted(g.resources); refusal != nil {
			return refusal
		}
		if c.k.Token.MaxRefreshes > 0 && g.refreshes >= c.k.Token.MaxRefreshes {
			return c.refusedToken()
		}
		return c.redeem(t, raw, now)
	case t.dead != Redeemed || g.ended != "":
		return c.refusedToken()
	}
	return c.reused(t, now)
}

func (c *call) refusedToken() *reply {
	k := &c.k.Token
	if k.RefreshErrorCode == "" && k.RefreshErrorStatus == 0 {
		return c.refusal("refresh", "refresh_token")
	}
	standard := problems["refresh_token"]
	return refused(cmp.Or(k.RefreshErrorStatus, http.StatusBadRequest), cmp.Or(k.RefreshErrorCode, standard.code), standard.text)
}

// redeem answers a good refresh token. The lock must be held.
func (c *call) redeem(t *token, raw string, now time.Time) *reply {
	g := t.pair.grant
	g.refreshes++
	if c.k.Token.KillOldAccess {
		g.epoch++
		g.epochAt = now
	}
	if c.k.Token.RepeatRefresh || c.k.Token.OmitRefresh || now.Before(t.issued.Add(c.k.Token.RotateAfter)) {
		accessToken, p := c.s.extend(&c.k, t, now)
		if c.k.Token.OmitRefresh {
			raw = ""
		}
		c.issued(p, "refreshed")
		return c.withIDToken(c.granted(accessToken, raw, g.scopes, c.accessTTL()), g, accessToken, "", now)
	}
	accessToken, refreshToken, p := c.s.issue(&c.k, g, t.pair.number, now)
	t.kill(Redeemed, now)
	if c.k.Token.GraceWindow > 0 {
		t.grace = now.Add(c.k.Token.GraceWindow)
		t.again = func() (string, string, *pair) { return accessToken, refreshToken, p }
	}
	c.issued(p, "refreshed")
	return c.withIDToken(c.granted(accessToken, refreshToken, g.scopes, c.accessTTL()), g, accessToken, "", now)
}

// reused answers a refresh token that was redeemed before. The lock must be
// held.
func (c *call) reused(t *token, now time.Time) *reply {
	g := t.pair.grant
	if t.again != nil && now.Before(t.grace) {
		if c.k.Token.GraceFresh {
			return c.branch(t, now)
		}
		accessToken, refreshToken, p := t.again()
		if c.s.provider.RefreshTokens.AbsentIsLost {
			refreshToken = "" // only the first use gets it
		}
		c.issued(p, "refresh token used again within the grace window: same answer")
		return c.granted(accessToken, refreshToken, g.scopes, max(0, p.access.expires.Sub(now)))
	}
	c.noteLocked("refresh token used again")
	switch {
	case c.k.Token.NoFamilyRevocation:
	case c.k.Token.ReuseSparesAccess:
		for _, p := range g.pairs {
			if p.refresh != nil {
				p.refresh.kill(Reused, now)
			}
		}
		c.noteLocked("the refresh tokens of the grant ended")
	default:
		c.s.books.endGrant(g, Reused, now)
		c.noteLocked("the whole grant ended")
	}
	return c.refusedToken()
}

// branch answers a refresh token that was redeemed before with a pair of its
// own. The lock must be held.
func (c *call) branch(t *token, now time.Time) *reply {
	g := t.pair.grant
	g.refreshes++
	g.branched = true
	accessToken, refreshToken, p := c.s.issue(&c.k, g, t.pair.number, now)
	c.issued(p, "refresh token used again within the grace window: fresh answer")
	return c.granted(accessToken, refreshToken, g.scopes, c.accessTTL())
}

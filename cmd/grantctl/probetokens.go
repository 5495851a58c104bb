package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauth"
)

// tokens are those of the test account. They are in closures.
type tokens struct{ access, refresh func() string }

// tokensOf notes what the first token answer says.
func (f *findings) tokensOf(r *reply) tokens {
	f.ExpiresIn = r.expires
	if r.Status != 0 || r.refresh() != "" { // who gives none may have one
		f.RefreshTokens = new(r.refresh() != "")
	}
	return tokens{r.access, r.refresh}
}

// apiAnswers compares the API's answers to the good token and to a bad one.
func (f *findings) apiAnswers(ctx context.Context, t *target, now tokens) error {
	good, err := t.get(ctx, t.api, now.access())
	if err != nil || good.Status/100 != 2 {
		return err
	}
	bad, err := t.get(ctx, t.api, "authtrip-probe-is-no-access-token")
	if err == nil && bad.refused() {
		f.BadTokenStatus = &bad.Status
	}
	return err
}

// rotation redeems the refresh token once.
func (f *findings) rotation(ctx context.Context, t *target, auth string, old tokens) (tokens, error) {
	r, err := t.refresh(ctx, auth, t.secret(), old.refresh())
	if err != nil || !r.good() {
		return old, err
	}
	now := tokens{r.access, r.refresh}
	f.Rotates = new(r.refresh() != "" && r.refresh() != old.refresh())
	if !*f.Rotates {
		now.refresh = old.refresh
	}
	if f.BadTokenStatus == nil || r.access() == old.access() {
		return now, nil // there is no API that tells a good token from a bad one
	}
	was, err := t.get(ctx, t.api, old.access())
	if err == nil && (was.Status/100 == 2 || was.Status == *f.BadTokenStatus) {
		f.EndsAccess = new(was.Status/100 != 2)
	}
	return now, err
}

// ages are the times at which probe looks for the end of a grace window.
func (p *probing) ages() (ages []time.Duration) {
	for _, s := range []int{5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600} {
		if age := time.Duration(s) * time.Second; age <= p.grace {
			ages = append(ages, age)
		}
	}
	return ages
}

// reuse redeems a refresh token a second time, and again and again while that
// is answered. After that it redeems the one that came last. That can end the
// grant.
func (f *findings) reuse(ctx context.Context, p *probing, c *console, auth string, old, now tokens) (tokens, error) {
	redeemed := c.now()
	for i, age := range append([]time.Duration{0}, p.ages()...) {
		if left := age - c.now().Sub(redeemed); left > 0 {
			fmt.Fprintf(c.stderr, "Waiting for %v before the refresh token is redeemed again.\n", left.Round(time.Second))
			if err := c.pause(ctx, left); err != nil {
				return now, err
			}
		}
		r, err := p.refresh(ctx, auth, p.secret(), old.refresh())
		if err != nil || !r.good() && !r.refused() {
			return now, err
		}
		seconds := int64(c.now().Sub(redeemed) / time.Second)
		if i == 0 {
			f.ReuseAnswered = new(r.good())
		}
		f.ReusedRefresh = r
		if !r.good() {
			if i > 0 {
				f.GraceBelow = new(seconds + 1)
			}
			return f.afterReuse(ctx, &p.target, auth, now)
		}
		f.GraceAtLeast = &seconds
		if r.refresh() != "" {
			now = tokens{r.access, r.refresh}
		}
	}
	return now, nil
}

// afterReuse finds out whether the refusal of an old refresh token has ended
// the grant.
func (f *findings) afterReuse(ctx context.Context, t *target, auth string, now tokens) (tokens, error) {
	next, err := t.refresh(ctx, auth, t.secret(), now.refresh())
	if err != nil || !next.good() && !next.refused() {
		return now, err
	}
	f.ReuseEnds = new(!next.good())
	if next.good() && next.refresh() != "" {
		now.refresh = next.refresh
	}
	return now, nil
}

// revocation revokes the refresh token (RFC 7009) and redeems it.
func (f *findings) revocation(ctx context.Context, t *target, auth string, now tokens) error {
	r, err := t.post(ctx, t.revoke, auth, t.secret(), url.Values{
		"token": {now.refresh()}, "token_type_hint": {oauth.HintRefreshToken},
	})
	if err != nil {
		return err
	}
	f.RevocationStatus = &r.Status
	if r.Status != http.StatusOK {
		return nil
	}
	after, err := t.refresh(ctx, auth, t.secret(), now.refresh())
	if err == nil && (after.good() || after.refused()) {
		f.RevocationEnds, f.DeadRefresh = new(!after.good()), after
	}
	return err
}

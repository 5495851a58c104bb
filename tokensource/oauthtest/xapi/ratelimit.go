package oauthtest

import (
	"cmp"
	"net/http"
	"strconv"
	"time"
)

// bucketKey names a rate limit: whose, and for which endpoint. The daily ones have no endpoint.
type bucketKey struct{ owner, endpoint string }

// bucket counts requests in a window that begins with the first of them.
type bucket struct {
	used  int
	reset time.Time
}

// defaultLimits are X's, per user and fifteen minutes.
var defaultLimits = map[string]int{"GET " + PathMe: 75, "POST " + PathTweets: 100, "GET " + PathTweets: 900}

// limited counts the request and puts the rate limit headers into h, whatever the answer will be. It returns 429 if a
// limit is exhausted. Requests without a valid token have no owner and use nothing up. The lock must be held.
func (c *call) limited(t *token, h http.Header) *reply {
	k, endpoint := c.k.API, c.r.Method+" "+c.r.URL.Path
	limit := cmp.Or(k.Limit, defaultLimits[endpoint])
	owner, app := ownerOf(t)
	full := c.count(h, "X-Rate-Limit", bucketKey{owner, endpoint}, limit, cmp.Or(k.Window, 15*time.Minute))
	if app != owner { // an app-only token has no user
		full = c.count(h, "X-User-Limit-24hour", bucketKey{owner, ""}, k.DailyUserLimit, 24*time.Hour) || full
	}
	full = c.count(h, "X-App-Limit-24hour", bucketKey{app, ""}, k.DailyAppLimit, 24*time.Hour) || full
	if t == nil || !full {
		return nil
	}
	rep := tooMany(k.LimitStyle)
	if k.RetryAfter > 0 {
		rep.header.Set("Retry-After", strconv.Itoa(int(k.RetryAfter/time.Second)))
	}
	return rep
}

// ownerOf returns who a token's requests are counted for, and which app they come from.
func ownerOf(t *token) (owner, app string) {
	switch {
	case t == nil:
		return "", ""
	case t.grant == nil:
		return "app " + t.client, "app " + t.client
	}
	return "user " + t.grant.user, "app " + t.grant.client
}

// count takes one from a bucket, tells of it in h, and reports whether there was nothing left.
func (c *call) count(h http.Header, family string, key bucketKey, limit int, window time.Duration) (full bool) {
	if limit <= 0 {
		return false
	}
	b := c.s.buckets[key]
	if b == nil || !c.s.now().Before(b.reset) {
		b = &bucket{reset: c.s.now().Add(window)}
		if key.owner != "" {
			c.s.buckets[key] = b
		}
	}
	full = b.used >= limit
	if !full && key.owner != "" {
		b.used++
	}
	if !c.k.API.OmitHeaders {
		reset := b.reset.Add(c.k.ClockSkew + c.k.API.ResetSkew).Unix()
		h[family+"-Limit"] = []string{strconv.Itoa(limit)}
		h[family+"-Remaining"] = []string{strconv.Itoa(limit - b.used)}
		h[family+"-Reset"] = []string{strconv.FormatInt(reset, 10)}
	}
	return full
}

func tooMany(style Style) *reply {
	switch style {
	case StyleV1:
		return newReply(http.StatusTooManyRequests, typeJSON, bodyTooManyV1)
	case StyleText:
		return newReply(http.StatusTooManyRequests, typeText, bodyTooManyText)
	case StyleUsageCap:
		return problem(http.StatusTooManyRequests, bodyUsageCap)
	}
	return problem(http.StatusTooManyRequests, bodyTooMany)
}

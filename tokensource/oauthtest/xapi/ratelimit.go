package xapi

import (
	"cmp"
	"net/http"
	"strconv"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// bucketKey names a rate limit: whose it is, and for which endpoint. The daily
// ones have no endpoint.
type bucketKey struct{ owner, endpoint string }

// bucket counts requests in a window that begins with the first of them.
type bucket struct {
	used  int
	reset time.Time
}

// defaultLimits are X's, per user and fifteen minutes.
var defaultLimits = map[string]int{"GET " + PathMe: 75, "POST " + PathTweets: 100, "GET " + PathTweets: 5000}

// limited counts the request and puts the rate limit headers into h, whatever
// the answer will be. It returns 429 if a limit is exhausted. Requests without
// a valid token have no owner and use nothing up.
func (v *visit) limited(h http.Header) *oauthtest.Answer {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	v.s.last = v.seen.Time
	k, endpoint := &v.k.API, v.r.Method+" "+v.r.URL.Path
	limit := cmp.Or(k.Limit, defaultLimits[endpoint])
	owner, app := v.owner()
	full := v.count(h, "X-Rate-Limit", bucketKey{owner, endpoint}, limit, cmp.Or(k.Window, 15*time.Minute))
	if app != owner { // an app-only token has no user
		full = v.count(h, "X-User-Limit-24hour", bucketKey{owner, ""}, k.DailyUserLimit, 24*time.Hour) || full
	}
	full = v.count(h, "X-App-Limit-24hour", bucketKey{app, ""}, k.DailyAppLimit, 24*time.Hour) || full
	if v.app == "" || !full {
		return nil
	}
	a := tooMany(k.LimitStyle, k.UsageCap)
	if k.RetryAfter > 0 {
		a.Header.Set("Retry-After", strconv.Itoa(int(k.RetryAfter/time.Second)))
	}
	return a
}

// owner returns whose requests a token's requests are counted as, and which app
// they come from.
func (v *visit) owner() (owner, app string) {
	switch {
	case v.app == "":
		return "", ""
	case v.appOnly():
		return "app " + v.app, "app " + v.app
	}
	return "user " + v.tok.User.ID, "app " + v.app
}

// count uses up one request of a bucket, describes the bucket in h, and reports
// whether there was nothing left. The lock must be held.
func (v *visit) count(h http.Header, family string, key bucketKey, limit int, window time.Duration) (full bool) {
	if limit <= 0 {
		return false
	}
	b := v.s.buckets[key]
	if b == nil || !v.seen.Time.Before(b.reset) {
		b = &bucket{reset: v.seen.Time.Add(window)}
		if key.owner != "" {
			v.s.buckets[key] = b
		}
	}
	full = b.used >= limit
	if !full && key.owner != "" {
		b.used++
	}
	if !v.k.API.OmitHeaders {
		reset := b.reset.Add(v.k.ClockSkew + v.k.API.ResetSkew).Unix()
		h[family+"-Limit"] = []string{strconv.Itoa(limit)}
		h[family+"-Remaining"] = []string{strconv.Itoa(limit - b.used)}
		h[family+"-Reset"] = []string{strconv.FormatInt(reset, 10)}
	}
	return full
}

func tooMany(style Style, usageCap bool) *oauthtest.Answer {
	switch {
	case usageCap:
		return problem(http.StatusTooManyRequests, bodyUsageCap)
	case style == StyleV1:
		return answer(http.StatusTooManyRequests, typeJSON, bodyTooManyV1)
	case style == StyleText:
		return answer(http.StatusTooManyRequests, typeText, bodyTooManyText)
	}
	return problem(http.StatusTooManyRequests, bodyTooMany)
}

package transport

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/authtrip/authtrip/tokensource"
)

// RateLimit is what a response says about one rate limit.
type RateLimit struct {
	Name      string    // of the headers, such as "x-rate-limit" or "x-app-limit-24hour"
	Limit     int64     // requests per window; 0 if the server did not say
	Remaining int64     // requests left in this window
	Reset     time.Time // when the window ends, by this machine's clock
}

// commonLimits are the headers that are read if nobody names others: those of
// X, and two families that many servers share. The daily limits of X can be
// exhausted while its first is not. Of the shared families, some servers count
// seconds and some name a time: see readReset.
var commonLimits = []tokensource.LimitHeaders{
	family("x-rate-limit"), family("x-app-limit-24hour"), family("x-user-limit-24hour"),
	family("x-ratelimit"), family("ratelimit"),
}

func family(name string) tokensource.LimitHeaders {
	return tokensource.LimitHeaders{Limit: name + "-limit", Remaining: name + "-remaining", Reset: name + "-reset"}
}

// RateLimitFrom returns the rate limit that decides. If limits are exhausted,
// it is the exhausted one that ends last. Otherwise it is the one with the
// fewest requests left. It returns false if the response names no limit.
//
// It reads the given headers, such as those of an APIFacts. Without any it
// reads those of X, X-RateLimit-Limit, -Remaining and -Reset, and
// RateLimit-Limit, -Remaining and -Reset.
//
// Reset is corrected with the Date header for a server whose clock is wrong. So
// call it as soon as the response arrives.
func RateLimitFrom(resp *http.Response, headers ...tokensource.LimitHeaders) (RateLimit, bool) {
	if len(headers) == 0 {
		headers = commonLimits
	}
	var binding RateLimit
	found := false
	for _, names := range headers {
		l, ok := readLimit(resp, names)
		if ok && (!found || l.bindsMore(binding)) {
			binding, found = l, true
		}
	}
	return binding, found
}

func (l RateLimit) bindsMore(other RateLimit) bool {
	if l.Remaining == 0 && other.Remaining == 0 {
		return l.Reset.After(other.Reset)
	}
	return l.Remaining < other.Remaining
}

// readLimit reads one limit. Without a usable reset and remaining it says
// nothing. A server without a header for what remains sends the others only
// when nothing does.
func readLimit(resp *http.Response, names tokensource.LimitHeaders) (RateLimit, bool) {
	var remaining int64
	if names.Remaining != "" {
		var ok bool
		if remaining, ok = parseCount(resp.Header.Get(names.Remaining)); !ok {
			return RateLimit{}, false
		}
	}
	wait, ok := readReset(resp, names)
	if !ok {
		return RateLimit{}, false
	}
	limit, _ := parseCount(resp.Header.Get(names.Limit))
	name := strings.TrimSuffix(strings.ToLower(names.Reset), "-reset")
	return RateLimit{Name: name, Limit: limit, Remaining: remaining, Reset: time.Now().Add(wait)}, true
}

// rateLimits says how an API announces that a limit is exhausted.
type rateLimits struct {
	statuses []int // beside 429
	headers  []tokensource.LimitHeaders
}

// hit reports whether resp is a refusal because of a rate limit. A status other
// than 429 has other meanings too, so it needs a time as well.
func (l *rateLimits) hit(resp *http.Response) bool {
	if resp.StatusCode == http.StatusTooManyRequests {
		return true
	}
	if !slices.Contains(l.statuses, resp.StatusCode) {
		return false
	}
	if _, ok := retryAfter(resp); ok {
		return true
	}
	limit, ok := RateLimitFrom(resp, l.headers...)
	return ok && limit.Remaining == 0
}

// askedPause returns how long the server asks to wait: by Retry-After, or, if
// resp is a rate limit, by the limit that is exhausted. Zero or less means that
// it asks for nothing, or for nothing that can be understood.
func (l *rateLimits) askedPause(resp *http.Response) time.Duration {
	if wait, _ := retryAfter(resp); wait > 0 {
		return wait
	}
	if !l.hit(resp) {
		return 0
	}
	if limit, ok := RateLimitFrom(resp, l.headers...); ok && limit.Remaining == 0 {
		return time.Until(limit.Reset)
	}
	return 0
}

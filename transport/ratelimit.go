package transport

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// RateLimit is what a response says about one rate limit.
type RateLimit struct {
	Name      string    // of the headers, such as "x-rate-limit" or "x-app-limit-24hour"
	Limit     int64     // requests per window; 0 if the server did not say
	Remaining int64     // requests left in this window
	Reset     time.Time // when the window ends, by this machine's clock
}

// limitNames are X's families of rate-limit headers; each has -limit,
// -remaining and -reset (in seconds of the Unix epoch). The daily ones can be
// exhausted while the first is not.
var limitNames = [...]string{"x-rate-limit", "x-app-limit-24hour", "x-user-limit-24hour"}

// RateLimitFrom returns the rate limit that decides. If limits are exhausted,
// it is the exhausted one that ends last. Otherwise it is the one with the
// fewest requests left. It returns false if the response names no limit. Reset
// is corrected with the Date header for a server whose clock is wrong. So call
// it as soon as the response arrives.
func RateLimitFrom(resp *http.Response) (RateLimit, bool) {
	var binding RateLimit
	found := false
	for _, name := range limitNames {
		l, ok := readLimit(resp, name)
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

// readLimit reads one family. Without a usable reset and remaining it says
// nothing.
func readLimit(resp *http.Response, name string) (RateLimit, bool) {
	remaining, ok := parseCount(resp.Header.Get(name + "-remaining"))
	if !ok {
		return RateLimit{}, false
	}
	reset, ok := parseCount(resp.Header.Get(name + "-reset"))
	if !ok {
		return RateLimit{}, false
	}
	limit, _ := parseCount(resp.Header.Get(name + "-limit"))
	wait := time.Unix(reset, 0).Sub(serverTime(resp))
	return RateLimit{Name: name, Limit: limit, Remaining: remaining, Reset: time.Now().Add(wait)}, true
}

// askedPause returns how long the server asks to wait: by Retry-After (RFC 9110
// section 10.2.3), or, if it answered 429, by the limit that is exhausted. Zero
// or less means that it asks for nothing, or for nothing that can be
// understood.
func askedPause(resp *http.Response) time.Duration {
	if wait := retryAfter(resp); wait > 0 {
		return wait
	}
	if resp.StatusCode != http.StatusTooManyRequests {
		return 0
	}
	if l, ok := RateLimitFrom(resp); ok && l.Remaining == 0 {
		return time.Until(l.Reset)
	}
	return 0
}

func retryAfter(resp *http.Response) time.Duration {
	value := strings.TrimSpace(resp.Header.Get("Retry-After"))
	if seconds, ok := parseCount(value); ok {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return at.Sub(serverTime(resp))
	}
	return 0
}

// serverTime is the server's clock when it answered, or ours if it does not
// say.
func serverTime(resp *http.Response) time.Time {
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		return date
	}
	return time.Now()
}

// maxCount keeps a count of seconds from overflowing a time.Duration.
const maxCount = 1 << 33

// parseCount reads a decimal number without sign. A huge one is cut to
// maxCount.
func parseCount(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > maxCount {
		return maxCount, true
	}
	return n, true
}

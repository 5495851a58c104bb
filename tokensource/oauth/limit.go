package oauth

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/authtrip/authtrip/tokensource"
)

// longestPause bounds what a server may ask for.
const longestPause = time.Hour

// retryAfter reads the Retry-After header (RFC 9110 section 10.2.3), which is a
// number of seconds or a date. A fraction is rounded up. A value that cannot be
// read, a time in the past and a missing header are 0. More than an hour counts
// as an hour.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(serverTime(header, now)), 0), longestPause)
	}
	seconds, _ := parseSeconds(value)
	return min(seconds, longestPause)
}

// serverTime is the clock of the server when it answered, or now if it does not
// say. So a wrong clock of this machine lengthens no pause.
func serverTime(header http.Header, now time.Time) time.Time {
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		return date
	}
	return now
}

// parseSeconds reads a decimal number of seconds, and rounds a fraction up.
func parseSeconds(s string) (time.Duration, bool) {
	seconds, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if strings.Trim(s, "0123456789. ") != "" || err != nil && !math.IsInf(seconds, 0) {
		return 0, false
	}
	const most = 1 << 33 // no time.Duration overflows
	return time.Duration(math.Ceil(min(seconds, most))) * time.Second, true
}

// limited reports whether an answer of an API is a rate limit by the facts of
// the provider, and how long it lasts. Zero means that this is not known.
func limited(facts tokensource.APIFacts, a answer, now time.Time) (pause time.Duration, ok bool) {
	always := a.status == http.StatusTooManyRequests
	if !always && !slices.Contains(facts.LimitStatuses, a.status) {
		return 0, false
	}
	if pause = retryAfter(a.header, now); pause > 0 {
		return pause, true
	}
	for _, names := range facts.LimitHeaders {
		left, named := parseSeconds(a.header.Get(names.Remaining))
		if names.Remaining != "" && (!named || left > 0) {
			continue
		}
		if wait, known := reset(names, a.header, now); known {
			pause, ok = max(pause, wait), true
		}
	}
	return min(pause, longestPause), ok || always
}

// reset returns how long it is until the window of a limit ends.
func reset(names tokensource.LimitHeaders, header http.Header, now time.Time) (time.Duration, bool) {
	const firstTime = 100_000_000 * time.Second // as a pause, it would be longer than three years
	seconds, ok := parseSeconds(header.Get(names.Reset))
	if !ok || names.ResetAfter || seconds < firstTime {
		return seconds, ok
	}
	return max(time.Unix(0, 0).Add(seconds).Sub(serverTime(header, now)), 0), true
}

package transport

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/authtrip/authtrip/tokensource"
)

// retryAfter returns the pause of a Retry-After header (RFC 9110 section
// 10.2.3): seconds, or a time. A fraction of a second, which some servers send,
// is rounded up. Of several headers the longest pause counts. It returns false
// if there is none that can be understood.
func retryAfter(resp *http.Response) (longest time.Duration, found bool) {
	for _, value := range resp.Header["Retry-After"] {
		wait, ok := parseSeconds(value)
		if !ok {
			wait, ok = until(resp, value)
		}
		if ok {
			longest, found = max(longest, wait), true
		}
	}
	return longest, found
}

// firstTime is a number of seconds that is a time since 1970, and not a pause:
// as a pause it would be longer than three years.
const firstTime = 100_000_000 * time.Second

// readReset returns how long it is until the window of a limit ends.
func readReset(resp *http.Response, names tokensource.LimitHeaders) (time.Duration, bool) {
	value := resp.Header.Get(names.Reset)
	seconds, ok := parseSeconds(value)
	switch {
	case !ok:
		return until(resp, value)
	case names.ResetAfter || seconds < firstTime:
		return seconds, true
	}
	return time.Unix(0, 0).Add(seconds).Sub(serverTime(resp)), true
}

// until returns how long it is until the time that value names, by the clock of
// the server.
func until(resp *http.Response, value string) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	at, err := http.ParseTime(value)
	for _, form := range [...]string{time.RFC3339, time.RFC1123Z, "Mon, 02 Jan 2006 15:04:05 UTC"} {
		if err != nil {
			at, err = time.Parse(form, value)
		}
	}
	if err != nil {
		return 0, false
	}
	return at.Sub(serverTime(resp)), true
}

// serverTime is the server's clock when it answered, or this machine's clock if
// the server does not say.
func serverTime(resp *http.Response) time.Time {
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		return date
	}
	return time.Now()
}

// maxCount keeps a count of seconds from overflowing a time.Duration.
const maxCount = 1 << 33

// parseCount reads a decimal number without sign. It leaves out a fraction, and
// cuts a huge number to maxCount.
func parseCount(s string) (int64, bool) {
	whole, _, ok := parseDecimal(s)
	return whole, ok
}

// parseSeconds reads a number of seconds, and rounds a fraction up.
func parseSeconds(s string) (time.Duration, bool) {
	whole, fraction, ok := parseDecimal(s)
	if fraction && whole < maxCount {
		whole++
	}
	return time.Duration(whole) * time.Second, ok
}

// parseDecimal reads digits, which a point and more digits may follow. It
// reports whether these are more than zeros.
func parseDecimal(s string) (whole int64, fraction, ok bool) {
	digits, rest, _ := strings.Cut(strings.TrimSpace(s), ".")
	if digits == "" || strings.Trim(digits+rest, "0123456789") != "" {
		return 0, false, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n > maxCount {
		n = maxCount
	}
	return n, strings.Trim(rest, "0") != "", true
}

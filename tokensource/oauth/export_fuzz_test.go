package oauth

import (
	"net/http"
	"time"

	"golang.org/x/oauth2"
)

// ParseToken reads a token response.
func ParseToken(body []byte, now time.Time, assumed time.Duration) (*oauth2.Token, error) {
	return parseToken(body, now, assumed)
}

// RetryAfter reads a Retry-After header.
func RetryAfter(value string, now time.Time) time.Duration {
	return retryAfter(http.Header{"Retry-After": {value}}, now)
}

// FullRecord returns a stored record whose fields all have values of their own.
func FullRecord() []byte {
	r := new(record)
	for i, s := range r.strings() {
		*s = "field " + string(rune('a'+i))
	}
	for i, t := range r.times() {
		*t = time.UnixMilli(1_700_000_000_000 + int64(i))
	}
	r.refreshed, r.state, r.doubts, r.failures = true, stateDead, 300, 70_000
	return r.encode()
}

// Reencode decodes a stored record and encodes it again.
func Reencode(b []byte) ([]byte, error) {
	r, err := decode(b)
	if err != nil {
		return nil, err
	}
	return r.encode(), nil
}

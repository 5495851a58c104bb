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

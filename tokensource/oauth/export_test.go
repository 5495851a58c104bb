package oauth

import (
	"net/http"
	"time"
)

// RetryAfter reads a Retry-After header.
func RetryAfter(value string, now time.Time) time.Duration {
	return retryAfter(http.Header{"Retry-After": {value}}, now)
}

package transport

import (
	"context"
	"errors"
	"net/http"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/authtrip/authtrip/tokensource"
)

// CheckRetry is a CheckRetry for a Client of go-retryablehttp that sends its
// requests through a Transport. It is retryablehttp.DefaultRetryPolicy, but
// does not repeat a request if no repetition can help (Permanent). So a program
// learns at once that the user must log in. The error ends the repetitions.
func CheckRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() == nil && Permanent(err) {
		return false, err
	}
	return retryablehttp.DefaultRetryPolicy(ctx, resp, err)
}

// Permanent reports whether err comes from this package or from a source of
// tokens, and the same request will fail in the same way until a user or an
// operator acts. Programs that retry must stop then. It reports false for nil,
// and for any error that time may fix, such as tokensource.ErrTemporary.
func Permanent(err error) bool {
	if err == nil || errors.Is(err, tokensource.ErrTemporary) {
		return false
	}
	for _, permanent := range [...]error{
		tokensource.ErrReauthorize, tokensource.ErrNoSubject, tokensource.ErrClient, tokensource.ErrClosed,
		ErrOtherOrigin, ErrTokenType, ErrBadToken,
	} {
		if errors.Is(err, permanent) {
			return true
		}
	}
	return false
}

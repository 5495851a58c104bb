package atproto

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/authtrip/authtrip/tokensource"
)

// fetch returns the body of a GET request, of up to limit bytes. A redirect is
// not followed, because it may lead to a server that nobody named.
func (r *Resolver) fetch(ctx context.Context, place string, limit int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %s is no URL", ErrDocument, cut(place))
	}
	resp, err := r.transport.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("atproto: %s: %w", place, &unanswered{err})
	}
	defer resp.Body.Close()
	switch code := resp.StatusCode; {
	case code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout:
		return nil, fmt.Errorf("atproto: %s: HTTP %d: %w", place, code, tokensource.ErrTemporary)
	case code != http.StatusOK:
		return nil, fmt.Errorf("%w: %s: HTTP %d", ErrNotFound, place, code)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("atproto: %s: %w", place, &unanswered{err})
	case int64(len(body)) > limit:
		return nil, fmt.Errorf("%w: %s is larger than %d bytes", ErrDocument, place, limit)
	}
	return body, nil
}

// unanswered is an error of net/http. Its text is not shown, because it may
// repeat what a server has sent.
type unanswered struct{ err error }

func (*unanswered) Error() string { return "the request failed" }

func (u *unanswered) Unwrap() []error { return []error{tokensource.ErrTemporary, u.err} }

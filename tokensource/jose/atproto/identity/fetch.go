package identity

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/authtrip/authtrip/tokensource"
)

// maxHops is how many redirects of the file of a handle are followed.
const maxHops = 3

// fetch returns the body of a GET request, of up to limit bytes. A redirect is
// not followed, because it may lead to a server that nobody named.
func (r *Resolver) fetch(ctx context.Context, place string, limit int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	body, _, err := r.get(ctx, place, limit)
	return body, err
}

// follow is fetch for the file of a handle, which may be elsewhere: the site of
// a domain often redirects to another host ([handle resolution]). Only the
// document of the DID decides whether the account has the handle.
//
// [handle resolution]: https://atproto.com/specs/handle#handle-resolution
func (r *Resolver) follow(ctx context.Context, place string, limit int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	for range maxHops + 1 {
		body, next, err := r.get(ctx, place, limit)
		if next == "" {
			return body, err
		}
		place = next
	}
	return nil, fmt.Errorf("%w: %s: too many redirects", ErrNotFound, place)
}

// get makes one request. The text next is where a redirect leads, if that is an
// https URL.
func (r *Resolver) get(ctx context.Context, place string, limit int64) (body []byte, next string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %s is no URL", ErrDocument, cut(place))
	}
	resp, err := r.bounded.RoundTrip(req)
	if err != nil {
		return nil, "", fmt.Errorf("identity: %s: %w", cut(place), &unanswered{err})
	}
	defer resp.Body.Close()
	switch code := resp.StatusCode; {
	case code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout:
		return nil, "", fmt.Errorf("identity: %s: HTTP %d: %w", cut(place), code, tokensource.ErrTemporary)
	case code < 200 || code > 299:
		return nil, redirected(req.URL, resp), fmt.Errorf("%w: %s: HTTP %d", ErrNotFound, cut(place), code)
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case err != nil:
		return nil, "", fmt.Errorf("identity: %s: %w", cut(place), &unanswered{err})
	case int64(len(body)) > limit:
		return nil, "", fmt.Errorf("%w: %s is larger than %d bytes", ErrDocument, cut(place), limit)
	}
	return body, "", nil
}

// redirected returns where a response leads, or "" if that is no https URL at
// the default port.
func redirected(from *url.URL, resp *http.Response) string {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return ""
	}
	to, err := from.Parse(resp.Header.Get("Location"))
	if err != nil || to.Scheme != "https" || to.Port() != "" || to.User != nil || resp.Header.Get("Location") == "" {
		return ""
	}
	to.Fragment = ""
	return to.String()
}

// unanswered is an error of net/http. Its text is not shown, because it may
// repeat what a server has sent.
type unanswered struct{ err error }

func (*unanswered) Error() string { return "the request failed" }

func (u *unanswered) Unwrap() []error { return []error{tokensource.ErrTemporary, u.err} }

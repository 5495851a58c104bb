package discovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/authtrip/authtrip/tokensource"
)

// maxDocument is how many bytes of a document are read.
const maxDocument = 256 << 10

// firstOf reads a document at the first of several places where it is. The
// function parse makes the document of an answer. A place without a usable
// document leads to the next one. What is returned otherwise is the error that
// says most.
func (c *Client) firstOf(ctx context.Context, places []string, parse func(place string, body []byte) (any, error)) (any, time.Duration, error) {
	var worst error
	for _, place := range places {
		body, life, err := c.fetch(ctx, place)
		var document any
		if err == nil {
			document, err = parse(place, body)
		}
		if err == nil {
			return document, life, nil
		}
		if weight(err) > weight(worst) {
			worst = err
		}
		if weight(err) == unreachable {
			break // all places are at one host
		}
	}
	return nil, 0, worst
}

// errUnreachable marks errors after which no other place at the same host
// helps.
var errUnreachable = errors.New("the server cannot be reached")

const unreachable = 5

// weight orders errors by how much they say.
func weight(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrAddress), errors.Is(err, errUnreachable):
		return unreachable
	case errors.Is(err, ErrMismatch):
		return 4
	case errors.Is(err, ErrInvalid):
		return 3
	case temporary(err):
		return 2
	}
	return 1
}

// fetch returns the body of a document, and for how long it is fresh.
func (c *Client) fetch(ctx context.Context, place string) ([]byte, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %s is no URL", ErrInvalid, place)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := c.transport.RoundTrip(req)
	if err == nil && (resp == nil || resp.Body == nil) {
		err = errors.New("the http.RoundTripper returned neither an answer nor an error")
	}
	if err != nil {
		return nil, 0, unreached(ctx, place, err)
	}
	defer resp.Body.Close()
	if err := accepted(place, resp); err != nil {
		return nil, 0, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	switch {
	case err != nil:
		return nil, 0, unreached(ctx, place, err)
	case len(body) > maxDocument:
		return nil, 0, fmt.Errorf("%w: %s is larger than %d KiB", ErrInvalid, place, maxDocument>>10)
	}
	return body, lifetime(resp.Header), nil
}

// unreached returns the error of a request without an answer. Its text is not
// that of net/http, which may repeat what a server has sent.
func unreached(ctx context.Context, place string, err error) error {
	if errors.Is(err, ErrAddress) {
		return fmt.Errorf("discovery: %s: %w: set InsecureLoopback or InsecurePrivate if the server is your own", place, err)
	}
	text := "the request failed"
	if ctx.Err() != nil {
		text = "no answer in time"
	}
	return fmt.Errorf("discovery: %s: %s: %w", place, text, &cause{err})
}

// cause is an error of net/http. Its text is not shown.
type cause struct{ err error }

func (c *cause) Error() string { return errUnreachable.Error() }

func (c *cause) Unwrap() []error { return []error{tokensource.ErrTemporary, errUnreachable, c.err} }

// accepted returns an error unless resp is a document: 200 and JSON ([RFC 8414]
// section 3.2). A redirect is none, because it may lead to another server.
//
// [RFC 8414]: https://www.rfc-editor.org/rfc/rfc8414
func accepted(place string, resp *http.Response) error {
	switch code := resp.StatusCode; {
	case code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout:
		return fmt.Errorf("discovery: %s: HTTP %d: %w", place, code, tokensource.ErrTemporary)
	case code != http.StatusOK:
		return fmt.Errorf("%w: %s: HTTP %d", ErrNotFound, place, code)
	}
	// Parameters mean nothing for JSON, so a malformed one does no harm (G14).
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(kind), "application/json") {
		return fmt.Errorf("%w: %s is not application/json", ErrInvalid, place)
	}
	return nil
}

// lifetime returns for how long an answer is fresh (RFC 9111 section 5.2.2). It
// is the longest that a document is kept if the server does not say.
func lifetime(h http.Header) time.Duration {
	life := longestAge
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if err != nil && !errors.Is(err, strconv.ErrRange) { // beyond the range, it is the largest number
				return 0
			}
			age, _ := strconv.ParseUint(h.Get("Age"), 10, 31)
			life = time.Duration(seconds-min(age, seconds)) * time.Second
		}
	}
	return min(life, longestAge)
}

// originOf returns scheme, host and port of a URL, or "".
func originOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

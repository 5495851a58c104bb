package transport

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/authtrip/authtrip/internal/backchannel"
	"github.com/authtrip/authtrip/tokensource"
)

// EventWithoutToken means that a request got no token. The event names the
// origin of the request. Its Err is the reason: ErrOtherOrigin, or the error of
// the source.
const EventWithoutToken tokensource.EventKind = "transport without token"

// ErrOtherOrigin means that the origin of a request is none of the origins that
// get tokens. Options.Strict refuses such a request.
var ErrOtherOrigin = errors.New("transport: the origin of the request is none of those that get tokens (Options.Origins)")

// pass sends a request that gets no token, as it is (T2). It makes such a
// request noticeable (T10).
func (c *core) pass(req *http.Request) (*http.Response, error) {
	if (c.onEvent != nil || c.strict) && c.unexpected(req) {
		c.report(req, ErrOtherOrigin)
		if c.strict && tokensource.HasSubject(req.Context()) {
			closeBody(req)
			return nil, fmt.Errorf("%w: %s", ErrOtherOrigin, originText(req.URL))
		}
	}
	if ownRequest(req) {
		return c.fresh().RoundTrip(req)
	}
	return c.base.RoundTrip(req)
}

// unexpected reports whether the program may not know that req goes out without
// a token. It knows so if req has a credential of its own, or goes to an
// endpoint of the authorization server. If the base is another Transport, that
// one may send a token. If its origins come with the grants, it reports itself
// that it sends none.
func (c *core) unexpected(req *http.Request) bool {
	if has(req.Header, authorization) || c.endpoints.has(req.URL) || backchannel.Is(req.Context()) {
		return false
	}
	for next, ok := c.base.(*Transport); ok; next, ok = next.core().base.(*Transport) {
		if below := next.core(); below.sendsTokenTo(req) || below.endpoints.has(req.URL) || below.own.possible(req.URL) {
			return false
		}
	}
	return true
}

// report tells the hook that req got no token. A request that the hook sends
// under its context passes as it is, so that it is not reported again.
func (c *core) report(req *http.Request, reason error) {
	if c.onEvent == nil {
		return
	}
	ctx := req.Context()
	c.onEvent(backchannel.With(ctx), tokensource.Event{
		Time: time.Now(), Kind: EventWithoutToken, Origin: originText(req.URL), Err: reason,
		CorrelationID: tokensource.CorrelationID(ctx),
	})
}

// originText returns scheme and host of u. It leaves out user name, path and
// query, which may be secrets.
func originText(u *url.URL) string {
	if u == nil {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

package peers

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
)

// span is the time in which a token is valid. A correct cache looks at both
// clocks. The monotonic clock stands still while the machine sleeps. The wall
// clock can be set back.
type span struct {
	start time.Time
	life  time.Duration // by the monotonic clock, from start on
	end   int64         // by the wall clock, in nanoseconds since 1970
}

func newSpan(life time.Duration) span {
	now := time.Now()
	return span{now, life, now.UnixNano() + int64(life)}
}

// over reports whether either clock has reached the end.
func (s *span) over(now time.Time) bool {
	return now.Sub(s.start) >= s.life || now.UnixNano() >= s.end
}

// floor is the cheapest wrapper that is correct: it reads the time once, and
// sends a copy of the request with a header map and a value of its own.
type floor struct {
	base http.RoundTripper
	auth string
	span span
}

func newFloor(base http.RoundTripper, tok *oauth2.Token, _ string) (http.RoundTripper, error) {
	return &floor{base, "Bearer " + tok.AccessToken, newSpan(time.Until(tok.Expiry))}, nil
}

// RoundTrip implements http.RoundTripper.
func (f *floor) RoundTrip(req *http.Request) (*http.Response, error) {
	if f.span.over(time.Now()) {
		return nil, errAsked
	}
	return f.base.RoundTrip(stamp(req, f.auth))
}

const authorization = "Authorization"

// stamp returns a copy of req that carries auth. The copy and the header's
// value share one allocation.
//
// A caller may have put a key such as AUTHORIZATION into the map. It would go
// out as a second Authorization header. Only a look at every key finds it.
func stamp(req *http.Request, auth string) *http.Request {
	s := &struct {
		req   http.Request
		value [1]string
	}{req: *req}
	s.value[0] = auth
	header := maps.Clone(req.Header)
	for key := range header {
		if len(key) == len(authorization) && strings.EqualFold(key, authorization) {
			delete(header, key)
		}
	}
	header[authorization] = s.value[:]
	s.req.Header = header
	return &s.req
}

// atomicSource is the cheapest correct cache of one token: an atomic pointer
// and one reading of the clocks.
type atomicSource struct {
	tok  atomic.Pointer[oauth2.Token]
	span span
}

// NewFloorSource returns the cheapest source of a cached token.
func NewFloorSource(tok *oauth2.Token) Source {
	s := &atomicSource{span: newSpan(time.Until(tok.Expiry))}
	s.tok.Store(tok)
	return s
}

// Token implements Source.
func (s *atomicSource) Token(context.Context) (*oauth2.Token, error) {
	if tok := s.tok.Load(); !s.span.over(time.Now()) {
		return tok, nil
	}
	return nil, errAsked
}

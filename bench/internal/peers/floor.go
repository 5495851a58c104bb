package peers

import (
	"context"
	"maps"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
)

// floor is the cheapest wrapper that is correct: a copy of the request with a header map and a value of its own, in one
// allocation, and one look at the monotonic clock.
type floor struct {
	base  http.RoundTripper
	auth  string
	start time.Time
	life  time.Duration
}

func newFloor(base http.RoundTripper, tok *oauth2.Token, _ string) (http.RoundTripper, error) {
	return &floor{base, "Bearer " + tok.AccessToken, time.Now(), time.Until(tok.Expiry)}, nil
}

// RoundTrip implements http.RoundTripper.
func (f *floor) RoundTrip(req *http.Request) (*http.Response, error) {
	if time.Since(f.start) > f.life {
		return nil, errAsked
	}
	s := &struct {
		req   http.Request
		value [1]string
	}{req: *req}
	s.value[0] = f.auth
	s.req.Header = maps.Clone(req.Header)
	s.req.Header["Authorization"] = s.value[:]
	return f.base.RoundTrip(&s.req)
}

// atomicSource is the cheapest cache of a token: an atomic pointer and the monotonic clock.
type atomicSource struct {
	tok   atomic.Pointer[oauth2.Token]
	start time.Time
	life  time.Duration
}

// NewFloorSource returns the cheapest source of a cached token.
func NewFloorSource(tok *oauth2.Token) Source {
	s := &atomicSource{start: time.Now(), life: time.Until(tok.Expiry)}
	s.tok.Store(tok)
	return s
}

// Token implements Source.
func (s *atomicSource) Token(context.Context) (*oauth2.Token, error) {
	if tok := s.tok.Load(); time.Since(s.start) < s.life {
		return tok, nil
	}
	return nil, errAsked
}

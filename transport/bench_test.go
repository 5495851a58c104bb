package transport_test

import (
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/transport"
)

// floor is the cheapest correct wrapper: a copy of the request with a header
// map and a value of its own, and one look at the clock.
type floor struct {
	base  http.RoundTripper
	auth  string
	start time.Time
	life  time.Duration
}

func (f *floor) RoundTrip(req *http.Request) (*http.Response, error) {
	if time.Since(f.start) > f.life {
		return nil, errDown
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

// BenchmarkRoundTrip compares what a request costs over a base that costs
// nothing. Compare ratios within one run.
func BenchmarkRoundTrip(b *testing.B) {
	for _, c := range []struct {
		name   string
		length int
		body   string
	}{{"GET", 43, ""}, {"4KiB", 43, strings.Repeat("x", 4096)}, {"JWT", 1000, ""}} {
		tok := &oauth2.Token{AccessToken: strings.Repeat("x", c.length), TokenType: "Bearer", Expiry: time.Now().Add(time.Hour)}
		base := nowhere{len("Bearer ") + c.length}
		rt := newTransport(b, plainSource{tok}, base, transport.Options{Origins: []string{api}})
		retrying := newTransport(b, plainSource{tok}, base, transport.Options{Origins: []string{api}, Retry: &transport.RetryOptions{}})
		for _, peer := range []struct {
			name string
			rt   http.RoundTripper
		}{
			{"base", nowhere{}},
			{"floor", &floor{base, "Bearer " + tok.AccessToken, time.Now(), time.Hour}},
			{"authtrip", rt},
			{"authtrip-retry", retrying},
			{"x-oauth2", &oauth2.Transport{Source: oauth2.ReuseTokenSource(tok, nil), Base: base}},
		} {
			b.Run(c.name+"/"+peer.name, func(b *testing.B) {
				var body io.Reader
				if c.body != "" {
					body = strings.NewReader(c.body)
				}
				req := costRequest(b, body)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := peer.rt.RoundTrip(req); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

package transport_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

// describedSource knows how its resource servers answer.
type describedSource struct {
	*fakeSource
	facts tokensource.APIFacts
}

func (s describedSource) APIFacts() tokensource.APIFacts { return s.facts }

func TestT3_TheSourceNamesTheRejectedStatuses(t *testing.T) {
	on403 := &tokensource.APIFacts{RejectedStatuses: []int{403}}
	scope := http.Header{"Www-Authenticate": {`Bearer error="insufficient_scope"`}}
	tests := []struct {
		name   string
		facts  tokensource.APIFacts // of the source
		o      transport.Options
		answer answer
		again  bool
	}{
		{"nothing is named, 401", tokensource.APIFacts{}, transport.Options{}, answer{status: 401}, true},
		{"nothing is named, 403", tokensource.APIFacts{}, transport.Options{}, answer{status: 403}, false},
		{"403 is named", *on403, transport.Options{}, answer{status: 403}, true},
		{"403 is named, 401", *on403, transport.Options{}, answer{status: 401}, false},
		{"403 is named, insufficient_scope", *on403, transport.Options{}, answer{status: 403, header: scope}, false},
		{"403 is named, the options override it", *on403, transport.Options{API: &tokensource.APIFacts{}}, answer{status: 403}, false},
		{"the options name 403", tokensource.APIFacts{}, transport.Options{API: on403}, answer{status: 403}, true},
		{"the predicate overrides both", *on403, transport.Options{API: on403, Rejected: transport.RejectedOn(418)}, answer{status: 403}, false},
	}
	for _, tt := range tests {
		base := &script{answers: []answer{tt.answer, ok200}}
		roundTrip(t, newTransport(t, describedSource{newSource(), tt.facts}, base, tt.o), newRequest(t, "GET", api, nil))
		if got := len(base.sent) == 2; got != tt.again {
			t.Errorf("%s: the token was renewed: %t, want %t", tt.name, got, tt.again)
		}
	}
}

// The facts of a source are read once: it cannot change them later.
func TestFactsAreCopied(t *testing.T) {
	facts := tokensource.APIFacts{RejectedStatuses: []int{403}}
	base := &script{answers: []answer{{status: 403}, ok200}}
	rt := newTransport(t, describedSource{newSource(), facts}, base, transport.Options{})
	facts.RejectedStatuses[0] = 500
	if status, _ := roundTrip(t, rt, newRequest(t, "GET", api, nil)); status != 200 {
		t.Errorf("RoundTrip = %d, want 200 after a renewal", status)
	}
}

// Which answers are rate limits, and until when, are facts about the API (T6).
func TestT6_TheSourceDescribesTheRateLimits(t *testing.T) {
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // where the clock of a bubble starts
	epoch := func(d time.Duration) string { return fmt.Sprint(now.Add(d).Unix()) }
	one := func(h tokensource.LimitHeaders) []tokensource.LimitHeaders { return []tokensource.LimitHeaders{h} }
	github := tokensource.APIFacts{LimitStatuses: []int{403}, LimitHeaders: one(tokensource.LimitHeaders{
		Limit: "X-RateLimit-Limit", Remaining: "X-RateLimit-Remaining", Reset: "X-RateLimit-Reset",
	})}
	fitbit := tokensource.APIFacts{LimitHeaders: one(tokensource.LimitHeaders{
		Limit: "Fitbit-Rate-Limit-Limit", Remaining: "Fitbit-Rate-Limit-Remaining", Reset: "Fitbit-Rate-Limit-Reset", ResetAfter: true,
	})}
	resetOnly := tokensource.APIFacts{LimitHeaders: one(tokensource.LimitHeaders{Reset: "X-Retry-In", ResetAfter: true})}
	tests := []struct {
		name   string
		facts  tokensource.APIFacts
		status int
		header map[string]string
		want   time.Duration // 0: the answer goes to the caller at once; -1: some pause
	}{
		{"403 with Retry-After", github, 403, map[string]string{"Retry-After": "7"}, 7 * time.Second},
		{"403 with Retry-After: 0", github, 403, map[string]string{"Retry-After": "0"}, -1},
		{"403 with Retry-After, over the cap", github, 403, map[string]string{"Retry-After": "60"}, 0},
		{"403 with an exhausted limit", github, 403, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": epoch(9 * time.Second)}, 9 * time.Second},
		{"403 with requests left", github, 403, map[string]string{"X-RateLimit-Remaining": "3", "X-RateLimit-Reset": epoch(9 * time.Second)}, 0},
		{"403 without a header", github, 403, nil, 0},
		{"403 with Retry-After: soon", github, 403, map[string]string{"Retry-After": "soon"}, 0},
		{"403 with Retry-After, where 403 is no limit", fitbit, 403, map[string]string{"Retry-After": "7"}, 0},
		{"403 with Retry-After, where nothing is known", tokensource.APIFacts{}, 403, map[string]string{"Retry-After": "7"}, 0},
		{"429 with Retry-After", github, 429, map[string]string{"Retry-After": "7"}, 7 * time.Second},
		{"429 with an epoch", github, 429, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": epoch(9 * time.Second)}, 9 * time.Second},
		{"429 with an epoch with a fraction", github, 429, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": epoch(8*time.Second) + ".25"}, 9 * time.Second},
		{"429 with a date of HTTP", github, 429, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": now.Add(9 * time.Second).Format(http.TimeFormat)}, 9 * time.Second},
		{"429 with a date of RFC 3339", github, 429, map[string]string{"X-RateLimit-Remaining": "0.0", "X-RateLimit-Reset": "2000-01-01T00:00:09Z"}, 9 * time.Second},
		{"429 with seconds", fitbit, 429, map[string]string{"Fitbit-Rate-Limit-Remaining": "0", "Fitbit-Rate-Limit-Reset": "9"}, 9 * time.Second},
		{"429 with so many seconds that they look like an epoch", fitbit, 429, map[string]string{"Fitbit-Rate-Limit-Remaining": "0", "Fitbit-Rate-Limit-Reset": epoch(9 * time.Second)}, 0},
		{"429 with a fraction of seconds", fitbit, 429, map[string]string{"Fitbit-Rate-Limit-Remaining": "0", "Fitbit-Rate-Limit-Reset": "8.2"}, 9 * time.Second},
		{"429 with headers that are not named", fitbit, 429, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9"}, -1},
		{"429 with a reset alone", resetOnly, 429, map[string]string{"X-Retry-In": "9"}, 9 * time.Second},
		{"429 without that reset", resetOnly, 429, nil, -1},
		{"nothing is known, X-RateLimit with an epoch", tokensource.APIFacts{}, 429, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": epoch(9 * time.Second)}, 9 * time.Second},
		{"nothing is known, X-RateLimit with seconds", tokensource.APIFacts{}, 429, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9"}, 9 * time.Second},
		{"nothing is known, RateLimit with seconds", tokensource.APIFacts{}, 429, map[string]string{"RateLimit-Remaining": "0", "RateLimit-Reset": "9"}, 9 * time.Second},
	}
	for _, tt := range tests {
		for _, method := range []string{"GET", "POST"} { // a request over the limit was not processed
			inBubble(t, func(t *testing.T) {
				header := http.Header{}
				for name, value := range tt.header {
					header.Set(name, value)
				}
				src := describedSource{newSource(), tt.facts}
				base := &script{answers: []answer{{status: tt.status, header: header}, ok200}}
				start := time.Now()
				rt := newTransport(t, src, base, transport.Options{Retry: &transport.RetryOptions{}})
				status, _ := roundTrip(t, rt, newRequest(t, method, api, nil))
				took := time.Since(start)
				if tt.want == 0 && (status != tt.status || took != 0) || tt.want > 0 && (status != 200 || took != tt.want) || tt.want < 0 && (status != 200 || took == 0) {
					t.Errorf("%s, %s: RoundTrip = %d after %v, want a pause of %v", tt.name, method, status, took, tt.want)
				}
				if n := src.asked.Load(); n != 0 {
					t.Errorf("%s: Renew was called %d times, want none", tt.name, n)
				}
			})
		}
	}
}

// A rate limit is no rejection, also where its status can mean one.
func TestT3_ARateLimitIsNoRejection(t *testing.T) {
	src := describedSource{newSource(), tokensource.APIFacts{RejectedStatuses: []int{401, 403}, LimitStatuses: []int{403}}}
	for _, tt := range []struct {
		header http.Header
		asked  int64
	}{{http.Header{"Retry-After": {"7"}}, 0}, {nil, 1}} {
		base := &script{answers: []answer{{status: 403, header: tt.header}, ok200}}
		roundTrip(t, newTransport(t, src, base, transport.Options{}), newRequest(t, "GET", api, nil))
		if got := src.asked.Load(); got != tt.asked {
			t.Errorf("after a 403 with %v Renew was called %d times, want %d", tt.header, got, tt.asked)
		}
	}
}

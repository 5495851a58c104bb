package transport_test

import (
	"fmt"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/authtrip/authtrip/transport"
)

func limits(family string, limit, remaining int, reset time.Time) map[string]string {
	return map[string]string{
		family + "-limit":     fmt.Sprint(limit),
		family + "-remaining": fmt.Sprint(remaining),
		family + "-reset":     fmt.Sprint(reset.Unix()),
	}
}

func with(headers map[string]string, name, value string) map[string]string {
	headers[name] = value
	return headers
}

func both(a, b map[string]string) map[string]string {
	maps.Copy(a, b)
	return a
}

func TestRateLimitFrom(t *testing.T) {
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // where the clock of a bubble starts
	at := func(d time.Duration) time.Time { return now.Add(d) }
	skewed := at(time.Hour).Format(http.TimeFormat)
	tests := []struct {
		name    string
		headers map[string]string
		want    transport.RateLimit
		ok      bool
	}{
		{"none", nil, transport.RateLimit{}, false},
		{"window", limits("x-rate-limit", 75, 74, at(time.Minute)), transport.RateLimit{"x-rate-limit", 75, 74, at(time.Minute)}, true},
		{"skewed clock", with(limits("x-rate-limit", 75, 74, at(time.Hour+time.Minute)), "Date", skewed), transport.RateLimit{"x-rate-limit", 75, 74, at(time.Minute)}, true},
		{"unreadable Date", with(limits("x-rate-limit", 75, 74, at(time.Minute)), "Date", "today"), transport.RateLimit{"x-rate-limit", 75, 74, at(time.Minute)}, true},
		{"the day is over first", both(limits("x-rate-limit", 75, 74, at(time.Minute)), limits("x-user-limit-24hour", 100, 0, at(time.Hour))),
			transport.RateLimit{"x-user-limit-24hour", 100, 0, at(time.Hour)}, true},
		{"two are exhausted: the later end", both(limits("x-app-limit-24hour", 9, 0, at(2*time.Hour)), limits("x-user-limit-24hour", 100, 0, at(time.Hour))),
			transport.RateLimit{"x-app-limit-24hour", 9, 0, at(2 * time.Hour)}, true},
		{"none is exhausted: the scarcest", both(limits("x-rate-limit", 75, 74, at(time.Minute)), limits("x-app-limit-24hour", 100, 3, at(time.Hour))),
			transport.RateLimit{"x-app-limit-24hour", 100, 3, at(time.Hour)}, true},
		{"no limit", with(limits("x-rate-limit", 0, 1, at(time.Minute)), "x-rate-limit-limit", ""), transport.RateLimit{"x-rate-limit", 0, 1, at(time.Minute)}, true},
		{"no remaining", with(limits("x-rate-limit", 75, 1, at(time.Minute)), "x-rate-limit-remaining", ""), transport.RateLimit{}, false},
		{"no reset", with(limits("x-rate-limit", 75, 1, at(time.Minute)), "x-rate-limit-reset", ""), transport.RateLimit{}, false},
		{"garbage", with(limits("x-rate-limit", 75, 1, at(time.Minute)), "x-rate-limit-reset", "-1"), transport.RateLimit{}, false},
		{"overflow", with(limits("x-rate-limit", 75, 1, at(time.Minute)), "x-rate-limit-remaining", "99999999999999999999"), transport.RateLimit{"x-rate-limit", 75, 1 << 33, at(time.Minute)}, true},
	}
	for _, test := range tests {
		inBubble(t, func(t *testing.T) {
			resp := &http.Response{Header: http.Header{}}
			for name, value := range test.headers {
				resp.Header.Set(name, value)
			}
			got, ok := transport.RateLimitFrom(resp)
			if ok != test.ok || !got.Reset.Equal(test.want.Reset) {
				t.Errorf("%s: RateLimitFrom = %+v, %t, want %+v, %t", test.name, got, ok, test.want, test.ok)
			}
			got.Reset, test.want.Reset = time.Time{}, time.Time{}
			if got != test.want {
				t.Errorf("%s: RateLimitFrom = %+v, want %+v", test.name, got, test.want)
			}
		})
	}
}

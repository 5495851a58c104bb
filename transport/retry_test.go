package transport_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/authtrip/authtrip/transport"
)

// T6: Retries repeat only what may be repeated, and never wait longer than
// the caller allows.
func TestT6_WhatIsRetried(t *testing.T) {
	fails := answer{err: errDown}
	tests := []struct {
		name   string
		method string
		body   io.Reader
		key    string
		first  answer
		want   int // requests
	}{
		{"GET, 500", "GET", nil, "", answer{status: 500}, 2},
		{"GET, 502", "GET", nil, "", answer{status: 502}, 2},
		{"GET, 503", "GET", nil, "", answer{status: 503}, 2},
		{"GET, 504", "GET", nil, "", answer{status: 504}, 2},
		{"GET, 429", "GET", nil, "", answer{status: 429}, 2},
		{"GET, no connection", "GET", nil, "", fails, 2},
		{"method left empty, 503", "", nil, "", answer{status: 503}, 2},
		{"HEAD, 503", "HEAD", nil, "", answer{status: 503}, 2},
		{"OPTIONS, 503", "OPTIONS", nil, "", answer{status: 503}, 2},
		{"PUT, 503", "PUT", strings.NewReader("body"), "", answer{status: 503}, 2},
		{"DELETE, no connection", "DELETE", nil, "", fails, 2},
		{"POST with a key, 503", "POST", strings.NewReader("body"), "k", answer{status: 503}, 2},
		{"POST with a key, no connection", "POST", strings.NewReader("body"), "k", fails, 2},
		{"POST, 429", "POST", strings.NewReader("body"), "", answer{status: 429}, 2},
		{"POST without body, 429", "POST", nil, "", answer{status: 429}, 2},
		{"PATCH, 429", "PATCH", strings.NewReader("body"), "", answer{status: 429}, 2},

		{"POST, 503", "POST", strings.NewReader("body"), "", answer{status: 503}, 1},
		{"POST, no connection", "POST", strings.NewReader("body"), "", fails, 1},
		{"PATCH, 500", "PATCH", strings.NewReader("body"), "", answer{status: 500}, 1},
		{"PUT read once, 503", "PUT", oneWay("body"), "", answer{status: 503}, 1},
		{"POST read once, 429", "POST", oneWay("body"), "", answer{status: 429}, 1},
		{"POST read once with a key, 503", "POST", oneWay("body"), "k", answer{status: 503}, 1},
		{"GET, 200", "GET", nil, "", answer{status: 200}, 1},
		{"GET, 304", "GET", nil, "", answer{status: 304}, 1},
		{"GET, 402", "GET", nil, "", answer{status: 402}, 1},
		{"GET, 404", "GET", nil, "", answer{status: 404}, 1},
		{"GET, 501", "GET", nil, "", answer{status: 501}, 1},
		{"GET, bad certificate", "GET", nil, "", answer{err: &tls.CertificateVerificationError{Err: errDown}}, 1},
		{"GET, cancelled", "GET", nil, "", answer{err: context.Canceled}, 2}, // the base's own affair: the request goes on
	}
	for _, test := range tests {
		for _, retry := range []*transport.RetryOptions{nil, {}} {
			inBubble(t, func(t *testing.T) {
				base := &script{answers: []answer{test.first, {status: 200, body: "second"}}}
				rt := newTransport(t, newSource(), base, transport.Options{Retry: retry})
				req := newRequest(t, test.method, api, rewound(test.body))
				req.Method = test.method
				if test.key != "" {
					req.Header.Set("Idempotency-Key", test.key)
				}
				resp, err := rt.RoundTrip(req)
				if err == nil {
					resp.Body.Close()
				}
				want := test.want
				if retry == nil {
					want = 1
				}
				if len(base.sent) != want {
					t.Errorf("%s (retries %t): %d requests, want %d", test.name, retry != nil, len(base.sent), want)
				}
				if want == 1 && (!errors.Is(err, test.first.err) || err == nil && resp.StatusCode != test.first.status) {
					t.Errorf("%s (retries %t): RoundTrip = %v, %v, want the first answer", test.name, retry != nil, resp, err)
				}
				for i, s := range base.sent {
					if test.body != nil && s.body != "body" || strings.Join(s.auth, "+") != "Bearer tok-1" {
						t.Errorf("%s: request %d had body %q and Authorization %q", test.name, i, s.body, s.auth)
					}
				}
			})
		}
	}
}

// rewound returns a body that reads the same in every run of a test.
func rewound(body io.Reader) io.Reader {
	if _, ok := body.(*strings.Reader); ok {
		return strings.NewReader("body")
	}
	if body != nil {
		return oneWay("body")
	}
	return nil
}

func TestT6_LastAnswerGoesToTheCaller(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for _, max := range []int{0, 1, 5} {
			base := &script{answers: []answer{{status: 503, body: "busy"}}}
			rt := newTransport(t, newSource(), base, transport.Options{Retry: &transport.RetryOptions{MaxRetries: max}})
			status, body := roundTrip(t, rt, newRequest(t, "GET", api, nil))
			want := 1 + map[int]int{0: 3, 1: 1, 5: 5}[max]
			if status != 503 || body != "busy" || len(base.sent) != want {
				t.Errorf("MaxRetries %d: RoundTrip = %d %q after %d requests, want 503 with its body after %d", max, status, body, len(base.sent), want)
			}
		}
		base := &script{answers: []answer{{err: errDown}}}
		rt := newTransport(t, newSource(), base, transport.Options{Retry: &transport.RetryOptions{}})
		resp, err := rt.RoundTrip(newRequest(t, "GET", api, nil))
		if err == nil {
			resp.Body.Close()
		}
		if err != errDown || len(base.sent) != 4 { //nolint:errorlint // the very error, not wrapped in what retries add
			t.Errorf("RoundTrip without connection = %v after %d requests, want the base's own error after 4", err, len(base.sent))
		}
	})
}

func TestT6_BackOffIsBoundedAndGrows(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var longest [5]time.Duration
		for range 200 {
			base := &script{answers: []answer{{status: 503}}}
			o := transport.RetryOptions{MaxRetries: 5, FirstWait: time.Second, MaxWait: 5 * time.Second}
			roundTrip(t, newTransport(t, newSource(), base, transport.Options{Retry: &o}), newRequest(t, "GET", api, nil))
			for i := range longest {
				longest[i] = max(longest[i], base.sent[i+1].at.Sub(base.sent[i].at))
			}
		}
		for i, bound := range []time.Duration{1, 2, 4, 5, 5} {
			bound *= time.Second
			if longest[i] > bound || longest[i] < bound/2 {
				t.Errorf("longest of 200 pauses before retry %d = %v, want it near %v and not above", i+1, longest[i], bound)
			}
		}
	})
}

func TestT6_TheServerSaysHowLong(t *testing.T) {
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // where the clock of a bubble starts
	at := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	const cap15 = 15 * time.Second
	tests := []struct {
		name   string
		status int
		header map[string]string
		want   time.Duration // 0: no pause, the answer goes to the caller; -1: some back-off
	}{
		{"seconds", 429, map[string]string{"Retry-After": "7"}, 7 * time.Second},
		{"seconds, 503", 503, map[string]string{"Retry-After": " 7 "}, 7 * time.Second},
		{"the cap", 429, map[string]string{"Retry-After": "15"}, cap15},
		{"over the cap", 429, map[string]string{"Retry-After": "16"}, 0},
		{"over every bound", 429, map[string]string{"Retry-After": "99999999999999999999999"}, 0},
		{"more than a Duration holds", 429, map[string]string{"Retry-After": "10000000000"}, 0},
		{"date", 429, map[string]string{"Retry-After": at(9 * time.Second)}, 9 * time.Second},
		{"date by a clock that is wrong", 429, map[string]string{"Retry-After": at(3609 * time.Second), "Date": at(time.Hour)}, 9 * time.Second},
		{"date over the cap", 429, map[string]string{"Retry-After": at(time.Hour)}, 0},
		{"date in the past", 429, map[string]string{"Retry-After": at(-time.Hour)}, -1},
		{"zero", 429, map[string]string{"Retry-After": "0"}, -1},
		{"negative", 429, map[string]string{"Retry-After": "-5"}, -1},
		{"garbage", 429, map[string]string{"Retry-After": "soon"}, -1},
		{"7.25", 429, map[string]string{"Retry-After": "7.25"}, 8 * time.Second},
		{"0.5", 429, map[string]string{"Retry-After": "0.5"}, time.Second},
		{"0.000", 429, map[string]string{"Retry-After": "0.000"}, -1},
		{"7.", 429, map[string]string{"Retry-After": "7."}, 7 * time.Second},
		{"299.997, over the cap", 429, map[string]string{"Retry-After": "299.997"}, 0},
		{"15.001, just over the cap", 429, map[string]string{"Retry-After": "15.001"}, 0},
		{"a date with an offset", 429, map[string]string{"Retry-After": "Sat, 01 Jan 2000 01:00:09 +0100"}, 9 * time.Second},
		{"a date in UTC", 429, map[string]string{"Retry-After": "Sat, 01 Jan 2000 00:00:09 UTC"}, 9 * time.Second},
		{"a date of RFC 3339", 429, map[string]string{"Retry-After": "2000-01-01T00:00:09Z"}, 9 * time.Second},
		{"1e3", 429, map[string]string{"Retry-After": "1e3"}, -1},
		{"7,25", 429, map[string]string{"Retry-After": "7,25"}, -1},
		{"7.2.5", 429, map[string]string{"Retry-After": "7.2.5"}, -1},
		{".5", 429, map[string]string{"Retry-After": ".5"}, -1},
		{"+7", 429, map[string]string{"Retry-After": "+7"}, -1},
		{"NaN", 429, map[string]string{"Retry-After": "NaN"}, -1},
		{"Infinity", 429, map[string]string{"Retry-After": "Infinity"}, -1},
		{"window", 429, limits("x-rate-limit", 15, 0, now.Add(4*time.Second)), 4 * time.Second},
		{"window over the cap", 429, limits("x-rate-limit", 15, 0, now.Add(900*time.Second)), 0},
		{"window by a clock that is wrong", 429, with(limits("x-rate-limit", 15, 0, now.Add(-3596*time.Second)), "Date", at(-time.Hour)), 4 * time.Second},
		{"window not exhausted", 429, limits("x-rate-limit", 15, 3, now.Add(4*time.Second)), -1},
		{"window of the past", 429, limits("x-rate-limit", 15, 0, now.Add(-4*time.Second)), -1},
		{"window, but 503", 503, limits("x-rate-limit", 15, 0, now.Add(4*time.Second)), -1},
		{"Retry-After before window", 429, with(limits("x-rate-limit", 15, 0, now.Add(4*time.Second)), "Retry-After", "2"), 2 * time.Second},
		{"user's day", 429, both(limits("x-rate-limit", 15, 3, now.Add(4*time.Second)), limits("x-user-limit-24hour", 100, 0, now.Add(8*time.Second))), 8 * time.Second},
		{"app's day over the cap", 429, both(limits("x-rate-limit", 15, 0, now.Add(4*time.Second)), limits("x-app-limit-24hour", 100, 0, now.Add(time.Hour))), 0},
		{"no header", 429, nil, -1},
	}
	for _, test := range tests {
		inBubble(t, func(t *testing.T) {
			header := http.Header{}
			for name, value := range test.header {
				header.Set(name, value)
			}
			base := &script{answers: []answer{{status: test.status, header: header, body: "limited"}, {status: 200}}}
			start := time.Now()
			status, body := roundTrip(t, newTransport(t, newSource(), base, transport.Options{Retry: &transport.RetryOptions{}}), newRequest(t, "GET", api, nil))
			took := time.Since(start)
			switch {
			case test.want == 0 && (status != test.status || took != 0 || body != "limited"):
				t.Errorf("%s: RoundTrip = %d %q after %v, want the answer at once", test.name, status, body, took)
			case test.want > 0 && (status != 200 || took != test.want):
				t.Errorf("%s: RoundTrip = %d after %v, want 200 after %v", test.name, status, took, test.want)
			case test.want < 0 && (status != 200 || took <= 0 || took > 501*time.Millisecond):
				t.Errorf("%s: RoundTrip = %d after %v, want 200 after a first back-off", test.name, status, took)
			}
		})
	}
}

func TestT6_NoPauseBeyondTheDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		base := &script{answers: []answer{{status: 429, header: http.Header{"Retry-After": {"5"}}, body: "limited"}}}
		rt := newTransport(t, newSource(), base, transport.Options{Retry: &transport.RetryOptions{}})
		start := time.Now()
		status, body := roundTrip(t, rt, newRequest(t, "GET", api, nil).WithContext(ctx))
		if took := time.Since(start); status != 429 || body != "limited" || took != 0 {
			t.Errorf("RoundTrip with 5s to go and 5s to wait = %d %q after %v, want 429 at once", status, body, took)
		}
	})
}

func TestT6_PauseEndsWithTheContext(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		base := &script{answers: []answer{{status: 429, header: http.Header{"Retry-After": {"10"}}}}}
		rt := newTransport(t, newSource(), base, transport.Options{Retry: &transport.RetryOptions{}})
		time.AfterFunc(3*time.Second, func() { cancel(errDown) })
		start := time.Now()
		resp, err := rt.RoundTrip(newRequest(t, "GET", api, nil).WithContext(ctx))
		if err == nil {
			resp.Body.Close()
		}
		if took := time.Since(start); !errors.Is(err, errDown) || took != 3*time.Second || len(base.sent) != 1 {
			t.Errorf("RoundTrip cancelled during a pause = %v after %v, want the cause after 3s", err, took)
		}
	})
}

func TestT6_BodyThatCannotBeOpenedAgain(t *testing.T) {
	for _, method := range []string{"POST", "PUT"} {
		inBubble(t, func(t *testing.T) {
			opened := 0
			base := &script{answers: []answer{{status: 429}}}
			req := newRequest(t, method, api, strings.NewReader("body"))
			req.GetBody = func() (io.ReadCloser, error) {
				opened++
				return nil, errDown
			}
			resp, err := newTransport(t, newSource(), base, transport.Options{Retry: &transport.RetryOptions{}}).RoundTrip(req)
			if err == nil {
				resp.Body.Close()
			}
			if !errors.Is(err, errDown) || len(base.sent) != 1 || opened != 1 {
				t.Errorf("%s when GetBody fails = %v after %d requests and %d tries, want its error after 1 and 1", method, err, len(base.sent), opened)
			}
		})
	}
}

// A base that breaks its contract must not bring the program down.
func TestT6_BaseThatReturnsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		base := baseFunc(func(*http.Request) (*http.Response, error) { return nil, nil })
		resp, err := newTransport(t, newSource(), base, transport.Options{Retry: &transport.RetryOptions{}}).RoundTrip(newRequest(t, "GET", api, nil))
		if err == nil {
			t.Errorf("RoundTrip over a base that returns nothing = %v, nil, want an error", resp)
		}
		if resp, _ := newTransport(t, newSource(), base, transport.Options{}).RoundTrip(newRequest(t, "GET", api, nil)); resp != nil {
			t.Errorf("RoundTrip over a base that returns nothing = %v, want nil", resp)
		}
	})
}

// Rejection and retries work together: each attempt of the replay carries the
// new token.
func TestT6_RetriesBelowTheReplay(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		base := &script{answers: []answer{{status: 503}, {status: 401}, {status: 503}, {status: 200}}}
		rt := newTransport(t, newSource(), base, transport.Options{Retry: &transport.RetryOptions{}})
		status, _ := roundTrip(t, rt, newRequest(t, "PUT", api, strings.NewReader("body")))
		if want := "Bearer tok-1, Bearer tok-1, Bearer tok-2, Bearer tok-2"; status != 200 || base.auths() != want {
			t.Errorf("RoundTrip = %d after %q, want 200 after %q", status, base.auths(), want)
		}
		if want := "body, body, body, body"; base.bodies() != want {
			t.Errorf("bodies = %q, want %q", base.bodies(), want)
		}
	})
}

// A reverse proxy sends what it received: with RequestURI set, which
// http.Client would refuse.
func TestT6_UnderAReverseProxy(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		got = append(got, req.Header.Values("Authorization")...)
	}))
	defer server.Close()
	target, _ := url.Parse(server.URL)
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport = newTransport(t, newSource(), server.Client().Transport, transport.Options{Origins: []string{server.URL}, Retry: &transport.RetryOptions{}})
	rec := httptest.NewRecorder()
	proxy.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), "GET", "/a", nil))
	if rec.Code != 200 || strings.Join(got, ", ") != "Bearer tok-1" {
		t.Errorf("through a reverse proxy: %d, Authorization %q, want 200 with the token", rec.Code, got)
	}
}

func TestT6_RetriesKeepNoCookies(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		base := &script{answers: []answer{{status: 503, header: http.Header{"Set-Cookie": {"a=b; Path=/"}}}, {status: 200}}}
		roundTrip(t, newTransport(t, newSource(), base, transport.Options{Retry: &transport.RetryOptions{}}), newRequest(t, "GET", api, nil))
		if got := base.sent[1].header.Get("Cookie"); got != "" {
			t.Errorf("Cookie of the retry = %q, want none", got)
		}
	})
}

package transport_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/transport"
)

// T4: A request is replayed completely or not at all.
func TestT4_WhatIsReplayed(t *testing.T) {
	failing := func() (io.ReadCloser, error) { return nil, errors.New("gone") }
	long := strings.Repeat("x", 64<<10)
	tests := []struct {
		name   string
		body   io.Reader
		open   func() (io.ReadCloser, error) // replaces GetBody
		length int64                         // replaces ContentLength
		limit  int64
		bodies string
		status int
	}{
		{"no body", nil, nil, 0, 0, ", ", 200},
		{"NoBody", http.NoBody, nil, 0, -1, ", ", 200},
		{"GetBody", strings.NewReader("body"), nil, 0, 0, "body, body", 200},
		{"GetBody and nothing kept", strings.NewReader("body"), nil, 0, -1, "body, body", 200},
		{"GetBody over the limit", strings.NewReader("body"), nil, 0, 1, "body, body", 200},
		{"GetBody fails", strings.NewReader("body"), failing, 0, 0, "body", 401},
		{"kept", oneWay("body"), nil, 0, 0, "body, body", 200},
		{"kept, length known", oneWay("body"), nil, 4, 0, "body, body", 200},
		{"kept, empty", oneWay(""), nil, -1, 0, ", ", 200},
		{"kept up to the limit", oneWay("body"), nil, 0, 4, "body, body", 200},
		{"kept up to the default limit", oneWay(long), nil, 0, 0, long + ", " + long, 200},
		{"over the limit", oneWay("body"), nil, 0, 3, "body", 401},
		{"over the default limit", oneWay(long + "x"), nil, 0, 0, long + "x", 401},
		{"known to be over the limit", oneWay("body"), nil, 4, 3, "body", 401},
		{"nothing kept", oneWay("body"), nil, 0, -1, "body", 401},
		{"shorter than its length", oneWay("body"), nil, 9, 0, "body", 401},
		{"longer than its length", oneWay("body"), nil, 2, 0, "body", 401},
	}
	for _, test := range tests {
		base := &script{answers: []answer{{status: 401, body: "original"}, {status: 200, body: "replayed"}}}
		src := newSource()
		rt := newTransport(t, src, base, transport.Options{MaxReplayBody: test.limit})
		req := newRequest(t, "POST", api, test.body)
		if test.open != nil {
			req.GetBody = test.open
		}
		if test.length != 0 {
			req.ContentLength = test.length
		}
		status, body := roundTrip(t, rt, req)
		if status != test.status || base.bodies() != test.bodies {
			t.Errorf("%s: RoundTrip = %d after bodies %.40q, want %d after %.40q", test.name, status, base.bodies(), test.status, test.bodies)
		}
		if want := map[int]string{200: "replayed", 401: "original"}[test.status]; body != want {
			t.Errorf("%s: the response's body = %q, want %q", test.name, body, want)
		}
		if got := src.renewals.Load(); got != 1 {
			t.Errorf("%s: %d renewals, want 1: also for the sake of the next request", test.name, got)
		}
	}
}

// A body may tell at its end that it is not what it should be, after the
// server has got all of it.
func TestT4_BodyThatFailsIsNotReplayed(t *testing.T) {
	calls := 0
	base := roundTripper(func(req *http.Request) (*http.Response, error) {
		calls++
		_, _ = io.Copy(io.Discard, req.Body)
		return response(req, 401, nil, "original"), nil
	})
	req := newRequest(t, "POST", api, io.MultiReader(strings.NewReader("body"), iotest.ErrReader(errors.New("wrong checksum"))))
	req.ContentLength = 4
	if status, _ := roundTrip(t, newTransport(t, newSource(), base, transport.Options{}), req); status != 401 || calls != 1 {
		t.Errorf("RoundTrip = %d after %d requests, want the 401 after 1", status, calls)
	}
}

// roundTripper is baseFunc without its care for the body.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// The base's write loop may go on reading when the response is there: the race
// detector watches.
func TestT4_BaseStillReads(t *testing.T) {
	for range 20 {
		var wg sync.WaitGroup
		base := roundTripper(func(req *http.Request) (*http.Response, error) {
			if req.Header.Get("Authorization") == "Bearer tok-1" {
				wg.Go(func() {
					_, _ = io.Copy(io.Discard, struct{ io.Reader }{req.Body})
					req.Body.Close()
				})
				return response(req, 401, nil, ""), nil
			}
			body, err := io.ReadAll(req.Body)
			return response(req, 200, nil, string(body)), err
		})
		text := strings.Repeat("x", 60<<10)
		status, body := roundTrip(t, newTransport(t, newSource(), base, transport.Options{}), newRequest(t, "POST", api, oneWay(text)))
		if status == 200 && body != text {
			t.Fatalf("the replay sent %d of %d bytes", len(body), len(text))
		}
		wg.Wait()
	}
}

// waitingSource renews only when something has happened.
type waitingSource struct {
	*fakeSource
	until <-chan struct{}
}

func (s waitingSource) Renew(ctx context.Context, rejected *oauth2.Token) (*oauth2.Token, error) {
	<-s.until
	return s.fakeSource.Renew(ctx, rejected)
}

// A base that answers before it has read the body, and reads on meanwhile: by
// the end of the renewal all of it is kept.
func TestT4_BodyReadDuringTheRenewalIsReplayed(t *testing.T) {
	start, done := make(chan struct{}), make(chan struct{})
	base := roundTripper(func(req *http.Request) (*http.Response, error) {
		if req.Header.Get("Authorization") == "Bearer tok-1" {
			go func() {
				<-start
				_, _ = io.Copy(io.Discard, struct{ io.Reader }{req.Body})
				req.Body.Close()
				close(done)
			}()
			return response(req, 401, nil, ""), nil
		}
		body, err := io.ReadAll(req.Body)
		return response(req, 200, nil, string(body)), err
	})
	rejected := func(resp *http.Response) bool {
		if resp.StatusCode != 401 {
			return false
		}
		close(start) // not before the answer is judged
		return true
	}
	rt, err := transport.New(waitingSource{newSource(), done}, &transport.Options{Base: base, Rejected: rejected})
	if err != nil {
		t.Fatal(err)
	}
	if status, body := roundTrip(t, rt, newRequest(t, "POST", api, oneWay("all of it"))); status != 200 || body != "all of it" {
		t.Errorf("RoundTrip() = %d with body %q, want the replay of all of it", status, body)
	}
}

// echo answers 401 to tok-1, and otherwise what body and framing it received.
func echo(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if req.Header.Get("Authorization") == "Bearer tok-1" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	_, _ = w.Write(body)
}

func TestT4_OverRealConnections(t *testing.T) {
	text := strings.Repeat("0123456789abcdef", 2000)
	for _, http2 := range []bool{false, true} {
		server := httptest.NewUnstartedServer(http.HandlerFunc(echo))
		server.EnableHTTP2 = http2
		server.StartTLS()
		defer server.Close()
		base := server.Client().Transport.(*http.Transport)
		base.ExpectContinueTimeout = time.Minute
		tests := []struct {
			name   string
			body   io.Reader
			length int64
			expect string
		}{
			{"GetBody", strings.NewReader(text), int64(len(text)), ""},
			{"kept, chunked", oneWay(text), -1, ""},
			{"kept, length known", oneWay(text), int64(len(text)), ""},
			{"GetBody, 100-continue", strings.NewReader(text), int64(len(text)), "100-continue"},
			{"kept, 100-continue", oneWay(text), -1, "100-continue"},
		}
		for _, test := range tests {
			src := newSource()
			rt := newTransport(t, src, base, transport.Options{Origins: []string{server.URL}})
			req := newRequest(t, "POST", server.URL, test.body)
			req.ContentLength = test.length
			if test.expect != "" {
				req.Header.Set("Expect", test.expect)
			}
			if status, body := roundTrip(t, rt, req); status != 200 || body != text || src.renewals.Load() != 1 {
				t.Errorf("%s (HTTP/2 %t): RoundTrip = %d with %d bytes, want 200 with %d", test.name, http2, status, len(body), len(text))
			}
		}
	}
}

// With Expect: 100-continue a server can refuse before a byte of the body is
// sent.
func TestT4_RefusedBeforeTheBodyIsSent(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Authorization") == "Bearer tok-1" {
			w.WriteHeader(http.StatusUnauthorized) // no 100 Continue was sent
			return
		}
		echo(w, req)
	}))
	defer server.Close()
	base := server.Client().Transport.(*http.Transport)
	base.ExpectContinueTimeout = time.Minute
	rt := newTransport(t, newSource(), base, transport.Options{Origins: []string{server.URL}})
	req := newRequest(t, "POST", server.URL, strings.NewReader("body"))
	req.Header.Set("Expect", "100-continue")
	if status, body := roundTrip(t, rt, req); status != 200 || body != "body" {
		t.Errorf("with GetBody, RoundTrip = %d %q, want 200 and the whole body", status, body)
	}
	for name, o := range map[string]transport.Options{"kept": {}, "nothing is kept": {MaxReplayBody: -1}, "over the limit": {MaxReplayBody: 3}} {
		src := newSource()
		o.Origins = []string{server.URL}
		rt = newTransport(t, src, base, o)
		for _, length := range []int64{-1, 4} {
			src.set(&oauth2.Token{AccessToken: "tok-1"})
			req = newRequest(t, "POST", server.URL, oneWay("body"))
			req.ContentLength = length
			req.Header.Set("Expect", "100-continue")
			if status, body := roundTrip(t, rt, req); status != 200 || body != "body" {
				t.Errorf("without GetBody, %s, length %d: RoundTrip = %d %q, want 200 and the whole body: nothing of it was read", name, length, status, body)
			}
		}
	}
}

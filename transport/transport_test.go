package transport_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/exposure"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

// T1: The request of the caller is never modified, and its body is closed on
// every path.
func TestT1_RequestIsNotModified(t *testing.T) {
	scribble := func(req *http.Request) (*http.Response, error) {
		req.Header.Set("X-Base", "added")
		req.Header.Del("Accept")
		req.Method, req.ContentLength = "PUT", 99
		return response(req, 401, nil, ""), nil
	}
	rt := newTransport(t, newSource(), baseFunc(scribble), transport.Options{Retry: &transport.RetryOptions{}})
	for _, header := range []http.Header{nil, {}, {"Accept": {"text/plain"}, "Authorization": {"Basic mine"}}} {
		req := newRequest(t, "POST", api+"/a", strings.NewReader("body"))
		req.Header = header
		before, headerBefore := *req, header.Clone()
		roundTrip(t, rt, req)
		if !reflect.DeepEqual(req.Header, headerBefore) {
			t.Errorf("after RoundTrip(%v) the caller's header = %v, want it unchanged", headerBefore, req.Header)
		}
		if req.Method != before.Method || req.ContentLength != before.ContentLength || req.Body != before.Body {
			t.Errorf("after RoundTrip the caller's request = %s %d, want POST 4 and its own body", req.Method, req.ContentLength)
		}
	}
}

func TestT1_BodyIsClosedOnEveryPath(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	ok := func(req *http.Request) (*http.Response, error) { return response(req, 200, nil, ""), nil }
	rejects := func(req *http.Request) (*http.Response, error) { return response(req, 401, nil, ""), nil }
	fails := func(*http.Request) (*http.Response, error) { return nil, errDown }
	honoursContext := func(req *http.Request) (*http.Response, error) { return nil, req.Context().Err() }
	dpop := &oauth2.Token{AccessToken: "a", TokenType: "DPoP"}
	tests := []struct {
		name string
		ctx  context.Context
		src  *fakeSource
		base baseFunc
		url  string
	}{
		{"success", t.Context(), newSource(), ok, api},
		{"no token", t.Context(), &fakeSource{origins: []string{api}, tokenErr: tokensource.ErrNoGrant}, ok, api},
		{"unusable token", t.Context(), newSource().set(dpop), ok, api},
		{"nil token", t.Context(), newSource().set(nil), ok, api},
		{"base fails", t.Context(), newSource(), fails, api},
		{"context over", cancelled, newSource(), honoursContext, api},
		{"rejected, replayed", t.Context(), newSource(), rejects, api},
		{"rejected, not renewed", t.Context(), &fakeSource{origins: []string{api}, tok: &oauth2.Token{AccessToken: "a"}, renewErr: tokensource.ErrReauthorize}, rejects, api},
		{"elsewhere", t.Context(), newSource(), ok, "https://other.example"},
	}
	for _, test := range tests {
		for _, limit := range []int64{0, -1} {
			body := &trackedBody{Reader: strings.NewReader("body")}
			req := newRequest(t, "POST", test.url, body).WithContext(test.ctx)
			rt := newTransport(t, test.src, test.base, transport.Options{MaxReplayBody: limit, Retry: &transport.RetryOptions{}})
			if resp, err := rt.RoundTrip(req); err == nil {
				resp.Body.Close()
			}
			if got := body.closed.Load(); got == 0 {
				t.Errorf("%s (MaxReplayBody %d): body closed %d times, want it closed", test.name, limit, got)
			}
		}
	}
}

func TestT1_BodiesOpenedForReplayAreClosed(t *testing.T) {
	var opened []*trackedBody
	open := func() (io.ReadCloser, error) {
		body := &trackedBody{Reader: strings.NewReader("body")}
		opened = append(opened, body)
		return body, nil
	}
	base := &script{answers: []answer{{status: 429}, {status: 401}, {status: 429}, {status: 200}}}
	rt := newTransport(t, newSource(), base, transport.Options{Retry: &transport.RetryOptions{FirstWait: 1}})
	first, _ := open()
	req := newRequest(t, "POST", api, first)
	req.GetBody = open
	if status, _ := roundTrip(t, rt, req); status != 200 || base.bodies() != "body, body, body, body" {
		t.Fatalf("RoundTrip = %d after bodies %q, want 200 after four whole bodies", status, base.bodies())
	}
	for i, body := range opened {
		if body.closed.Load() != 1 {
			t.Errorf("body %d of %d closed %d times, want 1", i, len(opened), body.closed.Load())
		}
	}
}

type idleBase struct {
	baseFunc
	closed int
}

func (b *idleBase) CloseIdleConnections() { b.closed++ }

func TestT1_CloseIdleConnectionsReachesTheBase(t *testing.T) {
	base := &idleBase{baseFunc: func(req *http.Request) (*http.Response, error) { return response(req, 503, nil, ""), nil }}
	inner := newTransport(t, newSource(), base, transport.Options{Retry: &transport.RetryOptions{FirstWait: 1}})
	outer := newTransport(t, newSource(), inner, transport.Options{Origins: []string{"https://other.example"}})
	client := &http.Client{Transport: outer}
	client.CloseIdleConnections()
	if base.closed != 1 {
		t.Errorf("CloseIdleConnections reached the base %d times, want 1", base.closed)
	}
	// Retries of one request do not matter to other requests, which keep their
	// connections.
	roundTrip(t, outer, newRequest(t, "GET", api, nil))
	if base.closed != 1 {
		t.Errorf("after failed retries, CloseIdleConnections reached the base %d times, want still 1", base.closed)
	}
	newTransport(t, newSource(), baseFunc(nil), transport.Options{}).CloseIdleConnections() // a base without the method
}

func TestT7_BaseThatEditsTheHeaderHarmsNothing(t *testing.T) {
	var seen []string
	redacting := baseFunc(func(req *http.Request) (*http.Response, error) {
		seen = append(seen, req.Header["Authorization"][0])
		req.Header["Authorization"][0] = "REDACTED"
		return response(req, 503, nil, ""), nil
	})
	rt := newTransport(t, newSource(), redacting, transport.Options{Retry: &transport.RetryOptions{MaxRetries: 1, FirstWait: 1}})
	for range 2 {
		roundTrip(t, rt, newRequest(t, "GET", api, nil))
	}
	if got, want := strings.Join(seen, ", "), strings.Repeat("Bearer tok-1, ", 3)+"Bearer tok-1"; got != want {
		t.Errorf("Authorization of 2 requests with 1 retry each = %q, want %q", got, want)
	}
}

// T8: The request of a response is the one of the caller, without the token.
func TestT8_ResponseCarriesTheCallersRequest(t *testing.T) {
	tests := []struct {
		name    string
		answers []answer
	}{
		{"first answer", []answer{{status: 200}}},
		{"replay", []answer{{status: 401}, {status: 200}}},
		{"retry", []answer{{status: 503}, {status: 200}}},
		{"retries used up", []answer{{status: 503}}},
		{"redirect below the retries", []answer{{status: 302, header: http.Header{"Location": {"https://other.example"}}}}},
		{"not replayable", []answer{{status: 403}}},
	}
	for _, test := range tests {
		for _, retry := range []*transport.RetryOptions{nil, {FirstWait: 1}} {
			base := &script{answers: test.answers}
			rt := newTransport(t, newSource(), base, transport.Options{Retry: retry})
			req := newRequest(t, "GET", api, nil)
			resp, err := rt.RoundTrip(req)
			if err != nil {
				t.Fatalf("%s: RoundTrip = %v", test.name, err)
			}
			resp.Body.Close()
			if resp.Request != req || len(authorizations(resp.Request.Header)) != 0 {
				t.Errorf("%s: Response.Request = %p with %v, want the caller's %p without a token", test.name, resp.Request, resp.Request.Header, req)
			}
		}
	}
}

func TestT8_ErrorsCarryNoToken(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close() // nobody listens there any more
	src := newSource().set(&oauth2.Token{AccessToken: canary})
	for _, retry := range []*transport.RetryOptions{nil, {FirstWait: 1}} {
		rt := newTransport(t, src, nil, transport.Options{Origins: []string{server.URL}, Retry: retry})
		resp, err := rt.RoundTrip(newRequest(t, "GET", server.URL, nil))
		if err == nil {
			resp.Body.Close()
			t.Fatalf("RoundTrip to a closed server = nil error")
		}
		exposure.Check(t, "a connection error", err, canary)
	}
}

func TestRoundTripReturnsTheErrorsOfTheSource(t *testing.T) {
	for _, want := range []error{tokensource.ErrNoGrant, tokensource.ErrReauthorize, tokensource.ErrTemporary, context.Canceled} {
		base := &script{answers: []answer{{status: 200}}}
		src := &fakeSource{origins: []string{api}, tokenErr: want}
		resp, err := newTransport(t, src, base, transport.Options{}).RoundTrip(newRequest(t, "GET", api, nil))
		if err == nil {
			resp.Body.Close()
		}
		if !errors.Is(err, want) || len(base.sent) != 0 {
			t.Errorf("RoundTrip with a source that fails = %v after %d requests, want %v and none", err, len(base.sent), want)
		}
	}
}

package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

const api = "https://api.example"

// fakeSource renews by comparison: the token "tok-1" is followed by "tok-2"
// and so on, and only the current one is renewed.
type fakeSource struct {
	origins  []string
	tokenErr error
	renewErr error
	took     time.Duration // how long a renewal takes
	renewals atomic.Int64  // tokens made
	asked    atomic.Int64  // calls of Renew

	mu     sync.Mutex // guards what follows; never held while a renewal sleeps
	n      int
	tok    *oauth2.Token
	flight chan struct{}
}

func newSource() *fakeSource {
	return &fakeSource{origins: []string{api}, n: 1, tok: &oauth2.Token{AccessToken: "tok-1"}}
}

func (s *fakeSource) APIOrigins(*oauth2.Token) []string { return s.origins }

func (s *fakeSource) Endpoints() []string { return nil }

func (s *fakeSource) Token(context.Context) (*oauth2.Token, error) {
	if s.tokenErr != nil {
		return nil, s.tokenErr
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tok, nil
}

func (s *fakeSource) set(tok *oauth2.Token) *fakeSource {
	s.tok = tok
	return s
}

func (s *fakeSource) Renew(ctx context.Context, rejected *oauth2.Token) (*oauth2.Token, error) {
	s.asked.Add(1)
	if s.renewErr != nil {
		return nil, s.renewErr
	}
	for {
		s.mu.Lock()
		if s.tok != rejected {
			defer s.mu.Unlock()
			return s.tok, nil
		}
		if s.flight == nil {
			s.flight = make(chan struct{})
			s.mu.Unlock()
			return s.renewNow(), nil
		}
		flight := s.flight
		s.mu.Unlock()
		select {
		case <-flight:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (s *fakeSource) renewNow() *oauth2.Token {
	time.Sleep(s.took)
	s.renewals.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	s.tok = &oauth2.Token{AccessToken: fmt.Sprintf("tok-%d", s.n)}
	close(s.flight)
	s.flight = nil
	return s.tok
}

// plainSource cannot renew and names no origins.
type plainSource struct{ tok *oauth2.Token }

func (s plainSource) Token(context.Context) (*oauth2.Token, error) { return s.tok, nil }

// baseFunc is a base. It reads and closes the request body after f, as the
// contract asks of every base, unless f did.
type baseFunc func(*http.Request) (*http.Response, error)

func (f baseFunc) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := f(req)
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, req.Body)
		req.Body.Close()
	}
	return resp, err
}

// script is a base that records what it was sent and answers from a list; the
// last answer repeats.
type script struct {
	mu      sync.Mutex // guards sent
	answers []answer
	sent    []sent
}

type answer struct {
	status int
	header http.Header
	body   string
	err    error
}

type sent struct {
	url    string
	auth   []string
	header http.Header
	body   string
	at     time.Time
}

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	var readErr error
	if req.Body != nil {
		body, readErr = io.ReadAll(req.Body)
		req.Body.Close()
	}
	if readErr != nil {
		return nil, readErr
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, sent{req.URL.String(), authorizations(req.Header), req.Header.Clone(), string(body), time.Now()})
	a := s.answers[min(len(s.sent), len(s.answers))-1]
	if a.err != nil {
		return nil, a.err
	}
	return response(req, a.status, a.header, a.body), nil
}

// auths returns the Authorization of each request sent, several values joined.
func (s *script) auths() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, r := range s.sent {
		list = append(list, strings.Join(r.auth, "+"))
	}
	return strings.Join(list, ", ")
}

func (s *script) bodies() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, r := range s.sent {
		list = append(list, r.body)
	}
	return strings.Join(list, ", ")
}

// authorizations returns every value that would go on the wire as
// Authorization, in whatever case its key is written.
func authorizations(h http.Header) []string {
	var list []string
	for key, values := range h {
		if strings.EqualFold(key, "Authorization") {
			list = append(list, values...)
		}
	}
	return list
}

func response(req *http.Request, status int, h http.Header, body string) *http.Response {
	if h == nil {
		h = http.Header{}
	}
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: &trackedBody{Reader: strings.NewReader(body)}, ContentLength: int64(len(body)), Request: req,
	}
}

// trackedBody counts what happens to it.
type trackedBody struct {
	io.Reader
	read   atomic.Int64
	closed atomic.Int64
}

func (b *trackedBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.read.Add(int64(n))
	return n, err
}

func (b *trackedBody) Close() error {
	b.closed.Add(1)
	return nil
}

var errDown = errors.New("connection refused")

func newTransport(t testing.TB, src tokensource.Source, base http.RoundTripper, o transport.Options) *transport.Transport {
	t.Helper()
	o.Base = base
	rt, err := transport.New(src, &o)
	if err != nil {
		t.Fatalf("New = %v", err)
	}
	return rt
}

func newRequest(t testing.TB, method, url string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatalf("NewRequest(%s %s) = %v", method, url, err)
	}
	return req
}

// roundTrip sends req and returns status and body.
func roundTrip(t testing.TB, rt http.RoundTripper, req *http.Request) (int, string) {
	t.Helper()
	resp, err := rt.RoundTrip(req)
	if err != nil {
		t.Fatalf("RoundTrip(%s %s) = %v", req.Method, req.URL, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("reading the response to %s %s: %v", req.Method, req.URL, err)
	}
	return resp.StatusCode, string(body)
}

// oneWay hides GetBody from http.NewRequest: a body that can be read once.
func oneWay(s string) io.Reader { return struct{ io.Reader }{strings.NewReader(s)} }

// named returns a context that names a subject of a login.
func named(ctx context.Context, subject string) context.Context {
	return tokensource.WithSubject(ctx, tokensource.Owner{Authority: "https://login.example"}, subject)
}

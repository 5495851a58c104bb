// Package target is what the measured transports talk to: a base that costs
// next to nothing or a real server on loopback. Both check every request, so
// that no figure is of something that did not work.
package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"

	"github.com/authtrip/authtrip/bench/internal/peers"
)

// Shape is the kind of request that is measured.
type Shape struct {
	Name    string
	Headers int // beside those that the transport adds
	Body    int // bytes; zero means a GET
	Token   int // bytes
}

// Shapes are the requests of the transport tables.
var Shapes = []Shape{
	{Name: "GET, 6 headers", Headers: 6, Token: 43},
	{Name: "POST, 4 KiB that can be replayed", Headers: 6, Body: 4 << 10, Token: 43},
	{Name: "GET, 12 headers", Headers: 12, Token: 43},
	{Name: "GET, token of 1,000 bytes", Headers: 6, Token: 1000},
}

var headers = [...]string{
	"Accept", "Accept-Language", "User-Agent", "X-Request-Id", "Traceparent", "Content-Type",
	"X-A", "X-B", "X-C", "X-D", "X-E", "X-F",
}

// Request returns a request of the shape, whose body starts again after each
// Close. One goroutine at a time may use it.
func (s Shape) Request(ctx context.Context, origin string) (*http.Request, error) {
	method := http.MethodGet
	if s.Body > 0 {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, origin+"/2/users/me", nil)
	if err != nil {
		return nil, err
	}
	for _, name := range headers[:s.Headers] {
		req.Header.Set(name, "some value")
	}
	if s.Body > 0 {
		b := &body{Reader: strings.NewReader(strings.Repeat("b", s.Body))}
		req.Body, req.ContentLength = b, int64(s.Body)
		req.GetBody = func() (io.ReadCloser, error) { return nil, errReplayed }
	}
	return req, nil
}

var errReplayed = errors.New("target: a body was asked for again though nothing was rejected")

// body can be read again after Close.
type body struct{ *strings.Reader }

// Close implements io.Closer.
func (b *body) Close() error {
	_, err := b.Seek(0, io.SeekStart)
	return err
}

// Memory is a base in memory that checks every request. It reads each byte of
// the header's value, as a base that sends the request does. It is safe for
// concurrent use.
type Memory struct {
	Shape Shape
	Bare  bool // no Authorization is expected: the base alone is measured
}

var buffers = sync.Pool{New: func() any { return new([8 << 10]byte) }}

// RoundTrip implements http.RoundTripper.
func (m Memory) RoundTrip(req *http.Request) (*http.Response, error) {
	auth := req.Header["Authorization"]
	if m.Bare && len(auth) != 0 || !m.Bare && (len(auth) != 1 || !m.wellFormed(auth[0])) {
		return nil, fmt.Errorf("target: %d Authorization headers, or one of the wrong form or length", len(auth))
	}
	if m.Shape.Body > 0 {
		if n := drain(req.Body); n != m.Shape.Body {
			return nil, fmt.Errorf("target: a body of %d bytes, want %d", n, m.Shape.Body)
		}
	}
	return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}, nil
}

// wellFormed reports whether value has the length and the beginning of a
// header's value, and no line break, which the search reads all of it for.
func (m Memory) wellFormed(value string) bool {
	return len(value) == len("Bearer ")+m.Shape.Token && strings.HasPrefix(value, "Bearer ") && strings.IndexByte(value, '\n') < 0
}

func drain(r io.ReadCloser) int {
	buf := buffers.Get().(*[8 << 10]byte)
	defer buffers.Put(buf)
	total := 0
	for {
		n, err := r.Read(buf[:])
		total += n
		if err != nil {
			r.Close()
			return total
		}
	}
}

// Paths that are added to a Server's URL where something else is expected than
// the token of subject 0.
const (
	BarePath = "/bare" // no token
	ManyPath = "/many" // the token of any subject
)

// Server is a real server on loopback that compares the value of the
// Authorization header and the length of the body. Close it at the end.
type Server struct {
	*httptest.Server
	Transport *http.Transport // keeps its connections
}

// NewServer starts one. It expects the token of subject 0, unless the path says
// otherwise.
func NewServer(s Shape) *Server {
	want := "Bearer " + peers.Token(s.Token).AccessToken
	handler := func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		auth := r.Header["Authorization"]
		switch {
		case err != nil || n != int64(s.Body):
			w.WriteHeader(http.StatusBadRequest)
		case strings.HasPrefix(r.URL.Path, BarePath) && len(auth) == 0, len(auth) == 1 && auth[0] == want,
			strings.HasPrefix(r.URL.Path, ManyPath) && len(auth) == 1 && ofSomebody(auth[0], len(want)):
			w.WriteHeader(http.StatusNoContent)
		default:
			w.WriteHeader(http.StatusUnauthorized)
		}
	}
	return &Server{httptest.NewServer(http.HandlerFunc(handler)), &http.Transport{MaxIdleConnsPerHost: 1024}}
}

// ofSomebody reports whether auth carries a token as peers.Text makes them.
func ofSomebody(auth string, length int) bool {
	text, ok := strings.CutPrefix(auth, "Bearer ")
	_, err := strconv.ParseUint(text, 10, 64)
	return ok && err == nil && len(auth) == length
}

// Close stops the server.
func (s *Server) Close() {
	s.Transport.CloseIdleConnections()
	s.Server.Close()
}

// Worker returns a loop that sends n requests like req through rt and checks
// the status of each answer.
func Worker(rt http.RoundTripper, req *http.Request) func(n int) error {
	return func(n int) error {
		for range n {
			if err := send(rt, req); err != nil {
				return err
			}
		}
		return nil
	}
}

// Subjects is Worker with a context of its own for each request, from a list
// that it walks through, beginning at start. The request must have been made
// with swap.
func Subjects(rt http.RoundTripper, req *http.Request, swap *Swap, list []context.Context, start int) func(n int) error {
	i := start % len(list)
	return func(n int) error {
		for range n {
			swap.Context = list[i] //nolint:fatcontext // replaced, not nested
			if i++; i == len(list) {
				i = 0
			}
			if err := send(rt, req); err != nil {
				return err
			}
		}
		return nil
	}
}

// Swap is a context that can be replaced, so that the subject changes from
// request to request and nothing has to be copied for it. One goroutine at a
// time may use it.
type Swap struct{ context.Context } //nolint:containedctx // to replace it is the purpose

func send(rt http.RoundTripper, req *http.Request) error {
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("target: status %d", resp.StatusCode)
	}
	return nil
}

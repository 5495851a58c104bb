package oauthtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// Provider returns provider.X with its endpoints and API origins at base, such as the URL of an httptest.Server. An empty
// base means X's real addresses, which is what Transport answers at.
func (s *Server) Provider(base string) *provider.Provider {
	p := provider.X()
	if base == "" {
		return p
	}
	base = strings.TrimSuffix(base, "/")
	p.AuthorizationURL = base + PathAuthorize
	p.TokenURL = base + PathToken
	p.RevocationURL = base + PathRevoke
	p.ClientCredentialsURL = base + PathAppToken
	p.IdentityURL = base + PathMe
	p.APIOrigins = []string{base}
	p.InsecureLoopback = strings.HasPrefix(base, "http://")
	return p
}

// Transport returns a RoundTripper that answers in memory, with no listener, goroutine or timer of its own: at x.com,
// twitter.com, api.x.com and api.twitter.com, and at loopback addresses. Every other host is a stranger, who answers 200
// to anything and whose requests are recorded with Request.Foreign set.
//
// It honours the request's context, closes the request's body, and returns faults of the connection as errors. A response
// body must be read to its end or closed: Close counts the ones that were not.
func (s *Server) Transport() http.RoundTripper { return memory{s} }

type memory struct{ s *Server }

func (m memory) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	body := req.Body
	if body != nil && body != http.NoBody {
		once := &closeOnce{ReadCloser: body}
		body = once
		defer func() { _ = once.Close() }()
		// A body whose writer stalls must not outlive the context. The function runs only when that happens.
		defer context.AfterFunc(ctx, func() { _ = once.Close() })()
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if req.URL == nil || req.URL.Host == "" {
		return nil, fmt.Errorf("oauthtest: the request has no host")
	}
	rep := m.s.answer(serverSide(req, body), req.URL.Scheme == "https", foreign(req.URL.Hostname()))
	switch {
	case ctx.Err() != nil: // too late: what the request did stays done
		return nil, context.Cause(ctx)
	case rep.drop != nil:
		return nil, rep.drop
	}
	return m.s.response(req, rep), nil
}

// serverSide returns req as a server would see it. The caller's request is not touched.
func serverSide(req *http.Request, body io.ReadCloser) *http.Request {
	in := req.WithContext(req.Context())
	in.Body = body
	if body == nil {
		in.Body = http.NoBody
	}
	if in.Host == "" {
		in.Host = req.URL.Host
	}
	if in.Method == "" {
		in.Method = http.MethodGet
	}
	if in.Body != http.NoBody && in.ContentLength <= 0 {
		in.ContentLength = -1
		in.TransferEncoding = []string{"chunked"}
	}
	return in
}

func foreign(host string) bool {
	switch host {
	case "x.com", "twitter.com", "api.x.com", "api.twitter.com":
		return false
	}
	return !provider.Loopback(host)
}

func (s *Server) response(req *http.Request, rep *reply) *http.Response {
	resp := &http.Response{
		Status: strconv.Itoa(rep.status) + " " + http.StatusText(rep.status), StatusCode: rep.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: rep.header, Request: req, ContentLength: int64(len(rep.body)),
	}
	if rep.http10 {
		resp.Proto, resp.ProtoMinor, resp.Close, resp.ContentLength = "HTTP/1.0", 0, true, -1
	}
	if rep.stream != nil {
		resp.ContentLength = -1
		resp.TransferEncoding = []string{"chunked"}
	}
	s.open.Add(1)
	resp.Body = &counted{ReadCloser: rep.reader(req.Context()), open: &s.open}
	return resp
}

// closeOnce closes what it wraps once, however many ask for it.
type closeOnce struct {
	io.ReadCloser
	once sync.Once
}

func (c *closeOnce) Close() (err error) {
	c.once.Do(func() { err = c.ReadCloser.Close() })
	return err
}

// counted is a response body that knows whether it was finished.
type counted struct {
	io.ReadCloser
	open *atomic.Int64
	done atomic.Bool
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if err != nil {
		c.finish()
	}
	return n, err
}

func (c *counted) Close() error {
	c.finish()
	return c.ReadCloser.Close()
}

func (c *counted) finish() {
	if c.done.CompareAndSwap(false, true) {
		c.open.Add(-1)
	}
}

// ServeHTTP answers r as X would, at whatever host it came in. A fault of the connection is a panic with
// http.ErrAbortHandler, which a net/http server turns into a closed connection.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rep := s.answer(r, r.TLS != nil, false)
	switch {
	case rep.drop != nil:
		abort(w, rep.drop)
	case rep.http10:
		writeHTTP10(w, r, rep)
	default:
		writeReply(w, r, rep)
	}
}

// Stranger returns a handler that stands for a host which must get no token: it answers 200 to anything, and its requests
// are recorded with Request.Foreign set. Transport has it at every host that is not X's.
func (s *Server) Stranger() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		writeReply(w, r, s.answer(r, r.TLS != nil, true))
	})
}

func writeReply(w http.ResponseWriter, r *http.Request, rep *reply) {
	maps.Copy(w.Header(), rep.header)
	if rep.stream == nil {
		w.Header().Set("Content-Length", strconv.Itoa(len(rep.body)))
	}
	w.WriteHeader(rep.status)
	body := rep.reader(r.Context())
	defer body.Close()
	flush := http.NewResponseController(w)
	buf := make([]byte, 32<<10)
	for {
		n, err := body.Read(buf)
		w.Write(buf[:n])
		if rep.stream != nil || rep.pause > 0 || err != nil && err != io.EOF {
			_ = flush.Flush()
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

// abort breaks the connection; a reset if that was asked for and the connection can do it.
func abort(w http.ResponseWriter, cause error) {
	if errors.Is(cause, errReset) {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			conn.Close()
			return
		}
	}
	panic(http.ErrAbortHandler)
}

// writeHTTP10 answers as an old server does: no length, the end of the connection is the end of the body.
func writeHTTP10(w http.ResponseWriter, r *http.Request, rep *reply) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer conn.Close()
	resp := &http.Response{
		StatusCode: rep.status, ProtoMajor: 1, ProtoMinor: 0, Header: rep.header, Close: true,
		ContentLength: -1, Body: rep.reader(r.Context()),
	}
	_ = resp.Write(conn)
}

package oauthtest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
)

// Transport returns a RoundTripper that answers in memory, without a socket, at
// the provider's hosts, at their aliases, and at loopback addresses. Every
// other host is a stranger. A stranger answers 200 to anything, and its
// requests are recorded with Request.Foreign set.
//
// It starts no goroutine, and a timer only where the request has to wait,
// except for a request that is handled late (Fault.Late): that one has a
// goroutine once its time has come.
//
// It honours the request's context, closes the request's body, and returns
// faults of the connection as errors. If the request's body cannot be read, it
// returns the body's error, and the server does not know of the request. A
// response body must be read to its end or closed: [Server.Close] counts the
// ones that were not.
func (s *Server) Transport() http.RoundTripper { return memory{s} }

type memory struct{ s *Server }

func (m memory) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	body := req.Body
	if body != nil && body != http.NoBody {
		once := &closeOnce{ReadCloser: body}
		body = once
		defer func() { _ = once.Close() }()
		// A body whose writer stalls must not outlive the context. The function
		// runs only when that happens.
		defer context.AfterFunc(ctx, func() { _ = once.Close() })()
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if req.URL == nil || req.URL.Host == "" {
		return nil, fmt.Errorf("oauthtest: the request has no host")
	}
	rep := m.s.answer(serverSide(req, body), req.URL.Scheme == "https", m.s.routes.foreign(req.URL))
	switch {
	case ctx.Err() != nil: // too late: what the request did stays done
		return nil, context.Cause(ctx)
	case rep.drop != nil:
		return nil, rep.drop
	}
	return m.s.response(req, rep), nil
}

// serverSide returns req as a server would see it. The caller's request is not
// touched.
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

//go:build linux

package fleet_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
)

// passingWire is a RoundTripper for the authorization server whose requests
// pass by points.
type passingWire struct {
	base   http.RoundTripper // its connections are passingConns
	points *points
}

// newPassingWire returns a passingWire with connections of its own.
func newPassingWire(base *http.Transport, p *points) *passingWire {
	base = base.Clone()
	dial := base.DialContext
	base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &passingConn{Conn: conn}, nil
	}
	return &passingWire{base, p}
}

func (w *passingWire) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	w.points.reach(ctx, announced)
	resp, err := w.base.RoundTrip(req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			written := func() { w.points.reach(ctx, requested) }
			info.Conn.(*passingConn).written.Store(&written)
		},
		GotFirstResponseByte: func() { w.points.reach(ctx, sent) },
	})))
	if err != nil {
		return nil, err
	}
	resp.Body = &passingBody{resp.Body, sync.OnceFunc(func() {
		w.points.setAnswered(ctx, resp.StatusCode == http.StatusOK)
		w.points.reach(ctx, answered)
	})}
	return resp, nil
}

// passingConn is a connection that calls written once, when the form of a token
// request is written. The answer is not delivered before written returns.
type passingConn struct {
	net.Conn
	written atomic.Pointer[func()]
	mu      sync.Mutex // held from before a form is written until written returns
}

// Write writes to the connection. net/http writes a form by itself, after the
// header.
func (c *passingConn) Write(buf []byte) (int, error) {
	if !bytes.Contains(buf, []byte("grant_type=")) {
		return c.Conn.Write(buf)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.Conn.Write(buf)
	if written := c.written.Swap(nil); written != nil {
		(*written)()
	}
	return n, err
}

func (c *passingConn) Read(buf []byte) (int, error) {
	n, err := c.Conn.Read(buf)
	c.mu.Lock()
	defer c.mu.Unlock()
	return n, err
}

// passingBody calls end when it was read to its end.
type passingBody struct {
	io.ReadCloser
	end func()
}

func (b *passingBody) Read(buf []byte) (int, error) {
	n, err := b.ReadCloser.Read(buf)
	if errors.Is(err, io.EOF) {
		b.end()
	}
	return n, err
}

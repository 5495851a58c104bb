package transport

import (
	"bytes"
	"io"
	"net/http"
	"sync"
)

// hasBody reports whether req sends a body.
func hasBody(req *http.Request) bool {
	return req.Body != nil && req.Body != http.NoBody
}

// repeatable reports whether req can be sent again without anything having been
// kept.
func repeatable(req *http.Request) bool {
	return !hasBody(req) || req.GetBody != nil
}

// freshBody returns the body for sending a repeatable request again.
func freshBody(req *http.Request) (io.ReadCloser, error) {
	if !hasBody(req) {
		return req.Body, nil
	}
	return req.GetBody()
}

// keptBody passes a request body through and keeps what is read, up to a limit,
// for one replay. The base may still be reading it when the response is there
// already.
type keptBody struct {
	body  io.ReadCloser
	limit int64
	want  int64 // the Content-Length, or below 1 if it is unknown

	mu    sync.Mutex // guards what follows; never held while body is read
	data  []byte
	over  bool // data was more than limit, or reading failed
	ended bool // body was read to its end
}

// keepBody returns what to send as the body of req. The keptBody is that body,
// so that it can be replayed. It is nil if req needs none, or if its body is
// known not to fit.
func (c *core) keepBody(req *http.Request) (io.ReadCloser, *keptBody) {
	replays := c.renewer != nil || c.authorizer != nil
	if repeatable(req) || !replays || c.maxReplay < 0 || req.ContentLength > c.maxReplay {
		return req.Body, nil
	}
	kept := &keptBody{body: req.Body, limit: c.maxReplay, want: req.ContentLength}
	return kept, kept
}

// Read implements io.Reader.
func (b *keptBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	if int64(len(b.data)+n) > b.limit {
		b.over, b.data = true, nil
	}
	if !b.over {
		b.data = append(b.data, p[:n]...)
	}
	switch err {
	case nil:
	case io.EOF:
		b.ended = true
	default:
		b.over, b.data = true, nil // who reads it finds that it is not what it should be
	}
	return n, err
}

// Close implements io.Closer.
func (b *keptBody) Close() error {
	return b.body.Close()
}

// whole returns the body, if every byte of it was read and kept. A part of it
// is never returned. A body of a known length is whole when so much of it was
// read: the base looks for its io.EOF only after the server may have answered.
func (b *keptBody) whole() ([]byte, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.ended
	if b.want > 0 {
		all = int64(len(b.data)) == b.want
	}
	return b.data, all && !b.over
}

// reopenBody returns the body for replaying req, and false if it cannot be had
// in full.
func reopenBody(req *http.Request, kept *keptBody) (io.ReadCloser, bool) {
	if repeatable(req) {
		body, err := freshBody(req)
		return body, err == nil
	}
	if kept == nil {
		return nil, false
	}
	data, ok := kept.whole()
	return io.NopCloser(bytes.NewReader(data)), ok
}

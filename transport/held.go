package transport

import (
	"bytes"
	"io"
	"net/http"
	"sync"
	"time"
)

// peekTime is how long Peek waits for a body at most.
const peekTime = time.Second

// heldBody is the body of a response that is read in the background. Two things
// need that.
//
// While the token is renewed, the body of a rejected response is read to make
// its connection free: the token endpoint may be at the same host, and the
// number of connections may be limited. And Peek reads the beginning of a body
// that goes to the caller later.
//
// A reader gets the whole body, and each part as soon as it has arrived.
type heldBody struct {
	body  io.ReadCloser
	close func() error

	mu    sync.Mutex // guards what follows; not held while body is read
	grown sync.Cond  // data has grown, nothing more will come into it, or Peek waits no longer
	data  bytes.Buffer
	ended bool  // nothing more will come into data
	err   error // how data ends: io.EOF, why reading failed, or nil if there is more in body
}

// hold puts a heldBody into resp, if it has a body, and returns it. Otherwise
// it returns nil.
func hold(resp *http.Response) *heldBody {
	if b, ok := resp.Body.(*heldBody); ok {
		return b
	}
	if resp.Body == nil || resp.Body == http.NoBody || resp.ContentLength == 0 || resp.StatusCode == http.StatusSwitchingProtocols {
		return nil
	}
	b := &heldBody{body: resp.Body, close: sync.OnceValue(resp.Body.Close)}
	b.grown.L = &b.mu
	resp.Body = b
	go b.fill()
	return b
}

// Peek returns up to limit bytes of the beginning of the body of resp, and at
// most 64 KiB. The reader of resp.Body still gets the whole body, each part as
// soon as it has arrived.
//
// It is for predicates such as Options.Rejected, where a server says in the
// body that a token has expired. So a predicate should look at status and
// Content-Type first. Peek waits until so many bytes have arrived, until the
// body ends, or for a second: a stream may begin later. The result is a copy.
// It is nil if there is no body, or if the connection was upgraded. Peek is
// not safe for concurrent use on one response.
func Peek(resp *http.Response, limit int) []byte {
	b := hold(resp)
	if b == nil || limit <= 0 {
		return nil
	}
	return b.peek(min(limit, maxDrain))
}

func (b *heldBody) peek(limit int) []byte {
	late := false // guarded by mu
	timer := time.AfterFunc(peekTime, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		late = true
		b.grown.Broadcast()
	})
	defer timer.Stop()
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.data.Len() < limit && !b.ended && !late {
		b.grown.Wait()
	}
	return bytes.Clone(b.data.Bytes()[:min(limit, b.data.Len())])
}

// fill reads body to its end, or as much of it as is held at most.
func (b *heldBody) fill() {
	part := make([]byte, 512) // most rejections have no more to say
	for held := 0; held < maxDrain; {
		n, err := b.body.Read(part)
		held += n
		if b.grow(part[:n], err, err != nil); err != nil {
			_ = b.Close()
			return
		}
	}
	b.grow(nil, nil, true)
}

func (b *heldBody) grow(part []byte, err error, ended bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.data.Write(part)
	b.err, b.ended = err, ended
	b.grown.Broadcast()
}

// Read implements io.Reader.
func (b *heldBody) Read(p []byte) (int, error) {
	n, err := b.readHeld(p)
	if n > 0 || err != nil || len(p) == 0 {
		return n, err
	}
	return b.body.Read(p)
}

// readHeld waits for data, and reads it. It returns nothing and no error when
// what comes next is still in body.
func (b *heldBody) readHeld(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.data.Len() == 0 && !b.ended {
		b.grown.Wait()
	}
	if b.data.Len() == 0 {
		return 0, b.err
	}
	return b.data.Read(p)
}

// Close implements io.Closer. It ends a Read that waits.
func (b *heldBody) Close() error { return b.close() }

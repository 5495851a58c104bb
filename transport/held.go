package transport

import (
	"bytes"
	"io"
	"net/http"
	"sync"
)

// heldBody is the body of a rejected response while the token is renewed. It is
// read in the background to make its connection free: the token endpoint may be
// at the same host, and the number of connections may be limited. A reader gets
// the whole body, and each part as soon as it has arrived.
type heldBody struct {
	body  io.ReadCloser
	close func() error

	mu    sync.Mutex // guards what follows; not held while body is read
	grown sync.Cond  // data has grown, or nothing more will come into it
	data  bytes.Buffer
	ended bool  // nothing more will come into data
	err   error // how data ends: io.EOF, why reading failed, or nil if there is more in body
}

// hold puts a heldBody into resp, if it has a body.
func hold(resp *http.Response) {
	if resp.Body == nil || resp.Body == http.NoBody || resp.ContentLength == 0 {
		return
	}
	b := &heldBody{body: resp.Body, close: sync.OnceValue(resp.Body.Close)}
	b.grown.L = &b.mu
	resp.Body = b
	go b.fill()
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

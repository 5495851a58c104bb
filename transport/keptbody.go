package transport

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// keptBody is a request body without GetBody. It keeps what is read, up to a
// limit, so that the request can be replayed. The base may still be reading the
// body when the response is there already.
//
// A base closes the body when it has the response. The body itself is closed
// later, when no replay can follow (release). So if the server refuses the
// request early, a replay sends what was kept, and then the rest of the body.
type keptBody struct {
	body  io.ReadCloser
	close func() error // of body, once
	limit int64
	want  int64 // the Content-Length, or below 1 if it is unknown

	mu       sync.Mutex // guards what follows; never held while body is read
	data     []byte     // what was read, unless over
	over     bool       // more than limit was read, or reading failed
	ended    bool       // body was read to its end
	reading  bool       // a copy is reading body
	shut     bool       // body is closed
	current  *bodyCopy  // the only copy that may read body
	released bool       // no other copy will be made
}

// bodyCopy is the body of one copy of a request.
type bodyCopy struct {
	kept   *keptBody
	at     int  // how much of data was read; guarded by kept.mu
	closed bool // guarded by kept.mu
}

// errTaken is for a base that goes on reading after another copy was made. It
// never reaches a caller.
var errTaken = errors.New("transport: the body is being sent in another copy of the request")

// keep returns a keptBody and its first copy.
func keep(body io.ReadCloser, limit, want int64) (*bodyCopy, *keptBody) {
	b := &keptBody{body: body, close: sync.OnceValue(body.Close), limit: limit, want: want}
	b.current = &bodyCopy{kept: b}
	return b.current, b
}

// reopen returns another copy, and false if the body cannot be had in full: a
// part of it was read and is not kept, or the base is reading it now. Nil is
// allowed.
func (b *keptBody) reopen() (io.ReadCloser, bool) {
	if b == nil {
		return nil, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	read := int64(len(b.data))
	switch wrong := b.want > 0 && (read > b.want || b.ended && read < b.want); {
	case b.over || wrong:
		return nil, false
	case b.ended || b.want > 0 && read == b.want:
		// The base looks for io.EOF only after the server may have answered. So this
		// copy does not read body.
		return io.NopCloser(bytes.NewReader(b.data)), true
	case b.reading || b.shut:
		return nil, false
	}
	b.current = &bodyCopy{kept: b}
	return b.current, true
}

// release lets the body be closed.
func (b *keptBody) release() {
	b.mu.Lock()
	b.released = true
	now := b.current.closed
	b.shut = b.shut || now
	b.mu.Unlock()
	if now {
		_ = b.close()
	}
}

// Read implements io.Reader.
func (c *bodyCopy) Read(p []byte) (int, error) {
	b := c.kept
	n, err, done := c.begin(p)
	if done {
		return n, err
	}
	n, err = b.body.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = false
	b.note(p[:n], err)
	c.at += n
	return n, err
}

// begin reads what is kept. If all of that was read, it begins to read body.
func (c *bodyCopy) begin(p []byte) (n int, err error, done bool) {
	b := c.kept
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.current != c:
		return 0, errTaken, true
	case c.at < len(b.data):
		n = copy(p, b.data[c.at:])
		c.at += n
		return n, nil, true
	}
	b.reading = true
	return 0, nil, false
}

// note keeps what was read.
func (b *keptBody) note(part []byte, err error) {
	if int64(len(b.data)+len(part)) > b.limit {
		b.over, b.data = true, nil
	}
	if !b.over {
		b.data = append(b.data, part...)
	}
	switch err {
	case nil:
	case io.EOF: //nolint:errorlint // an io.Reader returns io.EOF itself
		b.ended = true
	default:
		b.over, b.data = true, nil // the reader learns that the body is not what it should be
	}
}

// Close implements io.Closer. It ends a Read of the body that hangs.
func (c *bodyCopy) Close() error {
	b := c.kept
	b.mu.Lock()
	c.closed = true
	now := b.current == c && (b.released || b.reading)
	b.shut = b.shut || now
	b.mu.Unlock()
	if !now {
		return nil
	}
	return b.close()
}

package transport

import (
	"bytes"
	"io"
	"net/http"
	"sync"
)

// heldBody is the body of a rejected response while the token is renewed. It is read in the background, so that its
// connection is free: the token endpoint may be at the same host, and connections to it limited. Whoever reads it afterwards
// gets all of it.
type heldBody struct {
	body  io.ReadCloser
	begun chan struct{} // closed when data and err are there
	data  bytes.Buffer
	err   error // how data ends: io.EOF, why reading failed, or nil if there is more in body
	close func() error
}

// hold puts a heldBody into resp, if it has a body.
func hold(resp *http.Response) {
	if resp.Body == nil || resp.Body == http.NoBody {
		return
	}
	b := &heldBody{body: resp.Body, begun: make(chan struct{}), close: sync.OnceValue(resp.Body.Close)}
	resp.Body = b
	go func() {
		defer close(b.begun)
		if _, b.err = io.CopyN(&b.data, b.body, maxDrain); b.err != nil {
			_ = b.Close()
		}
	}()
}

// Read implements io.Reader.
func (b *heldBody) Read(p []byte) (int, error) {
	<-b.begun
	switch {
	case b.data.Len() > 0:
		return b.data.Read(p)
	case b.err != nil:
		return 0, b.err
	}
	return b.body.Read(p)
}

// Close implements io.Closer. It ends a Read that waits.
func (b *heldBody) Close() error { return b.close() }

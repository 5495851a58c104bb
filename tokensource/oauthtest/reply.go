package oauthtest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"
)

// reply is an answer before it is put on a wire.
type reply struct {
	status int
	header http.Header
	body   []byte
	stream io.ReadCloser // in place of body
	drop   error         // there is no answer: the connection fails with this error
	keep   int           // if positive, the connection breaks after so many bytes of the body
	pause  time.Duration // waited before each byte of the body
	http10 bool
	tokens bool // it issues tokens
}

func newReply(status int, contentType, body string) *reply {
	rep := &reply{status: status, header: make(http.Header, 8), body: []byte(body)}
	if contentType != "" {
		rep.header["Content-Type"] = []string{contentType}
	}
	return rep
}

func dropped(cause error) *reply { return &reply{drop: cause} }

// replyOf returns the reply for an answer of Options.
func replyOf(a *Answer) *reply {
	rep := newReply(a.Status, "", a.Body)
	for name, values := range a.Header {
		rep.header[http.CanonicalHeaderKey(name)] = append([]string(nil), values...)
	}
	if a.Stream != nil {
		rep.body, rep.stream = nil, a.Stream
	}
	return rep
}

// reader returns the body as the client will read it.
func (rep *reply) reader(ctx context.Context) io.ReadCloser {
	var r io.Reader = bytes.NewReader(rep.body)
	var end io.Closer = io.NopCloser(nil)
	if rep.stream != nil {
		r, end = rep.stream, rep.stream
	}
	if rep.keep > 0 {
		r = io.MultiReader(io.LimitReader(r, int64(rep.keep)), broken{})
	}
	if rep.pause > 0 {
		r = &slowly{ctx: ctx, r: r, pause: rep.pause}
	}
	return struct {
		io.Reader
		io.Closer
	}{r, end}
}

// broken is a connection that ends too early.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// slowly yields one byte after each pause.
type slowly struct {
	ctx   context.Context //nolint:containedctx // a Reader has nowhere else to get it from
	r     io.Reader
	pause time.Duration
}

func (s *slowly) Read(p []byte) (int, error) {
	if err := wait(s.ctx, s.pause); err != nil {
		return 0, err
	}
	return s.r.Read(p[:min(1, len(p))])
}

// wait returns after d, or with the cause when ctx ends before that.
func wait(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

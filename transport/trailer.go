package transport

import (
	"io"
	"net/http"
	"strings"
)

// trailerBody is the body of a copy of a request with trailers. A program may
// set its trailers until the body ends. So they are copied at that time, all
// but those named Authorization: a request carries one credential ([RFC 6750]
// section 2).
//
// [RFC 6750]: https://www.rfc-editor.org/rfc/rfc6750
type trailerBody struct {
	io.ReadCloser
	from, to http.Header
}

// withTrailer gives r trailers of its own, and returns the body that fills
// them.
func withTrailer(r *http.Request, body io.ReadCloser) io.ReadCloser {
	b := &trailerBody{ReadCloser: body, from: r.Trailer, to: make(http.Header, len(r.Trailer))}
	r.Trailer = b.to
	b.copy()
	if body == nil || body == http.NoBody {
		return body
	}
	return b
}

// Read implements io.Reader.
func (b *trailerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.copy()
	}
	return n, err
}

func (b *trailerBody) copy() {
	for key, values := range b.from {
		if !strings.EqualFold(key, authorization) {
			b.to[key] = values
		}
	}
}

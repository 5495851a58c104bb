package transport

import (
	"io"
	"maps"
	"net/http"
	"strings"
)

const authorization = "Authorization"

// stamped is a copy of a request with a header map of its own. The
// Authorization value lies in the same allocation, private to this copy: a base
// that edits it in place harms neither the token nor another request.
type stamped struct {
	req   http.Request
	value [1]string
}

// stamp returns a copy of req that carries auth and body. It does not modify
// req (T1).
func stamp(req *http.Request, body io.ReadCloser, auth string) *http.Request {
	s := copied(req, body)
	s.value[0] = auth
	s.req.Header[authorization] = s.value[:]
	return &s.req
}

// unstamped returns a copy of req that carries body, and no Authorization
// header of the caller's. It does not modify req (T1).
func unstamped(req *http.Request, body io.ReadCloser) *http.Request {
	s := copied(req, body)
	delete(s.req.Header, authorization)
	return &s.req
}

// copied returns a copy of req with headers of its own, which have no
// Authorization under a key in another case, and no such trailer.
//
// Such a key would go out as a second Authorization header ([RFC 6750] section
// 2: one method per request). The walk over the keys is the most expensive part
// of the hot path. Only a look at every key finds every case.
//
// [RFC 6750]: https://www.rfc-editor.org/rfc/rfc6750
func copied(req *http.Request, body io.ReadCloser) *stamped {
	s := &stamped{req: *req}
	header := maps.Clone(req.Header)
	if header == nil {
		header = make(http.Header, 1)
	}
	for key := range header {
		if len(key) == len(authorization) && key != authorization && strings.EqualFold(key, authorization) {
			delete(header, key)
		}
	}
	s.req.Header = header
	if req.Trailer != nil {
		body = withTrailer(&s.req, body)
	}
	s.req.Body = body
	return s
}

package transport

import (
	"io"
	"maps"
	"net/http"
	"strings"
)

const authorization = "Authorization"

// stamped is a copy of a request with a header map of its own. The Authorization value lies in the same allocation, private
// to this copy: a base that edits it in place harms neither the token nor another request.
type stamped struct {
	req   http.Request
	value [1]string
}

// stamp returns a copy of req that carries auth and body. req itself is not modified.
func stamp(req *http.Request, body io.ReadCloser, auth string) *http.Request {
	s := &stamped{req: *req}
	s.value[0] = auth
	header := maps.Clone(req.Header)
	if header == nil {
		header = make(http.Header, 1)
	}
	// A key in another case would go out as a second Authorization header (RFC 6750 section 2: one method per request).
	// The walk is the dearest part of the hot path; only a look at every key finds every case.
	for key := range header {
		if len(key) == len(authorization) && key != authorization && strings.EqualFold(key, authorization) {
			delete(header, key)
		}
	}
	header[authorization] = s.value[:]
	s.req.Header = header
	s.req.Body = body
	return &s.req
}

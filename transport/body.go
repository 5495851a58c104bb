package transport

import (
	"io"
	"net/http"
	"strings"
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

// keepBody returns what to send as the body of req. If req may have to be
// replayed and has no GetBody, that is the first copy of a keptBody.
//
// A body that does not fit is kept too, with nothing of its data: it can be
// replayed if the server refuses the request before a byte of it was read. Only
// over plain http it is not kept, unless the request expects 100-continue: the
// base may be able to send a file without copying it, if it gets the file.
func (c *core) keepBody(req *http.Request) (io.ReadCloser, *keptBody) {
	if repeatable(req) || c.renewer == nil && c.authorizer == nil {
		return req.Body, nil
	}
	limit := max(c.maxReplay, 0)
	if req.ContentLength > limit {
		limit = 0
	}
	if limit == 0 && req.URL.Scheme == "http" && !expectsContinue(req) {
		return req.Body, nil
	}
	return keep(req.Body, limit, req.ContentLength)
}

// expectsContinue reports whether the server may refuse req before the body is
// sent (RFC 9110 section 10.1.1).
func expectsContinue(req *http.Request) bool {
	return strings.EqualFold(strings.TrimSpace(req.Header.Get("Expect")), "100-continue")
}

// reopenBody returns the body for replaying req, and false if it cannot be had
// in full.
func reopenBody(req *http.Request, kept *keptBody) (io.ReadCloser, bool) {
	if repeatable(req) {
		body, err := freshBody(req)
		return body, err == nil
	}
	return kept.reopen()
}

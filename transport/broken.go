package transport

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// brokenError is an error of the base whose text is not shown, because it
// quotes what a server has sent. A gateway may have repeated there what it was
// sent.
type brokenError struct {
	text string
	err  func() error // in a closure, so that nothing prints it
}

func (e *brokenError) Error() string { return e.text }

// Is lets errors.Is find the errors of the chain that is not shown.
func (e *brokenError) Is(target error) bool { return errors.Is(e.err(), target) }

// Timeout reports whether time was over. It implements net.Error.
func (e *brokenError) Timeout() bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](e.err())
	return ok && t.Timeout()
}

// Temporary implements net.Error.
func (e *brokenError) Temporary() bool { return e.Timeout() }

// quoting are texts with which net/http begins to quote what it cannot parse.
var quoting = []string{
	"malformed HTTP response", "malformed HTTP status code", "malformed HTTP version", "malformed MIME header", "bad Content-Length",
	"unsupported transfer encoding", "too many transfer encodings", "invalid Trailer", "HTTP/1.x transport connection broken",
	"malformed HTTP",
}

// unquoted returns err without the text of net/http about bytes that it could
// not parse, and without any text that contains the token of the request.
func unquoted(err error, how carrier) error {
	if how.failed() {
		return err
	}
	text := err.Error()
	hidden := func(text string) error { return &brokenError{text, func() error { return err }} }
	for _, part := range quoting {
		if strings.Contains(text, part) {
			return hidden("transport: the answer is not valid HTTP: " + part)
		}
	}
	if token := how.accessToken(); token != "" && strings.Contains(text, token) {
		return hidden("transport: the request failed; the text of the error is not shown, because it contains the token")
	}
	return err
}

// withoutBadLocation removes a Location that is no URL and contains the token.
// The http.Client of the program would quote it in its error.
func withoutBadLocation(resp *http.Response, how carrier) {
	location := resp.Header.Get("Location")
	token := how.accessToken()
	if location == "" || token == "" || !strings.Contains(location, token) {
		return
	}
	if _, err := url.Parse(location); err != nil {
		resp.Header.Del("Location")
	}
}

// accessToken returns the token that the last copy carried.
func (c carrier) accessToken() string {
	if c.proof == nil {
		_, token, _ := strings.Cut(c.auth, " ")
		return token
	}
	if c.proof.token == nil {
		return ""
	}
	return c.proof.token.AccessToken
}

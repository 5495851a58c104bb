package main

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"sync"
)

// formCopy collects the body of a form while it is sent. Reading it ahead would
// look to the sender as if it had left.
type formCopy struct {
	mu   sync.Mutex // guards text: the base may still be reading when its answer is there
	text bytes.Buffer
}

const maxForm = 64 << 10

// copyForm returns req, or a copy of it that fills the formCopy if the body is
// a form.
func copyForm(req *http.Request) (*http.Request, *formCopy) {
	form := new(formCopy)
	if req.Body == nil || req.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		return req, form
	}
	sent := req.WithContext(req.Context())
	sent.Body = form.of(req.Body)
	if req.GetBody != nil {
		sent.GetBody = func() (io.ReadCloser, error) {
			body, err := req.GetBody()
			if err != nil {
				return nil, err
			}
			return form.of(body), nil
		}
	}
	return sent, form
}

// of returns body, and keeps from now on what is read of it.
func (f *formCopy) of(body io.ReadCloser) io.ReadCloser {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.text.Reset()
	return struct {
		io.Reader
		io.Closer
	}{io.TeeReader(body, f), body}
}

// Write keeps p, up to a bound.
func (f *formCopy) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.text.Write(p[:min(len(p), maxForm-f.text.Len())])
	return len(p), nil
}

// values returns the form as far as it was sent.
func (f *formCopy) values() url.Values {
	f.mu.Lock()
	defer f.mu.Unlock()
	values, err := url.ParseQuery(f.text.String())
	if err != nil {
		return nil
	}
	return values
}

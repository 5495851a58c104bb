package identity

import (
	"io"
	"net/http"
	"sync"
)

// maxInFlight is how many requests of a Resolver are under way at once (G10).
// Strangers name the servers, and each of them may answer slowly.
const maxInFlight = 64

// bounded is a transport with a limited number of requests under way. A request
// ends when the body of its answer is closed.
type bounded struct {
	base  http.RoundTripper
	slots chan struct{}
}

func newBounded(base http.RoundTripper) *bounded {
	return &bounded{base, make(chan struct{}, maxInFlight)}
}

func (b *bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case b.slots <- struct{}{}:
	case <-r.Context().Done():
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, r.Context().Err()
	}
	leave := sync.OnceFunc(func() { <-b.slots })
	resp, err := b.base.RoundTrip(r)
	if err != nil || resp == nil || resp.Body == nil {
		leave()
		return resp, err
	}
	resp.Body = &leaving{resp.Body, leave}
	return resp, nil
}

// leaving is a body whose end makes room for another request.
type leaving struct {
	io.ReadCloser
	leave func()
}

func (l *leaving) Close() error {
	defer l.leave()
	return l.ReadCloser.Close()
}

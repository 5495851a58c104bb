package discovery_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/authtrip/authtrip/tokensource/discovery"
)

const issuer = "https://as.example"

// page is what a place answers. The zero status is 200, and no type is JSON.
type page struct {
	status            int
	kind, body, cache string
	err               error
}

// web is the servers of the world: pages by URL. What is missing is 404.
type web struct {
	mu    sync.Mutex // guards what follows
	pages map[string]page
	asked []string
	hold  chan struct{} // if not nil, requests wait for its end
}

func (w *web) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	at := r.URL.String()
	w.asked = append(w.asked, at)
	p, ok := w.pages[at]
	hold := w.hold
	w.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	switch {
	case !ok:
		p = page{status: 404, kind: "text/html", body: "not here"}
	case p.err != nil:
		return nil, p.err
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if p.kind != "" {
		header.Set("Content-Type", p.kind)
	}
	if p.cache != "" {
		header.Set("Cache-Control", p.cache)
	}
	if p.status == 0 {
		p.status = 200
	}
	return &http.Response{StatusCode: p.status, Header: header, Body: io.NopCloser(strings.NewReader(p.body)), Request: r}, nil
}

// set replaces the page of a place.
func (w *web) set(at string, p page) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pages = maps.Clone(w.pages)
	if w.pages == nil {
		w.pages = map[string]page{}
	}
	w.pages[at] = p
}

// requests returns how many requests there were.
func (w *web) requests() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.asked)
}

// client returns a Client in that world. It is closed at the end of the test.
func (w *web) client(t testing.TB, o discovery.Options) *discovery.Client {
	t.Helper()
	o.HTTPClient = &http.Client{Transport: w}
	c, err := discovery.New(&o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// metadata returns a document with an issuer and further members.
func metadata(of, more string) string {
	if more != "" {
		more = "," + more
	}
	return `{"issuer":"` + of + `","authorization_endpoint":"` + of + `/authorize","token_endpoint":"` + of + `/token"` + more + `}`
}

// read returns the metadata of the issuer if body is its document.
func read(t testing.TB, body string, o discovery.Options) (*discovery.Server, error) {
	t.Helper()
	w := &web{pages: map[string]page{issuer + "/.well-known/oauth-authorization-server": {body: body}}}
	return w.client(t, o).Server(context.Background(), issuer)
}

package transport_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

// newAPI returns a server that accepts every token but tok-1, and answers with
// the body that it got.
func newAPI(t *testing.T, http2 bool) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Authorization") == "Bearer tok-1" {
			w.WriteHeader(http.StatusUnauthorized) // nothing of the body is read
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write(body)
	}))
	server.EnableHTTP2 = http2
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// A long upload without GetBody that expects 100-continue is replayed over
// HTTP/1 and HTTP/2, since the server refuses it before it is sent.
func TestALongUploadThatExpectsContinue(t *testing.T) {
	const size = 1 << 20
	for _, http2 := range []bool{false, true} {
		server := newAPI(t, http2)
		base := server.Client().Transport.(*http.Transport)
		base.ExpectContinueTimeout = time.Minute
		src := newSource()
		rt := newTransport(t, src, base, transport.Options{Origins: []string{server.URL}})
		for _, length := range []int64{size, -1} {
			src.set(&oauth2.Token{AccessToken: "tok-1"})
			text := strings.Repeat("x", size)
			req := newRequest(t, "PUT", server.URL, oneWay(text))
			req.ContentLength = length
			req.Header.Set("Expect", "100-continue")
			if status, body := roundTrip(t, rt, req); status != 200 || body != text {
				t.Errorf("HTTP/2 %t, length %d: RoundTrip = %d with %d bytes, want 200 with %d", http2, length, status, len(body), size)
			}
		}
	}
}

// A reverse proxy streams the body that it receives, and has no GetBody.
func TestAReverseProxyReplaysWhatItReceives(t *testing.T) {
	api := httptest.NewTLSServer(http.HandlerFunc(echo)) // it answers when it has read the body
	defer api.Close()
	target, err := url.Parse(api.URL)
	if err != nil {
		t.Fatal(err)
	}
	var failures []string
	var mu sync.Mutex // guards failures
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: newTransport(t, newSource(), api.Client().Transport, transport.Options{Origins: []string{api.URL}, Retry: &transport.RetryOptions{}}),
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			mu.Lock()
			defer mu.Unlock()
			failures = append(failures, err.Error())
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	front := httptest.NewServer(proxy)
	defer front.Close()
	for n := range 3 {
		body := fmt.Sprintf("body %d", n)
		resp, err := http.Post(front.URL, "text/plain", oneWay(body))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 200 || string(got) != body || err != nil {
			t.Errorf("POST %q through the proxy = %d %q, %v, want 200 with the body", body, resp.StatusCode, got, err)
		}
	}
	if len(failures) > 0 {
		t.Errorf("the proxy failed: %q", failures)
	}
}

// An oauth2.Transport of an older program may be above or below. The token of
// this package's source is the one that goes out.
func TestAnOAuth2TransportInTheSameClient(t *testing.T) {
	other := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "other"})
	base := &script{answers: []answer{ok200}}
	above := &oauth2.Transport{Source: other, Base: newTransport(t, newSource(), base, transport.Options{})}
	roundTrip(t, above, newRequest(t, "GET", api, nil))
	roundTrip(t, above, newRequest(t, "GET", "https://other.example", nil))
	if got := base.auths(); got != "Bearer tok-1, Bearer other" {
		t.Errorf("below an oauth2.Transport: Authorization at the API and elsewhere = %q, want tok-1 and other", got)
	}
	src, err := tokensource.FromOAuth2(other)
	if err != nil {
		t.Fatal(err)
	}
	base = &script{answers: []answer{{status: 401}}}
	status, _ := roundTrip(t, newTransport(t, src, base, transport.Options{Origins: []string{api}}), newRequest(t, "GET", api, nil))
	if got := base.auths(); got != "Bearer other" || status != 401 {
		t.Errorf("with the TokenSource of x/oauth2: %d after %q, want the 401 after one request", status, got)
	}
}

// go-retryablehttp repeats over a Transport, which renews below it: each
// attempt is whole, and a dead grant ends the attempts.
func TestGoRetryableHTTPOverATransport(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		base := &script{answers: []answer{{status: 503}, rejected, {status: 503}, ok200}}
		src := newSource()
		client := retryablehttp.NewClient()
		client.Logger, client.CheckRetry = nil, transport.CheckRetry
		client.HTTPClient = &http.Client{Transport: newTransport(t, src, base, transport.Options{})}
		resp, err := client.Post(api, "text/plain", []byte("body"))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got, bodies := base.auths(), base.bodies(); resp.StatusCode != 200 || got != "Bearer tok-1, Bearer tok-1, Bearer tok-2, Bearer tok-2" || bodies != "body, body, body, body" {
			t.Errorf("Post = %d after %q with bodies %q, want 200 after a renewal between two failures", resp.StatusCode, got, bodies)
		}
		src.renewErr = tokensource.ErrReauthorize
		base.answers, base.sent = []answer{rejected}, nil
		start := time.Now()
		resp, err = client.Get(api)
		if err == nil {
			resp.Body.Close()
		}
		if took := time.Since(start); !errors.Is(err, tokensource.ErrReauthorize) || len(base.sent) != 1 || took != 0 {
			t.Errorf("Get with a dead grant = %v after %d requests and %v, want ErrReauthorize at once", err, len(base.sent), took)
		}
	})
}

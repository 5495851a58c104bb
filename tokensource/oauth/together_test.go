package oauth_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authtrip/authtrip/internal/sendguard"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
)

// writes counts what a client writes to its connections.
type writes struct {
	net.Conn
	n *atomic.Int32
}

func (w writes) Write(b []byte) (int, error) {
	w.n.Add(1)
	return w.Conn.Write(b)
}

// counted makes a transport count its writes, and its connections.
func counted(of *http.Transport) (t *http.Transport, written, dialed *atomic.Int32) {
	t, written, dialed = of.Clone(), new(atomic.Int32), new(atomic.Int32)
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		dialed.Add(1)
		return writes{conn, written}, err
	}
	return t, written, dialed
}

// protocols starts a server for each protocol.
var protocols = map[string]func(*httptest.Server){
	"HTTP/1":       func(s *httptest.Server) { s.Start() },
	"HTTP/1 + TLS": func(s *httptest.Server) { s.StartTLS() },
	"HTTP/2":       func(s *httptest.Server) { s.EnableHTTP2 = true; s.StartTLS() },
}

// However net/http sends the form, the last check runs once, after the
// connection was made, and an error of it sends no byte of the form.
func TestTheLastCheckOnEachProtocol(t *testing.T) {
	late := errors.New("the intent has ended")
	for name, start := range protocols {
		var forms atomic.Int32
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if body, _ := io.ReadAll(r.Body); len(body) > 0 {
				forms.Add(1)
			}
			_, _ = io.WriteString(w, someTokens)
		}))
		start(server)
		for _, fails := range []error{nil, late} {
			forms.Store(0)
			transport, _, dialed := counted(server.Client().Transport.(*http.Transport))
			var checks, early atomic.Int32
			ctx := sendguard.With(t.Context(), func() error {
				checks.Add(1)
				if dialed.Load() == 0 {
					early.Add(1)
				}
				return fails
			})
			_, err := elsewhere(t, server.URL, &http.Client{Transport: transport}).Refresh(ctx, someRefresh)
			e, _ := errors.AsType[*tokensource.Error](err)
			want := int32(1)
			if fails != nil {
				want = 0
			}
			if !errors.Is(err, fails) || e != nil && e.InDoubt || forms.Load() != want {
				t.Errorf("%s, the check returns %v: Refresh() = %v with %d forms sent, want %d and no doubt", name, fails, err, forms.Load(), want)
			}
			if checks.Load() != 1 || early.Load() != 0 {
				t.Errorf("%s: %d checks, %d of them before the connection, want 1 after it", name, checks.Load(), early.Load())
			}
		}
		server.Close()
	}
}

// around is a transport that a program has put around another one.
type around struct{ http.RoundTripper }

// Headers and form leave in one write, where nobody but net/http reads the form
// and the server answers nothing before it.
func TestHeadersAndFormLeaveInOneWrite(t *testing.T) {
	var headers atomic.Bool // have reached the server
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers.Store(true)
		if r.PostFormValue("refresh_token") != someRefresh {
			t.Errorf("the form came without its refresh token")
		}
		_, _ = io.WriteString(w, someTokens)
	}))
	defer server.Close()
	protocol := map[string]func(string, *tls.Conn) http.RoundTripper{"own": func(string, *tls.Conn) http.RoundTripper { return nil }}
	for name, tt := range map[string]struct {
		shape  func(*http.Transport) http.RoundTripper
		expect string // a header that the program adds
		want   int32
	}{
		"net/http":                        {func(t *http.Transport) http.RoundTripper { return t }, "", 1},
		"a server is asked first":         {func(t *http.Transport) http.RoundTripper { return t }, "100-continue", 2},
		"net/http with a protocol of own": {func(t *http.Transport) http.RoundTripper { t.TLSNextProto = protocol; return t }, "", 2},
		"a transport around net/http":     {func(t *http.Transport) http.RoundTripper { return around{t} }, "", 2},
	} {
		transport, written, _ := counted(&http.Transport{ExpectContinueTimeout: time.Minute})
		prepare := func(_ context.Context, r *oauth.TokenRequest) error {
			if tt.expect != "" {
				r.Header().Set("Expect", tt.expect)
			}
			return nil
		}
		client := elsewhereWith(t, server.URL, &oauth.Options{HTTPClient: &http.Client{Transport: tt.shape(transport)}, Prepare: prepare})
		headers.Store(false)
		ctx := sendguard.With(t.Context(), func() error {
			if tt.expect != "" && !headers.Load() {
				t.Errorf("%s: the last check runs before the server has the headers, want right before the form", name)
			}
			return nil
		})
		if _, err := client.Refresh(ctx, someRefresh); err != nil {
			t.Errorf("%s: Refresh() = %v, want none", name, err)
		}
		if got := written.Load(); got != tt.want {
			t.Errorf("%s: the request left in %d writes, want %d", name, got, tt.want)
		}
	}
}

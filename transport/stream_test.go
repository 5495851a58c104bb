package transport_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authtrip/authtrip/transport"
)

func TestT5_DroppedResponsesLeaveTheConnectionUsable(t *testing.T) {
	var connections int
	var mu sync.Mutex
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Authorization") == "Bearer tok-1" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, strings.Repeat("x", 10_000))
		}
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		if state == http.StateNew {
			connections++
		}
	}
	server.Start()
	defer server.Close()
	rt := newTransport(t, newSource(), server.Client().Transport, transport.Options{Origins: []string{server.URL}})
	if status, _ := roundTrip(t, rt, newRequest(t, "GET", server.URL, nil)); status != 200 {
		t.Errorf("RoundTrip = %d, want 200", status)
	}
	mu.Lock()
	defer mu.Unlock()
	if connections != 1 {
		t.Errorf("the replay opened connection %d, want it on the first", connections)
	}
}

// endless is a body that ends only when it is closed, or after so many bytes
// that the test fails.
type endless struct {
	read int64
	slow bool
	done chan struct{}
	once sync.Once
}

func (b *endless) Read(p []byte) (int, error) {
	if b.slow {
		<-b.done
		return 0, io.ErrClosedPipe
	}
	b.read += int64(len(p))
	if b.read > 64<<20 {
		return 0, io.EOF
	}
	return len(p), nil
}

func (b *endless) Close() error {
	b.once.Do(func() { close(b.done) })
	return nil
}

func TestT5_DrainingIsBounded(t *testing.T) {
	for _, slow := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			body := &endless{slow: slow, done: make(chan struct{})}
			base := &script{answers: []answer{{status: 200}}}
			first := baseFunc(func(req *http.Request) (*http.Response, error) {
				if req.Header.Get("Authorization") != "Bearer tok-1" {
					return base.RoundTrip(req)
				}
				resp := response(req, 401, nil, "")
				resp.Body, resp.ContentLength = body, -1
				return resp, nil
			})
			start := time.Now()
			status, _ := roundTrip(t, newTransport(t, newSource(), first, transport.Options{}), newRequest(t, "GET", api, nil))
			if took := time.Since(start); status != 200 || body.read > 1<<18 || took > time.Second {
				t.Errorf("endless 401 (slow %t): RoundTrip = %d after %d bytes and %v, want 200 within 256 KiB and 1s", slow, status, body.read, took)
			}
			if want := int64(64 << 10); !slow && body.read < want {
				t.Errorf("endless 401: %d bytes were drained, want at least %d: a connection is used again if the rest is short", body.read, want)
			}
			<-body.done
		})
	}
}

// T5: Streams and upgrades pass untouched, and a discarded response is read
// up to a bound and closed.
func TestT5_StreamsPassUntouched(t *testing.T) {
	for _, retry := range []*transport.RetryOptions{nil, {}} {
		stream := &endless{slow: true, done: make(chan struct{})}
		base := baseFunc(func(req *http.Request) (*http.Response, error) {
			resp := response(req, 200, nil, "")
			resp.Body, resp.ContentLength = stream, -1
			return resp, nil
		})
		resp, err := newTransport(t, newSource(), base, transport.Options{Retry: retry}).RoundTrip(newRequest(t, "GET", api, nil))
		if err != nil || resp.Body != io.ReadCloser(stream) {
			t.Fatalf("RoundTrip = %v, %v, want the stream itself", resp, err)
		}
		resp.Body.Close()
	}
}

func TestT5_UpgradesPassUntouched(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = rw.Flush()
		line, _ := rw.ReadString('\n')
		_, _ = rw.WriteString("echo " + line)
		_ = rw.Flush()
	}))
	defer server.Close()
	for _, retry := range []*transport.RetryOptions{nil, {}} {
		rt := newTransport(t, newSource(), server.Client().Transport, transport.Options{Origins: []string{server.URL}, Retry: retry})
		req := newRequest(t, "GET", server.URL, nil)
		req.Header.Set("Connection", "Upgrade")
		req.Header.Set("Upgrade", "echo")
		resp, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		conn, ok := resp.Body.(io.ReadWriteCloser)
		if resp.StatusCode != 101 || !ok {
			t.Fatalf("RoundTrip = %d with a %T, want 101 with a connection to write to", resp.StatusCode, resp.Body)
		}
		_, _ = io.WriteString(conn, "hello\n")
		if line, err := bufio.NewReader(conn).ReadString('\n'); line != "echo hello\n" {
			t.Errorf("over the upgraded connection came %q, %v, want \"echo hello\"", line, err)
		}
		resp.Body.Close()
	}
}

func TestT5_ContextEndsTheRequest(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	base := baseFunc(func(req *http.Request) (*http.Response, error) {
		cancel(errDown)
		<-req.Context().Done()
		return nil, context.Cause(req.Context())
	})
	rt := newTransport(t, newSource(), base, transport.Options{Retry: &transport.RetryOptions{FirstWait: 1}})
	resp, err := rt.RoundTrip(newRequest(t, "GET", api, nil).WithContext(ctx))
	if err == nil {
		resp.Body.Close()
	}
	if !errors.Is(err, errDown) {
		t.Errorf("RoundTrip when its context ends = %v, want the cause", err)
	}
}

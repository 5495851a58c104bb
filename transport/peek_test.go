package transport_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

// expiredInBody says that a JSON body tells that the token has expired, as the
// errors of GraphQL do.
func expiredInBody(resp *http.Response) bool {
	return resp.StatusCode == 401 ||
		strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") && bytes.Contains(transport.Peek(resp, 4<<10), []byte("TOKEN_EXPIRED"))
}

const expiredBody = `{"data":null,"errors":[{"message":"the token has expired","extensions":{"code":"TOKEN_EXPIRED"}}]}`

// A predicate may look at the beginning of the body, whatever the status (T3).
func TestT3_ExpiredToldInTheBody(t *testing.T) {
	asJSON := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
	long := strings.Repeat(" ", 100<<10)
	tests := []struct {
		name    string
		answers []answer
		auths   string
		status  int
		body    string
	}{
		{"a 200 with errors", []answer{{status: 200, header: asJSON, body: expiredBody}, ok200}, "Bearer tok-1, Bearer tok-2", 200, "ok"},
		{"a 200 without", []answer{{status: 200, header: asJSON, body: "{}"}}, "Bearer tok-1", 200, "{}"},
		{"a 200 of another type", []answer{{status: 200, body: expiredBody}}, "Bearer tok-1", 200, expiredBody},
		{"a 400 with errors", []answer{{status: 400, header: asJSON, body: expiredBody}, ok200}, "Bearer tok-1, Bearer tok-2", 200, "ok"},
		{"a 302 with errors", []answer{{status: 302, header: asJSON, body: expiredBody}, ok200}, "Bearer tok-1, Bearer tok-2", 200, "ok"},
		{"a 401 without a body", []answer{{status: 401}, ok200}, "Bearer tok-1, Bearer tok-2", 200, "ok"},
		{"an empty 200", []answer{{status: 200, header: asJSON}}, "Bearer tok-1", 200, ""},
		{"errors for ever", []answer{{status: 200, header: asJSON, body: expiredBody}}, "Bearer tok-1, Bearer tok-2", 200, expiredBody},
		{"a long body, errors at its beginning", []answer{{status: 200, header: asJSON, body: expiredBody + long}, ok200}, "Bearer tok-1, Bearer tok-2", 200, "ok"},
		{"a long body, errors behind the copy", []answer{{status: 200, header: asJSON, body: long + expiredBody}}, "Bearer tok-1", 200, long + expiredBody},
	}
	for _, tt := range tests {
		base := &script{answers: tt.answers}
		rt := newTransport(t, newSource(), base, transport.Options{Rejected: expiredInBody})
		status, body := roundTrip(t, rt, newRequest(t, "GET", api, nil))
		if status != tt.status || body != tt.body || base.auths() != tt.auths {
			t.Errorf("%s: RoundTrip = %d with %d bytes after %q, want %d with %d after %q", tt.name, status, len(body), base.auths(), tt.status, len(tt.body), tt.auths)
		}
	}
}

// If the token was renewed moments ago, the caller gets the whole answer that
// was looked at.
func TestT3_ExpiredToldInTheBodyAndNoNewToken(t *testing.T) {
	src := newSource()
	src.renewErr = tokensource.ErrJustRenewed
	base := &script{answers: []answer{{status: 200, header: http.Header{"Content-Type": {"application/json"}}, body: expiredBody}}}
	rt := newTransport(t, src, base, transport.Options{Rejected: expiredInBody})
	if status, body := roundTrip(t, rt, newRequest(t, "GET", api, nil)); status != 200 || body != expiredBody {
		t.Errorf("RoundTrip = %d %q, want the whole answer", status, body)
	}
}

// What arrives in parts is looked at as a whole.
func TestT3_ExpiredToldInParts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		base := baseFunc(func(req *http.Request) (*http.Response, error) {
			if req.Header.Get("Authorization") == "Bearer tok-2" {
				return response(req, 200, nil, "ok"), nil
			}
			resp := response(req, 200, http.Header{"Content-Type": {"application/json"}}, "")
			body, write := io.Pipe()
			resp.Body, resp.ContentLength = body, -1
			go func() {
				for part := range strings.SplitAfterSeq(expiredBody, ",") {
					time.Sleep(100 * time.Millisecond)
					_, _ = io.WriteString(write, part)
				}
				_ = write.Close()
			}()
			return resp, nil
		})
		rt := newTransport(t, newSource(), base, transport.Options{Rejected: expiredInBody})
		if status, body := roundTrip(t, rt, newRequest(t, "GET", api, nil)); status != 200 || body != "ok" {
			t.Errorf("RoundTrip = %d %q, want the answer to the new token", status, body)
		}
	})
}

// What net/http has unpacked is looked at unpacked.
func TestT3_ExpiredToldInAPackedBody(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if req.Header.Get("Authorization") == "Bearer tok-2" {
			_, _ = io.WriteString(w, "{}")
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		packed := gzip.NewWriter(w)
		_, _ = io.WriteString(packed, expiredBody)
		_ = packed.Close()
	}))
	defer server.Close()
	rt := newTransport(t, newSource(), server.Client().Transport, transport.Options{Origins: []string{server.URL}, Rejected: expiredInBody})
	if status, body := roundTrip(t, rt, newRequest(t, "GET", server.URL, nil)); status != 200 || body != "{}" {
		t.Errorf("RoundTrip = %d %q, want the answer to the new token", status, body)
	}
}

// A stream stays a stream when a predicate looks at it: it opens within a
// second, and each part is there when it arrives (T5).
func TestT5_AStreamThatAPredicateLooksAt(t *testing.T) {
	for name, first := range map[string]string{"it begins at once": "{}\r\n", "it begins later": ""} {
		inBubble(t, func(t *testing.T) {
			body, write := io.Pipe()
			base := baseFunc(func(req *http.Request) (*http.Response, error) {
				resp := response(req, 200, http.Header{"Content-Type": {"application/json"}}, "")
				resp.Body, resp.ContentLength = body, -1
				go func() { _, _ = io.WriteString(write, first) }()
				return resp, nil
			})
			start := time.Now()
			rt := newTransport(t, newSource(), base, transport.Options{Rejected: expiredInBody, Retry: &transport.RetryOptions{}})
			resp, err := rt.RoundTrip(newRequest(t, "GET", api, nil))
			if took := time.Since(start); err != nil || took > time.Second {
				t.Fatalf("%s: RoundTrip = %v after %v, want the stream within a second", name, err, took)
			}
			if first != "" {
				checkPart(t, resp.Body, first)
			}
			for range 3 {
				time.Sleep(20 * time.Second)
				go func() { _, _ = io.WriteString(write, "part\r\n") }()
				checkPart(t, resp.Body, "part\r\n")
			}
			_ = resp.Body.Close()
			if _, err := io.WriteString(write, "more"); !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("%s: after Close, writing = %v, want the closed pipe", name, err)
			}
		})
	}
}

func checkPart(t *testing.T, r io.Reader, want string) {
	t.Helper()
	part := make([]byte, 100)
	if n, err := r.Read(part); string(part[:n]) != want || err != nil {
		t.Errorf("Read = %q, %v, want %q", part[:n], err, want)
	}
}

func TestPeek(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		long := strings.Repeat("0123456789abcdef", 8<<10)
		for _, tt := range []struct {
			name  string
			body  string
			limit int
			want  string
		}{
			{"a part", "body", 2, "bo"},
			{"all", "body", 4, "body"},
			{"more than there is", "body", 100, "body"},
			{"nothing", "body", 0, ""},
			{"less than nothing", "body", -1, ""},
			{"no body", "", 10, ""},
			{"a long body", long, 1 << 20, long[:64<<10]},
		} {
			resp := response(nil, 200, nil, tt.body)
			tracked := resp.Body.(*trackedBody)
			for range 2 {
				got := transport.Peek(resp, tt.limit)
				if string(got) != tt.want {
					t.Errorf("%s: Peek = %d bytes, want %d", tt.name, len(got), len(tt.want))
				}
				clear(got) // it is a copy
			}
			synctest.Wait()
			if n := tracked.read.Load(); n > 65<<10 {
				t.Errorf("%s: Peek read %d bytes, want at most 64 KiB", tt.name, n)
			}
			if all, err := io.ReadAll(resp.Body); string(all) != tt.body || err != nil {
				t.Errorf("%s: the reader gets %d bytes, %v, want all %d", tt.name, len(all), err, len(tt.body))
			}
			_ = resp.Body.Close()
		}
		broken := response(nil, 200, nil, "")
		broken.Body, broken.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader("part"), failingReader{})), -1
		if got := transport.Peek(broken, 10); string(got) != "part" {
			t.Errorf("Peek of a broken body = %q, want its part", got)
		}
		if all, err := io.ReadAll(broken.Body); string(all) != "part" || !errors.Is(err, errDown) {
			t.Errorf("the reader of a broken body gets %q, %v, want the part and the error", all, err)
		}
		upgraded := &http.Response{StatusCode: 101, ContentLength: -1, Body: io.NopCloser(strings.NewReader("frame"))}
		if got := transport.Peek(upgraded, 10); got != nil {
			t.Errorf("Peek of an upgraded connection = %q, want nothing", got)
		}
	})
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errDown }

// A body that is looked at ends with the request.
func TestPeekEndsWithTheRequest(t *testing.T) {
	started := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_ = http.NewResponseController(w).Flush()
		close(started)
		<-req.Context().Done()
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rt := newTransport(t, plainSource{&oauth2.Token{AccessToken: "a"}}, server.Client().Transport, transport.Options{Origins: []string{server.URL}})
	resp, err := rt.RoundTrip(newRequest(t, "GET", server.URL, nil).WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	<-started
	cancel()
	if got := transport.Peek(resp, 10); len(got) != 0 {
		t.Errorf("Peek = %q, want nothing", got)
	}
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.Canceled) {
		t.Errorf("reading = %v, want the end of the context", err)
	}
}

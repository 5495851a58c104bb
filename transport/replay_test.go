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
	"testing/iotest"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

// T4: A request is replayed completely or not at all.
func TestT4_WhatIsReplayed(t *testing.T) {
	failing := func() (io.ReadCloser, error) { return nil, errors.New("gone") }
	long := strings.Repeat("x", 64<<10)
	tests := []struct {
		name   string
		body   io.Reader
		open   func() (io.ReadCloser, error) // replaces GetBody
		length int64                         // replaces ContentLength
		limit  int64
		bodies string
		status int
	}{
		{"no body", nil, nil, 0, 0, ", ", 200},
		{"NoBody", http.NoBody, nil, 0, -1, ", ", 200},
		{"GetBody", strings.NewReader("body"), nil, 0, 0, "body, body", 200},
		{"GetBody and nothing kept", strings.NewReader("body"), nil, 0, -1, "body, body", 200},
		{"GetBody over the limit", strings.NewReader("body"), nil, 0, 1, "body, body", 200},
		{"GetBody fails", strings.NewReader("body"), failing, 0, 0, "body", 401},
		{"kept", oneWay("body"), nil, 0, 0, "body, body", 200},
		{"kept, length known", oneWay("body"), nil, 4, 0, "body, body", 200},
		{"kept, empty", oneWay(""), nil, -1, 0, ", ", 200},
		{"kept up to the limit", oneWay("body"), nil, 0, 4, "body, body", 200},
		{"kept up to the default limit", oneWay(long), nil, 0, 0, long + ", " + long, 200},
		{"over the limit", oneWay("body"), nil, 0, 3, "body", 401},
		{"over the default limit", oneWay(long + "x"), nil, 0, 0, long + "x", 401},
		{"known to be over the limit", oneWay("body"), nil, 4, 3, "body", 401},
		{"nothing kept", oneWay("body"), nil, 0, -1, "body", 401},
		{"shorter than its length", oneWay("body"), nil, 9, 0, "body", 401},
		{"longer than its length", oneWay("body"), nil, 2, 0, "body", 401},
	}
	for _, test := range tests {
		base := &script{answers: []answer{{status: 401, body: "original"}, {status: 200, body: "replayed"}}}
		src := newSource()
		rt := newTransport(t, src, base, transport.Options{MaxReplayBody: test.limit})
		req := newRequest(t, "POST", api, test.body)
		if test.open != nil {
			req.GetBody = test.open
		}
		if test.length != 0 {
			req.ContentLength = test.length
		}
		status, body := roundTrip(t, rt, req)
		if status != test.status || base.bodies() != test.bodies {
			t.Errorf("%s: RoundTrip = %d after bodies %.40q, want %d after %.40q", test.name, status, base.bodies(), test.status, test.bodies)
		}
		if want := map[int]string{200: "replayed", 401: "original"}[test.status]; body != want {
			t.Errorf("%s: the response's body = %q, want %q", test.name, body, want)
		}
		if got := src.renewals.Load(); got != 1 {
			t.Errorf("%s: %d renewals, want 1: also for the sake of the next request", test.name, got)
		}
	}
}

// What cannot be replayed anyway is not wrapped: the base sees the caller's own
// body, which may be a file that it can send without copying.
func TestT4_BodyThatIsNotKeptIsTheCallersOwn(t *testing.T) {
	const plain = "http://127.0.0.1:1"
	noRenewal := plainSource{&oauth2.Token{AccessToken: "a"}}
	tests := []struct {
		name   string
		src    tokensource.Source
		url    string
		limit  int64
		length int64
		expect string
		same   bool
	}{
		{"kept", newSource(), plain, 0, -1, "", false},
		{"nothing is kept", newSource(), plain, -1, -1, "", true},
		{"nothing is kept, 100-continue", newSource(), plain, -1, -1, "100-continue", false},
		{"nothing is kept, https", newSource(), api, -1, -1, "", false},
		{"known to be over the limit", newSource(), plain, 3, 4, "", true},
		{"known to be over the limit, 100-continue", newSource(), plain, 3, 4, "100-Continue", false},
		{"known to be over the limit, https", newSource(), api, 3, 4, "", false},
		{"a source that cannot renew", noRenewal, api, 0, -1, "100-continue", true},
	}
	for _, test := range tests {
		var got io.ReadCloser
		base := baseFunc(func(req *http.Request) (*http.Response, error) {
			got = req.Body
			return response(req, 200, nil, ""), nil
		})
		req := newRequest(t, "POST", test.url, oneWay("body"))
		req.ContentLength = test.length
		if test.expect != "" {
			req.Header.Set("Expect", test.expect)
		}
		o := transport.Options{Origins: []string{api, plain}, MaxReplayBody: test.limit}
		roundTrip(t, newTransport(t, test.src, base, o), req)
		if same := got == req.Body; same != test.same {
			t.Errorf("%s: the base got the caller's own body = %t, want %t", test.name, same, test.same)
		}
	}
}

// A server may answer before it has read the body. What was read and is kept is
// sent again, and then the rest. What was read and is not kept cannot be sent
// again.
func TestT4_BodyOfWhichAPartWasRead(t *testing.T) {
	const text = "0123456789"
	for _, test := range []struct {
		name         string
		take, length int64
		limit        int64
		replayed     bool
	}{
		{"nothing was read", 0, -1, 0, true},
		{"nothing was read, length known", 0, 10, 0, true},
		{"nothing was read, nothing is kept", 0, -1, -1, true},
		{"nothing was read, known to be over the limit", 0, 10, 3, true},
		{"nothing was read, over the limit", 0, -1, 3, true},
		{"a part was read and kept", 3, -1, 0, true},
		{"a part was read and kept, up to the limit", 3, -1, 3, true},
		{"a part was read, over the limit", 4, -1, 3, false},
		{"a part was read, nothing is kept", 1, -1, -1, false},
		{"a part was read, known to be over the limit", 1, 10, 3, false},
		{"all but one byte was read", 9, 10, 0, true},
		{"all was read but not the end", 10, -1, 0, true},
		{"all was read, length known", 10, 10, 0, true}, // net/http answers before it looks for what must not follow
	} {
		var bodies []string
		base := roundTripper(func(req *http.Request) (*http.Response, error) {
			defer req.Body.Close()
			if len(bodies) == 0 {
				part, _ := io.ReadAll(io.LimitReader(req.Body, test.take))
				bodies = append(bodies, string(part))
				return response(req, 401, nil, "original"), nil
			}
			all, err := io.ReadAll(req.Body)
			bodies = append(bodies, string(all))
			return response(req, 200, nil, "replayed"), err
		})
		body := &trackedBody{Reader: strings.NewReader(text)}
		req := newRequest(t, "POST", api, body)
		req.ContentLength = test.length
		src := newSource()
		status, _ := roundTrip(t, newTransport(t, src, base, transport.Options{MaxReplayBody: test.limit}), req)
		want, sent := 401, text[:test.take]
		if test.replayed {
			want, sent = 200, sent+", "+text
		}
		if got := strings.Join(bodies, ", "); status != want || got != sent || src.renewals.Load() != 1 {
			t.Errorf("%s: RoundTrip = %d after bodies %q, want %d after %q", test.name, status, got, want, sent)
		}
		if n := body.closed.Load(); n != 1 {
			t.Errorf("%s: the caller's body was closed %d times, want once", test.name, n)
		}
	}
}

// A body is sent three times if the server challenges the proof, and then
// rejects the token. Each time a part of it is read, until the last.
func TestT4_BodyIsReopenedMoreThanOnce(t *testing.T) {
	answers := []answer{challenge, rejected, ok200}
	var bodies []string
	base := roundTripper(func(req *http.Request) (*http.Response, error) {
		defer req.Body.Close()
		n := len(bodies)
		part, err := io.ReadAll(io.LimitReader(req.Body, []int64{2, 4, 100}[n]))
		bodies = append(bodies, string(part))
		return response(req, answers[n].status, answers[n].header, answers[n].body), err
	})
	req := newRequest(t, "POST", api, oneWay("012345"))
	status, _ := roundTrip(t, newTransport(t, newProving(), base, transport.Options{}), req)
	if got := strings.Join(bodies, ", "); status != 200 || got != "01, 0123, 012345" {
		t.Errorf("RoundTrip = %d after bodies %q, want 200 after the whole body", status, got)
	}
}

// The base that was refused reads on, after the replay has begun: it gets
// nothing more, and its Close does not end the replay.
func TestT4_TheRefusedBaseReadsOn(t *testing.T) {
	var old io.ReadCloser
	body := &trackedBody{Reader: strings.NewReader("body")}
	base := roundTripper(func(req *http.Request) (*http.Response, error) {
		if old == nil {
			old = req.Body
			return response(req, 401, nil, ""), nil
		}
		if n, err := old.Read(make([]byte, 1)); n != 0 || err == nil || err == io.EOF {
			t.Errorf("Read() of the refused copy = %d, %v, want an error", n, err)
		}
		_ = old.Close()
		if n := body.closed.Load(); n != 0 {
			t.Errorf("the body was closed %d times during the replay, want none", n)
		}
		all, err := io.ReadAll(req.Body)
		_ = req.Body.Close()
		return response(req, 200, nil, string(all)), err
	})
	req := newRequest(t, "POST", api, body)
	if status, got := roundTrip(t, newTransport(t, newSource(), base, transport.Options{}), req); status != 200 || got != "body" {
		t.Errorf("RoundTrip = %d %q, want 200 and all of the body", status, got)
	}
	if n := body.closed.Load(); n != 1 {
		t.Errorf("the body was closed %d times, want once", n)
	}
}

// The base that was refused is reading the body at that moment, so that nobody
// knows yet what it gets. Then there is no replay, and the caller gets the
// answer.
func TestT4_TheRefusedBaseIsReading(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		body, write := io.Pipe()
		calls, done := 0, make(chan struct{})
		base := roundTripper(func(req *http.Request) (*http.Response, error) {
			calls++
			_, _ = io.ReadFull(req.Body, make([]byte, 5))
			go func() {
				_, _ = io.Copy(io.Discard, struct{ io.Reader }{req.Body})
				_ = req.Body.Close()
				close(done)
			}()
			synctest.Wait() // the rest of the body is being read
			return response(req, 401, nil, "original"), nil
		})
		go func() { _, _ = io.WriteString(write, "first") }()
		rt := newTransport(t, newSource(), base, transport.Options{})
		if status, got := roundTrip(t, rt, newRequest(t, "POST", api, body)); status != 401 || got != "original" || calls != 1 {
			t.Errorf("RoundTrip = %d %q after %d requests, want the 401 after 1", status, got, calls)
		}
		_, _ = io.WriteString(write, "second")
		_ = write.Close()
		<-done
		if _, err := body.Read(make([]byte, 1)); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("Read of the caller's body = %v, want it closed when the base closes it", err)
		}
	})
}

// hanging is a body whose Read waits for Close.
type hanging struct {
	reading, closed chan struct{}
}

func (b *hanging) Read([]byte) (int, error) {
	close(b.reading)
	<-b.closed
	return 0, io.ErrClosedPipe
}

func (b *hanging) Close() error {
	close(b.closed)
	return nil
}

// A base ends a Read that hangs by Close, as HTTP/2 does when the server
// refuses the request. Then the body cannot be replayed.
func TestT4_CloseEndsAReadThatHangs(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		body, calls := &hanging{make(chan struct{}), make(chan struct{})}, 0
		base := roundTripper(func(req *http.Request) (*http.Response, error) {
			calls++
			done := make(chan struct{})
			go func() {
				_, _ = req.Body.Read(make([]byte, 10))
				close(done)
			}()
			<-body.reading
			_ = req.Body.Close()
			<-done
			return response(req, 401, nil, "original"), nil
		})
		rt := newTransport(t, newSource(), base, transport.Options{})
		if status, got := roundTrip(t, rt, newRequest(t, "POST", api, body)); status != 401 || got != "original" || calls != 1 {
			t.Errorf("RoundTrip = %d %q after %d requests, want the 401 after 1", status, got, calls)
		}
	})
}

// A body may tell at its end that it is not what it should be, after the
// server has got all of it.
func TestT4_BodyThatFailsIsNotReplayed(t *testing.T) {
	calls := 0
	base := roundTripper(func(req *http.Request) (*http.Response, error) {
		calls++
		_, _ = io.Copy(io.Discard, req.Body)
		return response(req, 401, nil, "original"), nil
	})
	req := newRequest(t, "POST", api, io.MultiReader(strings.NewReader("body"), iotest.ErrReader(errors.New("wrong checksum"))))
	req.ContentLength = 4
	if status, _ := roundTrip(t, newTransport(t, newSource(), base, transport.Options{}), req); status != 401 || calls != 1 {
		t.Errorf("RoundTrip = %d after %d requests, want the 401 after 1", status, calls)
	}
}

// roundTripper is baseFunc without its care for the body.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// The base's write loop may go on reading when the response is there: the race
// detector watches.
func TestT4_BaseStillReads(t *testing.T) {
	for range 20 {
		var wg sync.WaitGroup
		base := roundTripper(func(req *http.Request) (*http.Response, error) {
			if req.Header.Get("Authorization") == "Bearer tok-1" {
				wg.Go(func() {
					_, _ = io.Copy(io.Discard, struct{ io.Reader }{req.Body})
					req.Body.Close()
				})
				return response(req, 401, nil, ""), nil
			}
			body, err := io.ReadAll(req.Body)
			return response(req, 200, nil, string(body)), err
		})
		text := strings.Repeat("x", 60<<10)
		status, body := roundTrip(t, newTransport(t, newSource(), base, transport.Options{}), newRequest(t, "POST", api, oneWay(text)))
		if status == 200 && body != text {
			t.Fatalf("the replay sent %d of %d bytes", len(body), len(text))
		}
		wg.Wait()
	}
}

// waitingSource renews only when something has happened.
type waitingSource struct {
	*fakeSource
	until <-chan struct{}
}

func (s waitingSource) Renew(ctx context.Context, rejected *oauth2.Token) (*oauth2.Token, error) {
	<-s.until
	return s.fakeSource.Renew(ctx, rejected)
}

// A base that answers before it has read the body, and reads on meanwhile: by
// the end of the renewal all of it is kept.
func TestT4_BodyReadDuringTheRenewalIsReplayed(t *testing.T) {
	start, done := make(chan struct{}), make(chan struct{})
	base := roundTripper(func(req *http.Request) (*http.Response, error) {
		if req.Header.Get("Authorization") == "Bearer tok-1" {
			go func() {
				<-start
				_, _ = io.Copy(io.Discard, struct{ io.Reader }{req.Body})
				req.Body.Close()
				close(done)
			}()
			return response(req, 401, nil, ""), nil
		}
		body, err := io.ReadAll(req.Body)
		return response(req, 200, nil, string(body)), err
	})
	rejected := func(resp *http.Response) bool {
		if resp.StatusCode != 401 {
			return false
		}
		close(start) // not before the answer is judged
		return true
	}
	rt, err := transport.New(waitingSource{newSource(), done}, &transport.Options{Base: base, Rejected: rejected})
	if err != nil {
		t.Fatal(err)
	}
	if status, body := roundTrip(t, rt, newRequest(t, "POST", api, oneWay("all of it"))); status != 200 || body != "all of it" {
		t.Errorf("RoundTrip() = %d with body %q, want the replay of all of it", status, body)
	}
}

// echo answers 401 to tok-1, and otherwise what body and framing it received.
func echo(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if req.Header.Get("Authorization") == "Bearer tok-1" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	_, _ = w.Write(body)
}

func TestT4_OverRealConnections(t *testing.T) {
	text := strings.Repeat("0123456789abcdef", 2000)
	for _, http2 := range []bool{false, true} {
		server := httptest.NewUnstartedServer(http.HandlerFunc(echo))
		server.EnableHTTP2 = http2
		server.StartTLS()
		defer server.Close()
		base := server.Client().Transport.(*http.Transport)
		base.ExpectContinueTimeout = time.Minute
		tests := []struct {
			name   string
			body   io.Reader
			length int64
			expect string
		}{
			{"GetBody", strings.NewReader(text), int64(len(text)), ""},
			{"kept, chunked", oneWay(text), -1, ""},
			{"kept, length known", oneWay(text), int64(len(text)), ""},
			{"GetBody, 100-continue", strings.NewReader(text), int64(len(text)), "100-continue"},
			{"kept, 100-continue", oneWay(text), -1, "100-continue"},
		}
		for _, test := range tests {
			src := newSource()
			rt := newTransport(t, src, base, transport.Options{Origins: []string{server.URL}})
			req := newRequest(t, "POST", server.URL, test.body)
			req.ContentLength = test.length
			if test.expect != "" {
				req.Header.Set("Expect", test.expect)
			}
			if status, body := roundTrip(t, rt, req); status != 200 || body != text || src.renewals.Load() != 1 {
				t.Errorf("%s (HTTP/2 %t): RoundTrip = %d with %d bytes, want 200 with %d", test.name, http2, status, len(body), len(text))
			}
		}
	}
}

// With Expect: 100-continue a server can refuse before a byte of the body is
// sent.
func TestT4_RefusedBeforeTheBodyIsSent(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Authorization") == "Bearer tok-1" {
			w.WriteHeader(http.StatusUnauthorized) // no 100 Continue was sent
			return
		}
		echo(w, req)
	}))
	defer server.Close()
	base := server.Client().Transport.(*http.Transport)
	base.ExpectContinueTimeout = time.Minute
	rt := newTransport(t, newSource(), base, transport.Options{Origins: []string{server.URL}})
	req := newRequest(t, "POST", server.URL, strings.NewReader("body"))
	req.Header.Set("Expect", "100-continue")
	if status, body := roundTrip(t, rt, req); status != 200 || body != "body" {
		t.Errorf("with GetBody, RoundTrip = %d %q, want 200 and the whole body", status, body)
	}
	for name, o := range map[string]transport.Options{"kept": {}, "nothing is kept": {MaxReplayBody: -1}, "over the limit": {MaxReplayBody: 3}} {
		src := newSource()
		o.Origins = []string{server.URL}
		rt = newTransport(t, src, base, o)
		for _, length := range []int64{-1, 4} {
			src.set(&oauth2.Token{AccessToken: "tok-1"})
			req = newRequest(t, "POST", server.URL, oneWay("body"))
			req.ContentLength = length
			req.Header.Set("Expect", "100-continue")
			if status, body := roundTrip(t, rt, req); status != 200 || body != "body" {
				t.Errorf("without GetBody, %s, length %d: RoundTrip = %d %q, want 200 and the whole body: nothing of it was read", name, length, status, body)
			}
		}
	}
}

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

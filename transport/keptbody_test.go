package transport_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

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

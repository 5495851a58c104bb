package oauthtest_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

var onRefresh = oauthtest.Match{GrantType: "refresh_token"}

// tryRefresh returns the answer, or the error with what arrived of the body.
func (c *peer) tryRefresh(ctx context.Context, token string) (answered, error) {
	c.Helper()
	req := c.form(c.p.TokenURL, "grant_type", "refresh_token", "refresh_token", token)
	return c.try(req.WithContext(ctx))
}

// page is what an edge proxy answers in place of the server.
const page = "<!DOCTYPE html>\n<title>Attention Required!</title>\n"

func TestFaultsBeforeAndAfterCommit(t *testing.T) {
	tests := []struct {
		name  string
		fault oauthtest.Fault
		want  func(answered, error) bool
	}{
		{"drop", oauthtest.Fault{Drop: true}, func(_ answered, err error) bool { return errors.Is(err, io.EOF) }},
		{"reset", oauthtest.Fault{Reset: true}, func(_ answered, err error) bool { return errors.Is(err, syscall.ECONNRESET) }},
		{"503", oauthtest.Fault{Status: 503, Body: page}, func(a answered, err error) bool {
			return err == nil && a.status == 503 && a.body == page && strings.HasPrefix(a.header.Get("Content-Type"), "text/html")
		}},
		{"empty 200", oauthtest.Fault{Status: 200}, func(a answered, err error) bool { return err == nil && a.status == 200 && a.body == "" }},
		{"null", oauthtest.Fault{Status: 200, Body: "null", ContentType: "application/json"}, func(a answered, err error) bool {
			return a.body == "null" && a.header.Get("Content-Type") == "application/json"
		}},
		{"2 MiB", oauthtest.Fault{Status: 200, Body: strings.Repeat(" ", 2<<20)}, func(a answered, err error) bool { return err == nil && len(a.body) == 2<<20 }},
		{"redirect", oauthtest.Fault{Status: 307, Header: http.Header{"location": {"https://elsewhere.test/"}}}, func(a answered, err error) bool {
			return a.status == 307 && a.header.Get("Location") == "https://elsewhere.test/"
		}},
		{"429", oauthtest.Fault{Status: 429, Header: http.Header{"Retry-After": {"7"}}}, func(a answered, err error) bool {
			return a.status == 429 && a.header.Get("Retry-After") == "7"
		}},
	}
	for _, tt := range tests {
		for _, commit := range []bool{false, true} {
			memory := play(t, nil)
			for at, c := range map[string]*peer{"memory": memory, "a listener": memory.onListener()} {
				token := c.issue().Refresh
				fault := tt.fault
				fault.Commit, fault.Required = commit, true
				c.Inject(onRefresh, fault, 1)
				if got, err := c.tryRefresh(t.Context(), token); !tt.want(got, err) {
					t.Errorf("%s, commit %v in %s: %d %.60q, %v", tt.name, commit, at, got.status, got.body, err)
				}
				if used := c.Token(token).Dead != ""; used != commit {
					t.Errorf("%s, commit %v in %s: the refresh token was used up = %v", tt.name, commit, at, used)
				}
			}
		}
	}
}

func TestFaultsOfTheAnswer(t *testing.T) {
	memory := play(t, nil)
	for at, c := range map[string]*peer{"memory": memory, "a listener": memory.onListener()} {
		token := c.issue().Refresh
		c.Inject(onRefresh, oauthtest.Fault{Truncate: 30}, 1)
		got, err := c.tryRefresh(t.Context(), token)
		if !errors.Is(err, io.ErrUnexpectedEOF) || len(got.body) != 30 {
			t.Errorf("Truncate in %s: %q, %v, want 30 bytes and an unexpected EOF", at, got.body, err)
		}
		token = c.issue().Refresh
		c.Inject(onRefresh, oauthtest.Fault{ContentType: "text/plain", Pause: time.Microsecond}, 1)
		got, err = c.tryRefresh(t.Context(), token)
		if err != nil || got.header.Get("Content-Type") != "text/plain" {
			t.Errorf("ContentType in %s: %v, %v", at, got.header, err)
		}
		token = c.parse(got).Refresh
		c.Inject(onRefresh, oauthtest.Fault{HTTP10: true}, 1)
		resp, err := c.rt.RoundTrip(c.form(c.p.TokenURL, "grant_type", "refresh_token", "refresh_token", token))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.ProtoMinor != 0 || !resp.Close || resp.ContentLength != -1 || !json.Valid(body) {
			t.Errorf("HTTP10 in %s: %s, length %d, %v", at, resp.Proto, resp.ContentLength, err)
		}
	}
}

func TestDelaysRunOnTheBubblesClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tests := []struct {
			name   string
			fault  oauthtest.Fault
			used   bool
			answer bool
		}{
			{"delay", oauthtest.Fault{Delay: time.Minute}, false, false},
			{"commit, then delay", oauthtest.Fault{Commit: true, Delay: time.Minute}, true, false},
			{"hang", oauthtest.Fault{Hang: true}, false, false},
			{"commit, then hang", oauthtest.Fault{Commit: true, Hang: true}, true, false},
			{"short delay", oauthtest.Fault{Delay: 5 * time.Second, Jitter: 4 * time.Second}, true, true},
			{"slow body", oauthtest.Fault{Pause: time.Second}, true, false},
		}
		for _, tt := range tests {
			c := play(t, nil)
			token := c.issue().Refresh
			c.Inject(onRefresh, tt.fault, 1)
			ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
			began := time.Now()
			_, err := c.tryRefresh(ctx, token)
			stop()
			if (err == nil) != tt.answer || err != nil && (!errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 10*time.Second) {
				t.Errorf("%s: %v after %v", tt.name, err, time.Since(began))
			}
			if tt.answer && (time.Since(began) < 5*time.Second || time.Since(began) >= 9*time.Second) {
				t.Errorf("%s: answered after %v, want 5 to 9 seconds", tt.name, time.Since(began))
			}
			if used := c.Token(token).Dead != ""; used != tt.used {
				t.Errorf("%s: used up = %v, want %v", tt.name, used, tt.used)
			}
		}
	})
}

func TestLatencyAndCancelledRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := play(t, nil)
		c.Set(func(k *oauthtest.Knobs) { k.Latency = 3 * time.Second })
		token := c.issue().Refresh
		cause := errors.New("the caller left")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		for _, what := range []string{"a context that ends", "an ended context"} {
			if _, err := c.tryRefresh(ctx, token); !errors.Is(err, cause) {
				t.Errorf("refresh with %s = %v, want the cause", what, err)
			}
		}
		began := time.Now()
		c.parse(c.refresh(token)) // not used up by the requests that left
		if time.Since(began) != 3*time.Second {
			t.Errorf("answered after %v, want 3s", time.Since(began))
		}
		if got := c.Requests()[1].Duration; got != 3*time.Second {
			t.Errorf("recorded duration = %v, want 3s", got)
		}
	})
}

func TestStalledUploadEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := play(t, nil)
		for _, target := range []string{"https://api.example/things", c.p.TokenURL} {
			pr, pw := io.Pipe()
			ctx, stop := context.WithTimeout(t.Context(), time.Second)
			req := c.form(target).WithContext(ctx)
			req.Body = pr
			if _, err := c.try(req); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("RoundTrip to %s = %v, want the deadline", target, err)
			}
			stop()
			_ = pw.Close()
		}
	})
}

func TestBadCertificate(t *testing.T) {
	c := play(t, nil)
	token := c.issue().Refresh
	c.Inject(onRefresh, oauthtest.Fault{BadCertificate: true}, 1)
	_, err := c.tryRefresh(t.Context(), token)
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
		t.Errorf("refresh = %v, want a certificate error", err)
	}
	c.parse(c.refresh(token))
}

func TestMatchers(t *testing.T) {
	broken := oauthtest.Fault{Status: 500}
	hits := func(c *peer, n int) (list []int) {
		token := c.issue().Access
		for range n {
			list = append(list, c.get("https://api.example/things", token).status)
		}
		return list
	}
	tests := []struct {
		name  string
		match oauthtest.Match
		times int
		want  []int
	}{
		{"everything", oauthtest.Match{}, -1, []int{500, 500, 500}},
		{"twice", oauthtest.Match{}, 2, []int{500, 500, 200}},
		{"never", oauthtest.Match{}, 0, []int{200, 200, 200}},
		{"the second", oauthtest.Match{Skip: 1}, 1, []int{200, 500, 200}},
		{"method", oauthtest.Match{Method: "POST"}, -1, []int{200, 200, 200}},
		{"host", oauthtest.Match{Host: "api.example"}, 1, []int{500, 200, 200}},
		{"other host", oauthtest.Match{Host: "auth.example"}, 1, []int{200, 200, 200}},
		{"path", oauthtest.Match{Path: "/things"}, 1, []int{500, 200, 200}},
		{"other path", oauthtest.Match{Path: "/others"}, 1, []int{200, 200, 200}},
		{"op", oauthtest.Match{Op: "api"}, 1, []int{500, 200, 200}},
		{"other op", oauthtest.Match{Op: "identity"}, 1, []int{200, 200, 200}},
		{"user", oauthtest.Match{UserID: userID}, 1, []int{500, 200, 200}},
		{"other user", oauthtest.Match{UserID: "other"}, 1, []int{200, 200, 200}},
		{"client", oauthtest.Match{ClientID: ci.ClientID}, 1, []int{200, 200, 200}}, // a bearer names no client
		{"grant type", oauthtest.Match{GrantType: "refresh_token"}, 1, []int{200, 200, 200}},
	}
	for _, tt := range tests {
		c := play(t, nil)
		c.Inject(tt.match, broken, tt.times)
		if got := hits(c, 3); !slices.Equal(got, tt.want) {
			t.Errorf("%s: statuses = %v, want %v", tt.name, got, tt.want)
		}
		c.ClearFaults()
		if got := hits(c, 1); !slices.Equal(got, []int{200}) {
			t.Errorf("%s: after ClearFaults %v, want 200", tt.name, got)
		}
	}
	chance := func(seed uint64) []int {
		c := play(t, nil)
		c.Inject(oauthtest.Match{Probability: 0.5, Seed: seed}, broken, -1)
		return hits(c, 64)
	}
	first := chance(7)
	if !slices.Equal(first, chance(7)) || slices.Equal(first, chance(8)) {
		t.Error("a seed does not decide the faults")
	}
	if bad := strings.Count(fmt.Sprint(first), "500"); bad < 16 || bad > 48 {
		t.Errorf("%d of 64 failed, want about half", bad)
	}
}

func TestCloseReports(t *testing.T) {
	get := func(t *testing.T) *http.Request {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.example/things", nil)
		if err != nil {
			t.Fatal(err)
		}
		return req
	}
	s, err := oauthtest.NewServer(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Inject(onRefresh, oauthtest.Fault{Drop: true, Required: true}, 2)
	if err := s.Close(); err == nil || !strings.Contains(err.Error(), "did not happen 2 more times") {
		t.Errorf("Close() = %v, want the unmet fault", err)
	}
	s.ClearFaults()
	resp, err := s.Transport().RoundTrip(get(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err == nil || !strings.Contains(err.Error(), "1 response bodies") {
		t.Errorf("Close() = %v, want the open body", err)
	}
	resp.Body.Close()
	resp.Body.Close()
	if err := s.Close(); err != nil {
		t.Errorf("Close() = %v, want nil", err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		s.Set(func(k *oauthtest.Knobs) { k.Latency = time.Hour })
		var failed atomic.Bool
		go func() {
			_, err := s.Transport().RoundTrip(get(t).WithContext(ctx))
			failed.Store(err != nil)
		}()
		synctest.Wait()
		if err := s.Close(); err == nil || !strings.Contains(err.Error(), "1 requests are still in flight") {
			t.Errorf("Close() = %v, want the request in flight", err)
		}
		stop()
		synctest.Wait()
		if err := s.Close(); err != nil || !failed.Load() {
			t.Errorf("Close() = %v, request failed %v, want nil and true", err, failed.Load())
		}
	})
}

func TestTransportRefusesWhatHasNoHost(t *testing.T) {
	c := play(t, nil)
	body := &tracked{Reader: strings.NewReader("x")}
	_, err := c.Transport().RoundTrip(&http.Request{Method: "POST", URL: &url.URL{Path: "/"}, Body: body})
	if err == nil || body.closed != 1 {
		t.Errorf("RoundTrip without a host = %v, body closed %d times, want an error and 1", err, body.closed)
	}
}

func TestTransportLeavesTheRequestAlone(t *testing.T) {
	c := play(t, nil)
	req := c.request(http.MethodPost, "https://api.example/things", "hello")
	before, header := *req, req.Header.Clone()
	c.do(req)
	if req.Body != before.Body || req.Host != before.Host || req.URL != before.URL || !reflect.DeepEqual(req.Header, header) ||
		req.ContentLength != before.ContentLength {
		t.Errorf("RoundTrip changed the request: %+v", req)
	}
}

func TestHangOnAListenerEndsWithTheClient(t *testing.T) {
	c := play(t, nil)
	live := httptest.NewServer(c.Server)
	c.Inject(oauthtest.Match{}, oauthtest.Fault{Hang: true}, -1)
	for _, req := range []*http.Request{
		c.request(http.MethodPost, live.URL+"/things", "hello"),
		c.request(http.MethodGet, live.URL+"/authorize", ""),
	} {
		ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
		resp, err := live.Client().Do(req.WithContext(ctx))
		stop()
		if err == nil {
			resp.Body.Close()
			t.Errorf("%s was answered with %d, want no answer", req.URL.Path, resp.StatusCode)
		}
	}
	live.Close() // waits for the handlers: it would not return if they were still hanging
}

// tracked is a body that counts.
type tracked struct {
	io.Reader
	read, closed int
}

func (b *tracked) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.read += n
	return n, err
}

func (b *tracked) Close() error {
	b.closed++
	return nil
}

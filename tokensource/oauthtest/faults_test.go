package oauthtest_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

var onRefresh = oauthtest.Match{Path: oauthtest.PathToken, GrantType: "refresh_token"}

// tryRefresh returns the answer, or the error with whatever of the body arrived.
func tryRefresh(t *testing.T, ctx context.Context, rt http.RoundTripper, base, token string) (answered, error) {
	t.Helper()
	req := formRequest(t, base+oauthtest.PathToken, ci, refreshForm(token)).WithContext(ctx)
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return answered{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answered{resp.StatusCode, resp.Header, string(body)}, err
}

func TestRule33_FaultsBeforeAndAfterCommit(t *testing.T) {
	tests := []struct {
		name  string
		fault oauthtest.Fault
		want  func(answered, error) bool
	}{
		{"drop", oauthtest.Fault{Drop: true}, func(_ answered, err error) bool { return errors.Is(err, io.EOF) }},
		{"reset", oauthtest.Fault{Reset: true}, func(_ answered, err error) bool { return errors.Is(err, syscall.ECONNRESET) }},
		{"503", oauthtest.Fault{Status: 503, Body: oauthtest.HTMLPage}, func(a answered, err error) bool {
			return err == nil && a.status == 503 && a.body == oauthtest.HTMLPage && strings.HasPrefix(a.header.Get("Content-Type"), "text/html")
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
			s := fake(t, nil)
			live := s.Start(t)
			for base, rt := range map[string]http.RoundTripper{"https://api.x.com": s.Transport(), live.URL: live.Client().Transport} {
				token := issue(t, s, ci).Refresh
				fault := tt.fault
				fault.Commit, fault.Required = commit, true
				s.Inject(onRefresh, fault, 1)
				if got, err := tryRefresh(t, t.Context(), rt, base, token); !tt.want(got, err) {
					t.Errorf("%s, commit %v at %s: %d %.60q, %v", tt.name, commit, base, got.status, got.body, err)
				}
				used := refresh(t, s, ci, token).status != http.StatusOK
				if used != commit {
					t.Errorf("%s, commit %v at %s: the refresh token was used up = %v", tt.name, commit, base, used)
				}
			}
		}
	}
}

func TestRule33_FaultsOfTheAnswer(t *testing.T) {
	s := fake(t, nil)
	live := s.Start(t)
	for base, rt := range map[string]http.RoundTripper{"https://api.x.com": s.Transport(), live.URL: live.Client().Transport} {
		token := issue(t, s, ci).Refresh
		s.Inject(onRefresh, oauthtest.Fault{Truncate: 30}, 1)
		got, err := tryRefresh(t, t.Context(), rt, base, token)
		if !errors.Is(err, io.ErrUnexpectedEOF) || len(got.body) != 30 {
			t.Errorf("Truncate at %s: %q, %v, want 30 bytes and an unexpected EOF", base, got.body, err)
		}
		token = issue(t, s, ci).Refresh
		s.Inject(onRefresh, oauthtest.Fault{ContentType: "text/plain", Pause: time.Microsecond}, 1)
		got, err = tryRefresh(t, t.Context(), rt, base, token)
		if err != nil || got.header.Get("Content-Type") != "text/plain" {
			t.Errorf("ContentType at %s: %v, %v", base, got.header, err)
		}
		token = parseTokens(t, got).Refresh
		s.Inject(onRefresh, oauthtest.Fault{HTTP10: true}, 1)
		resp, err := rt.RoundTrip(formRequest(t, base+oauthtest.PathToken, ci, refreshForm(token)))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.ProtoMinor != 0 || !resp.Close || resp.ContentLength != -1 || !json.Valid(body) {
			t.Errorf("HTTP10 at %s: %s, length %d, %v", base, resp.Proto, resp.ContentLength, err)
		}
	}
}

func TestRule33_DelaysRunOnTheBubblesClock(t *testing.T) {
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
			s := fake(t, nil)
			token := issue(t, s, ci).Refresh
			s.Inject(onRefresh, tt.fault, 1)
			ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
			began := time.Now()
			_, err := tryRefresh(t, ctx, s.Transport(), "https://api.x.com", token)
			stop()
			if (err == nil) != tt.answer || err != nil && (!errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 10*time.Second) {
				t.Errorf("%s: %v after %v", tt.name, err, time.Since(began))
			}
			if tt.answer && (time.Since(began) < 5*time.Second || time.Since(began) >= 9*time.Second) {
				t.Errorf("%s: answered after %v, want 5 to 9 seconds", tt.name, time.Since(began))
			}
			if used := refresh(t, s, ci, token).status != http.StatusOK; used != tt.used {
				t.Errorf("%s: used up = %v, want %v", tt.name, used, tt.used)
			}
		}
	})
}

func TestRule45_LatencyAndCancelledRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fake(t, func(k *oauthtest.Knobs) { k.Latency = 3 * time.Second })
		token := issue(t, s, ci).Refresh
		cause := errors.New("the caller left")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		if _, err := tryRefresh(t, ctx, s.Transport(), "https://api.x.com", token); !errors.Is(err, cause) {
			t.Errorf("refresh = %v, want the cause", err)
		}
		if _, err := tryRefresh(t, ctx, s.Transport(), "https://api.x.com", token); !errors.Is(err, cause) {
			t.Errorf("refresh with an ended context = %v, want the cause", err)
		}
		began := time.Now()
		parseTokens(t, refresh(t, s, ci, token)) // not used up by the requests that left
		if time.Since(began) != 3*time.Second {
			t.Errorf("answered after %v, want 3s", time.Since(began))
		}
		if got := s.Requests()[1].Duration; got != 3*time.Second {
			t.Errorf("recorded duration = %v, want 3s", got)
		}
	})
}

func TestRule45_StalledUploadEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fake(t, nil)
		pr, pw := io.Pipe()
		defer func() { _ = pw.Close() }()
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, echoURL, pr)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+issue(t, s, ci).Access)
		resp, err := s.Transport().RoundTrip(req)
		if err == nil {
			resp.Body.Close()
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("RoundTrip = %v, want the deadline", err)
		}
	})
}

func TestRule45_BadCertificate(t *testing.T) {
	s := fake(t, nil)
	token := issue(t, s, ci).Refresh
	s.Inject(onRefresh, oauthtest.Fault{BadCertificate: true}, 1)
	_, err := tryRefresh(t, t.Context(), s.Transport(), "https://api.x.com", token)
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
		t.Errorf("refresh = %v, want a certificate error", err)
	}
	parseTokens(t, refresh(t, s, ci, token))
}

func TestRule45_Matchers(t *testing.T) {
	broken := oauthtest.Fault{Status: 500}
	hits := func(s *oauthtest.Server, n int) (list []int) {
		token := issue(t, s, ci).Access
		for range n {
			list = append(list, call(t, s, http.MethodGet, echoURL, token, "").status)
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
		{"host", oauthtest.Match{Host: "api.x.com"}, 1, []int{500, 200, 200}},
		{"other host", oauthtest.Match{Host: "x.com"}, 1, []int{200, 200, 200}},
		{"path", oauthtest.Match{Path: oauthtest.PathEcho}, 1, []int{500, 200, 200}},
		{"other path", oauthtest.Match{Path: oauthtest.PathMe}, 1, []int{200, 200, 200}},
		{"grant type", oauthtest.Match{GrantType: "refresh_token"}, 1, []int{200, 200, 200}},
	}
	for _, tt := range tests {
		s := fake(t, nil)
		s.Inject(tt.match, broken, tt.times)
		if got := hits(s, 3); !equal(got, tt.want) {
			t.Errorf("%s: statuses = %v, want %v", tt.name, got, tt.want)
		}
		s.ClearFaults()
		if got := hits(s, 1); !equal(got, []int{200}) {
			t.Errorf("%s: after ClearFaults %v, want 200", tt.name, got)
		}
	}
	chance := func(seed uint64) []int {
		s := fake(t, nil)
		s.Inject(oauthtest.Match{Probability: 0.5, Seed: seed}, broken, -1)
		return hits(s, 64)
	}
	first := chance(7)
	if !equal(first, chance(7)) || equal(first, chance(8)) {
		t.Error("a seed does not decide the faults")
	}
	if bad := strings.Count(toText(first), "500"); bad < 16 || bad > 48 {
		t.Errorf("%d of 64 failed, want about half", bad)
	}
}

func equal(a, b []int) bool { return toText(a) == toText(b) }

func toText(list []int) string {
	text, _ := json.Marshal(list)
	return string(text)
}

func TestRule47_CloseTells(t *testing.T) {
	s, err := oauthtest.NewServer(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Inject(onRefresh, oauthtest.Fault{Drop: true, Required: true}, 2)
	if err := s.Close(); err == nil || !strings.Contains(err.Error(), "did not happen 2 more times") {
		t.Errorf("Close() = %v, want the unmet fault", err)
	}
	s.ClearFaults()
	resp, err := s.Transport().RoundTrip(request(t, http.MethodGet, meURL, ""))
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
			_, err := s.Transport().RoundTrip(request(t, http.MethodGet, meURL, "").WithContext(ctx))
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
	s := fake(t, nil)
	body := &tracked{Reader: strings.NewReader("x")}
	_, err := s.Transport().RoundTrip(&http.Request{Method: "POST", URL: &url.URL{Path: "/"}, Body: body})
	if err == nil || body.closed != 1 {
		t.Errorf("RoundTrip without a host = %v, body closed %d times, want an error and 1", err, body.closed)
	}
}

func TestTransportLeavesTheRequestAlone(t *testing.T) {
	s := fake(t, nil)
	req := request(t, http.MethodPost, echoURL, "hello")
	before, header := *req, req.Header.Clone()
	do(t, s, req)
	if req.Body != before.Body || req.Host != before.Host || req.URL != before.URL || !reflect.DeepEqual(req.Header, header) ||
		req.ContentLength != before.ContentLength {
		t.Errorf("RoundTrip changed the request: %+v", req)
	}
}

func TestRule45_HangOnAListenerEndsWithTheClient(t *testing.T) {
	s := fake(t, func(k *oauthtest.Knobs) { k.Authorize.Consent = oauthtest.Ignore })
	live := s.Start(t)
	s.Inject(oauthtest.Match{Path: oauthtest.PathEcho}, oauthtest.Fault{Hang: true}, -1)
	for _, req := range []*http.Request{
		request(t, http.MethodPost, live.URL+oauthtest.PathEcho, "hello"),
		request(t, http.MethodGet, live.URL+oauthtest.PathAuthorize+"?"+authorizeQuery(ci).Encode(), ""),
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

package transport_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/transport"
)

const xAPI = "https://api.x.com"

// kitSource holds a token of the fake X; a renewal is a new login there.
type kitSource struct {
	*fakeSource
	x *xapi.Server
}

func newKit(t *testing.T) (*xapi.Server, *kitSource) {
	t.Helper()
	x := xapi.New(t, nil)
	src := &kitSource{newSource(), x}
	tok, err := src.Renew(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	src.set(tok)
	src.renewals.Store(0)
	return x, src
}

func (s *kitSource) Renew(context.Context, *oauth2.Token) (*oauth2.Token, error) {
	access, _, err := s.x.IssueToken("", "")
	if err != nil {
		return nil, err
	}
	s.renewals.Add(1)
	return &oauth2.Token{AccessToken: access, TokenType: "bearer"}, nil
}

// echoed is what the kit's echo endpoint says of the request that it accepted.
type echoed struct {
	Length           int64
	SHA256           string
	ContentLength    int64  `json:"content_length"`
	TransferEncoding string `json:"transfer_encoding"`
	Expect           string
}

func TestT4_ReplayedBodiesAreFaithful(t *testing.T) {
	text := strings.Repeat("0123456789abcdef", 1000)
	sum := sha256.Sum256([]byte(text))
	want := echoed{Length: int64(len(text)), SHA256: hex.EncodeToString(sum[:])}
	tests := []struct {
		name   string
		body   io.Reader
		length int64 // replaces ContentLength
		expect string
		want   echoed // beyond length and hash
	}{
		{"GetBody", strings.NewReader(text), int64(len(text)), "", echoed{ContentLength: int64(len(text))}},
		{"kept, length known", oneWay(text), int64(len(text)), "", echoed{ContentLength: int64(len(text))}},
		{"kept, chunked", oneWay(text), -1, "", echoed{ContentLength: -1, TransferEncoding: "chunked"}},
		{"GetBody, 100-continue", strings.NewReader(text), int64(len(text)), "100-continue", echoed{ContentLength: int64(len(text)), Expect: "100-continue"}},
		{"kept, 100-continue", oneWay(text), -1, "100-continue", echoed{ContentLength: -1, TransferEncoding: "chunked", Expect: "100-continue"}},
	}
	for _, test := range tests {
		x, src := newKit(t)
		x.ExpireAccess("")
		server := httptest.NewTLSServer(x)
		defer server.Close()
		rt := newTransport(t, src, server.Client().Transport, transport.Options{Origins: []string{server.URL}})
		req := newRequest(t, "POST", server.URL+xapi.PathEcho, test.body)
		req.ContentLength = test.length
		if test.expect != "" {
			req.Header.Set("Expect", test.expect)
		}
		status, body := roundTrip(t, rt, req)
		var got echoed
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatalf("%s: RoundTrip = %d %q: %v", test.name, status, body, err)
		}
		test.want.Length, test.want.SHA256 = want.Length, want.SHA256
		if status != 200 || got != test.want || src.renewals.Load() != 1 {
			t.Errorf("%s: the server got %+v after %d renewals, want %+v after 1", test.name, got, src.renewals.Load(), test.want)
		}
	}
}

// A server that refuses before it has read the body leaves all of it to replay,
// with GetBody and without.
func TestT4_EarlyRejection(t *testing.T) {
	for _, withGetBody := range []bool{true, false} {
		x, src := newKit(t)
		x.Set(func(k *xapi.Knobs) { k.EarlyReject = true })
		x.ExpireAccess("")
		rt := newTransport(t, src, x.Transport(), transport.Options{Origins: []string{xAPI}})
		body := oneWay("body")
		if withGetBody {
			body = strings.NewReader("body")
		}
		status, text := roundTrip(t, rt, newRequest(t, "POST", xAPI+xapi.PathEcho, body))
		var got echoed
		if err := json.Unmarshal([]byte(text), &got); err != nil || status != http.StatusOK || got.Length != 4 || src.renewals.Load() != 1 {
			t.Errorf("with GetBody %t: RoundTrip = %d %q after %d renewals, want 200 with 4 bytes after 1", withGetBody, status, text, src.renewals.Load())
		}
	}
}

func TestT5_StreamsOfTheFake(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		x, src := newKit(t)
		x.Set(func(k *xapi.Knobs) { k.API.StreamBreak = 4 })
		x.ExpireAccess("")
		rt := newTransport(t, src, x.Transport(), transport.Options{Origins: []string{xAPI}, Retry: &transport.RetryOptions{}})
		start := time.Now()
		resp, err := rt.RoundTrip(newRequest(t, "GET", xAPI+xapi.PathStream, nil))
		if err != nil || resp.StatusCode != 200 || time.Since(start) != 0 {
			t.Fatalf("RoundTrip = %v, %v after %v, want the stream at once", resp, err, time.Since(start))
		}
		defer resp.Body.Close()
		lines := bufio.NewReader(resp.Body)
		for i := range 3 {
			line, err := lines.ReadString('\n')
			if want := time.Duration(i) * 20 * time.Second; err != nil || time.Since(start) != want {
				t.Errorf("line %d = %q, %v after %v, want it after %v: nothing may wait for more", i, line, err, time.Since(start), want)
			}
		}
		if _, err := lines.ReadString('\n'); err != io.ErrUnexpectedEOF { //nolint:errorlint // the very error
			t.Errorf("the broken line = %v, want the break itself", err)
		}
		if got, want := len(x.Requests()), 2; got != want || src.renewals.Load() != 1 {
			t.Errorf("the stream took %d requests and %d renewals, want %d and 1: a broken stream is not requested again", got, src.renewals.Load(), want)
		}
	})
}

func TestT2_RedirectsOfTheFake(t *testing.T) {
	for _, status := range []int{302, 307} {
		for _, to := range []string{"https://elsewhere.test/landing", "http://api.x.com/2/echo", "https://evil.api.x.com/", "https://api.x.com:8443/", "https://x.com/"} {
			x, src := newKit(t)
			x.Set(func(k *xapi.Knobs) { k.API.RedirectTo = to })
			client := &http.Client{Transport: newTransport(t, src, x.Transport(), transport.Options{Origins: []string{xAPI}})}
			url := fmt.Sprintf("%s%s?status=%d", xAPI, xapi.PathRedirect, status)
			resp, err := client.Do(newRequest(t, "POST", url, strings.NewReader("body")))
			if err != nil {
				t.Fatalf("%d to %s: %v", status, to, err)
			}
			resp.Body.Close()
			seen := x.Requests()
			if len(seen) != 2 {
				t.Fatalf("%d to %s: %d requests, want 2", status, to, len(seen))
			}
			if first, second := seen[0].Raw().Header["Authorization"], seen[1].Raw().Header["Authorization"]; len(first) != 1 || len(second) != 0 {
				t.Errorf("%d to %s: the hops got %d and %d Authorization headers, want 1 and 0", status, to, len(first), len(second))
			}
			if got := resp.Request.Header["Authorization"]; len(got) != 0 {
				t.Errorf("%d to %s: the caller's view has %d Authorization headers, want 0", status, to, len(got))
			}
		}
	}
}

// X answers 429 with the end of the window, which is minutes away: nobody
// waits for it, and it can be read.
func TestT6_RateLimitOfTheFake(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		x, src := newKit(t)
		x.Set(func(k *xapi.Knobs) { k.API.Limit, k.ClockSkew = 1, time.Hour })
		rt := newTransport(t, src, x.Transport(), transport.Options{Origins: []string{xAPI}, Retry: &transport.RetryOptions{}})
		start := time.Now()
		roundTrip(t, rt, newRequest(t, "GET", xAPI+xapi.PathMe, nil))
		resp, err := rt.RoundTrip(newRequest(t, "GET", xAPI+xapi.PathMe, nil))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		limit, ok := transport.RateLimitFrom(resp)
		if resp.StatusCode != 429 || time.Since(start) != 0 || src.renewals.Load() != 0 {
			t.Errorf("RoundTrip over the limit = %d after %v and %d renewals, want 429 at once", resp.StatusCode, time.Since(start), src.renewals.Load())
		}
		if wait := limit.Reset.Sub(start); !ok || limit.Remaining != 0 || wait <= 0 || wait > 15*time.Minute {
			t.Errorf("RateLimitFrom = %+v, %t, want an end within 15 minutes of %v", limit, ok, start)
		}
	})
}

package xapi_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

const streamURL = "https://api.x.com" + xapi.PathStream

func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fake(t, nil)
		token := issue(t, s, ci).Access
		open := func(ctx context.Context) *http.Response {
			req := request(t, http.MethodGet, streamURL, "").WithContext(ctx)
			req.Header.Set("Authorization", "Bearer "+token)
			resp, err := s.Transport().RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			return resp
		}
		if got := call(t, s, http.MethodGet, streamURL, "x", ""); got.status != http.StatusUnauthorized {
			t.Errorf("early = %d, want 401", got.status)
		}

		began := time.Now()
		resp := open(t.Context())
		lines := bufio.NewReader(resp.Body)
		for i, want := range []string{`{"data":{"id":"1","text":"line 1"}}` + "\r\n", "\r\n", `{"data":{"id":"3","text":"line 3"}}` + "\r\n"} {
			line, err := lines.ReadString('\n')
			if err != nil || line != want || time.Since(began) != time.Duration(i)*20*time.Second {
				t.Errorf("line %d = %q, %v after %v, want %q", i, line, err, time.Since(began), want)
			}
		}
		go func() {
			time.Sleep(time.Second)
			resp.Body.Close()
		}()
		if _, err := lines.ReadString('\n'); !errors.Is(err, http.ErrBodyReadAfterClose) {
			t.Errorf("read while closed = %v, want ErrBodyReadAfterClose", err)
		}

		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		resp = open(ctx)
		if _, err := io.Copy(io.Discard, resp.Body); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("read with a deadline = %v, want the deadline", err)
		}
		resp.Body.Close()
	})
}

func TestStreamEnds(t *testing.T) {
	for _, tt := range []struct {
		knobs func(*xapi.Knobs)
		want  error
		text  string
	}{
		{func(k *xapi.Knobs) { k.API.StreamLines, k.API.StreamInterval = 2, time.Nanosecond }, nil, `{"data":{"id":"1","text":"line 1"}}` + "\r\n\r\n"},
		{func(k *xapi.Knobs) { k.API.StreamBreak = 1 }, io.ErrUnexpectedEOF, `{"data":{"id":"`},
	} {
		s := fake(t, tt.knobs)
		token := issue(t, s, ci).Access
		live := listen(t, s)
		for base, rt := range map[string]http.RoundTripper{"https://api.x.com": s.Transport(), live.URL: live.Client().Transport} {
			req := request(t, http.MethodGet, base+xapi.PathStream, "")
			req.Header.Set("Authorization", "Bearer "+token)
			resp, err := rt.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if string(got) != tt.text || !errors.Is(err, tt.want) {
				t.Errorf("stream at %s = %q, %v, want %q, %v", base, got, err, tt.text, tt.want)
			}
		}
	}
}

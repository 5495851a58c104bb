package transport_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

// A resource server may send the body of its 401 bit by bit. The caller gets
// each part when it arrives.
func TestT5_ARejectionThatGoesOn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		body, write := io.Pipe()
		base := baseFunc(func(req *http.Request) (*http.Response, error) {
			resp := response(req, 401, nil, "")
			resp.Body, resp.ContentLength = body, -1
			return resp, nil
		})
		src := newSource()
		src.renewErr = tokensource.ErrJustRenewed
		resp, err := newTransport(t, src, base, transport.Options{}).RoundTrip(newRequest(t, "GET", api, nil))
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"first", "second", "third"} {
			if _, err := io.WriteString(write, word); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 100)
			if n, err := resp.Body.Read(got); err != nil || string(got[:n]) != word {
				t.Errorf("Read() = %q, %v, want %q", got[:n], err, word)
			}
		}
		_ = write.Close()
		if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 {
			t.Errorf("the rest = %q, %v, want none", rest, err)
		}
		_ = resp.Body.Close()
	})
}

func TestT6_AnAnswerWithoutEndIsRetriedAllTheSame(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := 0
		base := baseFunc(func(req *http.Request) (*http.Response, error) {
			if n++; n > 1 {
				return response(req, 200, nil, ""), nil
			}
			resp := response(req, 503, nil, "")
			resp.Body, _ = io.Pipe() // nothing comes until it is closed
			resp.ContentLength = -1
			return resp, nil
		})
		rt := newTransport(t, newSource(), base, transport.Options{Retry: &transport.RetryOptions{}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start := time.Now()
		status, _ := roundTrip(t, rt, newRequest(t, "GET", api, nil).WithContext(ctx))
		if took := time.Since(start); status != 200 || took > 10*time.Second {
			t.Errorf("status = %d after %v, want 200 within seconds", status, took)
		}
	})
}

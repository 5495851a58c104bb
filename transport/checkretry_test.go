package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

// permanent are errors that no repetition fixes, and passing those that time
// may fix.
var (
	permanent = []error{
		tokensource.ErrReauthorize, tokensource.ErrNoGrant, tokensource.ErrNoSubject, tokensource.ErrClient, tokensource.ErrClosed,
		transport.ErrTokenType, transport.ErrBadToken, transport.ErrOtherOrigin,
		&tokensource.Error{Op: "refresh", Kind: tokensource.ErrReauthorize, Reason: tokensource.ReasonRefused},
		&transport.InsufficientError{Code: "insufficient_scope"},
	}
	passing = []error{
		tokensource.ErrTemporary, &tokensource.Error{Op: "refresh", Kind: tokensource.ErrTemporary, Err: errDown}, errDown, io.ErrUnexpectedEOF,
	}
)

func TestPermanent(t *testing.T) {
	for _, tt := range []struct {
		list []error
		want bool
	}{{permanent, true}, {passing, false}, {[]error{nil}, false}} {
		for _, err := range tt.list {
			if err != nil {
				err = &url.Error{Op: "Get", URL: api, Err: fmt.Errorf("transport: %w", err)}
			}
			if got := transport.Permanent(err); got != tt.want {
				t.Errorf("Permanent(%v) = %t, want %t", err, got, tt.want)
			}
		}
	}
}

// go-retryablehttp over a Transport gives up at once if nothing can help.
func TestCheckRetry(t *testing.T) {
	for _, tt := range []struct {
		list  []error
		asked int
	}{{permanent, 1}, {passing, 4}} {
		for _, want := range tt.list {
			inBubble(t, func(t *testing.T) {
				src := &countingSource{err: want}
				client := retryablehttp.NewClient()
				client.Logger = nil
				client.RetryMax = 3
				client.CheckRetry = transport.CheckRetry
				client.HTTPClient = &http.Client{Transport: newTransport(t, src, &script{answers: []answer{ok200}}, transport.Options{Origins: []string{api}})}
				resp, err := client.Get(api)
				if err == nil {
					resp.Body.Close()
				}
				if !errors.Is(err, want) || src.asked != tt.asked {
					t.Errorf("Get = %v after %d attempts, want %v after %d", err, src.asked, want, tt.asked)
				}
			})
		}
	}
}

// countingSource is a source that fails.
type countingSource struct {
	err   error
	asked int
}

func (s *countingSource) Token(context.Context) (*oauth2.Token, error) {
	s.asked++
	return nil, s.err
}

// Responses are judged as go-retryablehttp judges them, and so is a context
// that has ended.
func TestCheckRetryOtherwiseIsTheDefault(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, stop := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer stop()
	for _, ctx := range []context.Context{t.Context(), cancelled, expired} {
		for _, status := range []int{200, 401, 403, 404, 429, 500, 501, 503} {
			resp := &http.Response{StatusCode: status, Status: http.StatusText(status)}
			got, err := transport.CheckRetry(ctx, resp, nil)
			want, wantErr := retryablehttp.DefaultRetryPolicy(ctx, resp, nil)
			if got != want || fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Errorf("CheckRetry(%d) = %t, %v, want %t, %v", status, got, err, want, wantErr)
			}
		}
	}
	if again, err := transport.CheckRetry(cancelled, nil, tokensource.ErrReauthorize); again || !errors.Is(err, context.Canceled) {
		t.Errorf("CheckRetry(a cancelled context) = %t, %v, want false and the end of the context", again, err)
	}
}

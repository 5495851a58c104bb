package transport_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

// slowToken is a source whose token takes longer than the deadline.
type slowToken struct{ *fakeSource }

func (s slowToken) Renew(ctx context.Context, _ *oauth2.Token) (*oauth2.Token, error) {
	_, err := s.Token(ctx)
	return nil, err
}

func (s slowToken) Token(ctx context.Context) (*oauth2.Token, error) {
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("gave up waiting: %w", context.Cause(ctx))
	case <-time.After(300 * time.Millisecond):
		return s.fakeSource.Token(ctx)
	}
}

// slowRenewal is a source whose renewal takes longer than the deadline.
type slowRenewal struct{ *fakeSource }

func (s slowRenewal) Renew(ctx context.Context, _ *oauth2.Token) (*oauth2.Token, error) {
	return slowToken(s).Token(ctx)
}

// slowProof is a RequestAuthorizer that takes longer than the deadline.
type slowProof struct{ *provingSource }

func (s slowProof) Authorize(r *http.Request) (*oauth2.Token, error) {
	return slowToken{s.fakeSource}.Token(r.Context())
}

// After a deadline the error is a timeout, as with http.Transport: for a caller
// of RoundTrip, and behind the *url.Error of http.Client.
func TestADeadlineIsATimeout(t *testing.T) {
	limited := http.Header{"Retry-After": {"1"}}
	busyFor := &script{answers: []answer{{status: 429, header: limited}}}
	wrapped := roundTripper(func(req *http.Request) (*http.Response, error) {
		<-req.Context().Done()
		return nil, fmt.Errorf("instrumented: %w", req.Context().Err())
	})
	tests := []struct {
		name string
		src  tokensource.Source
		base http.RoundTripper
	}{
		{"a token that takes too long", slowToken{newSource()}, &script{answers: []answer{ok200}}},
		{"a renewal that takes too long", slowRenewal{newSource()}, &script{answers: []answer{rejected}}},
		{"a proof that takes too long", slowProof{newProving()}, &script{answers: []answer{ok200}}},
		{"a base that wraps the error", newSource(), wrapped},
		{"a deadline during the token request", &fakeSource{
			origins: []string{api}, tokenErr: &tokensource.Error{Op: "refresh", Kind: tokensource.ErrTemporary, Err: os.ErrDeadlineExceeded},
		}, busyFor},
		{"a network timeout during the token request", &fakeSource{
			origins: []string{api}, tokenErr: &tokensource.Error{Op: "refresh", Kind: tokensource.ErrTemporary, Err: &net.DNSError{IsTimeout: true}},
		}, busyFor},
	}
	for _, tt := range tests {
		for _, cause := range []error{nil, errDown} {
			inBubble(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, cause)
				defer cancel()
				rt := newTransport(t, tt.src, tt.base, transport.Options{})
				req := newRequest(t, "GET", api, nil).WithContext(ctx)
				checkTimeout(t, tt.name, rt.RoundTrip, req)
				checkTimeout(t, tt.name+", http.Client", (&http.Client{Transport: rt}).Do, req)
			})
		}
	}
}

func checkTimeout(t *testing.T, name string, send func(*http.Request) (*http.Response, error), req *http.Request) {
	t.Helper()
	resp, err := send(req)
	if err == nil {
		resp.Body.Close()
	}
	netErr, ok := err.(net.Error) //nolint:errorlint // callers ask the error itself
	if !ok || !netErr.Timeout() || !os.IsTimeout(err) {
		t.Errorf("%s: %v is a timeout = false, want true", name, err)
	}
}

// A pause that the context cuts short is a timeout too.
func TestADeadlineDuringAPauseIsATimeout(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		base := &script{answers: []answer{{status: 429, header: http.Header{"Retry-After": {"10"}}}}}
		rt := newTransport(t, newSource(), base, transport.Options{Retry: &transport.RetryOptions{}})
		time.AfterFunc(3*time.Second, func() { cancel(fmt.Errorf("the page: %w", context.DeadlineExceeded)) })
		checkTimeout(t, "cancelled with a deadline as the cause", rt.RoundTrip, newRequest(t, "GET", api, nil).WithContext(ctx))
	})
}

// Other errors are none.
func TestOtherErrorsAreNoTimeout(t *testing.T) {
	for _, want := range []error{
		context.Canceled, tokensource.ErrReauthorize, tokensource.ErrTemporary, &tokensource.Error{Op: "refresh", Err: errDown}, &net.DNSError{},
	} {
		src := &fakeSource{origins: []string{api}, tokenErr: want}
		resp, err := newTransport(t, src, &script{answers: []answer{ok200}}, transport.Options{}).RoundTrip(newRequest(t, "GET", api, nil))
		if err == nil {
			resp.Body.Close()
		}
		if !errors.Is(err, want) || os.IsTimeout(err) {
			t.Errorf("RoundTrip = %v, a timeout: %t, want %v and none", err, os.IsTimeout(err), want)
		}
	}
}

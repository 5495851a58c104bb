package transport_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/exposure"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

// T3: A 401 leads to one renewal and one replay; 402, 403, 429 and
// insufficient_scope lead to none.
func TestT3_RejectedTokenIsRenewedOnce(t *testing.T) {
	bearer := func(s string) http.Header { return http.Header{"Www-Authenticate": {s}} }
	on403 := transport.RejectedOn(401, 403)
	tests := []struct {
		name     string
		rejected func(*http.Response) bool
		answers  []answer
		auths    string
		status   int
	}{
		{"accepted", nil, []answer{{status: 200}}, "Bearer tok-1", 200},
		{"rejected", nil, []answer{{status: 401}, {status: 200}}, "Bearer tok-1, Bearer tok-2", 200},
		{"rejected for ever", nil, []answer{{status: 401}}, "Bearer tok-1, Bearer tok-2", 401},
		{"invalid_token", nil, []answer{{status: 401, header: bearer(`Bearer error="invalid_token"`)}, {status: 200}}, "Bearer tok-1, Bearer tok-2", 200},
		{"failing replay", nil, []answer{{status: 401}, {status: 500}}, "Bearer tok-1, Bearer tok-2", 500},
		{"insufficient_scope", nil, []answer{{status: 401, header: bearer(`Bearer error="insufficient_scope", scope="a"`)}}, "Bearer tok-1", 401},
		{"insufficient_scope behind another challenge", nil,
			[]answer{{status: 401, header: bearer(`DPoP algs="ES256", bEARER realm="a,b", ERROR=insufficient_scope`)}}, "Bearer tok-1", 401},
		{"insufficient_scope in a second header", nil,
			[]answer{{status: 401, header: http.Header{"Www-Authenticate": {"Basic", `Bearer error="insufficient\_scope"`}}}}, "Bearer tok-1", 401},
		{"insufficient_scope only in a quoted text", nil,
			[]answer{{status: 401, header: bearer(`Bearer realm="error=\"insufficient_scope\""`)}, {status: 200}}, "Bearer tok-1, Bearer tok-2", 200},
		{"402", nil, []answer{{status: 402}}, "Bearer tok-1", 402},
		{"403", nil, []answer{{status: 403}}, "Bearer tok-1", 403},
		{"429", nil, []answer{{status: 429}}, "Bearer tok-1", 429},
		{"500", nil, []answer{{status: 500}}, "Bearer tok-1", 500},
		{"403 counts", on403, []answer{{status: 403}, {status: 200}}, "Bearer tok-1, Bearer tok-2", 200},
		{"401 counts too", on403, []answer{{status: 401}, {status: 200}}, "Bearer tok-1, Bearer tok-2", 200},
		{"403 with insufficient_scope", on403, []answer{{status: 403, header: bearer(`Bearer error="insufficient_scope"`)}}, "Bearer tok-1", 403},
		{"success is rejected", func(*http.Response) bool { return true }, []answer{{status: 200}}, "Bearer tok-1, Bearer tok-2", 200},
		{"a rate limit cannot be rejected", func(*http.Response) bool { return true }, []answer{{status: 429}}, "Bearer tok-1", 429},
		{"insufficient_user_authentication", nil,
			[]answer{{status: 401, header: bearer(`Bearer error="insufficient_user_authentication", acr_values="myACR"`)}}, "Bearer tok-1", 401},
		{"insufficient_scope of a DPoP challenge", nil, []answer{{status: 401, header: bearer(`DPoP error="insufficient_scope"`)}}, "Bearer tok-1", 401},
		{"an upgrade cannot be rejected", func(*http.Response) bool { return true }, []answer{{status: 101}}, "Bearer tok-1", 101},
	}
	for _, test := range tests {
		base := &script{answers: test.answers}
		src := newSource()
		status, _ := roundTrip(t, newTransport(t, src, base, transport.Options{Rejected: test.rejected}), newRequest(t, "GET", api, nil))
		if status != test.status || base.auths() != test.auths {
			t.Errorf("%s: RoundTrip = %d after %q, want %d after %q", test.name, status, base.auths(), test.status, test.auths)
		}
		if got, want := src.asked.Load(), int64(len(base.sent)-1); got != want {
			t.Errorf("%s: Renew was called %d times, want %d", test.name, got, want)
		}
	}
}

// swapSource hands out one token and renews another: what was sent counts, not
// what is current.
type swapSource struct {
	fakeSource
	rejected []*oauth2.Token
}

func (s *swapSource) Renew(_ context.Context, rejected *oauth2.Token) (*oauth2.Token, error) {
	s.rejected = append(s.rejected, rejected)
	return &oauth2.Token{AccessToken: "fresh"}, nil
}

func TestT3_RenewIsCalledWithTheTokenThatWasSent(t *testing.T) {
	old := &oauth2.Token{AccessToken: "old"}
	src := &swapSource{fakeSource: fakeSource{origins: []string{api}, tok: old}}
	base := baseFunc(func(req *http.Request) (*http.Response, error) {
		src.set(&oauth2.Token{AccessToken: "renewed by somebody else meanwhile"})
		return response(req, 401, nil, ""), nil
	})
	roundTrip(t, newTransport(t, src, base, transport.Options{}), newRequest(t, "GET", api, nil))
	if len(src.rejected) != 1 || src.rejected[0] != old {
		t.Errorf("Renew was called with %d tokens, want once with the one that was sent", len(src.rejected))
	}
}

func TestT3_OriginalResponseGoesToTheCaller(t *testing.T) {
	tests := []struct {
		name string
		src  tokensource.Source
	}{
		{"renewed moments ago", &fakeSource{tok: &oauth2.Token{AccessToken: "a"}, renewErr: tokensource.ErrJustRenewed}},
		{"renewed moments ago, wrapped", &fakeSource{tok: &oauth2.Token{AccessToken: "a"}, renewErr: &tokensource.Error{Op: "refresh", Kind: tokensource.ErrJustRenewed}}},
		{"a source that cannot renew", plainSource{&oauth2.Token{AccessToken: "a"}}},
		{"a source that returns the same token", sameSource{}},
	}
	for _, test := range tests {
		var answered *trackedBody
		calls := 0
		base := baseFunc(func(req *http.Request) (*http.Response, error) {
			calls++
			resp := response(req, 401, nil, "original")
			answered = resp.Body.(*trackedBody)
			return resp, nil
		})
		rt := newTransport(t, test.src, base, transport.Options{Origins: []string{api}})
		resp, err := rt.RoundTrip(newRequest(t, "GET", api, nil))
		if err != nil || calls != 1 {
			t.Fatalf("%s: RoundTrip = %v after %d requests, want the response to the only one", test.name, err, calls)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || string(body) != "original" {
			t.Errorf("%s: the response's body = %q, %v, want all of it", test.name, body, err)
		}
		resp.Body.Close()
		if n := answered.closed.Load(); n != 1 {
			t.Errorf("%s: the response's body was closed %d times, want once", test.name, n)
		}
	}
}

// A rejected response is read while the token is renewed, but no further than
// is kept.
func TestT5_RejectedResponseThatIsLongOrSlow(t *testing.T) {
	long := strings.Repeat("x", 200<<10)
	slow, write := io.Pipe()
	for name, body := range map[string]io.ReadCloser{"long": io.NopCloser(strings.NewReader(long)), "slow": slow} {
		src := &fakeSource{tok: &oauth2.Token{AccessToken: "a"}, renewErr: tokensource.ErrJustRenewed}
		base := baseFunc(func(req *http.Request) (*http.Response, error) {
			resp := response(req, 401, nil, "")
			resp.Body = body
			return resp, nil
		})
		rt := newTransport(t, src, base, transport.Options{Origins: []string{api}})
		resp, err := rt.RoundTrip(newRequest(t, "GET", api, nil))
		if err != nil {
			t.Fatal(err)
		}
		if name == "slow" {
			go func() {
				_, _ = io.WriteString(write, long)
				_ = write.Close()
			}()
		}
		got, err := io.ReadAll(resp.Body)
		if err != nil || string(got) != long {
			t.Errorf("%s: %d bytes of the response, %v, want all %d", name, len(got), err, len(long))
		}
		resp.Body.Close()
	}
}

// A program may limit its connections to a host that is the API and the
// authorization server, as api.x.com is.
func TestT3_OneConnection(t *testing.T) {
	e := newLoopbackEngine(t, 1)
	e.login(t, "1")
	e.fake.ExpireAccess("")
	if status := e.call(t, "1"); status != http.StatusOK {
		t.Errorf("the call ended with %d, want 200", status)
	}
}

type sameSource struct{}

func (sameSource) Token(context.Context) (*oauth2.Token, error) {
	return &oauth2.Token{AccessToken: "same"}, nil
}

func (sameSource) Renew(context.Context, *oauth2.Token) (*oauth2.Token, error) {
	return &oauth2.Token{AccessToken: "same"}, nil
}

func TestT3_FailedRenewalIsTheError(t *testing.T) {
	facts := &tokensource.Error{Op: "refresh", Kind: tokensource.ErrReauthorize, Reason: tokensource.ReasonRefused}
	for _, want := range []error{facts, tokensource.ErrReauthorize, tokensource.ErrTemporary, context.DeadlineExceeded} {
		var answered *trackedBody
		base := baseFunc(func(req *http.Request) (*http.Response, error) {
			resp := response(req, 401, nil, "original")
			answered = resp.Body.(*trackedBody)
			return resp, nil
		})
		src := &fakeSource{origins: []string{api}, tok: &oauth2.Token{AccessToken: canary}, renewErr: want}
		resp, err := newTransport(t, src, base, transport.Options{}).RoundTrip(newRequest(t, "GET", api, nil))
		if err == nil {
			resp.Body.Close()
		}
		if !errors.Is(err, want) {
			t.Errorf("RoundTrip when Renew fails = %v, want %v", err, want)
		}
		if answered.read.Load() != int64(len("original")) || answered.closed.Load() == 0 {
			t.Errorf("the dropped response was read %d bytes far and closed %d times, want it drained and closed", answered.read.Load(), answered.closed.Load())
		}
		exposure.Check(t, "the error", err, canary)
	}
}

type dpopSource struct{ fakeSource }

func (s *dpopSource) Renew(context.Context, *oauth2.Token) (*oauth2.Token, error) {
	return &oauth2.Token{AccessToken: canary, TokenType: "DPoP"}, nil
}

func TestT3_UnusableNewTokenIsNotSent(t *testing.T) {
	base := &script{answers: []answer{{status: 401}}}
	src := &dpopSource{fakeSource{origins: []string{api}, tok: &oauth2.Token{AccessToken: "a"}}}
	resp, err := newTransport(t, src, base, transport.Options{}).RoundTrip(newRequest(t, "GET", api, nil))
	if err == nil {
		resp.Body.Close()
	}
	if !errors.Is(err, transport.ErrTokenType) || len(base.sent) != 1 {
		t.Errorf("RoundTrip when a DPoP token is renewed = %v after %d requests, want ErrTokenType after 1", err, len(base.sent))
	}
	exposure.Check(t, "the error", err, canary)
}

// A request leaves at its own deadline while the renewal that it waits for
// goes on.
func TestT3_DeadlineDuringARenewal(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		src := newSource()
		src.took = 200 * time.Millisecond
		base := &script{answers: []answer{{status: 401}, {status: 401}, {status: 200}}}
		rt := newTransport(t, src, base, transport.Options{})
		first := make(chan int)
		go func() {
			status, _ := roundTrip(t, rt, newRequest(t, "GET", api, nil))
			first <- status
		}()
		time.Sleep(30 * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		start := time.Now()
		resp, err := rt.RoundTrip(newRequest(t, "GET", api, nil).WithContext(ctx))
		if err == nil {
			resp.Body.Close()
		}
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != 10*time.Millisecond {
			t.Errorf("RoundTrip with 10ms to go = %v after %v, want DeadlineExceeded after 10ms", err, took)
		}
		if got := <-first; got != 200 || src.renewals.Load() != 1 {
			t.Errorf("the first request = %d after %d renewals, want 200 after 1", got, src.renewals.Load())
		}
	})
}

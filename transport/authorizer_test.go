package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/bearer"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

// provingSource is a RequestAuthorizer, as DPoP needs one: each request
// carries a proof that is used once, and a response may demand a nonce.
type provingSource struct {
	*fakeSource
	err      error
	proofs   atomic.Int64
	observed []string
}

func newProving() *provingSource { return &provingSource{fakeSource: newSource()} }

func (s *provingSource) Authorize(r *http.Request) (*oauth2.Token, error) {
	if s.err != nil {
		return nil, s.err
	}
	tok, err := s.Token(r.Context())
	if err != nil || tok == nil {
		return tok, err
	}
	r.Header.Set("Authorization", "DPoP "+tok.AccessToken)
	r.Header.Set("DPoP", fmt.Sprintf("proof-%d", s.proofs.Add(1)))
	return tok, nil
}

func (s *provingSource) Observe(r *http.Request, resp *http.Response) bool {
	s.observed = append(s.observed, fmt.Sprintf("%s=%d", r.Header.Get("DPoP"), resp.StatusCode))
	return strings.Contains(resp.Header.Get("WWW-Authenticate"), "nonce")
}

// proven returns what each request carried.
func (s *script) proven() string {
	var list []string
	for _, r := range s.sent {
		list = append(list, strings.Join(r.auth, "+")+"/"+r.header.Get("DPoP"))
	}
	return strings.Join(list, ", ")
}

var (
	ok200     = answer{status: 200, body: "ok"}
	rejected  = answer{status: 401, body: "rejected"}
	challenge = answer{status: 401, body: "challenge", header: http.Header{"Www-Authenticate": {`DPoP error="use_dpop_nonce"`}}}
	busy      = answer{status: 503}

	otherScheme = answer{status: 401, body: "sign", header: http.Header{"Www-Authenticate": {`Signature nonce="n"`}}}

	refusedProof = answer{status: 401, body: "no proof", header: http.Header{"Www-Authenticate": {`Bearer, dpop algs="ES256", error="invalid_dpop_proof"`}}}
)

// T12: Each replay has a new proof of possession, and a challenge costs no
// renewal.
func TestT12_EachReplayIsAuthorizedAnew(t *testing.T) {
	tests := []struct {
		name     string
		answers  []answer
		body     io.Reader
		retry    *transport.RetryOptions
		sent     string
		got      string
		renewals int64
	}{
		{name: "accepted", answers: []answer{ok200}, sent: "DPoP tok-1/proof-1", got: "ok"},
		{
			name: "a challenge", answers: []answer{challenge, ok200},
			sent: "DPoP tok-1/proof-1, DPoP tok-1/proof-2", got: "ok",
		},
		{
			name: "a challenge that is repeated", answers: []answer{challenge},
			sent: "DPoP tok-1/proof-1, DPoP tok-1/proof-2", got: "challenge",
		},
		{
			name: "a challenge of another scheme that is repeated", answers: []answer{otherScheme},
			sent: "DPoP tok-1/proof-1, DPoP tok-1/proof-2", got: "sign",
		},
		{
			name: "a rejected token", answers: []answer{rejected, ok200},
			sent: "DPoP tok-1/proof-1, DPoP tok-2/proof-2", got: "ok", renewals: 1,
		},
		{
			name: "a challenge, and a rejected token", answers: []answer{challenge, rejected, ok200},
			sent: "DPoP tok-1/proof-1, DPoP tok-1/proof-2, DPoP tok-2/proof-3", got: "ok", renewals: 1,
		},
		{
			name: "a challenge for the new token", answers: []answer{rejected, challenge, ok200},
			sent: "DPoP tok-1/proof-1, DPoP tok-2/proof-2, DPoP tok-2/proof-3", got: "ok", renewals: 1,
		},
		{
			name: "a rejected new token", answers: []answer{rejected},
			sent: "DPoP tok-1/proof-1, DPoP tok-2/proof-2", got: "rejected", renewals: 1,
		},
		{
			name: "a refused proof", answers: []answer{refusedProof, ok200},
			sent: "DPoP tok-1/proof-1", got: "no proof",
		},
		{
			name: "a body with GetBody", answers: []answer{challenge, ok200}, body: strings.NewReader("body"),
			sent: "DPoP tok-1/proof-1, DPoP tok-1/proof-2", got: "ok",
		},
		{
			name: "a body that was kept", answers: []answer{challenge, rejected, ok200}, body: oneWay("body"),
			sent: "DPoP tok-1/proof-1, DPoP tok-1/proof-2, DPoP tok-2/proof-3", got: "ok", renewals: 1,
		},
		{
			name: "a body that is too long to keep", answers: []answer{challenge, ok200}, body: oneWay(strings.Repeat("b", 100)),
			sent: "DPoP tok-1/proof-1", got: "challenge",
		},
		{
			name: "retries", answers: []answer{busy, busy, ok200}, retry: &transport.RetryOptions{},
			sent: "DPoP tok-1/proof-1, DPoP tok-1/proof-2, DPoP tok-1/proof-3", got: "ok",
		},
		{
			name: "a challenge after a retry", answers: []answer{busy, challenge, ok200}, retry: &transport.RetryOptions{},
			sent: "DPoP tok-1/proof-1, DPoP tok-1/proof-2, DPoP tok-1/proof-3", got: "ok",
		},
	}
	for _, tt := range tests {
		inBubble(t, func(t *testing.T) {
			src, base := newProving(), &script{answers: tt.answers}
			rt := newTransport(t, src, base, transport.Options{Retry: tt.retry, MaxReplayBody: 50})
			method := "GET"
			if tt.body != nil {
				method = "POST"
			}
			_, got := roundTrip(t, rt, newRequest(t, method, api, tt.body))
			if base.proven() != tt.sent || got != tt.got || src.renewals.Load() != tt.renewals {
				t.Errorf("%s: sent %q, got %q after %d renewals, want %q, %q and %d", tt.name, base.proven(), got, src.renewals.Load(), tt.sent, tt.got, tt.renewals)
			}
			if len(src.observed) != len(base.sent) {
				t.Errorf("%s: observed %q, want each of %d responses", tt.name, src.observed, len(base.sent))
			}
		})
	}
}

func TestAnAuthorizerThatFailsSendsNothing(t *testing.T) {
	locked := errors.New("the key is locked")
	tests := []struct {
		name string
		src  *provingSource
		want error
	}{
		{"an error", &provingSource{fakeSource: newSource(), err: locked}, locked},
		{"no grant", &provingSource{fakeSource: &fakeSource{origins: []string{api}, tokenErr: tokensource.ErrNoGrant}}, tokensource.ErrReauthorize},
		{"no token", &provingSource{fakeSource: newSource().set(nil)}, transport.ErrBadToken},
	}
	for _, tt := range tests {
		for _, retry := range []*transport.RetryOptions{nil, {}} {
			inBubble(t, func(t *testing.T) {
				base := &script{answers: []answer{ok200}}
				rt := newTransport(t, tt.src, base, transport.Options{Retry: retry})
				body := &trackedBody{Reader: strings.NewReader("body")}
				req := newRequest(t, "PUT", api, nil)
				req.Body = body
				if retry != nil { // only a request that can be repeated is retried
					req.GetBody = func() (io.ReadCloser, error) { t.Error("the body was opened again"); return nil, errDown }
				}
				_, err := rt.RoundTrip(req)
				if !errors.Is(err, tt.want) || len(base.sent) != 0 || body.closed.Load() != 1 {
					t.Errorf("%s: RoundTrip = %v, %d requests, body closed %d times, want %v, 0 and 1", tt.name, err, len(base.sent), body.closed.Load(), tt.want)
				}
			})
		}
	}
}

// The caller's own credential goes nowhere, and the caller sees nothing of the
// copy (T1, T2, T8).
func TestAnAuthorizedRequestIsACopy(t *testing.T) {
	src, base := newProving(), &script{answers: []answer{ok200}}
	rt := newTransport(t, src, base, transport.Options{})
	req := newRequest(t, "GET", api, nil)
	req.Header["authorization"] = []string{"Basic mine"}
	req.Header.Set("Authorization", "Basic mine too")
	resp, err := rt.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := base.proven(); got != "DPoP tok-1/proof-1" {
		t.Errorf("sent %q, want the source's token alone", got)
	}
	if resp.Request != req || req.Header.Get("DPoP") != "" || req.Header.Get("Authorization") != "Basic mine too" || len(req.Header) != 2 {
		t.Errorf("the caller's request is now %v", req.Header)
	}
}

// readySource is an engine whose token is a Bearer token until it is renewed.
// Then it has one that is bound to a key.
type readySource struct{ *provingSource }

func (s readySource) ReadyFor(any) bearer.Ready { return s }

func (s readySource) Authorization(ctx context.Context) (*oauth2.Token, string, error) {
	tok, err := s.Token(ctx)
	return tok, "Bearer " + tok.AccessToken, err
}

func (readySource) Accepted(context.Context, *oauth2.Token, bool) {}

func (s readySource) Renew(ctx context.Context, rejected *oauth2.Token) (*oauth2.Token, error) {
	tok, err := s.provingSource.Renew(ctx, rejected)
	tok.TokenType = "DPoP"
	return tok, err
}

// The headers of the facts are in a replay with a proof too.
func TestAReplayWithATokenThatIsBoundNow(t *testing.T) {
	base := &script{answers: []answer{rejected, ok200}}
	facts := tokensource.APIFacts{Headers: map[string]string{"Client-Id": "a"}}
	roundTrip(t, newTransport(t, readySource{newProving()}, base, transport.Options{API: &facts}), newRequest(t, "GET", api, nil))
	if got := base.proven(); got != "Bearer tok-1/, DPoP tok-2/proof-1" {
		t.Errorf("sent with %q, want a Bearer token, and then one with a proof", got)
	}
	for i, r := range base.sent {
		if got := r.header.Get("Client-Id"); got != "a" {
			t.Errorf("request %d has Client-Id %q, want that of the facts", i, got)
		}
	}
}

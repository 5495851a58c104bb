package transport_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/exposure"
	"github.com/authtrip/authtrip/transport"
)

const canary = "canary-4f1d-secret"

// textSource is a source that any printing of it by value would show.
type textSource string

func (s textSource) Token(context.Context) (*oauth2.Token, error) {
	return &oauth2.Token{AccessToken: string(s)}, nil
}

func TestTransportPrintsNoSecret(t *testing.T) {
	rt := newTransport(t, textSource(canary), &script{answers: []answer{{status: 200}}}, transport.Options{Origins: []string{api}})
	roundTrip(t, rt, newRequest(t, "GET", api, nil)) // the token is in the cache of headers now
	exposure.Check(t, "a Transport", rt, canary)
	exposure.Check(t, "a Transport by value", *rt, canary)
	exposure.Check(t, "Options with a Transport", &transport.Options{Base: rt}, canary)
}

func TestUnusableTokensAreNotSent(t *testing.T) {
	tests := []struct {
		tok  *oauth2.Token
		want error
	}{
		{nil, transport.ErrBadToken},
		{&oauth2.Token{}, transport.ErrBadToken},
		{&oauth2.Token{AccessToken: canary + "\r\nX-Evil: 1"}, transport.ErrBadToken},
		{&oauth2.Token{AccessToken: canary + "\n"}, transport.ErrBadToken},
		{&oauth2.Token{AccessToken: canary + "\x00"}, transport.ErrBadToken},
		{&oauth2.Token{AccessToken: canary + " x"}, transport.ErrBadToken},
		{&oauth2.Token{AccessToken: canary + "\x7f"}, transport.ErrBadToken},
		{&oauth2.Token{AccessToken: canary + "é"}, transport.ErrBadToken},
		{&oauth2.Token{AccessToken: canary, TokenType: "DPoP"}, transport.ErrTokenType},
		{&oauth2.Token{AccessToken: canary, TokenType: "mac"}, transport.ErrTokenType},
		{&oauth2.Token{AccessToken: canary, TokenType: "Bearer "}, transport.ErrTokenType},
		{&oauth2.Token{AccessToken: canary, TokenType: "N_A"}, transport.ErrTokenType},
	}
	for i, test := range tests {
		base := &script{answers: []answer{{status: 200}}}
		rt := newTransport(t, newSource().set(test.tok), base, transport.Options{})
		resp, err := rt.RoundTrip(newRequest(t, "GET", api, nil))
		if err == nil {
			resp.Body.Close()
		}
		if !errors.Is(err, test.want) || len(base.sent) != 0 {
			t.Errorf("%d: RoundTrip = %v after %d requests, want %v and none", i, err, len(base.sent), test.want)
		}
		exposure.Check(t, "the error", err, canary)
	}
}

func TestUsableTokens(t *testing.T) {
	for _, kind := range []string{"", "bearer", "Bearer", "BEARER"} {
		for _, text := range []string{"a", "aZ09-._~+/==", "app|secret:1", strings.Repeat("x", 5000)} {
			base := &script{answers: []answer{{status: 200}}}
			rt := newTransport(t, newSource().set(&oauth2.Token{AccessToken: text, TokenType: kind}), base, transport.Options{})
			roundTrip(t, rt, newRequest(t, "GET", api, nil))
			if got, want := base.auths(), "Bearer "+text; got != want {
				t.Errorf("Authorization for a token of type %q = %.40q, want %.40q", kind, got, want)
			}
		}
	}
}

// A token that was seen before must not get the header of what it was then,
// nor of another token in the same slot.
func TestHeaderBelongsToTheToken(t *testing.T) {
	base := &script{answers: []answer{{status: 200}}}
	src := newSource()
	rt := newTransport(t, src, base, transport.Options{})
	tok := &oauth2.Token{AccessToken: "first"}
	src.set(tok)
	roundTrip(t, rt, newRequest(t, "GET", api, nil))
	tok.AccessToken = "second"
	roundTrip(t, rt, newRequest(t, "GET", api, nil))
	if got, want := base.auths(), "Bearer first, Bearer second"; got != want {
		t.Errorf("Authorization of a changed token = %q, want %q", got, want)
	}
	tok.TokenType = "DPoP"
	if _, err := rt.RoundTrip(newRequest(t, "GET", api, nil)); !errors.Is(err, transport.ErrTokenType) {
		t.Errorf("RoundTrip after the type changed = %v, want ErrTokenType", err)
	}
	for i := range 5000 { // far more tokens than slots
		want := fmt.Sprintf("many-%d", i)
		src.set(&oauth2.Token{AccessToken: want})
		roundTrip(t, rt, newRequest(t, "GET", api, nil))
		if got := base.sent[len(base.sent)-1].auth[0]; got != "Bearer "+want {
			t.Fatalf("Authorization of token %q = %q", want, got)
		}
	}
}

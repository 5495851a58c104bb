package transport_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/transport"
)

// eager is a source that renews whenever it is asked, as an engine does whose
// pauses are reset by another resource.
type eager struct{ *fakeSource }

func (s eager) Renew(context.Context, *oauth2.Token) (*oauth2.Token, error) {
	s.renewals.Add(1)
	tok := &oauth2.Token{AccessToken: fmt.Sprintf("tok-%d", s.renewals.Load()+1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tok = tok
	return tok, nil
}

// forbidding is a base that refuses some resources for ever.
func forbidding(refuses func(*http.Request) bool, status int) baseFunc {
	return func(req *http.Request) (*http.Response, error) {
		if refuses(req) {
			return response(req, status, nil, "refused"), nil
		}
		return response(req, 200, nil, ""), nil
	}
}

// G9's rule for one resource: if it rejects each new token, the pause between
// renewals for it doubles, also while other resources accept the tokens.
func TestAResourceThatRejectsForEverIsRenewedForRarely(t *testing.T) {
	all := func(*http.Request) bool { return true }
	one := func(req *http.Request) bool { return req.URL.Path == "/forbidden" }
	tests := []struct {
		name    string
		refuses func(*http.Request) bool
		status  int
		paths   []string
	}{
		{"401 for ever", all, 401, []string{"/me"}},
		{"403 for ever", all, 403, []string{"/me"}},
		{"one resource says 403, another says 200", one, 403, []string{"/forbidden", "/ok"}},
		{"one resource says 403, with a query that changes", one, 403, []string{"/forbidden?n=%d", "/ok"}},
	}
	for _, tt := range tests {
		inBubble(t, func(t *testing.T) {
			src := eager{newSource()}
			rt := newTransport(t, src, forbidding(tt.refuses, tt.status), transport.Options{Rejected: transport.RejectedOn(401, 403)})
			const calls = 960
			for n := range calls { // four hours
				for _, path := range tt.paths {
					status, body := roundTrip(t, rt, newRequest(t, "GET", api+strings.ReplaceAll(path, "%d", fmt.Sprint(n)), nil))
					if want := path != "/ok"; want != (status == tt.status && body == "refused") {
						t.Fatalf("%s: GET %s = %d %q", tt.name, path, status, body)
					}
				}
				time.Sleep(15 * time.Second)
			}
			if got := src.renewals.Load(); got < 20 || got > 40 {
				t.Errorf("%s: %d renewals for %d calls in four hours, want 20 to 40", tt.name, got, calls)
			}
		})
	}
}

// A resource that accepts a token is renewed for at once when it rejects a
// later one: the pause is over, whether the replay was accepted or a first
// attempt.
func TestAcceptanceEndsThePause(t *testing.T) {
	for _, replay := range []bool{true, false} {
		inBubble(t, func(t *testing.T) {
			src := eager{newSource()}
			refuse := true
			var dead string // a token that was revoked
			base := forbidding(func(req *http.Request) bool { return refuse || req.Header.Get("Authorization") == dead }, 401)
			rt := newTransport(t, src, base, transport.Options{})
			call := func() int {
				status, _ := roundTrip(t, rt, newRequest(t, "GET", api+"/me", nil))
				return status
			}
			for range 40 {
				call()
				time.Sleep(15 * time.Second)
			}
			if replay {
				time.Sleep(10 * time.Minute)
				dead = "Bearer " + src.tok.AccessToken
			}
			refuse = false
			if status := call(); status != 200 {
				t.Errorf("when the resource accepts again, GET = %d, want 200", status)
			}
			for range 3 {
				dead = "Bearer " + src.tok.AccessToken
				if status := call(); status != 200 {
					t.Errorf("after the token was revoked, GET = %d, want 200 with a new token", status)
				}
			}
		})
	}
}

// During a pause a token that the source has obtained meanwhile is used.
func TestAPauseBelongsToOneToken(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		src := eager{newSource()}
		var meanwhile *oauth2.Token // what the source obtains while a request is under way
		base := baseFunc(func(req *http.Request) (*http.Response, error) {
			if meanwhile != nil {
				src.set(meanwhile)
			}
			status := 401
			if req.Header.Get("Authorization") == "Bearer tok-3" {
				status = 200
			}
			return response(req, status, nil, ""), nil
		})
		rt := newTransport(t, src, base, transport.Options{})
		if status, _ := roundTrip(t, rt, newRequest(t, "GET", api, nil)); status != 401 {
			t.Errorf("the first GET = %d, want 401: tok-2 is rejected too", status)
		}
		meanwhile = &oauth2.Token{AccessToken: "elsewhere"}
		if status, _ := roundTrip(t, rt, newRequest(t, "GET", api, nil)); status != 200 {
			t.Errorf("the second GET = %d, want 200: the source has another token than tok-2 now", status)
		}
	})
}

// What is remembered is bounded, and nothing is remembered of good resources.
func TestPausesAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		refuse := true
		rt := newTransport(t, eager{newSource()}, forbidding(func(*http.Request) bool { return refuse }, 401), transport.Options{})
		for n := range 3000 {
			roundTrip(t, rt, newRequest(t, "GET", fmt.Sprintf("%s/%d", api, n), nil))
			if n == 1999 {
				time.Sleep(24 * time.Hour)
			}
		}
		if got := transport.Pauses(rt); got > 1024 {
			t.Errorf("after 3000 resources that reject, %d pauses are remembered, want at most 1024", got)
		}
		refuse = false
		roundTrip(t, rt, newRequest(t, "GET", api+"/2999", nil))
		if got := transport.Pauses(rt); got != 999 {
			t.Errorf("after a resource accepts, %d pauses are remembered, want the 999 of the last day", got)
		}
	})
}

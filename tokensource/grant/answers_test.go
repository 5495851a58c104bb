package grant_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/internal/wire"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// Whatever the form of an answer that grants, its tokens are used and stored
// (G14).
func TestRefreshesThatGrantInUnusualForms(t *testing.T) {
	const good = `{"access_token":"at-1","token_type":"bearer","expires_in":3600,"refresh_token":"rt-1"`
	for name, answer := range map[string]oauthtest.Fault{
		"scopes as a list":            wire.JSON(200, good+`,"scope":["a","b"]}`),
		"text/html":                   {Status: 200, Body: good + `}`, ContentType: "text/html"},
		"text/plain":                  {Status: 200, Body: good + `}`, ContentType: "text/plain"},
		"status 201":                  wire.JSON(201, good+`}`),
		"no token_type":               wire.JSON(200, `{"access_token":"at-1","expires_in":3600,"refresh_token":"rt-1"}`),
		"a byte order mark":           wire.JSON(200, "\ufeff"+good+`}`),
		"an empty error":              wire.JSON(200, good+`,"error":""}`),
		"an unknown member twice":     wire.JSON(200, good+`,"x":1,"x":2}`),
		"a member in another case":    wire.JSON(200, good+`,"Expires_In":1}`),
		"Latin-1 in an unread member": wire.JSON(200, good+",\"name\":\"Jos\xe9\"}"),
		"form encoding":               {Status: 200, Body: "access_token=at-1&expires_in=3600&refresh_token=rt-1", ContentType: "application/x-www-form-urlencoded"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				g := w.Process(nil)
				w.Login(g)
				w.RefreshFault(answer, 1)
				time.Sleep(2 * time.Hour)
				if tok := w.Token(g); tok.AccessToken != "at-1" {
					t.Error("the access token of the answer is not used")
				}
				w.wantStored("rt-1")
				if stored := w.inspect(); name == "scopes as a list" && !slices.Equal(stored.Scopes, []string{"a", "b"}) {
					t.Errorf("the stored scopes = %q, want a and b", stored.Scopes)
				}
			})
		})
	}
}

// An answer that is not one of an authorization server redeemed nothing (G15).
// So a maintenance page or a captive portal logs nobody out, and each user's
// requests are spaced.
func TestAPortalAnswersForTwoMinutes(t *testing.T) {
	for name, page := range map[string]oauthtest.Fault{
		"a page with 200":             {Status: 200, Body: xapi.HTMLPage, ContentType: "text/html"},
		"a rate limit with 200":       wire.JSON(200, `{"ok":false,"error":"temporarily_unavailable"}`),
		"JSON without token or error": wire.JSON(200, `{"status":"maintenance"}`),
		"an empty answer":             {Status: 200},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				g := w.Process(nil)
				users := w.loginUsers(g, 60)
				w.RefreshFault(page, -1)
				time.Sleep(2 * time.Hour)
				for range 2 * time.Minute / (5 * time.Second) {
					for _, user := range users {
						_, err := g.Source(user).Token(t.Context())
						testworld.WantIs(t, err, tokensource.ErrTemporary)
					}
					time.Sleep(5 * time.Second)
				}
				if n := w.Refreshes(); n > 10*len(users) {
					t.Errorf("%d refreshes of %d users in two minutes, want a pause after each", n, len(users))
				}
				w.Fake.ClearFaults()
				time.Sleep(time.Minute)
				for _, user := range users {
					if _, err := g.Source(user).Token(t.Context()); err != nil {
						t.Fatalf("Token() after two minutes = %v, want a token", err)
					}
				}
				if w.Saw(grant.EventDied) != 0 {
					t.Error("a user was logged out")
				}
			})
		})
	}
}

// A refusal with 200 or 500 that the provider's facts know ends the grant at
// the first answer. It is never in doubt.
func TestRefusalsThatTheProviderKnows(t *testing.T) {
	for name, tt := range map[string]struct {
		answer oauthtest.Fault
		fixer  provider.Fixer
		want   error
	}{
		"200 with a code of the server's": {wire.JSON(200, `{"error":"bad_refresh_token"}`), provider.UserCanFix, tokensource.ErrReauthorize},
		"500 for a dead refresh token":    {oauthtest.Fault{Status: 500, Body: xapi.HTMLPage, ContentType: "text/html"}, provider.UserCanFix, tokensource.ErrReauthorize},
		"200 with a rate limit":           {wire.JSON(200, `{"ok":false,"error":"ratelimited"}`), provider.TimeFixes, tokensource.ErrTemporary},
		"400 for the account of the app":  {wire.JSON(400, `{"error":"app_suspended"}`), provider.OperatorFixes, tokensource.ErrClient},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.clientFor(func(p *provider.Provider) {
					p.Classify = func(provider.Answer) provider.Verdict { return provider.Verdict{Fixer: tt.fixer} }
				})
				g := w.Process(nil)
				w.Login(g)
				w.RefreshFault(tt.answer, 1)
				time.Sleep(2 * time.Hour)
				_, err := g.Source(w.User).Token(t.Context())
				testworld.WantIs(t, err, tt.want)
				stored := w.inspect()
				if dead := stored.Dead == tokensource.ReasonRefused; dead != errors.Is(tt.want, tokensource.ErrReauthorize) || stored.Doubts != 0 {
					t.Errorf("the stored grant = %+v", stored)
				}
				if stored.Dead == "" {
					time.Sleep(2 * time.Minute)
					w.Token(g)
				}
			})
		})
	}
}

// An answer that was 15 seconds under way gives a token that lives 15 seconds
// less (G18).
func TestALifetimeCountsFromTheSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(&grant.Options{RefreshBefore: -1})
		w.Login(g)
		slow := wire.JSON(http.StatusOK, `{"access_token":"at-1","token_type":"bearer","expires_in":60,"refresh_token":"rt-1"}`)
		slow.Delay = 15 * time.Second
		w.RefreshFault(slow, 1)
		time.Sleep(2 * time.Hour)
		if left := time.Until(w.Token(g).Expiry); left != 45*time.Second {
			t.Errorf("the token lives for %v more, want 45s", left)
		}
	})
}

// What the engine refuses as the identifier of a user never reaches the store.
func TestSubjectsThatAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		for name, subject := range map[string]string{
			"a line break": "7\n8", "a carriage return": "7\r", "a null byte": "\x007", "delete": "7\x7f",
			"a C1 control character": "7\u0085", "a line separator": "7\u2028", "a paragraph separator": "7\u2029",
			"an escape sequence": "\x1b[31m7", "no UTF-8": "7\xff",
		} {
			if _, err := g.Save(t.Context(), subject, w.issue()); err == nil {
				t.Errorf("Save() for a subject with %s = nil, want an error", name)
			}
			if _, err := g.Token(g.WithSubject(t.Context(), subject)); err == nil {
				t.Errorf("Token() for a subject with %s = nil, want an error", name)
			}
			if err := g.Forget(t.Context(), subject); err == nil {
				t.Errorf("Forget() for a subject with %s = nil, want an error", name)
			}
		}
		if n := len(w.grants()); n != 0 {
			t.Errorf("%d grants are stored, want none", n)
		}
		for _, subject := range []string{"7", "user@example.org", "José", "auth0|7", "a b", "用户"} {
			if _, err := g.Save(t.Context(), subject, w.issue()); err != nil {
				t.Errorf("Save() for the subject %q = %v, want nil", subject, err)
			}
		}
	})
}

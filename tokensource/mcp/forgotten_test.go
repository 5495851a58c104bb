package mcp_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

func TestAServerThatForgotTheRegisteredClient(t *testing.T) {
	for name, after := range map[string]func(i *issuer){
		"and whose user must log in again": func(i *issuer) { _ = i.RevokeGrant(oauthtest.DefaultUser().ID, "registered-1") },
		"when the token has expired":       func(i *issuer) { i.ExpireAccess(oauthtest.DefaultUser().ID) },
	} {
		for way, sdk := range map[string]bool{"Client": false, "OAuthHandler": true} {
			t.Run(name+", "+way, func(t *testing.T) {
				i, dir := newIssuer(t, true), t.TempDir()
				s := newSite(t, i)
				a, b := s.start(t, dir, sdk), s.start(t, dir, sdk)
				works(t, 1, a)
				works(t, 1, b)
				i.forget()
				after(i)
				works(t, 5, a, b)
				works(t, 1, s.start(t, dir, sdk)) // the program starts again
				if n := i.registered.Load(); n != 2 {
					t.Errorf("%d registrations, want one more", n)
				}
				if n := a.logins() + b.logins(); n != 2 {
					t.Errorf("%d logins, want one more", n)
				}
			})
		}
	}
}

// Only the answer to the login says that the client is not known.
func TestALoginForMoreScopesAtAServerThatForgotTheClient(t *testing.T) {
	for answer, sendsBack := range map[string]bool{"a page": false, "a redirect": true} {
		for way, sdk := range map[string]bool{"Client": false, "OAuthHandler": true} {
			t.Run(answer+", "+way, func(t *testing.T) {
				i, dir := newIssuer(t, true), t.TempDir()
				i.sendsBack = sendsBack
				s := newSite(t, i)
				works(t, 1, s.start(t, dir, sdk))
				i.forget()
				p := s.start(t, dir, sdk)
				if status, err := p.send(t, "write"); status != http.StatusOK || err != nil {
					t.Errorf("send(write) = %d, %v, want 200", status, err)
				}
				if n := p.logins(); n > 1 && !sendsBack || i.registered.Load() != 2 {
					t.Errorf("%d logins and %d registrations, want one login with the second registration", n, i.registered.Load())
				}
			})
		}
	}
}

// The registration of now is used in one process, and the grant of the other
// one is that of the old client.
func TestAGrantOfAReplacedClientIsRefreshedWithThatClient(t *testing.T) {
	i, dir := newIssuer(t, true), t.TempDir()
	first, second := newSite(t, i), newSite(t, i)
	a, b := first.start(t, dir, false), second.start(t, dir, false)
	works(t, 1, a, b)
	i.forget()
	i.ExpireAccess(oauthtest.DefaultUser().ID)
	works(t, 1, a)
	i.mu.Lock()
	i.forgot = nil // it was the fault of one machine of the server
	i.mu.Unlock()
	next := second.start(t, dir, false)
	works(t, 1, next)
	if b.logins() != 1 || next.logins() != 0 {
		t.Errorf("%d and %d logins at the second server, want 1 and 0", b.logins(), next.logins())
	}
	ids := map[string]bool{}
	for _, g := range i.Grants() {
		ids[g.ClientID] = true
	}
	if !ids["registered-1"] || !ids["registered-2"] || i.registered.Load() != 2 {
		t.Errorf("grants of %v, want of both clients", ids)
	}
}

func TestAClientThatWasRegisteredByHandIsNotReplaced(t *testing.T) {
	for way, sdk := range map[string]bool{"Client": false, "OAuthHandler": true} {
		t.Run(way, func(t *testing.T) {
			i := newIssuer(t, false)
			s := newSite(t, i)
			p := s.start(t, t.TempDir(), sdk)
			works(t, 1, p)
			i.ExpireAccess(oauthtest.DefaultUser().ID)
			i.Inject(oauthtest.Match{GrantType: "refresh_token"}, oauthtest.Fault{Status: http.StatusUnauthorized, Body: `{"error":"invalid_client"}`}, 1)
			if _, err := p.send(t, ""); !errors.Is(err, tokensource.ErrClient) {
				t.Errorf("send() = %v, want ErrClient", err)
			}
			if p.logins() != 1 {
				t.Errorf("%d logins, want 1", p.logins())
			}
		})
	}
}

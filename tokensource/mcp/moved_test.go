package mcp_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// A grant belongs to one token endpoint, so the user logs in once more. The
// program need not start again.
func TestATokenEndpointThatHasMoved(t *testing.T) {
	for way, sdk := range map[string]bool{"Client": false, "OAuthHandler": true} {
		t.Run(way, func(t *testing.T) {
			i, dir := newIssuer(t, true), t.TempDir()
			s := newSite(t, i)
			a, b := s.start(t, dir, sdk), s.start(t, dir, sdk)
			works(t, 1, a)
			works(t, 1, b)
			i.moved.Store(true)
			i.ExpireAccess(oauthtest.DefaultUser().ID)
			works(t, 5, a, b)
			works(t, 1, s.start(t, dir, sdk))
			if n := a.logins() + b.logins(); n != 2 || i.registered.Load() != 1 {
				t.Errorf("%d logins and %d registrations, want 2 and 1", n, i.registered.Load())
			}
		})
	}
}

// The other endpoints are known as they are now (T9), and the login stays.
func TestARevocationEndpointThatHasMoved(t *testing.T) {
	for way, sdk := range map[string]bool{"Client": false, "OAuthHandler": true} {
		t.Run(way, func(t *testing.T) {
			i, dir := newIssuer(t, true), t.TempDir()
			s := newSite(t, i)
			p := s.start(t, dir, sdk)
			works(t, 1, p)
			i.mu.Lock()
			i.revocation = i.url + "/revoke"
			i.mu.Unlock()
			i.ExpireAccess(oauthtest.DefaultUser().ID)
			works(t, 2, p)
			if p.logins() != 1 {
				t.Errorf("%d logins, want 1", p.logins())
			}
		})
	}
}

// The authorization server is down, and the token has expired. It ends no grant
// (G8).
func TestAnAuthorizationServerThatIsDown(t *testing.T) {
	for way, sdk := range map[string]bool{"Client": false, "OAuthHandler": true} {
		t.Run(way, func(t *testing.T) {
			i, dir := newIssuer(t, true), t.TempDir()
			p := newSite(t, i).start(t, dir, sdk)
			works(t, 1, p)
			i.ExpireAccess(oauthtest.DefaultUser().ID)
			i.Inject(oauthtest.Match{GrantType: "refresh_token"}, oauthtest.Fault{Status: http.StatusServiceUnavailable}, 1)
			if _, err := p.send(t, ""); !errors.Is(err, tokensource.ErrTemporary) {
				t.Errorf("send() = %v, want ErrTemporary", err)
			}
			i.ClearFaults()
			if p.logins() != 1 {
				t.Errorf("%d logins, want 1", p.logins())
			}
		})
	}
}

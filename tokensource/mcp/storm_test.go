package mcp_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/mcp"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// The server accepts a token, and then rejects every one. The grant is good, so
// no login helps.
func TestAServerThatRejectsEveryTokenCostsNoLogin(t *testing.T) {
	for way, sdk := range map[string]bool{"Client": false, "OAuthHandler": true} {
		t.Run(way, func(t *testing.T) {
			i := newIssuer(t, true)
			s := newSite(t, i)
			p := s.start(t, t.TempDir(), sdk)
			works(t, 1, p)
			s.rejects.Store(true)
			for range 20 {
				status, err := p.send(t, "")
				if status == http.StatusOK || err != nil && !errors.Is(err, mcp.ErrRejected) {
					t.Errorf("send() = %d, %v, want 401 or ErrRejected", status, err)
				}
			}
			if n := i.TokenCalls("refresh_token"); p.logins() != 1 || n != 1 {
				t.Errorf("%d logins and %d refreshes, want 1 and 1", p.logins(), n)
			}
			s.rejects.Store(false)
			works(t, 1, p)
			if p.logins() != 1 {
				t.Errorf("%d logins after the trouble, want 1", p.logins())
			}
		})
	}
}

// withoutRefreshTokens lets a server issue access tokens only.
func withoutRefreshTokens(t *testing.T, i *issuer) {
	t.Helper()
	i.Set(func(k *oauthtest.Knobs) {
		k.Token.Granted = func(a *oauthtest.Answer) {
			var members map[string]any
			if err := json.Unmarshal([]byte(a.Body), &members); err != nil {
				t.Error(err)
			}
			delete(members, "refresh_token")
			text, _ := json.Marshal(members)
			a.Body = string(text)
		}
	})
}

// Nothing but a login could help where the server issues no refresh tokens. It
// does not, so it is not tried without end.
func TestAServerThatNeverAcceptsATokenAndIssuesNoRefreshTokens(t *testing.T) {
	for way, tt := range map[string]struct {
		sdk    bool
		logins int
	}{
		"Client":       {false, 1},
		"OAuthHandler": {true, 2}, // the SDK does not say whether the first token was accepted
	} {
		t.Run(way, func(t *testing.T) {
			i := newIssuer(t, true)
			withoutRefreshTokens(t, i)
			s := newSite(t, i)
			s.rejects.Store(true)
			p := s.start(t, t.TempDir(), tt.sdk)
			for range 20 {
				if status, err := p.send(t, ""); status == http.StatusOK || err != nil && !errors.Is(err, mcp.ErrRejected) {
					t.Errorf("send() = %d, %v, want 401 or ErrRejected", status, err)
				}
			}
			if p.logins() != tt.logins {
				t.Errorf("%d logins, want %d", p.logins(), tt.logins)
			}
		})
	}
}

// The token is rejected again and again after it was accepted. Each login helps
// for a moment.
func TestATokenWithoutRefreshThatEndsAfterEachRequest(t *testing.T) {
	for way, sdk := range map[string]bool{"Client": false, "OAuthHandler": true} {
		t.Run(way, func(t *testing.T) {
			i := newIssuer(t, true)
			withoutRefreshTokens(t, i)
			p := newSite(t, i).start(t, t.TempDir(), sdk)
			failed := 0
			for range 20 {
				status, err := p.send(t, "")
				if status != http.StatusOK || err != nil {
					failed++
				}
				if _, err := p.send(t, ""); err != nil {
					failed++
				}
				i.ExpireAccess(oauthtest.DefaultUser().ID)
			}
			if n := p.logins(); n < 3 || n > 8 || failed == 0 {
				t.Errorf("%d logins in ten minutes, want 3 to 8", n)
			}
		})
	}
}

func TestManyOperationsThatEachLackAScope(t *testing.T) {
	w := newWorld(t)
	w.needs = "admin"
	client := w.handler(t, storage.NewMemory()).Client()
	for n := range 20 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL+"/mcp", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Mcp-Name", fmt.Sprint(n))
		if _, err := do(t, client, req); err == nil {
			t.Error("Do() = nil, want that no login helps")
		}
	}
	if w.logins > 8 {
		t.Errorf("%d logins, want 8 at most", w.logins)
	}
}

// The answers with 403 do not say that a scope would help.
func TestA403WithoutAScopeReachesTheProgram(t *testing.T) {
	for name, challenge := range map[string]string{
		"no challenge":   "",
		"another code":   `Bearer error="invalid_request"`,
		"another scheme": `Basic error="insufficient_scope"`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.forbids = challenge
			client := w.handler(t, storage.NewMemory()).Client()
			for range 10 {
				if status, _, err := post(t, client, w.URL+"/mcp"); status != http.StatusForbidden || err != nil {
					t.Errorf("Do() = %d, %v, want 403", status, err)
				}
			}
			if w.logins != 1 {
				t.Errorf("%d logins, want 1", w.logins)
			}
		})
	}
}

// Two operations lack different scopes at the same time. The grant gets both.
func TestTwoRequestsAtOnceThatLackDifferentScopes(t *testing.T) {
	for way, sdk := range map[string]bool{"Client": false, "OAuthHandler": true} {
		t.Run(way, func(t *testing.T) {
			p := newSite(t, newIssuer(t, true)).start(t, t.TempDir(), sdk)
			works(t, 1, p)
			var both sync.WaitGroup
			for _, needs := range []string{"write", "admin"} {
				both.Go(func() {
					if status, err := p.send(t, needs); status != http.StatusOK || err != nil {
						t.Errorf("send(%s) = %d, %v, want 200", needs, status, err)
					}
				})
			}
			both.Wait()
		})
	}
}

// The second process does not repeat what was in vain in the first one.
func TestAScopeThatNoLoginBringsInTwoRunsOfTheProgram(t *testing.T) {
	w, store := newWorld(t), storage.NewMemory()
	w.needs = "admin"
	for range 2 {
		if _, _, err := post(t, w.handler(t, store).Client(), w.URL+"/mcp"); !errors.Is(err, mcp.ErrInsufficient) {
			t.Errorf("Do() = %v, want ErrInsufficient", err)
		}
	}
	if w.logins != 3 {
		t.Errorf("%d logins, want the first one and two for the scope", w.logins)
	}
}

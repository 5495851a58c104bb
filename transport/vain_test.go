package transport_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/transport"
)

// get makes one call as user to a path, and returns the status.
func (e *engine) get(t *testing.T, user, path string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(e.grants.WithSubject(t.Context(), user), http.MethodGet, e.origin+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := e.api.Do(req)
	if err != nil {
		t.Fatalf("GET %s = %v", path, err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// A resource that a user may not see answers like one that rejects the token.
// However often it is called, and whatever other resources say, the user's
// refresh token is redeemed rarely. When renewals help again, they follow soon.
func TestTheEngineRenewsRarelyInVain(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		others []string // called as well, and they accept the token
		pause  time.Duration
		calls  int
	}{
		{"401 for ever", 401, nil, 15 * time.Second, 240},
		{"403 for ever", 403, nil, 30 * time.Second, 120},
		{"403 for ever, and other resources say 200", 403, []string{xapi.PathMe}, 15 * time.Second, 240},
	} {
		synctest.Test(t, func(t *testing.T) {
			e := newEngine(t, &transport.Options{Rejected: transport.RejectedOn(401, 403)})
			e.login(t, "1")
			e.fake.Inject(oauthtest.Match{Path: xapi.PathEcho}, oauthtest.Fault{Status: tt.status}, -1)
			for range tt.calls {
				if status := e.get(t, "1", xapi.PathEcho); status != tt.status {
					t.Fatalf("%s: the resource = %d, want its %d", tt.name, status, tt.status)
				}
				for _, path := range tt.others {
					if status := e.get(t, "1", path); status != 200 {
						t.Fatalf("%s: GET %s = %d, want 200", tt.name, path, status)
					}
				}
				time.Sleep(tt.pause)
			}
			if n := e.fake.TokenCalls("refresh_token"); n < 3 || n > 20 {
				t.Errorf("%s: %d refreshes in an hour, want 3 to 20", tt.name, n)
			}
			e.fake.ClearFaults()
			if status := e.get(t, "1", xapi.PathEcho); status != 200 {
				t.Errorf("%s: when the resource accepts again, it = %d, want 200", tt.name, status)
			}
			if tt.others != nil {
				time.Sleep(10 * time.Minute) // what others accept ends the pause only once
			}
			e.fake.ExpireAccess("")
			if status := e.get(t, "1", xapi.PathEcho); status != 200 {
				t.Errorf("%s: after the token was revoked, the resource = %d, want 200 with a new token", tt.name, status)
			}
		})
	}
}

// One user's vain renewals do not hold up those of others.
func TestVainRenewalsOfOneUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, &transport.Options{})
		for n := range 5 {
			e.login(t, fmt.Sprint(n+1))
		}
		e.fake.Inject(oauthtest.Match{Path: xapi.PathEcho, UserID: "1"}, oauthtest.Fault{Status: 401}, -1)
		for range 60 {
			e.get(t, "1", xapi.PathEcho)
			time.Sleep(15 * time.Second)
		}
		e.fake.ExpireAccess("")
		for n := range 4 {
			if status := e.get(t, fmt.Sprint(n+2), xapi.PathEcho); status != 200 {
				t.Errorf("user %d = %d, want 200", n+2, status)
			}
		}
	})
}

package servers_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/servers"
)

// TestKnown compares each preset with what was measured of that server:
// whether the old access token works after a refresh, how the old refresh token
// is answered at once, how after a minute, what the winner's refresh token is
// good for after that, and how the API rejects a token.
func TestKnown(t *testing.T) {
	type behaviour struct {
		oldAccess       bool
		atOnce, later   int
		laterCode       string
		winner          bool
		rejected        int
		newRefreshToken bool
	}
	tests := map[string]behaviour{
		"oidc-provider":        {true, 400, 400, "invalid_grant", false, 401, true},
		"glewlwyd":             {true, 400, 400, "", false, 401, true},
		"zitadel":              {false, 400, 400, "invalid_grant", true, 403, true},
		"fosite":               {false, 400, 400, "invalid_grant", false, 401, true},
		"hydra":                {false, 200, 401, "token_inactive", false, 401, true},
		"dex":                  {true, 200, 400, "invalid_request", true, 403, false},
		"django-oauth-toolkit": {false, 200, 400, "invalid_grant", true, 403, true},
		"node-oauth2-server":   {true, 400, 400, "invalid_grant", false, 401, true},
		"go-oauth2":            {false, 401, 401, "invalid_grant", true, 401, true},
		"go-oidc":              {true, 200, 200, "", true, 401, false},
		"oauth2-mock-server":   {true, 200, 200, "", true, 401, false},
	}
	known := servers.Known()
	if got, want := slices.Sorted(maps.Keys(known)), slices.Sorted(maps.Keys(tests)); !slices.Equal(got, want) {
		t.Fatalf("Known() = %q, want %q", got, want)
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			begin := time.Unix(1_800_000_000, 0)
			c := play(t, &oauthtest.Options{Clock: func() time.Time { return begin }})
			c.Set(known[name])
			first := c.parse(c.exchange(c.authorized()))
			second := c.parse(c.refresh(first.Refresh))
			got := behaviour{
				oldAccess: c.works(first.Access), newRefreshToken: second.Refresh != "" && second.Refresh != first.Refresh,
				rejected: c.call("x"),
			}
			got.atOnce = c.refresh(first.Refresh).status
			c.Advance(time.Minute)
			winner := second.Refresh
			if !got.newRefreshToken { // it has not rotated while it was young, or never does
				winner = first.Refresh
				if rotated := c.parse(c.refresh(winner)).Refresh; rotated != "" && rotated != winner {
					winner = rotated
				}
				c.Advance(time.Minute)
			}
			later := c.refresh(first.Refresh)
			got.later, got.laterCode = later.status, later.code()
			got.winner = c.refresh(winner).status == http.StatusOK
			if got != want {
				t.Errorf("behaviour = %+v, want %+v", got, want)
			}
		})
	}
}

// TestKnown_Refusals has those refusals that the RFCs do not know.
func TestKnown_Refusals(t *testing.T) {
	send := map[string]func(*peer) answered{
		"refresh token": func(c *peer) answered { return c.refresh("x") },
		"code":          func(c *peer) answered { return c.exchange("x") },
		"redirect URL": func(c *peer) answered {
			return c.exchange(c.authorized(), "redirect_uri", "https://other.example/")
		},
		"secret":         func(c *peer) answered { return c.as(ci.WithSecret("wrong")).exchange("x") },
		"unknown client": func(c *peer) answered { return c.as(oauthtest.App{ClientID: "nobody"}).refresh("x") },
		"revocation":     func(c *peer) answered { return c.as(na).post(c.p.RevocationURL, "token", "x") },
	}
	for _, tt := range []struct {
		server, request string
		status          int
		code, kind      string
	}{
		{"glewlwyd", "refresh token", 400, "", ""},
		{"glewlwyd", "code", 403, "invalid_code", "application/json; charset=utf-8"},
		{"glewlwyd", "secret", 403, "unauthorized_client", "application/json; charset=utf-8"},
		{"glewlwyd", "revocation", 403, "unauthorized_client", "application/json; charset=utf-8"},
		{"zitadel", "secret", 400, "invalid_grant", "application/json; charset=utf-8"},
		{"hydra", "secret", 401, "invalid_client", "application/json; charset=utf-8"},
		{"dex", "refresh token", 400, "invalid_request", "application/json; charset=utf-8"},
		{"dex", "redirect URL", 400, "invalid_request", "application/json; charset=utf-8"},
		{"django-oauth-toolkit", "unknown client", 401, "invalid_client", "application/json; charset=utf-8"},
		{"django-oauth-toolkit", "revocation", 200, "", "text/html; charset=utf-8"},
		{"go-oauth2", "unknown client", 500, "server_error", "application/json; charset=utf-8"},
		{"go-oauth2", "refresh token", 401, "invalid_grant", "application/json; charset=utf-8"},
		{"go-oidc", "code", 400, "expired_token", "application/json; charset=utf-8"},
		{"oauth2-mock-server", "code", 400, "", "application/problem+json"},
	} {
		c := play(t, nil)
		c.Set(servers.Known()[tt.server])
		got := send[tt.request](c)
		if kind := got.header.Get("Content-Type"); got.status != tt.status || got.code() != tt.code || kind != tt.kind {
			t.Errorf("%s, %s = %d %q %s, want %d %q %q", tt.server, tt.request, got.status, kind, got.body, tt.status, tt.kind, tt.code)
		}
	}
}

package oauthtest_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// TestTokenSaysWhyATokenIsDead brings tokens to an end in every way.
func TestTokenSaysWhyATokenIsDead(t *testing.T) {
	nothing := func(*peer, tokens) {}
	refreshed := func(c *peer, tok tokens) { c.refresh(tok.Refresh) }
	tests := []struct {
		name            string
		knobs           func(*oauthtest.Knobs)
		end             func(*peer, tokens)
		access, refresh oauthtest.Reason
	}{
		{"nothing", nil, nothing, "", ""},
		{"expiry", nil, func(c *peer, _ tokens) { c.Advance(time.Hour) }, oauthtest.Expired, ""},
		{"ExpireAccess", nil, func(c *peer, _ tokens) { c.ExpireAccess(userID) }, oauthtest.Expired, ""},
		{"ExpireAccess of all", nil, func(c *peer, _ tokens) { c.ExpireAccess("") }, oauthtest.Expired, ""},
		{"ExpireAccess of another", nil, func(c *peer, _ tokens) { c.ExpireAccess("other") }, "", ""},
		{"RefreshTTL", func(k *oauthtest.Knobs) { k.Token.RefreshTTL = time.Minute },
			func(c *peer, _ tokens) { c.Advance(time.Minute) }, "", oauthtest.Expired},
		{"refresh", nil, refreshed, "", oauthtest.Redeemed},
		{"refresh that kills", func(k *oauthtest.Knobs) { k.Token.KillOldAccess = true }, refreshed, oauthtest.Redeemed, oauthtest.Redeemed},
		{"refresh without rotation", func(k *oauthtest.Knobs) { k.Token.RepeatRefresh = true }, refreshed, "", ""},
		{"reuse", nil, func(c *peer, tok tokens) { c.refresh(tok.Refresh); c.refresh(tok.Refresh) }, oauthtest.Reused, oauthtest.Redeemed},
		{"revoked access token", nil, func(c *peer, tok tokens) { c.post(c.p.RevocationURL, "token", tok.Access) }, oauthtest.Revoked, ""},
		{"revoked refresh token", nil, func(c *peer, tok tokens) { c.post(c.p.RevocationURL, "token", tok.Refresh) },
			oauthtest.Revoked, oauthtest.Revoked},
		{"revoked everywhere", func(k *oauthtest.Knobs) { k.Revoke.EndsAllGrants = true },
			func(c *peer, _ tokens) { c.post(c.p.RevocationURL, "token", c.login().Access) }, oauthtest.Revoked, oauthtest.Revoked},
		{"user", nil, func(c *peer, _ tokens) { _ = c.RevokeGrant(userID, ci.ClientID) }, oauthtest.Withdrawn, oauthtest.Withdrawn},
		{"suspended", nil, func(c *peer, _ tokens) {
			u := oauthtest.DefaultUser()
			u.Suspended = true
			_ = c.AddUser(u)
		}, oauthtest.Withdrawn, oauthtest.Withdrawn},
		{"new login", nil, func(c *peer, _ tokens) { c.login() }, oauthtest.Replaced, oauthtest.Replaced},
		{"code reuse", func(k *oauthtest.Knobs) { k.Token.RevokeOnCodeReuse = true }, nil, oauthtest.Reused, oauthtest.Reused},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			c := with(t, func(p *provider.Provider) { p.SingleGrant = tt.name != "revoked everywhere" })
			if tt.knobs != nil {
				c.Set(tt.knobs)
			}
			code := c.callback().Get("code")
			tok := c.parse(c.exchange(code))
			if tt.end == nil {
				c.exchange(code)
			} else {
				tt.end(c, tok)
			}
			access, refresh := c.Token(tok.Access), c.Token(tok.Refresh)
			if access.Dead != tt.access || refresh.Dead != tt.refresh {
				t.Errorf("%s: access token %q, refresh token %q, want %q and %q", tt.name, access.Dead, refresh.Dead, tt.access, tt.refresh)
			}
			if access.DeadAt.IsZero() != (tt.access == "") || c.works(tok.Access) != (tt.access == "") {
				t.Errorf("%s: dead at %v, works %v: that contradicts %q", tt.name, access.DeadAt, c.works(tok.Access), tt.access)
			}
			if ok := c.refresh(tok.Refresh).status == http.StatusOK; ok != (tt.refresh == "") {
				t.Errorf("%s: the refresh token is answered: %v, which contradicts %q", tt.name, ok, tt.refresh)
			}
		})
	}
}

func TestTokenNamesItsOrigin(t *testing.T) {
	c := play(t, nil)
	c.as(na).login()
	tok := c.login()
	next := c.parse(c.refresh(tok.Refresh))
	got := c.Token(next.Access)
	if got.Kind != "access_token" || got.Grant != 2 || got.Pair != 2 || got.ClientID != ci.ClientID || got.User.ID != userID ||
		!got.Expires.Equal(got.Issued.Add(time.Hour)) {
		t.Errorf("Token(access) = %+v, want the second pair of the second grant", got)
	}
	if got := c.Token(tok.Refresh); got.Kind != "refresh_token" || got.Pair != 1 || !got.Expires.IsZero() {
		t.Errorf("Token(refresh) = %+v, want the first pair's", got)
	}
	if got := c.Token("x"); got.Dead != oauthtest.Unknown || got.Kind != "" {
		t.Errorf("Token(x) = %+v, want it unknown", got)
	}
}

func TestGrantsListPairsWithTheirParents(t *testing.T) {
	c := play(t, nil)
	c.Set(func(k *oauthtest.Knobs) { k.Token.GraceWindow, k.Token.GraceFresh = time.Hour, true })
	first := c.login()
	second := c.parse(c.refresh(first.Refresh))
	c.refresh(first.Refresh) // a second child of the first pair
	c.refresh(second.Refresh)
	grants := c.Grants()
	if len(grants) != 1 || len(grants[0].Pairs) != 4 || grants[0].Refreshes != 3 || grants[0].LiveRefresh != 2 || grants[0].LiveAccess != 4 {
		t.Fatalf("Grants() = %+v, want one with four pairs", grants)
	}
	for i, parent := range []int{0, 1, 1, 2} {
		p := grants[0].Pairs[i]
		redeemed := i < 2
		if p.Number != i+1 || p.Parent != parent || (p.Refresh.Dead == oauthtest.Redeemed) != redeemed || p.Refresh.Grace.IsZero() == redeemed {
			t.Errorf("pair %d = %+v, want parent %d, redeemed %v", i+1, p, parent, redeemed)
		}
	}
	if r := c.Requests(oauthtest.Match{GrantType: "refresh_token"})[2]; r.Grant != 1 || r.Pair != 4 || r.UserID != userID || r.Count != 3 {
		t.Errorf("the third refresh is recorded as %+v, want grant 1, pair 4, count 3", r)
	}
}

func TestPairsWithoutRotationShareTheirRefreshToken(t *testing.T) {
	c := play(t, nil)
	c.Set(func(k *oauthtest.Knobs) { k.Token.OmitRefresh = true })
	first := c.login()
	if got := c.parse(c.refresh(first.Refresh)); got.Refresh != "" {
		t.Error("OmitRefresh returned a refresh token")
	}
	c.Set(func(k *oauthtest.Knobs) { k.Token.OmitRefresh, k.Token.RepeatRefresh = false, true })
	if got := c.parse(c.refresh(first.Refresh)); got.Refresh != first.Refresh {
		t.Error("RepeatRefresh returned another refresh token")
	}
	g := c.Grants()[0]
	if g.LiveRefresh != 1 || len(g.Pairs) != 3 || g.Pairs[2].Parent != 1 || g.Pairs[2].Refresh.Pair != 1 {
		t.Errorf("Grants() = %+v, want three pairs with one refresh token", g)
	}
}

// TestGraceRepeatsTheRemainingLifetime asks again at once, after 40 minutes of
// an hour, and after the token's end.
func TestGraceRepeatsTheRemainingLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := play(t, nil)
		c.Set(func(k *oauthtest.Knobs) { k.Token.GraceWindow = 2 * time.Hour })
		first := c.login()
		second := c.parse(c.refresh(first.Refresh))
		for _, tt := range []struct {
			advance time.Duration
			want    int
		}{{0, 3600}, {40 * time.Minute, 1200}, {50 * time.Minute, 0}} {
			c.Advance(tt.advance)
			again := c.parse(c.refresh(first.Refresh))
			if again.Access != second.Access || again.Refresh != second.Refresh || again.ExpiresIn != tt.want {
				t.Errorf("after %v more: the same pair %v, expires_in %d, want %d", tt.advance, again.Access == second.Access, again.ExpiresIn, tt.want)
			}
		}
		c.Advance(2 * time.Hour)
		if got := c.refresh(first.Refresh); got.code() != "invalid_grant" || c.Grants()[0].Ended != oauthtest.Reused {
			t.Errorf("after the window = %s, grant %q, want invalid_grant and a reused one", got.body, c.Grants()[0].Ended)
		}
	})
}

// TestTheBooksForget refreshes for as long as a year and looks at what is kept.
func TestTheBooksForget(t *testing.T) {
	for _, same := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c := play(t, &oauthtest.Options{Keep: time.Hour, RecordLimit: -1})
			c.Set(func(k *oauthtest.Knobs) { k.Token.RepeatRefresh = same })
			first := c.login()
			last := first
			const refreshes = 2000
			for range refreshes {
				c.Advance(2 * time.Hour)
				last = c.parse(c.refresh(last.Refresh))
			}
			g := c.Grants()[0]
			if len(g.Pairs) > 300 || g.Refreshes != refreshes || g.LiveRefresh != 1 || g.LiveAccess != 1 {
				t.Errorf("rotation %v: %d pairs kept, %d live refresh tokens, want few and 1", !same, len(g.Pairs), g.LiveRefresh)
			}
			if got := c.Token(last.Access).Dead; got != "" {
				t.Errorf("rotation %v: the last access token is %q, want it good", !same, got)
			}
			if same {
				return
			}
			if got := c.Token(first.Access).Dead; got != oauthtest.Unknown {
				t.Errorf("the first access token is %q, want it forgotten", got)
			}
			if got := c.Token(first.Refresh).Dead; got != oauthtest.Redeemed {
				t.Errorf("the first refresh token is %q, want it known while the grant lives", got)
			}
			c.refresh(first.Refresh)
			if got := c.Grants()[0].Ended; got != oauthtest.Reused {
				t.Errorf("reuse of the first refresh token left the grant %q, want it reused", got)
			}
			c.Advance(2 * time.Hour)
			for range 300 {
				c.as(na).login()
			}
			if got := c.Token(first.Refresh).Dead; got != oauthtest.Unknown {
				t.Errorf("the first refresh token of an ended grant is %q, want it forgotten", got)
			}
		})
	}
}

func TestAppsOwnTokensAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := play(t, &oauthtest.Options{Keep: time.Minute})
		own := c.parse(c.post(c.p.TokenURL, "grant_type", "client_credentials")).Access
		c.Advance(2 * time.Hour)
		if got := c.Token(own).Dead; got != oauthtest.Expired {
			t.Errorf("after its lifetime it is %q, want expired", got)
		}
		for range 300 {
			c.issue()
		}
		if got := c.Token(own).Dead; got != oauthtest.Unknown {
			t.Errorf("later it is %q, want it forgotten", got)
		}
	})
}

func TestSnapshotRestoresTheBooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := play(t, &oauthtest.Options{Keep: time.Hour})
		c.Set(func(k *oauthtest.Knobs) { k.Token.RepeatRefresh = true })
		kept := c.as(na).login()
		c.refresh(kept.Refresh)
		c.as(na).refresh(kept.Refresh)
		c.Set(func(k *oauthtest.Knobs) { k.Token.RepeatRefresh = false })
		first := c.login()
		last := first
		for range 300 {
			c.Advance(2 * time.Hour)
			last = c.parse(c.refresh(last.Refresh))
		}
		saved, err := c.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		next := play(t, &oauthtest.Options{Keep: time.Hour})
		next.Advance(600 * time.Hour)
		if err := next.Restore(saved); err != nil {
			t.Fatal(err)
		}
		if again, err := next.Snapshot(); err != nil || string(again) != string(saved) {
			t.Errorf("a snapshot of the restored books differs, %v", err)
		}
		for raw, want := range map[string]oauthtest.Reason{last.Access: "", last.Refresh: "", first.Refresh: oauthtest.Redeemed, kept.Refresh: ""} {
			if got := next.Token(raw).Dead; got != want {
				t.Errorf("a restored token is %q, want %q", got, want)
			}
		}
		next.refresh(first.Refresh)
		if got := next.Grants()[1].Ended; got != oauthtest.Reused {
			t.Errorf("reuse after Restore left the grant %q, want it reused", got)
		}
		next.parse(next.as(na).refresh(kept.Refresh))
	})
}

func TestRestoreRefusesDamage(t *testing.T) {
	c := play(t, nil)
	tok := c.issue()
	for _, bad := range []string{
		"", "{", `[]`,
		`{"grants":[{"number":2,"client":"c","user":"u"}]}`,
		`{"grants":[{"number":1,"client":"","user":"u"}]}`,
		`{"grants":[{"number":1,"client":"c","user":"u","issued":1,"pairs":[{"number":1,"access":{"hash":"00"}}]}]}`,
		`{"grants":[{"number":1,"client":"c","user":"u","issued":0,"pairs":[{"number":1}]}]}`,
		`{"grants":[{"number":1,"client":"c","user":"u","spent":["zz"]}]}`,
	} {
		if err := c.Restore([]byte(bad)); err == nil {
			t.Errorf("Restore(%q) = nil, want an error", bad)
		}
	}
	if !c.works(tok.Access) {
		t.Error("a refused Restore changed the books")
	}
}

// A server whose facts say that an absent refresh token is lost gives the new
// one to the first use only.
func TestGraceWithoutARefreshTokenWhereAbsentIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := oauthtest.New(t, nil).Provider("")
		p.RefreshTokens.Grace, p.RefreshTokens.AbsentIsLost = time.Minute, true
		c := play(t, &oauthtest.Options{Provider: p})
		first := c.login()
		second := c.parse(c.refresh(first.Refresh))
		if again := c.parse(c.refresh(first.Refresh)); again.Access != second.Access || again.Refresh != "" || second.Refresh == "" {
			t.Errorf("a second use within the grace = %+v after %+v, want the access token alone", again, second)
		}
		if third := c.parse(c.refresh(second.Refresh)); third.Refresh == "" {
			t.Error("the first refresh token of the grant is the only one")
		}
	})
}

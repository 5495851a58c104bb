package xapi_test

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

const badToken = "Value passed for the token was invalid."

func TestRefusedRefreshTokens(t *testing.T) {
	s := fake(t, nil)
	wantInvalid(t, "missing", refresh(t, s, ci, ""), "Missing required parameter [refresh_token].")
	wantInvalid(t, "unknown", refresh(t, s, ci, "x"), badToken)
	tok := issue(t, s, ci)
	wantInvalid(t, "an access token", refresh(t, s, ci, tok.Access), badToken)
	wantInvalid(t, "another client's", refresh(t, s, na, tok.Refresh), badToken)
	if reused(s) {
		t.Error("another client's attempt ended the grant")
	}
	if err := s.RevokeGrant(userID, ci.ClientID); err != nil {
		t.Fatal(err)
	}
	wantInvalid(t, "revoked", refresh(t, s, ci, tok.Refresh), badToken)

	s.Set(func(k *xapi.Knobs) { k.Token.RefreshErrorCode, k.Token.RefreshErrorStatus = "invalid_grant", 401 })
	wantAnswer(t, "knobs", refresh(t, s, ci, "x"), 401, `{"error":"invalid_grant","error_description":"the refresh token is unknown, redeemed, revoked or expired"}`)
}

func TestRotation(t *testing.T) {
	tests := []struct {
		name            string
		knobs           func(*xapi.Knobs)
		rotates, silent bool
		oldAccess       bool // the old access token stays good
	}{
		{"X", nil, true, false, true},
		{"kill", func(k *xapi.Knobs) { k.Token.KillOldAccess = true }, true, false, false},
		{"same", func(k *xapi.Knobs) { k.Token.RepeatRefresh = true }, false, false, true},
		{"silent", func(k *xapi.Knobs) { k.Token.OmitRefresh, k.Token.KillOldAccess = true, true }, false, true, false},
	}
	for _, tt := range tests {
		s := fake(t, tt.knobs)
		first := issue(t, s, ci)
		second := parseTokens(t, refresh(t, s, ci, first.Refresh))
		if second.Access == first.Access || (second.Refresh == "") != tt.silent {
			t.Errorf("%s: refresh gave no new access token, or refresh token %v", tt.name, second.Refresh != "")
		}
		if rotated := second.Refresh != first.Refresh && second.Refresh != ""; rotated != tt.rotates {
			t.Errorf("%s: rotated = %v, want %v", tt.name, rotated, tt.rotates)
		}
		for token, want := range map[string]bool{first.Access: tt.oldAccess, second.Access: true} {
			if got := call(t, s, http.MethodGet, meURL, token, "").status == http.StatusOK; got != want {
				t.Errorf("%s: access token good = %v, want %v", tt.name, got, want)
			}
		}
		if got := refresh(t, s, ci, first.Refresh).status == http.StatusOK; got == tt.rotates {
			t.Errorf("%s: the old refresh token good = %v, want %v", tt.name, got, !tt.rotates)
		}
	}
}

func TestGraceWindow(t *testing.T) {
	for _, fresh := range []bool{false, true} {
		s := fake(t, func(k *xapi.Knobs) { k.Token.GraceWindow, k.Token.GraceFresh = 10*time.Second, fresh })
		first := issue(t, s, ci).Refresh
		second := parseTokens(t, refresh(t, s, ci, first))
		s.Advance(9 * time.Second)
		again := parseTokens(t, refresh(t, s, ci, first))
		if (again == second) == fresh {
			t.Errorf("GraceFresh %v: the same pair = %v", fresh, again == second)
		}
		for _, token := range []string{second.Access, again.Access} {
			if got := call(t, s, http.MethodGet, meURL, token, "").status; got != http.StatusOK {
				t.Errorf("GraceFresh %v: GET me = %d, want 200", fresh, got)
			}
		}
		s.Advance(time.Second)
		wantInvalid(t, "after the window", refresh(t, s, ci, first), badToken)
		if !reused(s) {
			t.Errorf("GraceFresh %v: reuse after the window ended nothing", fresh)
		}
	}
}

func TestReuseEndsTheFamily(t *testing.T) {
	for _, off := range []bool{false, true} {
		s := fake(t, func(k *xapi.Knobs) { k.Token.NoFamilyRevocation = off })
		first, other := issue(t, s, ci), issue(t, s, na)
		second := parseTokens(t, refresh(t, s, ci, first.Refresh))
		wantInvalid(t, "reuse", refresh(t, s, ci, first.Refresh), badToken)
		if got := reused(s); got == off {
			t.Errorf("NoFamilyRevocation %v: reused = %v", off, got)
		}
		for _, token := range []string{first.Access, second.Access} {
			if got := call(t, s, http.MethodGet, meURL, token, "").status == http.StatusOK; got != off {
				t.Errorf("NoFamilyRevocation %v: access token good = %v", off, got)
			}
		}
		if got := refresh(t, s, ci, second.Refresh).status == http.StatusOK; got != off {
			t.Errorf("NoFamilyRevocation %v: the winner's refresh token good = %v", off, got)
		}
		parseTokens(t, refresh(t, s, na, other.Refresh))
	}
}

func TestRefreshTokensEnd(t *testing.T) { synctest.Test(t, checkRefreshTokensEnd) }

func checkRefreshTokensEnd(t *testing.T) {
	s := fake(t, func(k *xapi.Knobs) { k.Token.RefreshTTL = time.Hour })
	inTime, late := issue(t, s, ci).Refresh, issue(t, s, na).Refresh
	s.Advance(time.Hour - time.Millisecond)
	parseTokens(t, refresh(t, s, ci, inTime))
	s.Advance(time.Millisecond)
	wantInvalid(t, "late", refresh(t, s, na, late), badToken)

	s = fake(t, func(k *xapi.Knobs) { k.Token.MaxRefreshes = 2 })
	token := issue(t, s, ci).Refresh
	for range 2 {
		token = parseTokens(t, refresh(t, s, ci, token)).Refresh
	}
	wantInvalid(t, "the third refresh", refresh(t, s, ci, token), badToken)
}

func TestInvariantsHoldUnderLoad(t *testing.T) {
	s := fake(t, func(k *xapi.Knobs) { k.API.Limit = -1 })
	users := []string{userID, "1", "2", "3"}
	for _, id := range users[1:] {
		if err := s.AddUser(oauthtest.User{ID: id, Username: "u" + id}); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			user := users[i%len(users)]
			for range 8 {
				a, r, err := s.IssueToken(user, ci.ClientID)
				if err != nil {
					t.Error(err)
				}
				call(t, s, http.MethodGet, meURL, a, "")
				refresh(t, s, ci, r)
				refresh(t, s, ci, r)
				do(t, s, formRequest(t, revokeURL, ci, values("token", a, "token_type_hint", "access_token")))
				if i%8 == 0 {
					_ = s.RevokeGrant(user, ci.ClientID) // an error if another one was faster
					s.ExpireAccess(user)
				}
				s.Grants()
			}
		})
	}
	wg.Wait()
	if err := s.Close(); err != nil {
		t.Errorf("Close() = %v, want nil", err)
	}
	grants := s.Grants()
	if len(grants) != 32*8 {
		t.Errorf("%d grants, want %d", len(grants), 32*8)
	}
	for _, g := range grants {
		if g.LiveRefresh > 1 || g.Ended != "" && g.LiveAccess+g.LiveRefresh > 0 {
			t.Errorf("grant %+v has too many live tokens", g)
		}
	}
	for _, user := range users {
		alive := 0
		for _, g := range grants {
			if g.UserID == user && g.Ended == "" {
				alive++
			}
		}
		if alive > 1 {
			t.Errorf("user %s has %d live grants, want at most one", user, alive)
		}
	}
}

package grant_test

import (
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/testworld"
)

// A token that has expired when it is saved, or whose lifetime the server gave as negative, is renewed at its first use.
func TestSaveOfAnExpiredToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		access, refresh, err := w.Fake.IssueToken(w.User, w.Client.ClientID(), testworld.Scopes...)
		if err != nil {
			t.Fatal(err)
		}
		tok := &oauth2.Token{AccessToken: access, RefreshToken: refresh, TokenType: "bearer", Expiry: time.Now().Add(-time.Hour)}
		if _, err := g.Save(t.Context(), w.User, tok); err != nil {
			t.Fatalf("Save(an expired token) = %v", err)
		}
		if got := w.Token(g); got.AccessToken == access {
			t.Error("Token() = the expired token, want a new one")
		}
		w.WantRefreshes(1)
	})
}

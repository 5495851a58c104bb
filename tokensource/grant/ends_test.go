package grant_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/wire"
)

// When a refresh token ends, and what an authorization is for in detail, is
// stored for every provider. A new refresh token of which the server says
// nothing has no known end.
func TestEndsAndDetailsAreKeptWithTheGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		details := []any{map[string]any{"type": "payment", "actions": []any{"read"}}}
		w.save(g, w.issue().WithExtra(map[string]any{
			"refresh_token_expires_at": 4e9, "authorization_expires_at": 5e9, "authorization_details": details,
		}))
		want := map[string]any{"refresh_token_expires_at": 4e9, "authorization_expires_at": 5e9, "authorization_details": details}
		wantExtra(t, "after the login", w.Token(g), want)
		for i, answer := range []string{``, `,"refresh_token":"rt-2","refresh_token_expires_in":600`, `,"refresh_token":"rt-3"`} {
			access := "at-" + string(rune('2'+i))
			w.RefreshFault(wire.JSON(http.StatusOK, `{"access_token":"`+access+`","token_type":"bearer","expires_in":60`+answer+`}`), 1)
			time.Sleep(2 * time.Hour)
			tok := w.Token(g)
			switch i {
			case 1:
				want["refresh_token_expires_at"] = float64(tok.Expiry.Add(9 * time.Minute).Unix()) // of ten
			case 2:
				want["refresh_token_expires_at"] = nil
			}
			wantExtra(t, "after a refresh with "+answer, tok, want)
			wantExtra(t, "in another process after a refresh with "+answer, w.Token(w.Process(nil)), want)
		}
	})
}

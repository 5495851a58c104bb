package xapi_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

func challenge() string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func TestWholeFlow(t *testing.T) {
	for _, app := range []oauthtest.App{ci, na} {
		s := fake(t, nil)
		first := login(t, s, app)
		want := `{"data":{"id":"2244994945","name":"X Developers","username":"XDevelopers"}}`
		wantAnswer(t, "GET users/me", call(t, s, http.MethodGet, meURL, first.Access, ""), http.StatusOK, want)
		second := parseTokens(t, refresh(t, s, app, first.Refresh))
		if second.Refresh == first.Refresh || second.Access == first.Access {
			t.Errorf("refresh(%s) did not rotate", app.Name)
		}
		wantInvalid(t, "refresh again", refresh(t, s, app, first.Refresh), "Value passed for the token was invalid.")
		if !reused(s) {
			t.Errorf("reused = false, want true")
		}
		if err := s.Audit(); err != nil {
			t.Errorf("Audit() = %v, want nil", err)
		}
	}
}

package derived_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/opaquekeys"
	"github.com/authtrip/authtrip/tokensource/derived"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// The app's own tokens are bound to one key, and are sent with its proofs.
func TestAppTokensThatAreBoundToAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		proofs, app := new(opaquekeys.Proofs), oauthtest.ConfidentialApp()
		fake := oauthtest.New(t, &oauthtest.Options{Proofs: proofs})
		fake.Set(func(k *oauthtest.Knobs) { k.Proof.Nonces = true })
		s, err := derived.NewAppSource(fake.Provider(""), derived.AppCredentials{
			ID: app.ClientID, Credential: oauth.Secret(app.Secret()),
		}, &oauth.Options{HTTPClient: &http.Client{Transport: fake.Transport()}, Proofs: proofs})
		if err != nil {
			t.Fatal(err)
		}
		var statuses []int
		for range 3 {
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.example/things", nil)
			tok, err := s.Authorize(req)
			if err != nil || tok.TokenType != "DPoP" || fake.Token(tok.AccessToken).Thumbprint != "key-1" {
				t.Fatalf("Authorize() = %v, want a token that is bound to key-1", err)
			}
			resp, err := fake.Transport().RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if again := s.Observe(req, resp); again != (len(statuses) == 0) {
				t.Errorf("Observe(answer %d) = %v, want a challenge at first only", len(statuses), again)
			}
			statuses = append(statuses, resp.StatusCode)
			time.Sleep(3 * time.Hour)
		}
		if statuses[0] != 401 || statuses[1] != 200 || statuses[2] != 200 {
			t.Errorf("the API answered %d, want a challenge and then 200", statuses)
		}
	})
}

package oauth_test

import (
	"testing"

	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// noVerifier is a verifier that is never asked.
type noVerifier struct{ oauth.IDTokenVerifier }

func TestIDTokens(t *testing.T) {
	var missing *noVerifier
	mine := new(noVerifier)
	for _, tt := range []struct {
		name        string
		given, want oauth.IDTokenVerifier
	}{
		{"none", nil, nil},
		{"a nil pointer", missing, nil},
		{"one", mine, mine},
	} {
		o := &oauth.Options{IDTokens: tt.given}
		c, err := oauth.New(provider.X(), oauth.Registration{
			ClientID: "app", RedirectURL: "https://app.example/callback", Scopes: []string{"users.read", "tweet.read"},
		}, o)
		if err != nil {
			t.Fatal(err)
		}
		o.IDTokens = new(noVerifier)
		if got := c.IDTokens(); got != tt.want {
			t.Errorf("IDTokens() with %s = %v, want %v", tt.name, got, tt.want)
		}
	}
}

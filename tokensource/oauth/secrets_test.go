package oauth_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/exposure"
	"github.com/authtrip/authtrip/internal/wire"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// Every operation fails at a server that repeats whatever it was sent.
func TestErrorsShowNoSecret(t *testing.T) {
	const access = "canary-access-t0ken"
	secret := oauthtest.ConfidentialApp().Secret()
	calls := append([]operation{{"identity", func(ctx context.Context, c *oauth.Client) error {
		_, err := c.Identity(ctx, &oauth2.Token{AccessToken: access})
		return err
	}}}, operations...)
	sent := map[string][]string{ // an operation can only know the secrets that it has sent
		"exchange": {someCode, rfcVerifier, secret}, "refresh": {someRefresh, secret}, "revoke": {someRefresh, secret},
		"identity": {access, secret},
	}
	for _, op := range calls {
		var errs []error
		for _, fault := range wire.Echoes(someCode, rfcVerifier, someRefresh, access, secret) {
			w := newWorld(t)
			w.Fake.Inject(oauthtest.Match{}, fault, -1)
			errs = append(errs, op.run(t.Context(), w.Client))
		}
		exposure.Check(t, op.name, errs, sent[op.name]...)
	}
}

func TestDescriptionsAreMadeFitForLogs(t *testing.T) {
	tests := []struct{ name, body, code, description string }{
		{"plain", `{"error":"invalid_scope","error_description":"no such scope"}`, "invalid_scope", "no such scope"},
		{"line breaks", `{"error":"a\r\nb","error_description":"x\r\nlevel=INFO msg=\"logged in\"\u0000"}`, "a..b", `x..level=INFO msg="logged in".`},
		{"terminal", `{"error":"\u001b]0;x\u0007","error_description":"\u001b[2Jgone\u009b"}`, ".]0;x.", ".[2Jgone."},
		{"beyond ASCII", `{"error":"e","error_description":"caf\u00e9 \u202e"}`, "e", "caf. ."},
		{"long", `{"error":"` + strings.Repeat("c", 999) + `","error_description":"` + strings.Repeat("d", 999) + `"}`,
			strings.Repeat("c", 64) + "...", strings.Repeat("d", 200) + "..."},
		{"echoes", `{"error":"` + someRefresh + `","error_description":"` + someRefresh + ` of ` + oauthtest.ConfidentialApp().Secret() + `"}`,
			"REDACTED", "REDACTED of REDACTED"},
		{"no string", `{"error":"e","error_description":{"a":1}}`, "e", ""},
	}
	for _, tt := range tests {
		w := newWorld(t)
		w.Fake.Inject(oauthtest.Match{}, wire.JSON(400, tt.body), 1)
		_, err := w.Client.Refresh(t.Context(), someRefresh)
		e, ok := errors.AsType[*tokensource.Error](err)
		if !ok || e.Code != tt.code || e.Description != tt.description {
			t.Errorf("%s: code, description = %q, %q, want %q, %q", tt.name, e.Code, e.Description, tt.code, tt.description)
		}
		if text := err.Error(); strings.ContainsAny(text, "\r\n\x1b\x00") {
			t.Errorf("%s: Error() = %q", tt.name, text)
		}
	}
}

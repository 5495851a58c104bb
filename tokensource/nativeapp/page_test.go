package nativeapp_test

import (
	"context"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// The page at the end of a login says what happened. The policy of the page
// allows its style.
func TestThePageSaysWhatHappened(t *testing.T) {
	for name, tt := range map[string]struct {
		knobs func(*oauthtest.Knobs)
		want  string
	}{
		"the user consents": {func(*oauthtest.Knobs) {}, "You are logged in"},
		"the user refuses":  {func(k *oauthtest.Knobs) { k.Authorize.Deny = true }, "Access was refused"},
		"another issuer":    {func(k *oauthtest.Knobs) { k.Authorize.SendIss = "https://evil.example" }, "The login did not succeed"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			shown := make(chan string, 1)
			app := w.app(&nativeapp.Options{Open: func(ctx context.Context, target string) error {
				answer, err := w.fake.Authorize(ctx, "", target)
				go func() {
					_, text := w.get(answer)
					shown <- text
				}()
				return err
			}})
			w.fake.Set(tt.knobs)
			_, _ = app.Loopback(t.Context(), nil) // what it returns is tested elsewhere
			if text := <-shown; !strings.Contains(text, "<h1>"+tt.want) || !strings.Contains(text, "close this page") || !strings.Contains(text, "style-src 'sha256-") {
				t.Errorf("the page = %s, want %q", text, tt.want)
			}
		})
	}
}

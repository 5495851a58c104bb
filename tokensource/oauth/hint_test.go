package oauth_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/internal/wire"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// TestTheHintOfARefusedRefresh names what may have ended the refresh token.
func TestTheHintOfARefusedRefresh(t *testing.T) {
	tests := []struct {
		name   string
		change func(*provider.Provider)
		want   string // in the hint; empty: there is none
	}{
		{"many grants", func(*provider.Provider) {}, "set RevokesAll"},
		{"a revocation ends all grants", func(p *provider.Provider) { p.RevokesAll = true }, ""},
		{"no revocation endpoint", func(p *provider.Provider) { p.RevocationURL = "" }, ""},
		{"one grant", func(p *provider.Provider) { p.SingleGrant = true }, "another login"},
		{"the provider's own", func(p *provider.Provider) {
			p.Classify = func(provider.Answer) provider.Verdict {
				return provider.Verdict{Fixer: provider.UserCanFix, Hint: "own words"}
			}
		}, "own words"},
	}
	for _, tt := range tests {
		w, s := newWorld(t), generic()
		tt.change(s.p)
		w.Fake.Inject(oauthtest.Match{}, wire.JSON(400, `{"error":"invalid_grant"}`), 1)
		_, err := w.at(s).Refresh(t.Context(), someRefresh)
		e, ok := errors.AsType[*tokensource.Error](err)
		if !ok || e.Kind != tokensource.ErrReauthorize || (e.Hint == "") != (tt.want == "") || !strings.Contains(e.Hint, tt.want) {
			t.Errorf("%s: Refresh() = %v, want ErrReauthorize with the hint %q", tt.name, err, tt.want)
		}
	}
}

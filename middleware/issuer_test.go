package middleware_test

import (
	"net/url"
	"testing"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// TestM3_TheIssuerOfAResponse is the table of RFC 9207: iss is compared as a
// string, with a code and with an error, and nothing is sent after a mismatch.
func TestM3_TheIssuerOfAResponse(t *testing.T) {
	const issuer = "https://as.example/a"
	tests := []struct {
		name               string
		iss                []string // as the server writes it
		unasked, announced bool     // whether the answer is taken if iss was not announced, and if it was
	}{
		{"none", nil, true, false},
		{"the issuer", []string{issuer}, true, true},
		{"empty", []string{""}, false, false},
		{"with a slash at its end", []string{issuer + "/"}, false, false},
		{"in capital letters", []string{"HTTPS://AS.example/a"}, false, false},
		{"with the default port", []string{"https://as.example:443/a"}, false, false},
		{"http", []string{"http://as.example/a"}, false, false},
		{"without its path", []string{"https://as.example"}, false, false},
		{"encoded twice", []string{url.QueryEscape(issuer)}, false, false},
		{"with a dot segment", []string{"https://as.example/./a"}, false, false},
		{"of another server", []string{"https://evil.example"}, false, false},
	}
	for _, tt := range tests {
		for _, announced := range []bool{false, true} {
			for _, deny := range []bool{false, true} {
				var errs seen
				w := newWorld(t, setup{
					provider: func(p *provider.Provider) { p.Issuer, p.IssuerRequired = issuer, announced },
					options:  middleware.Options{OnError: errs.onError},
				})
				w.fake.Set(func(k *xapi.Knobs) {
					k.Authorize.SendIss, k.Authorize.ExtraParams, k.Authorize.Deny = "-", url.Values{"iss": tt.iss}, deny
				})
				b := newBrowser(t, w.mux)
				answer := w.consent(b.start("/"))
				if deny { // the fake adds parameters to a success only
					answer += "&" + url.Values{"iss": tt.iss}.Encode()
				}
				b.get(answer)
				ok := tt.unasked
				if announced {
					ok = tt.announced
				}
				switch what := "iss " + tt.name; {
				case !ok:
					errs.want(t, what, middleware.ErrIssuerMismatch)
				case deny:
					errs.want(t, what, middleware.ErrAccessDenied)
				}
				if n := w.exchanges(); (n == 1) != (ok && !deny) {
					t.Errorf("iss %s, announced %v, denied %v: %d exchanges", tt.name, announced, deny, n)
				}
			}
		}
	}
}

package provider_test

import (
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// TestInsecureAtMovesEveryEndpointOfEachEntry: nothing of a program that talks
// to a fake may reach the real server.
func TestInsecureAtMovesEveryEndpointOfEachEntry(t *testing.T) {
	const base = "http://127.0.0.1:9999"
	for _, name := range provider.Names() {
		p, err := provider.Get(name)
		if err != nil {
			continue // it has parameters
		}
		before := len(p.APIOrigins)
		at := p.InsecureAt(base + "/")
		if err := at.Validate(); err != nil {
			t.Errorf("%s.InsecureAt(%q).Validate() = %v, want nil", name, base, err)
		}
		list := append(at.Endpoints(), at.AuthorizationURL, at.IdentityURL, at.EndSessionURL)
		for _, endpoint := range append(list, at.APIOrigins...) {
			if endpoint != "" && !strings.HasPrefix(endpoint, base) {
				t.Errorf("%s.InsecureAt(%q) has %s, want it there", name, base, endpoint)
			}
		}
		if len(p.APIOrigins) != before || strings.HasPrefix(p.TokenURL, base) {
			t.Errorf("%s.InsecureAt(%q) has changed its receiver", name, base)
		}
	}
}

func TestInsecureAtKeepsPathAndQuery(t *testing.T) {
	p := provider.X()
	at := p.InsecureAt("http://127.0.0.1:9999")
	if want := strings.Replace(p.IdentityURL, "https://api.x.com", "http://127.0.0.1:9999", 1); at.IdentityURL != want || !strings.Contains(want, "?") {
		t.Errorf("InsecureAt().IdentityURL = %s, want %s", at.IdentityURL, want)
	}
}

func TestInsecureAtABaseThatIsRefused(t *testing.T) {
	for _, base := range []string{"", "127.0.0.1:9999", "http://fake.example", "ftp://127.0.0.1", "http://user@127.0.0.1:9999"} {
		if err := provider.X().InsecureAt(base).Validate(); err == nil {
			t.Errorf("InsecureAt(%q).Validate() = nil, want an error", base)
		}
	}
}

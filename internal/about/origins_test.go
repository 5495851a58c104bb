package about_test

import (
	"slices"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/about"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// A token goes to the origin that came with its grant, if the provider allows
// the host.
func TestAPIOriginsOfAGrant(t *testing.T) {
	server := about.Of(&provider.Provider{
		APIOrigins:   []string{"https://api.example"},
		GrantOrigins: map[string][]string{"instance_url": {"*.force.example"}},
	})
	for value, want := range map[any]string{
		"https://na1.force.example":           "https://na1.force.example",
		"https://na1.force.example/services":  "https://na1.force.example",
		"https://force.example":               "",
		"https://evil.example":                "",
		"https://na1.force.example.evil.test": "",
		"http://na1.force.example":            "",
		"":                                    "",
		7:                                     "",
	} {
		tok := (&oauth2.Token{AccessToken: "a"}).WithExtra(map[string]any{"instance_url": value})
		wanted := []string{"https://api.example"}
		if want != "" {
			wanted = append(wanted, want)
		}
		if got := server.APIOrigins(tok); !slices.Equal(got, wanted) {
			t.Errorf("APIOrigins of a grant with %v = %q, want %q", value, got, wanted)
		}
	}
	if got := server.APIOrigins(nil); !slices.Equal(got, []string{"https://api.example"}) {
		t.Errorf("APIOrigins(nil) = %q, want those of the provider", got)
	}
	if got := server.APIFacts().GrantHosts; !slices.Equal(got, []string{"*.force.example"}) {
		t.Errorf("GrantHosts = %q, want the hosts of the provider", got)
	}
}

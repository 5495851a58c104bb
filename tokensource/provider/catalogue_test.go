package provider_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource/provider"
)

func TestGetEveryName(t *testing.T) {
	names := provider.Names()
	if len(names) == 0 || !slices.IsSorted(names) {
		t.Fatalf("Names() = %q", names)
	}
	for _, name := range names {
		p, err := provider.Get(name)
		if err != nil {
			if !strings.Contains(err.Error(), "use provider.") {
				t.Errorf("Get(%q) = %v: it names no function", name, err)
			}
			continue
		}
		if err := p.Validate(); err != nil || p.Name != name {
			t.Errorf("Get(%q) = %s, Validate() = %v", name, p.Name, err)
		}
	}
}

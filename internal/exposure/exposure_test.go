package exposure_test

import (
	"strings"
	"testing"

	"github.com/authtrip/authtrip/internal/exposure"
)

const secret = "correct-horse-battery-staple"

type (
	text   struct{ s string }
	raw    struct{ b []byte }
	public struct {
		S string
		B []byte
	}
	quiet struct{ s string } // hides itself where its method is called
	shut  struct{ open func() string }
)

func (quiet) String() string { return "quiet" }

func TestOfFindsSecrets(t *testing.T) {
	tests := []struct {
		name string
		ways []string
		want []string
	}{
		{"string", exposure.Of(text{secret}, secret), []string{"alone, %v", "alone, %x", "alone, %q", "unexported field, slog text"}},
		{"bytes", exposure.Of(raw{[]byte(secret)}, secret), []string{"alone, %d", "alone, %#v", "alone, %b", "alone, %c", "alone, %U", "alone, %o"}},
		{"exported", exposure.Of(public{secret, []byte(secret)}, secret), []string{"alone, json", "pointer, xml", "alone, gob", "slice, slog JSON"}},
		{"bytes in JSON", exposure.Of(public{B: []byte(secret)}, secret), []string{"alone, json"}},
		{"method", exposure.Of(quiet{secret}, secret), []string{"unexported field, %v", "alone, %d"}},
	}
	for _, tt := range tests {
		for _, want := range tt.want {
			found := false
			for _, way := range tt.ways {
				found = found || strings.HasPrefix(way, want+": ")
			}
			if !found {
				t.Errorf("Of(%s) = %d ways without %q, want it found", tt.name, len(tt.ways), want)
			}
		}
	}
}

func TestOfAcceptsClosures(t *testing.T) {
	v := shut{func() string { return secret }}
	if ways := exposure.Of(v, secret); len(ways) != 0 {
		t.Errorf("Of(a closure) = %q, want none", ways)
	}
}

// failures counts what a check reports.
type failures struct {
	testing.TB
	errors int
}

func (*failures) Helper() {}

func (f *failures) Errorf(string, ...any) { f.errors++ }

func TestCheck(t *testing.T) {
	for name, tt := range map[string]struct {
		v     any
		fails bool
	}{
		"the whole secret": {text{secret}, true}, "the end of it": {text{secret[10:]}, true}, "15 bytes of it": {text{secret[5:20]}, true},
		"a closure": {shut{func() string { return secret }}, false}, "nothing": {nil, false},
	} {
		f := &failures{TB: t}
		exposure.Check(f, "a value", tt.v, "another-secret", secret)
		if (f.errors > 0) != tt.fails {
			t.Errorf("Check(%s) reported %d ways, want some: %v", name, f.errors, tt.fails)
		}
	}
}

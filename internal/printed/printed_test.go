package printed_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/internal/printed"
)

// guarded hides its text where fmt asks it, and nowhere else.
type guarded struct{ Text string }

func (g guarded) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("guarded")) }

func TestForms(t *testing.T) {
	got := printed.Forms(guarded{"s3cret"})
	for form, shown := range map[string]bool{"%v": false, "%#v": false, "JSON": true, "XML": true, "gob": true, "slog": true} {
		if contains := strings.Contains(got[form], "s3cret"); contains != shown {
			t.Errorf("Forms(a value with Format)[%q] = %q: the text is there: %v, want %v", form, got[form], contains, shown)
		}
	}
}

func TestHoldersReachBehindMethods(t *testing.T) {
	got := printed.Holders(guarded{"s3cret"})
	for holder, shown := range map[string]bool{"itself": false, "struct": false, "unexported field": true} {
		if text := fmt.Sprintf("%+v", got[holder]); strings.Contains(text, "s3cret") != shown {
			t.Errorf("Holders(a value with Format)[%q] = %s, shows the text: want %v", holder, text, shown)
		}
	}
}

package redact_test

import (
	"testing"

	"github.com/authtrip/authtrip/internal/exposure"
	"github.com/authtrip/authtrip/internal/redact"
)

func TestHidden(t *testing.T) {
	for _, text := range []string{"", "canary-s3cret"} {
		h := redact.Hide(text)
		if got := h.Reveal(); got != text {
			t.Errorf("Hide(%q).Reveal() = %q", text, got)
		}
	}
	if got := (redact.Hidden{}).Reveal(); got != "" {
		t.Errorf("the zero Hidden reveals %q, want nothing", got)
	}
	exposure.Check(t, "a Hidden", redact.Hide("canary-s3cret"), "canary-s3cret")
}

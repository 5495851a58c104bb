package sendguard_test

import (
	"context"
	"errors"
	"testing"

	"github.com/authtrip/authtrip/internal/sendguard"
)

func TestCheck(t *testing.T) {
	late := errors.New("the intent has ended")
	fail, pass := func() error { return late }, func() error { return nil }
	tests := []struct {
		name string
		ctx  context.Context
		want error
	}{
		{"no check", t.Context(), nil},
		{"a check that fails", sendguard.With(t.Context(), fail), late},
		{"a check that passes", sendguard.With(t.Context(), pass), nil},
		{"the innermost counts", sendguard.With(sendguard.With(t.Context(), fail), pass), nil},
	}
	for _, tt := range tests {
		if got := sendguard.Check(tt.ctx); !errors.Is(got, tt.want) {
			t.Errorf("Check(%s) = %v, want %v", tt.name, got, tt.want)
		}
	}
}

package backchannel_test

import (
	"context"
	"testing"

	"github.com/authtrip/authtrip/internal/backchannel"
)

func TestIs(t *testing.T) {
	marked := backchannel.With(t.Context())
	inner, cancel := context.WithCancel(context.WithoutCancel(marked))
	defer cancel()
	for name, tt := range map[string]struct {
		ctx  context.Context
		want bool
	}{"not marked": {t.Context(), false}, "marked": {marked, true}, "made from a marked one": {inner, true}} {
		if got := backchannel.Is(tt.ctx); got != tt.want {
			t.Errorf("Is(%s) = %v, want %v", name, got, tt.want)
		}
	}
}

package isnil_test

import (
	"testing"

	"github.com/authtrip/authtrip/internal/isnil"
)

func TestValue(t *testing.T) {
	for name, tt := range map[string]struct {
		v    any
		want bool
	}{
		"nil":            {nil, true},
		"a nil pointer":  {(*int)(nil), true},
		"a nil function": {(func())(nil), true},
		"a pointer":      {new(int), false},
		"a function":     {func() {}, false},
		"a zero struct":  {struct{}{}, false},
		"a nil map":      {map[string]int(nil), false}, // it can be read
	} {
		if got := isnil.Value(tt.v); got != tt.want {
			t.Errorf("Value(%s) = %t, want %t", name, got, tt.want)
		}
	}
}

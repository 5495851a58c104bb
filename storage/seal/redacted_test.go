package seal_test

import (
	"testing"

	"github.com/authtrip/authtrip/internal/exposure"
)

func TestNothingPrintsKeys(t *testing.T) {
	const primary, older = "0123456789abcdefghijklmnopqrstuv", "ABCDEFGHIJKLMNOPQRSTUVWXYZ98765_"
	keys := ring(t, []byte(primary), []byte(older))
	for _, secret := range []string{primary, older} {
		for _, way := range append(exposure.Of(*keys, secret), exposure.Of(keys, secret)...) {
			t.Errorf("Keys shows a key: %s", way)
		}
	}
}

package grant_test

import (
	"testing"

	"github.com/authtrip/authtrip/internal/testworld"
)

// world is the shared world of the tests, with what only this package needs.
type world struct{ *testworld.World }

func newWorld(t *testing.T) world {
	t.Helper()
	return world{testworld.New(t)}
}

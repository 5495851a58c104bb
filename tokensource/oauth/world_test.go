package oauth_test

import (
	"testing"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/internal/wire"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// world is the shared world of the tests, with what only this package needs.
type world struct{ *testworld.World }

func newWorld(t *testing.T) world {
	t.Helper()
	return world{testworld.New(t)}
}

// only returns the one request that reached the fake.
func (w world) only() oauthtest.Request {
	w.Helper()
	return wire.Only(w.T, w.Fake)
}

// answer makes the fake answer everything with status and a JSON body.
func (w world) answer(status int, body string) {
	w.Fake.Inject(oauthtest.Match{}, wire.JSON(status, body), -1)
}

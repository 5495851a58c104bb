package grant_test

import (
	"strings"
	"testing"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
)

// world is the shared world of the tests, with what only this package needs.
type world struct{ *testworld.World }

func newWorld(t *testing.T) world {
	t.Helper()
	return world{testworld.New(t)}
}

// keyOf returns the storage key of a subject's grant.
func (w world) keyOf(subject string) string {
	w.Helper()
	key, err := grant.Key(w.Context(), w.Store.Store, w.Client.Provider().Authority(), w.Client.ClientID(), subject)
	if err != nil {
		w.Fatal(err)
	}
	return key
}

// inspect returns the facts of the user's grant as the store has them.
func (w world) inspect() grant.Grant {
	w.Helper()
	stored, err := w.Store.Store.Get(w.Context(), w.keyOf(w.User))
	if err != nil {
		w.Fatal(err)
	}
	g, err := grant.Inspect(stored.Value())
	if err != nil {
		w.Fatal(err)
	}
	return g
}

// wantEnded fails the test unless the stored grant is a tombstone without
// tokens, or is not there.
func (w world) wantEnded() {
	w.Helper()
	for key := range w.grants() {
		stored, err := w.Store.Store.Get(w.Context(), key)
		if err != nil {
			w.Fatal(err)
		}
		g, err := grant.Inspect(stored.Value())
		if err != nil || g.LoggedOut.IsZero() || g.Refreshable || g.Unrevoked != 0 {
			w.Errorf("after the logout %+v is stored, %v, want a tombstone without tokens", g, err)
		}
	}
}

// wantNothingAlive fails the test if a token of the user works at the server.
func (w world) wantNothingAlive() {
	w.Helper()
	for i, g := range w.Fake.State().Grants {
		if g.LiveAccess+g.LiveRefresh > 0 {
			w.Errorf("grant %d has live tokens: %+v", i, g)
		}
	}
}

// grants returns the storage keys of grants.
func (w world) grants() map[string]bool {
	w.Helper()
	keys := map[string]bool{}
	for key, err := range w.Store.Store.(storage.Lister).Keys(w.Context()) {
		if err != nil {
			w.Fatal(err)
		}
		if strings.HasPrefix(key, "grant.") {
			keys[key] = true
		}
	}
	return keys
}

package middleware_test

import (
	"net/http"
	"testing"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// TestM7_KeysRotate takes flows and sessions from an old set of keys to a new one, and past it.
func TestM7_KeysRotate(t *testing.T) {
	fake, store := oauthtest.New(t, nil), storage.NewMemory()
	oldKey, newKey := storage.NewKey(), storage.NewKey()
	world := func(primary []byte, older ...[]byte) *world {
		keys, err := storage.NewKeys(primary, older...)
		if err != nil {
			t.Fatal(err)
		}
		return newWorld(t, setup{fake: fake, store: store, keys: keys})
	}
	before, during, after := world(oldKey), world(newKey, oldKey), world(newKey)

	b := newBrowser(t, before.mux)
	before.logIn(b, "")
	callback := before.consent(b.start("/begun-with-the-old-key"))
	wantStatus(t, "old session at both keys", b.at(during.mux).get("/timeline"), http.StatusOK)
	wantStatus(t, "old session at the new key", b.at(after.mux).get("/timeline"), http.StatusSeeOther)
	if a := b.at(during.mux).get(callback); a.location() != "/begun-with-the-old-key" {
		t.Errorf("old flow at both keys = %d to %q, want its page", a.StatusCode, a.location())
	}
	// The first key seals: what came out of the rotation is good where only the new key is left, and nowhere else.
	wantStatus(t, "new session at the new key", b.at(after.mux).get("/timeline"), http.StatusOK)
	wantStatus(t, "new session at the old key", b.at(before.mux).get("/timeline"), http.StatusSeeOther)
	retired := before.consent(b.at(before.mux).start("/"))
	wantStatus(t, "flow of a retired key", b.at(after.mux).get(retired), http.StatusBadRequest)
}

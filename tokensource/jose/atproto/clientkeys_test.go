package atproto_test

import (
	"crypto"
	"crypto/ecdsa"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/jose"
	"github.com/authtrip/authtrip/tokensource/jose/atproto"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

func newRing(first *ecdsa.PrivateKey, older ...*ecdsa.PrivateKey) (*jose.ClientKeys, error) {
	var rest []crypto.Signer
	for _, key := range older {
		rest = append(rest, key)
	}
	return jose.NewClientKeys(nil, first, rest...)
}

// confidential is an app with keys, as the fake servers know it.
func confidential() oauthtest.App {
	app := known()
	app.Auth = "private_key_jwt"
	return app
}

// The keys of a confidential app rotate. The grants of before go on, each with
// the key of its login, as servers demand.
func TestClientKeysRotate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, fresh := newKey(t), newKey(t)
		w := newWorld(t, func(a *atproto.App) { a.ClientKeys = newClientKeys(t, old) }, confidential())
		w.browser().login(w.entryway, alice, "alice.test")
		for _, step := range []struct {
			name string
			keys *jose.ClientKeys
			ok   bool
		}{
			{"the key of the login", newClientKeys(t, old), true},
			{"a new key behind it", newClientKeys(t, old, fresh), true},
			{"a new key before it", newClientKeys(t, fresh, old), true},
			{"the new key alone", newClientKeys(t, fresh), false},
		} {
			w.app.ClientKeys = step.keys
			w.logins, w.mux = w.open()
			w.net.Site("app.test", w.mux)
			time.Sleep(2 * time.Hour)
			src, _, err := w.logins.Source(t.Context(), alice)
			if err != nil {
				t.Fatal(err)
			}
			_, err = src.Token(t.Context())
			if (err == nil) != step.ok || !step.ok && !errors.Is(err, tokensource.ErrReauthorize) {
				t.Errorf("%s: Token of the old login = %v, want success = %t or ErrReauthorize", step.name, err, step.ok)
			}
			b := w.browser()
			b.login(w.entryway, carol, carol)
			if got := b.get("https://app.test/me").Body.String(); got != carol {
				t.Errorf("%s: /me after a new login = %q, want %s", step.name, got, carol)
			}
		}
	})
}

// A server that does not find the key in the document refuses the app.
func TestAnAppWithoutADocument(t *testing.T) {
	w := newWorld(t, func(a *atproto.App) { a.ClientKeys = newClientKeys(t, newKey(t)) }, confidential())
	w.net.Site("app.test", nil)
	if rec := w.browser().get("https://app.test/auth/authorize?identifier=alice.test"); rec.Code < 400 {
		t.Errorf("authorize without a document = %d, want an error", rec.Code)
	}
}

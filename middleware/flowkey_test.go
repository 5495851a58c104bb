package middleware_test

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/authtrip/authtrip/internal/opaquekeys"
	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// Each login has a key of its own, which the authorization request names and
// the grant keeps.
func TestEachLoginHasAKey(t *testing.T) {
	proofs := new(opaquekeys.Proofs)
	w := newWorld(t, setup{proofs: proofs})
	for i, want := range []string{"key-1", "key-2"} {
		b := newBrowser(t, w.mux)
		target := b.start("/timeline")
		u, err := url.Parse(target)
		if err != nil || u.Query().Get("dpop_jkt") != want {
			t.Errorf("login %d names the key %q, want %q", i, u.Query().Get("dpop_jkt"), want)
		}
		if a := b.get(w.consent(target)); a.StatusCode != http.StatusSeeOther {
			t.Fatalf("callback = %d %s, want 303", a.StatusCode, a.title())
		}
		if got := w.fake.Grants()[i].Thumbprint; got != want {
			t.Errorf("the tokens of login %d are bound to %q, want %q", i, got, want)
		}
	}
	g, err := w.grants.Grant(t.Context(), oauthtest.DefaultUser().ID)
	if err != nil || !g.Bound {
		t.Errorf("the grant is %+v, %v, want one that is bound", g, err)
	}
}

// A login whose code was exchanged and which waits keeps its key (G21).
func TestALoginThatWaitsKeepsItsKey(t *testing.T) {
	proofs, store := new(opaquekeys.Proofs), storage.NewMemory()
	w := newWorld(t, setup{proofs: proofs, store: store})
	b := newBrowser(t, w.mux)
	w.fake.Inject(oauthtest.Match{Op: "identity"}, oauthtest.Fault{Status: 503}, 3)
	a := b.get(w.consent(b.start("/timeline")))
	if a.StatusCode == http.StatusSeeOther {
		t.Fatal("the login has finished, want one that waits")
	}
	a = b.get("/authorize?resume=1&return_to=/timeline")
	if a.StatusCode != http.StatusSeeOther || a.location() != "/timeline" {
		t.Fatalf("try again = %d %s, want 303 to /timeline", a.StatusCode, a.title())
	}
	g, err := w.grants.Grant(t.Context(), oauthtest.DefaultUser().ID)
	if err != nil || !g.Bound {
		t.Errorf("the grant is %+v, %v, want one that is bound", g, err)
	}
	for _, r := range w.fake.Requests() {
		if slices.Contains(r.Notes, "another key") {
			t.Errorf("request %v", r)
		}
	}
}

// A code is not sent if the key of its login cannot be opened.
func TestACodeIsNotSentWithoutItsKey(t *testing.T) {
	proofs := new(opaquekeys.Proofs)
	w := newWorld(t, setup{proofs: proofs})
	b := newBrowser(t, w.mux)
	target := w.consent(b.start(""))
	proofs.Err = func(string) error { return errors.New("the key service is away") }
	if a := b.get(target); a.StatusCode == http.StatusSeeOther {
		t.Errorf("callback = %d, want an error", a.StatusCode)
	}
	if n := w.fake.TokenCalls("authorization_code"); n != 0 {
		t.Errorf("the code was sent %d times, want never", n)
	}
}

// New tries an authorization request. That makes no key: keys may be made in
// another place, and for one login each.
func TestNewMakesNoKey(t *testing.T) {
	proofs := new(opaquekeys.Proofs)
	fake := xapi.New(t, &oauthtest.Options{Proofs: proofs})
	client := newClient(t, fake, setup{proofs: proofs})
	grants, err := grant.New(client, storage.NewMemory(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = grants.Close() }()
	if _, err := middleware.New(grants, newKeys(t), nil); err != nil {
		t.Fatal(err)
	}
	key, err := proofs.NewKey(t.Context())
	if err != nil || key.Thumbprint() != "key-1" {
		t.Errorf("the next key is %q, %v, want the first one", key.Thumbprint(), err)
	}
}

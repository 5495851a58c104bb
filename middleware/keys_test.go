package middleware_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// M7: Keys rotate: the first key seals, and all keys open.
//
// TestM7_KeysRotate takes flows and sessions from an old set of keys to a new
// one, and past it.
func TestM7_KeysRotate(t *testing.T) {
	fake, store := xapi.New(t, nil), storage.NewMemory()
	oldKey, newKey := seal.NewKey(), seal.NewKey()
	world := func(primary []byte, older ...[]byte) *world {
		keys, err := seal.NewKeys(primary, older...)
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
	// The first key seals: what came out of the rotation is good where only the new
	// key is left, and nowhere else.
	wantStatus(t, "new session at the new key", b.at(after.mux).get("/timeline"), http.StatusOK)
	wantStatus(t, "new session at the old key", b.at(before.mux).get("/timeline"), http.StatusSeeOther)
	retired := before.consent(b.at(before.mux).start("/"))
	wantStatus(t, "flow of a retired key", b.at(after.mux).get(retired), http.StatusBadRequest)
}

// keyService counts the calls of a key service.
type keyService struct {
	seal.AEAD
	calls atomic.Int64
}

func (k *keyService) Seal(ctx context.Context, plaintext, associated []byte) ([]byte, error) {
	k.calls.Add(1)
	return k.AEAD.Seal(ctx, plaintext, associated)
}

func (k *keyService) Open(ctx context.Context, sealed, associated []byte) ([]byte, error) {
	k.calls.Add(1)
	return k.AEAD.Open(ctx, sealed, associated)
}

// TestM7_AKeyServiceIsAskedOncePerKey: with an envelope around it, cookies cost
// no call.
func TestM7_AKeyServiceIsAskedOncePerKey(t *testing.T) {
	service := &keyService{AEAD: newKeys(t)}
	envelope := func() *seal.Envelope {
		e, err := seal.NewEnvelope(service, nil)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	s := setup{fake: xapi.New(t, nil), store: storage.NewMemory(), keys: envelope()}
	here := newWorld(t, s)
	s.keys = envelope()
	there := newWorld(t, s)
	for range 10 {
		b := newBrowser(t, here.mux)
		for range 5 {
			b.start("/")
		}
		a := here.logIn(b, "")
		for _, c := range a.Cookies() {
			if len(c.Name)+len(c.Value) > 4096 {
				t.Errorf("cookie %s has %d bytes", c.Name, len(c.Value))
			}
		}
		for range 5 {
			wantStatus(t, "page here", b.get("/timeline"), http.StatusOK)
			wantStatus(t, "page there", b.at(there.mux).get("/timeline"), http.StatusOK)
		}
	}
	if n := service.calls.Load(); n != 2 {
		t.Errorf("170 requests at two processes cost %d calls of the key service, want 2: one for each process", n)
	}
}

// TestM7_CookiesAndStoreHaveSeparateKeys: the keys of the store make no
// session, and those of the cookies read no grant.
func TestM7_CookiesAndStoreHaveSeparateKeys(t *testing.T) {
	base, storeKey, cookieKey := storage.NewMemory(), seal.NewKey(), seal.NewKey()
	world := func(store, cookies []byte) *world {
		keys, err := seal.NewKeys(cookies)
		if err != nil {
			t.Fatal(err)
		}
		return newWorld(t, setup{store: sealedBy(t, base, store), keys: keys})
	}
	app := world(storeKey, cookieKey)
	b := newBrowser(t, app.mux)
	session := sessionOf(t, app.logIn(b, ""))
	wantStatus(t, "the session of the app", b.get("/timeline"), http.StatusOK)
	thief := world(storeKey, storeKey)
	wantStatus(t, "the session where the cookies have another key", b.at(thief.mux).get("/timeline"), http.StatusSeeOther)
	forged := thief.logInAs(newBrowser(t, thief.mux), firefox)
	planted := newBrowser(t, app.mux).get("/timeline", "Cookie", session.Name+"="+forged.Value)
	wantStatus(t, "a session sealed with the key of the store", planted, http.StatusSeeOther)
	if _, err := sealedBy(t, base, cookieKey).Get(t.Context(), app.grantKey()); !errors.Is(err, seal.ErrUnsealed) {
		t.Errorf("the grant with the key of the cookies = %v, want ErrUnsealed", err)
	}
}

// TestM7_KeysLost: lists of used logins that do not open are the operator's
// business, and are never written over. A process that has not got the new key
// yet would forget what the others have used up.
func TestM7_KeysLost(t *testing.T) {
	oldKey, newKey := seal.NewKey(), seal.NewKey()
	for _, tt := range []struct {
		name string
		mend func(t *testing.T, base storage.Store) (older [][]byte)
	}{
		{"the old key is given as well", func(*testing.T, storage.Store) [][]byte { return [][]byte{oldKey} }},
		{"the lists are deleted", func(t *testing.T, base storage.Store) [][]byte {
			deleteLedger(t, base)
			return nil
		}},
	} {
		base := storage.NewMemory()
		old := sealedBy(t, base, oldKey)
		for _, key := range ledgerKeys() {
			if _, err := old.Put(t.Context(), key, []byte{2}, 0); err != nil {
				t.Fatal(err)
			}
		}
		var errs seen
		lost := newWorld(t, setup{store: sealedBy(t, base, newKey), options: middleware.Options{OnError: errs.onError}})
		b := newBrowser(t, lost.mux)
		a := b.get(lost.consent(b.start("/")))
		wantStatus(t, "callback without the old key", a, http.StatusInternalServerError)
		wantUnreadable(t, "callback without the old key", errs.facts(t, "callback", middleware.ErrUnreadable), "middleware.used.")
		if n := lost.exchanges(); n != 0 || a.Header.Get("Retry-After") != "" {
			t.Errorf("callback without the old key: %d exchanges, Retry-After %q; want neither", n, a.Header.Get("Retry-After"))
		}
		for _, key := range ledgerKeys() {
			if _, err := old.Get(t.Context(), key); err != nil {
				t.Errorf("the old key's list %s after the callback: %v", key, err)
			}
		}
		mended := newWorld(t, setup{store: sealedBy(t, base, newKey, tt.mend(t, base)...)})
		b = newBrowser(t, mended.mux)
		wantStatus(t, "callback once "+tt.name, b.get(mended.consent(b.start("/"))), http.StatusSeeOther)
	}
}

// TestM7_GrantUnreadable: a grant that does not open is no outage either,
// wherever it is met, and logs nobody out.
func TestM7_GrantUnreadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, base, keys := xapi.New(t, nil), storage.NewMemory(), newKeys(t)
		before := newWorld(t, setup{fake: fake, keys: keys, store: sealedBy(t, base, seal.NewKey())})
		b := newBrowser(t, before.mux)
		before.logIn(b, "")
		deleteLedger(t, base)

		var errs seen
		after := newWorld(t, setup{
			fake: fake, keys: keys, store: sealedBy(t, base, seal.NewKey()), options: middleware.Options{OnError: errs.onError},
		})
		b = b.at(after.mux)
		key := after.grantKey()
		wantStatus(t, "page", b.get("/timeline"), http.StatusInternalServerError)
		wantUnreadable(t, "page", errs.facts(t, "page", middleware.ErrUnreadable), key)

		wantStatus(t, "login", b.get(after.consent(b.start("/"))), http.StatusInternalServerError)
		wantUnreadable(t, "login", errs.facts(t, "login", middleware.ErrLoginFailed), key)
		if got := fmt.Sprint(revoked(fake)); got != "[]" {
			t.Errorf("revoked after the login = %s, want none: the login is kept", got)
		}
		wantStatus(t, "the session where the key is", b.at(before.mux).get("/timeline"), http.StatusOK)

		wantStatus(t, "disconnect", b.do(http.MethodPost, "/disconnect"), http.StatusInternalServerError)
		wantUnreadable(t, "disconnect", errs.facts(t, "disconnect", middleware.ErrLogoutFailed), key)
		wantStatus(t, "disconnect where the key is", b.at(before.mux).do(http.MethodPost, "/disconnect"), http.StatusSeeOther)
	})
}

// TestM7_GrantDamaged: a grant that opens and makes no sense is met in the same
// way.
func TestM7_GrantDamaged(t *testing.T) {
	var errs seen
	w := newWorld(t, setup{options: middleware.Options{OnError: errs.onError}})
	b := newBrowser(t, w.mux)
	w.logIn(b, "")
	other := newWorld(t, setup{fake: w.fake, store: w.store, keys: w.keys, options: middleware.Options{OnError: errs.onError}})
	key := w.grantKey()
	record, err := w.store.Get(t.Context(), key)
	if err == nil {
		_, err = w.store.Put(t.Context(), key, []byte("{"), record.Version)
	}
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, "page", b.at(other.mux).get("/timeline"), http.StatusInternalServerError)
	wantUnreadable(t, "page", errs.facts(t, "page", middleware.ErrUnreadable), key)
}

// wantUnreadable checks that e says which record it is, and what to do.
func wantUnreadable(t *testing.T, what string, e *middleware.Error, key string) {
	t.Helper()
	if !errors.Is(e, middleware.ErrUnreadable) || !errors.Is(e, tokensource.ErrClient) || errors.Is(e, tokensource.ErrTemporary) {
		t.Errorf("%s: error = %v, want ErrUnreadable and ErrClient, and not ErrTemporary", what, e)
	}
	advice := "restore or delete it"
	if errors.Is(e, seal.ErrUnsealed) {
		advice = "give the key that sealed it as well, behind the first one"
	}
	for _, part := range []string{key, advice} {
		if !strings.Contains(e.Error(), part) {
			t.Errorf("%s: error = %q, want %q in it", what, e, part)
		}
	}
}

// ledgerKeys are the keys of the lists of used logins of a world with the
// default client.
func ledgerKeys() (list []string) {
	app, p := oauthtest.ConfidentialApp(), provider.X()
	sum := sha256.Sum256([]byte(p.Authority() + "\x00" + app.ClientID + "\x00/callback"))
	for shard := range 256 {
		list = append(list, fmt.Sprintf("middleware.used.%x.%02x", sum[:6], shard))
	}
	return list
}

func sealedBy(t *testing.T, base storage.Store, primary []byte, older ...[]byte) storage.Store {
	t.Helper()
	keys, err := seal.NewKeys(primary, older...)
	if err != nil {
		t.Fatal(err)
	}
	s, err := storage.Sealed(base, keys)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// deleteLedger deletes all lists of used logins below their seal, as an
// operator does who has lost the key.
func deleteLedger(t *testing.T, base storage.Store) {
	t.Helper()
	for _, key := range ledgerKeys() {
		record, err := base.Get(t.Context(), key)
		if err == nil {
			err = base.Delete(t.Context(), key, record.Version)
		}
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			t.Fatal(err)
		}
	}
}

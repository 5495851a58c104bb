package middleware_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// M6: Require sends a browser to the login and back, and answers a program
// with 401 and JSON.
func TestM6_BrowserIsSentToLogIn(t *testing.T) {
	w := newWorld(t, setup{})
	b := newBrowser(t, w.mux)
	for _, tt := range []struct {
		method, target string
		headers        []string
		want           string
	}{
		{"GET", "/timeline?page=2&q=a%20b", nil, "/authorize?return_to=%2Ftimeline%3Fpage%3D2%26q%3Da%2520b"},
		{"GET", "/timeline", []string{"Sec-Fetch-Mode", ""}, "/authorize?return_to=%2Ftimeline"}, // an older browser
		{"POST", "/timeline", nil, "/authorize"},                                                 // cannot be come back to
		{"GET", "/timeline?" + strings.Repeat("a", 3000), nil, "/authorize"},
	} {
		a := b.do(tt.method, tt.target, tt.headers...)
		if a.StatusCode != http.StatusSeeOther || a.location() != tt.want {
			t.Errorf("%s %.40s = %d to %q, want 303 to %q", tt.method, tt.target, a.StatusCode, a.location(), tt.want)
		}
		if got := a.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s %.40s: Cache-Control = %q, want no-store", tt.method, tt.target, got)
		}
	}
	// There and back again.
	a := b.get(b.get("/timeline?page=2").location())
	if a = b.get(w.consent(a.location())); a.location() != "/timeline?page=2" {
		t.Errorf("login that Require began ended at %q", a.location())
	}
	a = b.get("/timeline?page=2")
	if a.StatusCode != http.StatusOK || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("page = %d, Cache-Control %q, want 200 and no-store", a.StatusCode, a.Header.Get("Cache-Control"))
	}
}

func TestM6_ProgramGetsJSON(t *testing.T) {
	w := newWorld(t, setup{})
	for _, headers := range [][]string{
		{"Accept", "application/json", "Sec-Fetch-Mode", ""},
		{"Accept", "", "Sec-Fetch-Mode", ""},
		{"Accept", "*/*", "Sec-Fetch-Mode", ""},
		{"Sec-Fetch-Mode", "cors"}, // fetch in a page, whatever it accepts
	} {
		a := newBrowser(t, w.mux).get("/timeline", headers...)
		wantStatus(t, strings.Join(headers, " "), a, http.StatusUnauthorized)
		var got map[string]string
		if err := json.Unmarshal([]byte(a.body), &got); err != nil {
			t.Fatal(err)
		}
		if got["error"] != "login_required" || got["authorize_url"] != "https://app.example/authorize" {
			t.Errorf("%v: body = %v, want login_required and the authorize URL", headers, got)
		}
		if a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%v: Cache-Control %q, Content-Type %q", headers, a.Header.Get("Cache-Control"), a.Header.Get("Content-Type"))
		}
	}
}

// TestM6_StoreDown: an outage logs nobody out.
func TestM6_StoreDown(t *testing.T) {
	fake, keys, store := xapi.New(t, nil), newKeys(t), &brokenStore{Store: storage.NewMemory()}
	first := newWorld(t, setup{fake: fake, keys: keys, store: store})
	b := newBrowser(t, first.mux)
	first.logIn(b, "")
	var errs seen
	second := newWorld(t, setup{fake: fake, keys: keys, store: store, options: middleware.Options{OnError: errs.onError}})
	store.set(func(string, string) bool { return true })
	a := b.at(second.mux).get("/timeline")
	wantStatus(t, "store down", a, http.StatusServiceUnavailable)
	errs.want(t, "store down", tokensource.ErrTemporary)
	if a.Header.Get("Retry-After") == "" || len(a.Cookies()) != 0 {
		t.Errorf("store down: Retry-After %q, cookies %v, want one and none", a.Header.Get("Retry-After"), a.Cookies())
	}
	store.set(nil)
	wantStatus(t, "store up again", b.at(second.mux).get("/timeline"), http.StatusOK)
}

func TestM6_KeysDown(t *testing.T) {
	keys := &brokenKeys{AEAD: newKeys(t)}
	w := newWorld(t, setup{keys: keys})
	b := newBrowser(t, w.mux)
	w.logIn(b, "")
	target := b.start("/")
	keys.err = errBroken
	wantStatus(t, "page while the keys cannot be used", b.get("/timeline"), http.StatusServiceUnavailable)
	wantStatus(t, "callback while the keys cannot be used", b.get(w.consent(target)), http.StatusServiceUnavailable)
	wantStatus(t, "authorize while the keys cannot be used", b.get("/authorize"), http.StatusServiceUnavailable)
	wantStatus(t, "logout while the keys cannot be used", b.do(http.MethodPost, "/logout"), http.StatusServiceUnavailable)
	keys.err = nil
	wantStatus(t, "page when they can again", b.get("/timeline"), http.StatusOK)
}

func TestM6_Reauthorize(t *testing.T) {
	w := newWorld(t, setup{})
	page := http.HandlerFunc(w.login.Reauthorize)
	if a := newBrowser(t, page).get("/timeline?page=2"); a.location() != "/authorize?return_to=%2Ftimeline%3Fpage%3D2" {
		t.Errorf("Reauthorize sent a browser to %d %q", a.StatusCode, a.location())
	}
	wantStatus(t, "Reauthorize of a program", newBrowser(t, page).get("/x", "Sec-Fetch-Mode", "", "Accept", ""), http.StatusUnauthorized)
}

func TestM6_Subject(t *testing.T) {
	w := newWorld(t, setup{})
	var subject string
	var ok bool
	home := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { subject, ok = w.login.Subject(r) })
	b := newBrowser(t, w.mux)
	if b.at(home).get("/"); subject != "" || ok {
		t.Errorf("Subject before the login = %q, %v, want none", subject, ok)
	}
	w.logIn(b, "")
	if b.at(home).get("/"); subject != oauthtest.DefaultUser().ID || !ok {
		t.Errorf("Subject = %q, %v, want the user", subject, ok)
	}
	// Being logged in at one provider says nothing of another.
	other := newWorld(t, setup{redirectURL: "https://app.example/other/callback"})
	both := w.login.Require(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { subject, ok = other.login.Subject(r) }))
	if b.at(both).get("/"); ok {
		t.Errorf("Subject of another Login = %q, want none", subject)
	}
	// A context that somebody else has given a subject is no login.
	acting := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		home(rw, r.WithContext(w.grants.WithSubject(r.Context(), "somebody")))
	})
	if newBrowser(t, acting).get("/"); ok {
		t.Errorf("Subject from a foreign context = %q, want none", subject)
	}
}

// brokenKeys fails with err while it is set, as a key service does in an
// outage.
type brokenKeys struct {
	seal.AEAD
	err error
}

func (k *brokenKeys) Seal(ctx context.Context, plaintext, associated []byte) ([]byte, error) {
	if k.err != nil {
		return nil, k.err
	}
	return k.AEAD.Seal(ctx, plaintext, associated)
}

func (k *brokenKeys) Open(ctx context.Context, sealed, associated []byte) ([]byte, error) {
	if k.err != nil {
		return nil, k.err
	}
	return k.AEAD.Open(ctx, sealed, associated)
}

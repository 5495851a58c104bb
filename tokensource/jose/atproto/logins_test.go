package atproto_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/jose/atproto/identity"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// Users of different authorization servers log in on one mux.
func TestUsersOfSeveralServersOnOneMux(t *testing.T) {
	w := newWorld(t, nil)
	for _, tt := range []struct {
		fake        *oauthtest.Server
		did, in, at string
	}{{w.entryway, alice, "alice.test", pds}, {w.alone, bob, "bob.own.test", own}, {w.entryway, carol, carol, pds}} {
		b := w.browser()
		if rec := b.login(tt.fake, tt.did, tt.in); rec.Code != http.StatusSeeOther && rec.Code != http.StatusFound {
			t.Fatalf("login as %s = %d %s", tt.in, rec.Code, rec.Body)
		}
		if rec := b.get("https://app.test/me"); rec.Body.String() != tt.did {
			t.Errorf("/me of %s = %d %q, want %s", tt.in, rec.Code, rec.Body, tt.did)
		}
		client, account := w.client(tt.did)
		if status := w.call(client, account); status != http.StatusOK || account.Server != tt.at {
			t.Errorf("the server of %s is %s and answers %d, want %s and 200", tt.in, account.Server, status, tt.at)
		}
	}
}

// A user other than the one that was asked for is not logged in.
func TestAnotherUserThanTheOneThatWasAskedFor(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	if rec := b.login(w.entryway, carol, "alice.test"); rec.Code < 400 {
		t.Errorf("callback with another user = %d, want an error", rec.Code)
	}
	if rec := b.get("https://app.test/me"); !strings.HasPrefix(rec.Header().Get("Location"), "/login") {
		t.Errorf("/me = %d %q, want the page of the login", rec.Code, rec.Header())
	}
}

// A server that names a user of another server is not believed.
func TestAUserOfAnotherServer(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	rec := b.get("https://app.test/auth/authorize?identifier=alice.test")
	w.net.Account(alice, "alice.test", own)
	back, err := w.entryway.Authorize(t.Context(), alice, rec.Header().Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	if rec := b.get(back); rec.Code < 400 {
		t.Errorf("callback after the account moved = %d, want an error", rec.Code)
	}
}

// An account that moves while its grant lives needs a new login.
func TestTheAccountMovesWhileTheGrantLives(t *testing.T) {
	w := newWorld(t, nil)
	src := w.source()
	w.net.Account(alice, "alice.test", own)
	if _, err := src.Token(t.Context()); !errors.Is(err, tokensource.ErrReauthorize) || !errors.Is(err, identity.ErrUser) {
		t.Errorf("Token after the account moved = %v, want ErrReauthorize", err)
	}
}

// An answer that names another server, or comes to another browser, is refused.
func TestAnswersOfNoLogin(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	rec := b.get("https://app.test/auth/authorize?identifier=alice.test")
	back, err := w.entryway.Authorize(t.Context(), alice, rec.Header().Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(back, url.QueryEscape(entryway), url.QueryEscape(own), 1)
	for name, rec := range map[string]*httptest.ResponseRecorder{
		"an answer with another iss":           b.get(other),
		"an answer that another browser opens": w.browser().get(back),
		"an answer without iss":                b.get("https://app.test/auth/callback?code=x&state=y"),
		"a handle that nobody has":             b.get("https://app.test/auth/authorize?identifier=nobody.test"),
	} {
		if rec.Code != http.StatusBadRequest {
			t.Errorf("%s: %d, want 400", name, rec.Code)
		}
	}
}

// A login that cannot be checked is finished later, without the user.
func TestTheDirectoryIsDownDuringALogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		b := w.browser()
		rec := b.get("https://app.test/auth/authorize?return_to=/me&identifier=alice.test")
		w.net.Page("error plc.directory", "")
		back, err := w.entryway.Authorize(t.Context(), alice, rec.Header().Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		if rec := b.get(back); rec.Code < 500 {
			t.Errorf("callback without the directory = %d, want 5xx", rec.Code)
		}
		w.net.Unpage("error plc.directory")
		b.get("https://app.test/auth/authorize?return_to=/me&resume=1")
		if rec := b.get("https://app.test/me"); rec.Body.String() != alice {
			t.Errorf("/me after another try = %d %q, want %s", rec.Code, rec.Body, alice)
		}
	})
}

package middleware_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// twoLogins is one app with two Logins on one mux, one store and one set of
// keys, at two servers. One identifier names two people there.
func twoLogins(t *testing.T, own middleware.Sessions) (one, two *world, mux *http.ServeMux) {
	t.Helper()
	s := setup{store: storage.NewMemory(), keys: newKeys(t), options: middleware.Options{Sessions: own}}
	s.redirectURL = "https://app.example/one/callback"
	one = newWorld(t, s)
	s.redirectURL = "https://app.example/two/callback"
	s.provider = func(p *provider.Provider) { p.Issuer = "https://two.example" }
	two = newWorld(t, s)
	mux = http.NewServeMux()
	one.login.Mount(mux)
	two.login.Mount(mux)
	return one, two, mux
}

// acting answers with who acts at each of the two servers.
func acting(one, two *world) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		for _, w := range []*world{one, two} {
			subject, _ := w.login.Subject(r)
			tok, err := w.grants.Token(r.Context())
			name := "nobody"
			if err == nil {
				user, err := w.client.Identity(r.Context(), tok)
				name = fmt.Sprint(user.Name, err)
			}
			fmt.Fprintf(rw, "%s/%s ", subject, name)
		}
	})
}

// A subject belongs to its Login: the same identifier at another server is
// another user.
func TestM8_OneIdentifierAtTwoServers(t *testing.T) {
	one, two, mux := twoLogins(t, nil)
	user := oauthtest.DefaultUser()
	for w, name := range map[*world]string{one: "Victim", two: "Mallory"} {
		if err := w.fake.AddUser(oauthtest.User{ID: "7", Username: name, Name: name}); err != nil {
			t.Fatal(err)
		}
		w.fake.Set(func(k *xapi.Knobs) { k.Authorize.User = "7" })
	}
	mux.Handle("/mine", two.login.Require(acting(one, two)))
	mux.Handle("/both", one.login.Require(two.login.Require(acting(one, two))))
	mux.Handle("/crossed", two.login.Require(one.login.Require(acting(one, two))))

	one.logInAt(newBrowser(t, mux), "/one") // the victim, elsewhere
	b := newBrowser(t, mux)
	two.logInAt(b, "/two")
	if got := b.get("/mine").body; got != "/nobody 7/Mallory<nil> " {
		t.Errorf("the page behind the second login acts as %q, want Mallory there and nobody at the first server", got)
	}
	if a := b.get("/both"); a.location() != "/one/authorize?return_to=%2Fboth" {
		t.Errorf("the page behind both = %d to %q, want the login that is missing", a.StatusCode, a.location())
	}
	one.fake.Set(func(k *xapi.Knobs) { k.Authorize.User = user.ID })
	one.logInAt(b, "/one")
	want := fmt.Sprintf("%s/%s<nil> 7/Mallory<nil> ", user.ID, user.Name)
	for _, path := range []string{"/both", "/crossed"} {
		if got := b.get(path).body; got != want {
			t.Errorf("%s acts as %q, want %q", path, got, want)
		}
	}
}

// A session, its list and its end are of one Login.
func TestM8_SessionsOfTwoLogins(t *testing.T) {
	for _, own := range []middleware.Sessions{nil, &memorySessions{values: map[string]map[string]string{}}} {
		one, two, mux := twoLogins(t, own)
		mux.Handle("/1", one.login.Require(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "1") })))
		mux.Handle("/2", two.login.Require(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "2") })))
		b := newBrowser(t, mux)
		first := one.logInAt(b, "/one")
		wantStatus(t, "the login", first, http.StatusSeeOther)
		wantStatus(t, "the page of the other Login", b.get("/2"), http.StatusSeeOther)
		two.logInAt(b, "/two")
		wantStatus(t, "the page of the first Login", b.get("/1"), http.StatusOK)
		wantStatus(t, "the page of the second Login", b.get("/2"), http.StatusOK)
		ids := []string{one.sessions(t, 1)[0].ID, two.sessions(t, 1)[0].ID}
		if err := one.login.EndSession(t.Context(), oauthtest.DefaultUser().ID, ids[1]); err != nil {
			t.Fatal(err)
		}
		wantStatus(t, "the second Login, after the first was asked to end its session", b.get("/2"), http.StatusOK)
		if own == nil { // the value of one Login under the name of the other
			names := b.cookies("session")
			mine := sessionOf(t, first)
			other := names[slices.IndexFunc(names, func(name string) bool { return name != mine.Name })]
			planted := newBrowser(t, mux).get("/2", "Cookie", other+"="+mine.Value)
			wantStatus(t, "the session of the first Login as one of the second", planted, http.StatusSeeOther)
		}
		wantStatus(t, "logout of the first", b.do(http.MethodPost, "/one/logout"), http.StatusSeeOther)
		wantStatus(t, "the first Login after its logout", b.get("/1"), http.StatusSeeOther)
		wantStatus(t, "the second Login after the logout of the first", b.get("/2"), http.StatusOK)
		wantStatus(t, "disconnect of the second", b.do(http.MethodPost, "/two/disconnect"), http.StatusSeeOther)
		if n := revocations(one.fake); n != 0 || revocations(two.fake) == 0 {
			t.Errorf("%d revocations at the first server and %d at the second, want none and some", n, revocations(two.fake))
		}
	}
}

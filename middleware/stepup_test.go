package middleware_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/tokensource"
)

// steppingUp adds a page that begins a login because an API found something
// missing.
func (w *world) steppingUp(o middleware.BeginOptions) {
	w.mux.HandleFunc("/more", func(rw http.ResponseWriter, r *http.Request) { w.login.Begin(rw, r, &o) })
}

// A login after insufficient_scope asks for what is missing, for what the
// client asks for, and for what the user has granted before.
func TestStepUpAsksForTheUnionOfScopes(t *testing.T) {
	for _, tt := range []struct {
		name        string
		more, asked []string
		want        string
	}{
		{"a new scope", []string{"tweet.write"}, nil, "tweet.read users.read offline.access like.read tweet.write"},
		{"a scope that was granted", []string{"like.read"}, nil, "tweet.read users.read offline.access like.read"},
		{"none named", []string{}, nil, "tweet.read users.read offline.access like.read"},
		{"scopes of the app beside it", []string{"tweet.write"}, []string{"users.read", "tweet.read"}, "users.read tweet.read like.read offline.access tweet.write"},
	} {
		w := newWorld(t, setup{})
		w.steppingUp(middleware.BeginOptions{MoreScopes: tt.more, Scopes: tt.asked})
		w.mux.HandleFunc("/liked", func(rw http.ResponseWriter, r *http.Request) {
			w.login.Begin(rw, r, &middleware.BeginOptions{Scopes: []string{"tweet.read", "users.read", "offline.access", "like.read"}})
		})
		b := newBrowser(t, w.mux)
		b.get(w.consent(b.get("/liked").location()))
		got := strings.Fields(query(t, b.get("/more").location(), "scope"))
		if slices.Sort(got); !slices.Equal(got, sorted(tt.want)) {
			t.Errorf("%s: the login asks for %q, want %q", tt.name, got, tt.want)
		}
	}
}

func sorted(list string) []string {
	fields := strings.Fields(list)
	slices.Sort(fields)
	return fields
}

func TestStepUpSendsACRValuesAndMaxAge(t *testing.T) {
	for _, tt := range []struct {
		o        middleware.BeginOptions
		acr, age string
	}{
		{middleware.BeginOptions{ACRValues: []string{"urn:mfa", "urn:pw"}}, "urn:mfa urn:pw", ""},
		{middleware.BeginOptions{MaxAge: new(5 * time.Minute)}, "", "300"},
		{middleware.BeginOptions{MaxAge: new(time.Duration(0))}, "", "0"},
		{middleware.BeginOptions{ACRValues: []string{"a"}, MaxAge: new(1500 * time.Millisecond)}, "a", "1"},
	} {
		w := newWorld(t, setup{})
		w.steppingUp(tt.o)
		at := newBrowser(t, w.mux).get("/more").location()
		if acr, age := query(t, at, "acr_values"), query(t, at, "max_age"); acr != tt.acr || age != tt.age {
			t.Errorf("%+v: acr_values = %q, max_age = %q, want %q and %q", tt.o, acr, age, tt.acr, tt.age)
		}
		if got := query(t, at, "scope"); got != "tweet.read users.read offline.access" {
			t.Errorf("%+v: scope = %q, want that of the client", tt.o, got)
		}
	}
}

// Without its values, nobody would notice that the login was no better one.
func TestStepUpRefusesACRValuesThatCannotBeSent(t *testing.T) {
	for _, o := range []middleware.BeginOptions{
		{ACRValues: []string{""}}, {ACRValues: []string{"gold", ""}}, {ACRValues: []string{" "}}, {ACRValues: []string{"gold silver"}},
		{ACRValues: []string{"gold\n"}}, {ACRValues: []string{"g\u00f6ld"}}, {MaxAge: new(-time.Second)},
	} {
		var failed error
		w := newWorld(t, setup{options: middleware.Options{OnError: func(_ http.ResponseWriter, _ *http.Request, err error) { failed = err }}})
		w.steppingUp(o)
		if a := newBrowser(t, w.mux).get("/more"); a.StatusCode == http.StatusSeeOther || !errors.Is(failed, tokensource.ErrClient) {
			t.Errorf("Begin(%q, %v) = %d, %v, want ErrClient", o.ACRValues, o.MaxAge, a.StatusCode, failed)
		}
	}
}

// A server that never gives what is needed does not send the user around for
// ever. Another need, another user and a later time are not concerned.
func TestStepUpIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failed error
		w := newWorld(t, setup{options: middleware.Options{OnError: func(rw http.ResponseWriter, r *http.Request, err error) {
			failed = err
			middleware.ErrorPage(rw, r, err)
		}}})
		w.steppingUp(middleware.BeginOptions{MoreScopes: []string{"tweet.write"}})
		w.mux.HandleFunc("/other", func(rw http.ResponseWriter, r *http.Request) {
			w.login.Begin(rw, r, &middleware.BeginOptions{MoreScopes: []string{"like.write"}})
		})
		b := newBrowser(t, w.mux)
		w.logIn(b, "/timeline")
		began := func(target string, want bool) {
			t.Helper()
			failed = nil
			a := b.get(target)
			if a.StatusCode == http.StatusSeeOther != want || !want && !errors.Is(failed, middleware.ErrAccessDenied) {
				t.Errorf("%s = %d, %v, want a login: %t", target, a.StatusCode, failed, want)
			}
		}
		for range 3 {
			began("/more", true)
		}
		began("/more", false)
		began("/other", true)
		time.Sleep(10 * time.Minute)
		began("/more", true)
	})
}

// Without a session, nobody is counted: a stranger cannot block a user.
func TestStepUpOfStrangersIsALogin(t *testing.T) {
	w := newWorld(t, setup{})
	w.steppingUp(middleware.BeginOptions{MoreScopes: []string{"tweet.write"}})
	for i := range 5 {
		a := newBrowser(t, w.mux).get("/more")
		if a.StatusCode != http.StatusSeeOther || query(t, a.location(), "scope") != "tweet.read users.read offline.access tweet.write" {
			t.Errorf("%s: %d to %q, want a login", fmt.Sprint("stranger ", i), a.StatusCode, a.location())
		}
	}
}

func TestStepUpWithANegativeAge(t *testing.T) {
	w := newWorld(t, setup{})
	w.steppingUp(middleware.BeginOptions{MaxAge: new(-time.Second)})
	wantStatus(t, "a login with a negative age", newBrowser(t, w.mux).get("/more"), http.StatusInternalServerError)
}

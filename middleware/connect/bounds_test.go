package connect_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/middleware/connect"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// most is how many connections a user has, and how many users share an account.
const most = 64

// TestConnect_With64Connections: the next one is refused, and an account that
// is connected can be connected once more.
func TestConnect_With64Connections(t *testing.T) {
	person := 0
	w := newWorld(t, setup{login: middleware.Options{Identify: identifyAs(&person)}})
	b := w.browser("17")
	for person = range most {
		b.mustConnect(w.x, ann)
	}
	person = most
	w.wantStatus("one more", b.connect(w.x, ann), http.StatusConflict)
	w.wantErr("one more", connect.ErrTooMany)
	if n := len(w.list("17")); n != most {
		t.Errorf("Connections(17) has %d, want %d", n, most)
	}
	person = 5
	b.mustConnect(w.x, ann)
	if n := len(w.list("17")); n != most {
		t.Errorf("Connections(17) has %d after one was connected once more, want %d", n, most)
	}
}

// identifyAs says that each login is of the person with a number.
func identifyAs(number *int) func(context.Context, *oauth2.Token) (provider.Identity, error) {
	return func(context.Context, *oauth2.Token) (provider.Identity, error) {
		return provider.Identity{Subject: fmt.Sprint("person", *number)}, nil
	}
}

// TestShared_With64Users: the next user is refused.
func TestShared_With64Users(t *testing.T) {
	w := newWorld(t, setup{options: connect.Options{Shared: true}})
	for i := range most {
		w.browser(fmt.Sprint("user", i)).mustConnect(w.google, ann)
	}
	w.wantStatus("one more user", w.browser("17").connect(w.google, ann), http.StatusConflict)
	w.wantErr("one more user", connect.ErrTooMany)
	w.wantList("afterwards", "17")
	w.wantList("afterwards", "user63", "google/ann")
}

// TestNamesOfTheAppsUsers: a name is kept as it is, or refused.
func TestNamesOfTheAppsUsers(t *testing.T) {
	w := newWorld(t, setup{})
	for name, ok := range map[string]bool{
		"":                       false,
		"17":                     true,
		"mail|ann@example.com":   true,
		"Ünïcode, with spaces":   true,
		strings.Repeat("a", 255): true,
		strings.Repeat("a", 256): false,
		"\xff":                   false,
		"a\x00b":                 false,
	} {
		_, err := w.accounts.Connections(t.Context(), name)
		if (err == nil) != ok || err != nil && !errors.Is(err, tokensource.ErrClient) {
			t.Errorf("Connections(%.10q) = %v, want an error: %v", name, err, !ok)
		}
	}
	w.wantStatus("connect by a user with a long name", w.browser(strings.Repeat("a", 256)).do("POST", "/x/connect"), http.StatusInternalServerError)
	w.wantErr("connect by a user with a long name", tokensource.ErrClient)
}

// TestLongNamesOfPeople: what a server says of a person is bounded.
func TestLongNamesOfPeople(t *testing.T) {
	long := strings.Repeat("ä", 1<<16)
	w := newWorld(t, setup{login: middleware.Options{Identify: func(context.Context, *oauth2.Token) (provider.Identity, error) {
		return provider.Identity{Subject: ann, Username: long, Name: long, Picture: long}, nil
	}}})
	w.browser("17").mustConnect(w.x, ann)
	user := w.list("17")[0].User
	if n := len(user.Username) + len(user.Name) + len(user.Picture); n > 2<<10 || n < 1<<10 || !strings.HasPrefix(long, user.Picture) {
		t.Errorf("the connection holds %d bytes of names, want up to 2 KiB of them", n)
	}
}

// TestNew_Refuses: settings that cannot work.
func TestNew_Refuses(t *testing.T) {
	if _, err := connect.New(nil, nil); err == nil {
		t.Error("New(nil) = nil, want an error")
	}
	w := newWorld(t, setup{})
	keys, err := seal.NewKeys(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := grant.New(newWorld(t, setup{}).x.grants.Client(), storage.NewMemory(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = elsewhere.Close() })
	fresh, err := connect.New(userOf, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		accounts *connect.Accounts
		grants   *grant.Keeper
		options  *middleware.Options
	}{
		"no Keeper":               {fresh, nil, nil},
		"a client twice":          {w.accounts, w.x.grants, nil},
		"LogoutPath":              {fresh, w.x.grants, &middleware.Options{LogoutPath: "/x/logout"}},
		"BackChannelLogoutPath":   {fresh, w.x.grants, &middleware.Options{BackChannelLogoutPath: "/x/back"}},
		"LogoutAtServer":          {fresh, w.x.grants, &middleware.Options{LogoutAtServer: true}},
		"SessionLifetime":         {fresh, w.x.grants, &middleware.Options{SessionLifetime: 1}},
		"IdleTimeout":             {fresh, w.x.grants, &middleware.Options{IdleTimeout: 1}},
		"OnLogin":                 {fresh, w.x.grants, &middleware.Options{OnLogin: func(context.Context, provider.Identity) error { return nil }}},
		"what middleware refuses": {fresh, w.x.grants, &middleware.Options{FlowLifetime: -1}},
	} {
		if _, err := tt.accounts.Add(tt.grants, keys, tt.options); err == nil {
			t.Errorf("Add with %s = nil, want an error", name)
		}
	}
	if _, err := fresh.Add(w.x.grants, keys, nil); err != nil {
		t.Fatalf("Add: %v", err)
	}
	if _, err := fresh.Add(elsewhere, keys, nil); err == nil {
		t.Error("Add of a Keeper with another store = nil, want an error")
	}
	empty, err := connect.New(userOf, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := empty.Connections(t.Context(), "17"); !errors.Is(err, tokensource.ErrClient) {
		t.Errorf("Connections without a Provider = %v, want %v", err, tokensource.ErrClient)
	}
}

// TestProviderThatIsNotAddedAnyMore: its connections are shown as dead. They
// cannot be ended, because nobody could revoke their grants.
func TestProviderThatIsNotAddedAnyMore(t *testing.T) {
	w := newWorld(t, setup{})
	b := w.browser("17")
	b.mustConnect(w.x, ann)
	b.mustConnect(w.google, ann)
	keys, err := seal.NewKeys(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	less, err := connect.New(userOf, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := less.Add(w.google.grants, keys, nil); err != nil {
		t.Fatal(err)
	}
	list, err := less.Connections(t.Context(), "17")
	if err != nil || len(list) != 2 || list[0].Dead != tokensource.ReasonNoGrant || list[0].Err == nil || list[1].Dead != "" {
		t.Fatalf("Connections(17) = %+v, %v, want one of X that is dead, and one of Google", list, err)
	}
	if ctx := list[0].Context(t.Context()); ctx != t.Context() {
		t.Error("Context of a connection of X changed the context")
	}
	for name, err := range map[string]error{"End": less.End(t.Context(), "17", list[0].ID), "Forget": less.Forget(t.Context(), "17")} {
		if !errors.Is(err, tokensource.ErrClient) {
			t.Errorf("%s = %v, want %v", name, err, tokensource.ErrClient)
		}
	}
	w.wantAlive("after Forget", w.x, ann, 1)
	w.wantAlive("after Forget", w.google, ann, 0)
}

// TestRecordsThatWereMoved: somebody who can write to the store copies the list
// of one user to another one.
func TestRecordsThatWereMoved(t *testing.T) {
	w := newWorld(t, setup{})
	w.browser("17").mustConnect(w.x, ann)
	w.browser("18").mustConnect(w.x, bob)
	name := func(account string) string {
		key, err := storage.Name(t.Context(), w.store, "account.", "authtrip/connect", account)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	from, err := w.store.Get(t.Context(), name("17"))
	if err != nil {
		t.Fatal(err)
	}
	to, err := w.store.Get(t.Context(), name("18"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Put(t.Context(), name("18"), from.Value(), to.Version); err != nil {
		t.Fatal(err)
	}
	if _, err := w.accounts.Connections(t.Context(), "18"); !errors.Is(err, middleware.ErrUnreadable) {
		t.Errorf("Connections of a list that was moved = %v, want %v", err, middleware.ErrUnreadable)
	}
	w.wantStatus("connect with such a list", w.browser("18").connect(w.google, ann), http.StatusInternalServerError)
	w.wantErr("connect with such a list", middleware.ErrUnreadable)
}

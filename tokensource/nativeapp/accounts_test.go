package nativeapp_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// people adds users to the fake.
func (w *world) people(list ...oauthtest.User) {
	w.Helper()
	for _, u := range list {
		if err := w.fake.AddUser(u); err != nil {
			w.Fatal(err)
		}
	}
}

// as returns an App for an account.
func as(w *world, app *nativeapp.App, account string) *nativeapp.App {
	w.Helper()
	other, err := nativeapp.New(app.Keeper(), &nativeapp.Options{Account: account, Open: w.browser(nil), Out: io.Discard, Transport: w.apiOptions()})
	if err != nil {
		w.Fatal(err)
	}
	return other
}

// wantAccounts checks what Status says of the accounts.
func wantAccounts(w *world, when string, app *nativeapp.App, account, def string, names ...string) {
	w.Helper()
	s, err := app.Status(w.Context())
	if s.Account != account || s.Default != def || !slices.Equal(s.Accounts, names) {
		w.Errorf("%s: Status() = account %q of %q, default %q, %v, want %q of %q, default %q", when, s.Account, s.Accounts, s.Default, err, account, names, def)
	}
}

func TestSeveralAccounts(t *testing.T) {
	w := newWorld(t)
	w.local(t)
	w.people(oauthtest.User{ID: "1", Username: "ann"}, oauthtest.User{ID: "2", Username: "bob"})
	dir := t.TempDir()
	app := w.command(dir, nil)
	w.login(app, "1")
	w.login(app, "2")
	wantAccounts(w, "two logins", app, "ann", "ann", "ann", "bob")
	w.works("the default is the first", app, "1")
	w.works("by name", as(w, app, "bob"), "2")
	w.works("by the subject", as(w, app, "2"), "2")
	w.login(app, "2")
	wantAccounts(w, "a repeated login", app, "ann", "ann", "ann", "bob")

	if err := app.SetDefault(t.Context(), "bob"); err != nil {
		t.Fatal(err)
	}
	w.works("another default", app, "2")
	wantAccounts(w, "in another run", w.command(dir, nil), "bob", "bob", "ann", "bob")

	for _, name := range []string{"carl", ""} {
		if err := app.SetDefault(t.Context(), name); !errors.Is(err, nativeapp.ErrAccount) {
			t.Errorf("SetDefault(%q) = %v, want ErrAccount", name, err)
		}
	}
	carl := as(w, app, "carl")
	_, call := w.call(carl)
	for op, err := range map[string]error{"Logout": carl.Logout(t.Context()), "call": call} {
		if !errors.Is(err, nativeapp.ErrAccount) || !errors.Is(err, tokensource.ErrReauthorize) || !strings.Contains(err.Error(), "carl") {
			t.Errorf("%s(unknown account) = %v, want ErrAccount and ErrReauthorize, with the name", op, err)
		}
	}
}

func TestNamesOfAccounts(t *testing.T) {
	w := newWorld(t)
	w.local(t)
	w.people(
		oauthtest.User{ID: "1", Username: "ann"}, oauthtest.User{ID: "2", Username: "ann"}, oauthtest.User{ID: "3", Username: " "},
		oauthtest.User{ID: "4", Username: "e\x1b[31mvil\u202e"}, oauthtest.User{ID: "5", Username: "1"}, oauthtest.User{ID: "6", Username: "\x00"},
	)
	app := w.command(t.TempDir(), nil)
	for _, id := range []string{"1", "2", "3", "4", "5", "6"} {
		w.login(app, id)
	}
	wantAccounts(w, "names of users", app, "ann", "ann", "2", "3", "5", "6", "ann", "e[31mvil")
	if s, err := app.Status(t.Context()); err != nil || strings.ContainsAny(s.String(), "\x1b\u202e\x00") {
		t.Errorf("Status.String() = %q, %v, want no control characters", s, err)
	}
}

func TestAccountsWithNamesOfTheirOwn(t *testing.T) {
	w := newWorld(t)
	w.local(t)
	w.people(oauthtest.User{ID: "1", Username: "ann"}, oauthtest.User{ID: "2", Username: "bob"})
	app := w.command(t.TempDir(), nil)
	work := as(w, app, "work")
	w.login(work, "1")
	wantAccounts(w, "a named login", app, "work", "work", "work")
	w.login(app, "1")
	wantAccounts(w, "the same user without a name", app, "work", "work", "work")
	w.login(work, "2")
	wantAccounts(w, "another user under the name", app, "ann", "ann", "ann", "work")
	w.works("the name is the other user", work, "2")
	w.works("the first user has not changed", app, "1")
	w.login(as(w, app, "home"), "1")
	wantAccounts(w, "the default gets a name", app, "home", "home", "home", "work")
}

// A user without a name at the server has the subject as a name, which another
// account may have already.
func TestAnAccountWithTheNameOfAnotherSubject(t *testing.T) {
	w := newWorld(t)
	w.local(t)
	w.people(oauthtest.User{ID: "1", Username: "ann"}, oauthtest.User{ID: "3", Username: " "})
	app := w.command(t.TempDir(), nil)
	w.login(as(w, app, "3"), "1")
	w.login(app, "3")
	wantAccounts(w, "the subject is taken", app, "3", "3", "3", "3 (2)")
	w.works("the first account", as(w, app, "3"), "1")
	w.works("the second account", as(w, app, "3 (2)"), "3")
}

func TestNoDefaultIsLeft(t *testing.T) {
	w := newWorld(t)
	w.local(t)
	w.people(oauthtest.User{ID: "1", Username: "ann"}, oauthtest.User{ID: "2", Username: "bob"}, oauthtest.User{ID: "3", Username: "carl"})
	app := w.command(t.TempDir(), nil)
	for _, id := range []string{"1", "2", "3"} {
		w.login(app, id)
	}
	if err := app.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantAccounts(w, "the default has logged out", app, "", "", "bob", "carl")
	_, call := w.call(app)
	_, status := app.Status(t.Context())
	for op, err := range map[string]error{"Logout": app.Logout(t.Context()), "call": call, "Status": status} {
		if !errors.Is(err, nativeapp.ErrAccount) || errors.Is(err, tokensource.ErrReauthorize) || !strings.Contains(err.Error(), "bob, carl") {
			t.Errorf("%s(no default) = %v, want ErrAccount with the names", op, err)
		}
	}
	if err := as(w, app, "bob").Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.works("one account is left", app, "3")
	wantAccounts(w, "one account is left", app, "carl", "carl", "carl")
}

// Logins of several processes at once are all kept.
func TestLoginsAtOnce(t *testing.T) {
	w := newWorld(t)
	w.local(t)
	dir := t.TempDir()
	var wg sync.WaitGroup
	var names []string
	for _, id := range []string{"a", "b", "c", "d"} {
		w.people(oauthtest.User{ID: id, Username: "user " + id})
		names = append(names, id)
		app := w.command(dir, nil)
		access, refresh, err := w.fake.IssueToken(id, oauthtest.PublicApp().ClientID)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			if err := nativeapp.Add(t.Context(), app, id, access, refresh); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	app := w.command(dir, nil)
	s, err := app.Status(t.Context())
	if err != nil || !slices.Equal(s.Accounts, names) {
		t.Errorf("after %d logins at once, Status() = %q, %v", len(names), s.Accounts, err)
	}
	for _, name := range names {
		w.works("a login beside others", as(w, app, name), name)
	}
}

// A logout that the server has not confirmed ends the use of the tokens here.
// It is repeated by the next login or logout.
func TestLogoutIsRepeated(t *testing.T) {
	for name, repeat := range map[string]func(*world, *nativeapp.App) error{
		"by Logout":             func(w *world, app *nativeapp.App) error { return app.Logout(w.Context()) },
		"by Logout with a name": func(w *world, app *nativeapp.App) error { return as(w, app, "XDevelopers").Logout(w.Context()) },
		"by Login as another": func(w *world, app *nativeapp.App) error {
			w.people(oauthtest.User{ID: "1", Username: "ann"})
			w.login(app, "1")
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.local(t)
			dir := t.TempDir()
			app := w.command(dir, nil)
			w.login(app, user)
			w.fake.Inject(oauthtest.Match{Op: "revoke"}, oauthtest.Fault{Status: 503}, -1)
			err := app.Logout(t.Context())
			if !errors.Is(err, tokensource.ErrTemporary) || !strings.Contains(err.Error(), "not confirmed") {
				t.Errorf("Logout(server is down) = %v, want a temporary error that says so", err)
			}
			wantAccounts(w, "the server is down", app, "", "")
			if _, err := w.call(app); !errors.Is(err, tokensource.ErrNoGrant) {
				t.Errorf("call(the server is down) = %v, want ErrNoGrant", err)
			}
			if err := app.Logout(t.Context()); !errors.Is(err, tokensource.ErrTemporary) {
				t.Errorf("Logout(again, server is down) = %v, want a temporary error", err)
			}
			w.fake.ClearFaults()
			if err := repeat(w, w.command(dir, nil)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for _, g := range w.fake.Grants() {
				if g.UserID == user && g.LiveAccess+g.LiveRefresh != 0 {
					t.Errorf("%d tokens of the user are alive", g.LiveAccess+g.LiveRefresh)
				}
			}
		})
	}
}

// A login after an unconfirmed logout is a new login.
func TestLoginAfterAnUnconfirmedLogout(t *testing.T) {
	w := newWorld(t)
	w.local(t)
	app := w.command(t.TempDir(), nil)
	w.login(app, user)
	w.fake.Inject(oauthtest.Match{Op: "revoke"}, oauthtest.Fault{Status: 503}, -1)
	if err := app.Logout(t.Context()); err == nil {
		t.Error("Logout(server is down) = nil, want an error")
	}
	w.login(app, user)
	w.works("after the login", app, user)
	wantAccounts(w, "after the login", app, "XDevelopers", "XDevelopers", "XDevelopers")
	w.fake.ClearFaults()
}

// With a fixed subject there is one account, and no list of them.
func TestOneAccountOfAFixedSubject(t *testing.T) {
	w := newWorld(t)
	w.local(t)
	app := w.command(t.TempDir(), func(o *nativeapp.Options) { o.Subject = "bot" })
	wantAccounts(w, "before the login", app, "", "")
	if _, err := app.Login(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	wantAccounts(w, "after the login", app, "bot", "bot", "bot")
	if err := app.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantAccounts(w, "after the logout", app, "", "")
}

// damagedAccounts is a store in which the list of accounts is damaged.
type damagedAccounts struct{ storage.Store }

func (s damagedAccounts) Get(ctx context.Context, key string) (storage.Record, error) {
	if strings.HasPrefix(key, "nativeapp.accounts.") {
		return storage.Record{}, storage.ErrCorrupt
	}
	return s.Store.Get(ctx, key)
}

// No repetition helps against a damaged record, so the error says so.
func TestADamagedListOfAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var out terminalText
		app := w.run(damagedAccounts{storage.NewMemory()}, &out)
		_, status := app.Status(t.Context())
		_, login := app.Device(t.Context(), silent, nil)
		_, call := w.call(app)
		for op, err := range map[string]error{"Status": status, "Device": login, "call": call, "Logout": app.Logout(t.Context()), "SetDefault": app.SetDefault(t.Context(), "a")} {
			if !errors.Is(err, storage.ErrCorrupt) || errors.Is(err, tokensource.ErrTemporary) {
				t.Errorf("%s = %v, want ErrCorrupt that is not temporary", op, err)
			}
		}
		for _, g := range w.fake.Grants() {
			if g.LiveAccess+g.LiveRefresh != 0 {
				t.Error("tokens of the failed login are alive at the server")
			}
		}
	})
}

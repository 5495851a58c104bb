package nativeapp_test

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// device logs in by a device code, which needs no socket.
func (w *world) device(o *nativeapp.Options) (provider.Identity, error) {
	w.Helper()
	return w.app(o).Device(w.Context(), silent, nil)
}

func TestWhoTheUserIs(t *testing.T) {
	nobody := func(p *provider.Provider) { p.IdentityURL, p.ParseIdentity = "", nil }
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.changed = nobody
		id, err := w.device(&nativeapp.Options{Subject: "bot"})
		if err != nil || id.Subject != "bot" || !w.stored("bot") {
			t.Errorf("a fixed subject: %+v, %v, want it, with a grant", id, err)
		}
		w = newWorld(t)
		w.changed = nobody
		id, err = w.device(&nativeapp.Options{Identify: func(_ context.Context, tok *oauth2.Token) (provider.Identity, error) {
			return provider.Identity{Subject: w.fake.Token(tok.AccessToken).User.ID, Name: "N"}, nil
		}})
		if err != nil || id.Name != "N" || !w.stored(user) {
			t.Errorf("a function of the program: %+v, %v, want what it returns", id, err)
		}
	})
}

// What fails for a while after the tokens have come costs no login (G21). What
// is refused ends it, and the tokens are revoked.
func TestAfterTheTokens(t *testing.T) {
	refusal := errors.New("this account is not welcome")
	for name, tt := range map[string]struct {
		failures int
		identify error
		want     error
	}{
		"who the user is fails three times": {failures: 3},
		"who the user is fails always":      {failures: 1000, want: tokensource.ErrTemporary},
		"the program refuses the user":      {identify: refusal, want: refusal},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			o := new(nativeapp.Options)
			if tt.identify != nil {
				o.Identify = func(context.Context, *oauth2.Token) (provider.Identity, error) {
					return provider.Identity{}, tt.identify
				}
			}
			if tt.failures > 0 {
				w.fake.Inject(oauthtest.Match{Op: "identity"}, oauthtest.Fault{Status: 503}, tt.failures)
			}
			if _, err := w.device(o); !errors.Is(err, tt.want) {
				t.Errorf("%s: Device() = %v, want %v", name, err, tt.want)
			}
			w.fake.ClearFaults()
			if stored := w.stored(user); stored != (tt.want == nil) {
				t.Errorf("%s: a grant is stored: %t", name, stored)
			}
			for _, g := range w.fake.Grants() {
				if live := g.LiveRefresh + g.LiveAccess; live > 0 != (tt.want == nil) {
					t.Errorf("%s: %d tokens are alive", name, live)
				}
			}
		})
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	if _, err := nativeapp.New(nil, nil); err == nil {
		t.Error("New(no Keeper) = nil, want an error")
	}
	w := newWorld(t)
	w.app(nil)
	ask := func(context.Context, *oauth2.Token) (provider.Identity, error) { return provider.Identity{}, nil }
	for name, o := range map[string]*nativeapp.Options{
		"a negative timeout": {Timeout: -1}, "Subject and Identify": {Subject: "a", Identify: ask}, "a subject with a line break": {Subject: "a\n"},
	} {
		if _, err := nativeapp.New(w.keeper, o); err == nil {
			t.Errorf("New(%s) = nil, want an error", name)
		}
	}
	for name, change := range map[string]func(*provider.Provider){
		"no IdentityURL": func(p *provider.Provider) { p.IdentityURL, p.ParseIdentity = "", nil },
	} {
		w := newWorld(t)
		w.changed = change
		keeper, err := grant.New(w.client(), storage.NewMemory(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nativeapp.New(keeper, nil); err == nil || !strings.Contains(err.Error(), "Subject") {
			t.Errorf("New(%s) = %v, want an error that names the options", name, err)
		}
		_ = keeper.Close()
	}
	w = newWorld(t)
	w.changed = func(p *provider.Provider) { p.IdentityScopes = []string{"profile"} }
	app := w.app(nil)
	_, err := app.Device(t.Context(), silent, &nativeapp.LoginOptions{Scopes: []string{"other"}})
	if err == nil || !strings.Contains(err.Error(), "profile") {
		t.Errorf("Device(scopes without the one for the identity) = %v, want an error that names it", err)
	}
}

func TestOpenBrowserRefuses(t *testing.T) {
	for _, target := range []string{
		"http://auth.example/", "file:///etc/passwd", "javascript:alert(1)", "--version", "-url", "https://", "https://user@host.example/",
		"https://a.example/ b", "https://a.example/\n", "", "ftp://a.example/", "https://a.example/\u00e4",
	} {
		if err := nativeapp.OpenBrowser(t.Context(), target); err == nil || errors.Is(err, nativeapp.ErrNoBrowser) {
			t.Errorf("OpenBrowser(%q) = %v, want a refusal", target, err)
		}
	}
}

// R142: no shell sees the URL. The browser gets it as one argument.
func TestOpenBrowserUsesNoShell(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the browser of this test is a script at Linux")
	}
	dir := t.TempDir()
	seen := filepath.Join(dir, "seen")
	browser := filepath.Join(dir, "browser")
	script := "#!/bin/sh\nprintf '%s\\n' \"$#\" \"$1\" > " + seen + "\n"
	if err := os.WriteFile(browser, []byte(script), 0o700); err != nil { //nolint:gosec // it is a program
		t.Fatal(err)
	}
	for _, name := range []string{"DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"} {
		t.Setenv(name, "")
	}
	t.Setenv("BROWSER", browser)
	target := "https://auth.example/a?b=$(touch%20" + url.QueryEscape(dir) + ")&c=`id`&d=\"'|;"
	if err := nativeapp.OpenBrowser(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(seen)
	if want := "1\n" + target + "\n"; err != nil || string(got) != want {
		t.Errorf("the browser got %q, %v, want %q", got, err, want)
	}
	t.Setenv("BROWSER", filepath.Join(dir, "missing"))
	if _, err := os.Stat("/proc/sys/fs/binfmt_misc/WSLInterop"); err == nil {
		return
	}
	if err := nativeapp.OpenBrowser(t.Context(), target); !errors.Is(err, nativeapp.ErrNoBrowser) {
		t.Errorf("OpenBrowser(no browser) = %v, want ErrNoBrowser", err)
	}
}

// A login whose grant cannot be stored leaves no account: it would be the
// default of the next logins.
func TestALoginWithASubjectOfAThousandBytesLeavesNoAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		subject := strings.Repeat("a", 1000)
		app := w.app(&nativeapp.Options{Transport: w.apiOptions(), Identify: func(_ context.Context, tok *oauth2.Token) (provider.Identity, error) {
			return provider.Identity{Subject: subject}, nil
		}})
		if _, err := app.Device(t.Context(), silent, nil); err == nil {
			t.Fatal("Device(a subject of 1000 bytes) = nil, want an error")
		}
		wantAccounts(w, "after that login", app, "", "")
		subject = user
		if _, err := app.Device(t.Context(), silent, nil); err != nil {
			t.Fatal(err)
		}
		wantAccounts(w, "after another login", app, user, user, user)
		w.works("after another login", app, user)
		subject = strings.Repeat("a", 1000)
		if _, err := app.Device(t.Context(), silent, nil); err == nil {
			t.Fatal("Device(a subject of 1000 bytes) = nil, want an error")
		}
		wantAccounts(w, "after one more", app, user, user, user)
	})
}

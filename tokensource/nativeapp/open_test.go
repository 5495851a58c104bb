package nativeapp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/storage/userstore"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// things is a page of the API of the fake.
const things = "https://api.example/things"

// command is one run of a program on the machine of the user.
func (w *world) command(dir string, change func(*nativeapp.Options)) *nativeapp.App {
	w.Helper()
	w.registered()
	o := &nativeapp.Options{
		Dir: dir, TokenVariable: "-", Open: w.browser(nil), Out: io.Discard, In: strings.NewReader(""),
		Grants:    &grant.Options{DueInterval: -1, RenewSpacing: 1},
		Transport: w.apiOptions(),
	}
	if change != nil {
		change(o)
	}
	app, err := nativeapp.Open(w.Context(), "notes", w.client(), o)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { w.closed(app) })
	return app
}

func (w *world) closed(app *nativeapp.App) {
	w.Helper()
	if err := app.Close(); err != nil {
		w.Error(err)
	}
}

// call makes one request to the API, and returns its status.
func (w *world) call(app *nativeapp.App) (int, error) {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodGet, things, nil)
	if err != nil {
		w.Fatal(err)
	}
	resp, err := app.Client().Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.Request.Header.Get("Authorization") != "" {
		w.Error("the request of the response shows the token")
	}
	return resp.StatusCode, nil
}

// works checks that the program acts for a user.
func (w *world) works(when string, app *nativeapp.App, subject string) {
	w.Helper()
	if status, err := w.call(app); err != nil || status != http.StatusOK {
		w.Errorf("%s: call = %d, %v, want 200", when, status, err)
	}
	if r := w.fake.Requests(oauthtest.Match{Host: "api.example"}); len(r) == 0 || r[len(r)-1].UserID != subject {
		w.Errorf("%s: the call was not one of user %s", when, subject)
	}
}

// login logs a user in, who consents in the browser.
func (w *world) login(app *nativeapp.App, subject string) {
	w.Helper()
	w.fake.Set(func(k *oauthtest.Knobs) { k.Authorize.User = subject })
	if id, err := app.Login(w.Context(), nil); err != nil || id.Subject != subject {
		w.Fatalf("Login() = %+v, %v, want user %s", id, err, subject)
	}
}

// A command logs in once. Each later run of it is logged in, also after the
// access token has expired.
func TestOpenStaysLoggedIn(t *testing.T) {
	w := newWorld(t)
	w.local(t)
	dir := t.TempDir()
	app := w.command(dir, nil)
	if _, err := w.call(app); !errors.Is(err, tokensource.ErrNoGrant) {
		t.Errorf("before the login, call = %v, want ErrNoGrant", err)
	}
	w.login(app, user)
	w.works("after the login", app, user)
	w.closed(app)

	app = w.command(dir, nil)
	w.works("in the next run", app, user)
	w.fake.ExpireAccess("")
	w.works("after the token has expired", app, user)
	other := w.command(dir, nil)
	w.works("in a run beside it", other, user)
	if n := w.fake.TokenCalls("refresh_token"); n != 1 {
		t.Errorf("%d refreshes, want 1", n)
	}

	s, err := app.Status(t.Context())
	if err != nil || s.Account != "XDevelopers" || s.User.Subject != user || s.Grant.Dead != "" || s.Grant.Expiry.IsZero() || s.Grant.Authorized.IsZero() {
		t.Errorf("Status() = %+v, %v, want the user", s, err)
	}
	for _, part := range []string{"Logged in: XDevelopers (user " + user + "), since ", "and is then renewed.", "The logins are in " + dir + ", sealed. The key is in the file "} {
		if !strings.Contains(s.String(), part) {
			t.Errorf("Status.String() = %q, want %q in it", s, part)
		}
	}

	if err := app.Logout(t.Context()); err != nil {
		t.Fatalf("Logout() = %v", err)
	}
	for name, app := range map[string]*nativeapp.App{"this run": app, "the next run": w.command(dir, nil)} {
		s, err := app.Status(t.Context())
		if err != nil || s.Account != "" || !strings.HasPrefix(s.String(), "Nobody is logged in.\n") {
			t.Errorf("Status(after the logout, in %s) = %+v, %v, want nobody", name, s, err)
		}
		if _, err := w.call(app); !errors.Is(err, tokensource.ErrNoGrant) {
			t.Errorf("call(after the logout, in %s) = %v, want ErrNoGrant", name, err)
		}
		if err := app.Logout(t.Context()); err != nil {
			t.Errorf("Logout(nobody, in %s) = %v, want nil", name, err)
		}
	}
	for _, g := range w.fake.Grants() {
		if g.LiveAccess+g.LiveRefresh != 0 {
			t.Errorf("after the logout, %d tokens are alive at the server", g.LiveAccess+g.LiveRefresh)
		}
	}
}

// local makes the process one of a user at a machine with a browser.
func (w *world) local(t *testing.T) {
	for _, name := range []string{"SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT"} {
		t.Setenv(name, "")
	}
}

// A request to somewhere else needs no login and gets no token.
func TestClientElsewhere(t *testing.T) {
	w := newWorld(t)
	w.local(t)
	app := w.command(t.TempDir(), nil)
	for _, state := range []string{"nobody is logged in", "a user is logged in"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://elsewhere.example/", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := app.Client().Do(req)
		if err != nil {
			t.Fatalf("a request elsewhere, while %s: %v", state, err)
		}
		resp.Body.Close()
		if sent := w.sent[len(w.sent)-1].Header.Get("Authorization"); sent != "" || resp.Request.Header.Get("Authorization") != "" {
			t.Errorf("a request elsewhere, while %s, carries a token", state)
		}
		w.login(app, user)
	}
}

// R148: what a login has stored shows no token and no name, and Open says where
// the key is.
func TestOpenSealsTheLogin(t *testing.T) {
	w := newWorld(t)
	w.local(t)
	dir := t.TempDir()
	app := w.command(dir, nil)
	w.login(app, user)
	tok, err := app.Keeper().Source(user).Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(dir + "/" + file.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{tok.AccessToken, tok.RefreshToken, user, "XDevelopers"} {
			if secret != "" && (strings.Contains(string(text), secret) || strings.Contains(file.Name(), secret)) {
				t.Errorf("file %s shows a token or the user", file.Name())
			}
		}
	}
}

// lockedChain is a keychain that nobody unlocks.
type lockedChain struct{}

var errLocked = errors.New("locked")

func (lockedChain) Available(context.Context) error             { return nil }
func (lockedChain) Key(context.Context, string) ([]byte, error) { return nil, errLocked }
func (lockedChain) Keep(context.Context, string, []byte) error  { return errLocked }
func (lockedChain) Forget(context.Context, string) error        { return errLocked }

func TestOpenRefusesWhatCannotWork(t *testing.T) {
	w := newWorld(t)
	w.registered()
	client := w.client()
	if _, err := nativeapp.Open(t.Context(), "notes", nil, nil); err == nil {
		t.Error("Open(no client) = nil, want an error")
	}
	for name, tt := range map[string]struct {
		app  string
		o    nativeapp.Options
		want error
	}{
		"a locked keychain":           {"notes", nativeapp.Options{Keys: lockedChain{}}, userstore.ErrKeychain},
		"a name that is a path":       {"../notes", nativeapp.Options{}, nil},
		"a negative timeout":          {"notes", nativeapp.Options{Timeout: -1}, nil},
		"a negative Recheck":          {"notes", nativeapp.Options{Grants: &grant.Options{Recheck: -1}}, nil},
		"Account and Subject":         {"notes", nativeapp.Options{Account: "a", Subject: "b"}, nil},
		"an account with a line feed": {"notes", nativeapp.Options{Account: "a\nb"}, nil},
		"an account with a space":     {"notes", nativeapp.Options{Account: "a "}, nil},
	} {
		tt.o.Dir, tt.o.TokenVariable = t.TempDir(), "-"
		app, err := nativeapp.Open(t.Context(), tt.app, client, &tt.o)
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("Open(%s) = %v, want an error", name, err)
		}
		if err == nil {
			w.closed(app)
		}
	}
	w.changed = func(p *provider.Provider) { p.APIOrigins = nil }
	_, err := nativeapp.Open(t.Context(), "notes", w.client(), &nativeapp.Options{Dir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "Origins") {
		t.Errorf("Open(provider without an API) = %v, want an error that names Origins", err)
	}
	keeper := w.command(t.TempDir(), func(o *nativeapp.Options) { o.Transport.Origins = []string{"https://api.example"} }).Keeper()
	for name, o := range map[string]*nativeapp.Options{"Dir": {Dir: "x"}, "Keys": {Keys: lockedChain{}}, "Grants": {Grants: new(grant.Options)}, "TokenVariable": {TokenVariable: "A"}} {
		if _, err := nativeapp.New(keeper, o); err == nil {
			t.Errorf("New(%s, which is for Open) = nil, want an error", name)
		}
	}
	app, err := nativeapp.New(keeper, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.call(app); err == nil || !strings.Contains(err.Error(), "Origins") {
		t.Errorf("call(provider without an API) = %v, want an error that names Origins", err)
	}
}

// A token in the environment is used as it is, without a folder.
func TestTokenVariable(t *testing.T) {
	w := newWorld(t)
	w.registered()
	token, _, err := w.fake.IssueToken(user, oauthtest.PublicApp().ClientID)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTES_TOKEN", token+"\n")
	t.Setenv("OTHER", token)
	nowhere := "/dev/null/notes" // no folder can be made there
	for name, variable := range map[string]string{"the name of the program": "", "another variable": "OTHER"} {
		app := w.command(nowhere, func(o *nativeapp.Options) { o.TokenVariable = variable })
		w.works(name, app, user)
		s, err := app.Status(t.Context())
		want := map[string]string{"": "NOTES_TOKEN", "OTHER": "OTHER"}[variable]
		if err != nil || s.Variable != want || s.Account != "" || !strings.Contains(s.String(), want) {
			t.Errorf("Status(%s) = %+v, %v, want the variable", name, s, err)
		}
		_, login := app.Login(t.Context(), nil)
		for op, err := range map[string]error{"Login": login, "Logout": app.Logout(t.Context()), "SetDefault": app.SetDefault(t.Context(), "a")} {
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), token) {
				t.Errorf("%s(%s) = %v, want an error that names the variable", op, name, err)
			}
		}
		w.fake.ExpireAccess("")
		if status, err := w.call(app); status != http.StatusUnauthorized || err != nil {
			t.Errorf("call(expired token, %s) = %d, %v, want the 401 of the API", name, status, err)
		}
		token, _, err = w.fake.IssueToken(user, oauthtest.PublicApp().ClientID)
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv("NOTES_TOKEN", token)
		t.Setenv("OTHER", token)
	}
	for name, change := range map[string]func(*nativeapp.Options){
		"an account is named": func(o *nativeapp.Options) { o.Account, o.TokenVariable = "work", "" },
		"no variable":         func(o *nativeapp.Options) { o.TokenVariable = "-" },
		"an empty variable":   func(o *nativeapp.Options) { o.TokenVariable = "UNSET_TOKEN" },
	} {
		if s, _ := w.command(t.TempDir(), change).Status(t.Context()); s.Variable != "" || s.Dir == "" {
			t.Errorf("Status(%s) = %+v, want a folder and no variable", name, s)
		}
	}
	t.Setenv("NOTES_TOKEN", "two words")
	_, err = nativeapp.Open(t.Context(), "notes", w.client(), nil)
	if err == nil || !strings.Contains(err.Error(), "NOTES_TOKEN") || strings.Contains(err.Error(), "words") {
		t.Errorf("Open(token with a space) = %v, want an error that names the variable and not its value", err)
	}
}

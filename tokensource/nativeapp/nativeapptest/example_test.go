package nativeapptest_test

import (
	"context"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/nativeapp/nativeapptest"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

func TestMain(m *testing.M) { nativeapptest.Main(m) }

// TestLogin is how a program tests its login.
func TestLogin(t *testing.T) {
	nativeapptest.Isolate(t)
	fake := oauthtest.New(t, nil)
	user, err := logIn(t.Context(), fake)
	if err != nil || user != oauthtest.DefaultUser().ID {
		t.Errorf("the login = %q, %v, want the user of the fake", user, err)
	}
	if _, err := os.Stat(os.Getenv("HOME") + "/notes/logins/key"); err != nil {
		t.Errorf("the login is in another folder: %v", err)
	}
}

// logIn logs the user of a fake in.
func logIn(ctx context.Context, fake *oauthtest.Server) (string, error) {
	app := oauthtest.PublicApp()
	app.RedirectURLs = []string{"http://127.0.0.1/callback"}
	if err := fake.Register(app); err != nil {
		return "", err
	}
	fake.Set(func(k *oauthtest.Knobs) { k.Authorize.AnyLoopbackPort = true })
	client, err := oauth.New(fake.Provider(""), oauth.Registration{
		ClientID: app.ClientID, RedirectURL: app.RedirectURLs[0],
	}, &oauth.Options{HTTPClient: &http.Client{Transport: fake.Transport()}})
	if err != nil {
		return "", err
	}
	notes, err := nativeapp.Open(ctx, "notes", client, &nativeapp.Options{
		AnyPort: true, Open: nativeapptest.Browser(fake.Transport()), Out: new(strings.Builder),
	})
	if err != nil {
		return "", err
	}
	user, err := notes.Login(ctx, nil)
	if err != nil {
		return "", err
	}
	return user.Subject, notes.Close()
}

func TestEnv(t *testing.T) {
	t.Setenv("NOTES_TOKEN", "secret")
	t.Setenv("SSH_TTY", "/dev/pts/1")
	for _, entry := range nativeapptest.Env(t) {
		if name, _, _ := strings.Cut(entry, "="); name == "NOTES_TOKEN" || name == "SSH_TTY" {
			t.Errorf("Env() has %s, want it left out", name)
		}
	}
}

// A test of a command: the logins are in a folder of the test, and the browser
// is in the test. The program under test opens its logins as usual.
func Example() {
	_ = func(t *testing.T) {
		nativeapptest.Isolate(t)
		fake := oauthtest.New(t, nil)
		options := &nativeapp.Options{Open: nativeapptest.Browser(fake.Transport())}
		_ = options // for nativeapp.Open
	}
}

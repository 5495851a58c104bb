package nativeapp_test

import (
	"context"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// The page at the end of a login says what happened. The policy of the page
// allows its style.
func TestThePageSaysWhatHappened(t *testing.T) {
	for name, tt := range map[string]struct {
		knobs func(*oauthtest.Knobs)
		want  string
	}{
		"the user consents": {func(*oauthtest.Knobs) {}, "You are logged in"},
		"the user refuses":  {func(k *oauthtest.Knobs) { k.Authorize.Deny = true }, "Access was refused"},
		"another issuer":    {func(k *oauthtest.Knobs) { k.Authorize.SendIss = "https://evil.example" }, "The login did not succeed"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			shown := make(chan string, 1)
			app := w.app(&nativeapp.Options{Open: func(ctx context.Context, target string) error {
				answer, err := w.fake.Authorize(ctx, "", target)
				go func() {
					_, text := w.get(answer)
					shown <- text
				}()
				return err
			}})
			w.fake.Set(tt.knobs)
			_, _ = app.Loopback(t.Context(), nil) // what it returns is tested elsewhere
			if text := <-shown; !strings.Contains(text, "<h1>"+tt.want) || !strings.Contains(text, "close this page") || !strings.Contains(text, "style-src 'sha256-") {
				t.Errorf("the page = %s, want %q", text, tt.want)
			}
		})
	}
}

// lines is a terminal whose lines come from a channel.
type lines chan string

func (l lines) Write(text []byte) (int, error) {
	l <- string(text)
	return len(text), nil
}

// What the user reads calls the program by its name.
func TestTheNameOfTheProgram(t *testing.T) {
	for name, tt := range map[string]struct {
		opened   string // the name that Open gets; empty for New
		option   string
		terminal string
		page     string
	}{
		"New without a name":    {"", "", "Log in to the program in", "go back to the program."},
		"New with a name":       {"", "Bits & Pieces", "Log in to Bits & Pieces in", "go back to Bits &amp; Pieces."},
		"Open":                  {"notes", "", "Log in to notes in", "go back to notes."},
		"Open with a name":      {"notes", "My <Notes>", "Log in to My <Notes> in", "go back to My &lt;Notes&gt;."},
		"an escape sequence":    {"", "\x1b[2JNotes", "Log in to [2JNotes in", "go back to [2JNotes."},
		"a name of two scripts": {"", "Заметки 2", "Log in to Заметки 2 in", "go back to Заметки 2."},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.local(t)
			for _, variable := range []string{"SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT"} {
				t.Setenv(variable, "")
			}
			said, shown := make(chan string, 1), make(chan [2]string, 1)
			o := &nativeapp.Options{Name: tt.option, Out: lines(said), Open: func(ctx context.Context, target string) error {
				answer, err := w.fake.Authorize(ctx, "", target)
				go func() {
					line := <-said
					_, text := w.get(answer)
					shown <- [2]string{line, text}
				}()
				return err
			}}
			app := w.app(o)
			if tt.opened != "" {
				var err error
				o.Dir, o.TokenVariable = t.TempDir(), "-"
				if app, err = nativeapp.Open(t.Context(), tt.opened, w.client(), o); err != nil {
					t.Fatal(err)
				}
				defer func() { _ = app.Close() }()
			}
			if _, err := app.Login(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if got := <-shown; !strings.Contains(got[0], tt.terminal) || !strings.Contains(got[1], tt.page) {
				t.Errorf("the terminal shows %q and the page %s, want %q and %q", got[0], got[1], tt.terminal, tt.page)
			}
		})
	}
}

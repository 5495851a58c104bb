package nativeapp_test

import (
	"testing"

	"github.com/authtrip/authtrip/internal/exposure"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// An App and a Status show no token when they are printed or encoded.
func TestAppsShowNoToken(t *testing.T) {
	w := newWorld(t)
	w.local(t)
	app := w.command(t.TempDir(), func(o *nativeapp.Options) { o.Out, o.Open = nil, nil })
	access, refresh, err := w.fake.IssueToken(user, oauthtest.PublicApp().ClientID)
	if err != nil {
		t.Fatal(err)
	}
	if err := nativeapp.Add(t.Context(), app, user, access, refresh); err != nil {
		t.Fatal(err)
	}
	w.works("before it is printed", app, user)
	status, err := app.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTES_TOKEN", access)
	fromEnvironment := w.command("/dev/null/notes", func(o *nativeapp.Options) { o.Out, o.Open, o.TokenVariable = nil, nil, "" })
	for name, value := range map[string]any{
		"an App": app, "its client": app.Client(), "its Status": status,
		"an App with a token from the environment": fromEnvironment, "the client of that": fromEnvironment.Client(),
	} {
		exposure.Check(t, name, value, access, refresh)
	}
}

package oauthtest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// TestNothingPrintsASecret prints everything that the package returns, and what
// a caller may hold of it in fields of his own.
func TestNothingPrintsASecret(t *testing.T) {
	c := play(t, nil)
	c.Set(func(k *oauthtest.Knobs) { k.Token.GraceWindow = time.Hour })
	tok := c.login()
	next := c.parse(c.refresh(tok.Refresh))
	saved, err := c.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	last := c.Requests(oauthtest.Match{Op: "token"})[1]
	type outer struct {
		app oauthtest.App
		r   oauthtest.Request
		s   *oauthtest.Server
		O   oauthtest.Options
		R   oauthtest.Request
		G   []oauthtest.Grant
	}
	value := outer{ci, last, c.Server, oauthtest.Options{Apps: []oauthtest.App{ci}}, last, c.Grants()}
	var b bytes.Buffer
	b.Write(saved)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&b, verb+verb+verb+verb+verb, value, last, ci, c.Token(tok.Access), c.Grants())
	}
	for _, v := range []any{ci, last, c.Grants(), c.Token(tok.Refresh)} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(text)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("", "v", v)
		slog.New(slog.NewTextHandler(&b, nil)).Info("", "v", v)
	}
	for _, secret := range []string{
		tok.Access, tok.Refresh, next.Access, next.Refresh, ci.Secret(), verifier, "the-state", last.Raw().Header.Get("Authorization"),
	} {
		if strings.Contains(b.String(), secret) || strings.Contains(b.String(), fmt.Sprintf("%x", secret)) {
			t.Errorf("a secret of %d characters was printed", len(secret))
		}
	}
	if want := `POST auth.example/token "refresh_token" -> 200`; !strings.Contains(last.String(), want) {
		t.Errorf("String() = %q, want %q in it", last, want)
	}
}

func TestRawReturnsCopies(t *testing.T) {
	c := play(t, nil)
	token := c.issue().Refresh
	c.post(c.p.TokenURL+"?a=b", "grant_type", "refresh_token", "refresh_token", token)
	raw := c.Requests()[0].Raw()
	if raw.PostForm.Get("refresh_token") != token || raw.Header.Get("Authorization") == "" || raw.URL.Query().Get("a") != "b" || raw.Method != "POST" {
		t.Error("Raw() lost something")
	}
	raw.PostForm.Set("refresh_token", "changed")
	raw.Header.Set("Authorization", "changed")
	raw.URL.Path = "changed"
	again := c.Requests()[0].Raw()
	if again.PostForm.Get("refresh_token") != token || again.Header.Get("Authorization") == "changed" || again.URL.Path == "changed" {
		t.Error("a change of what Raw() returned changed the record")
	}
	c = play(t, &oauthtest.Options{OnRequest: func(r oauthtest.Request) {
		if raw := r.Raw(); len(raw.Header) != 0 || raw.PostForm != nil || raw.URL.Path != "/token" {
			t.Errorf("Raw() without a record = %v, want the path alone", raw)
		}
	}, RecordLimit: -1})
	c.refresh("x")
}

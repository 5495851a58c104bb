package main_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	grantctl "github.com/authtrip/authtrip/cmd/grantctl"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// secret gives the app's client secret to the grantctl that runs next.
func (a *app) secret() { a.Setenv("AUTHTRIP_CLIENT_SECRET", oauthtest.ConfidentialApp().Secret()) }

// live returns how many tokens of a user are good at the fake.
func (a *app) live(user string) (n int) {
	for _, raw := range a.secrets {
		if tok := a.fake.Token(raw); tok.Kind != "" && tok.Dead == "" && tok.User.ID == user {
			n++
		}
	}
	return n
}

func TestRevoke(t *testing.T) {
	a := newApp(t)
	key := a.newKey()
	g := a.grants(key)
	user, other := a.user(g, 1), a.user(g, 2)
	a.setKeys(key)
	a.secret()
	r := a.ctl(user+"\n", "revoke", a.url, user).want(t, 0, "To revoke it, type its name once more", "revoked "+a.key(user))
	if n := a.live(user); n != 0 {
		t.Errorf("%d tokens of the user are good after revoke, want 0", n)
	}
	if n := a.live(other); n != 2 {
		t.Errorf("%d tokens of another user are good after revoke, want 2", n)
	}
	ctl(t, "", "list", a.url).want(t, 0, "logged out\n", "alive\n")
	a.wantNoSecret("revoke", r)
	a.ctl("", "revoke", "-yes", a.url, a.key(user)).want(t, 1, "it is logged out already")
	a.ctl("", "revoke", "-yes", "-o", "json", a.url, a.key(other)).want(t, 0, `{"revoked":"`+a.key(other)+`"}`)
}

// TestRevokeOfAGrantThatChanges: while the operator thinks, the user logs out
// and in again.
func TestRevokeOfAGrantThatChanges(t *testing.T) {
	a := newApp(t)
	g := a.grants()
	user := a.user(g, 1)
	a.secret()
	var stdout, stderr bytes.Buffer
	code := grantctl.RunAt(t.Context(), a.fake.Transport(), []string{"revoke", a.url, user}, &hook{user + "\n", func() {
		if err := g.Logout(t.Context(), user); err != nil {
			t.Error(err)
		}
		a.login(g, user)
	}}, &stdout, &stderr)
	result{code, stdout.String(), stderr.String()}.want(t, 1, "it has changed meanwhile, so nothing was revoked")
	if n := a.live(user); n != 2 {
		t.Errorf("%d tokens of the new login are good after revoke, want 2", n)
	}
}

// TestRevokeWithoutAnAnswer: the grant ends, and the app's processes go on.
func TestRevokeWithoutAnAnswer(t *testing.T) {
	a := newApp(t)
	user := a.user(a.grants(), 1)
	a.secret()
	a.fake.Inject(oauthtest.Match{}, oauthtest.Fault{Status: http.StatusServiceUnavailable}, 4)
	a.ctl("", "revoke", "-yes", a.url, user).want(t, 1, "the server has not confirmed it", "try again")
	ctl(t, "", "list", "-o", "wide", a.url).want(t, 0, "logged out, 2 to be revoked")
}

func TestRevokeIsRefused(t *testing.T) {
	z := newZoo(t)
	z.secret()
	for name, tt := range map[string]struct {
		stdin string
		args  []string
		want  string
	}{
		"not confirmed":        {"no\n", []string{z.key("9000001")}, "not confirmed: nothing was done"},
		"another server":       {"", []string{"-yes", "-provider", "google", z.key("9000001")}, "of another server than -provider"},
		"no such server":       {"", []string{"-yes", "-provider", "canary", z.key("9000001")}, "canary"},
		"a sealed grant":       {"", []string{"-yes", z.key("9000006")}, "its tokens cannot be read, so nothing was revoked"},
		"no grant":             {"", []string{"-yes", "middleware.used.07"}, "this record is no grant"},
		"nobody":               {"", []string{"-yes", "canary"}, "not found"},
		"a file that is no":    {"", []string{"-yes", "-provider", "none.json", z.key("9000001")}, "none.json"},
		"a client that is not": {"", []string{"-yes", "-client", "other", z.key("9000001")}, "another issuer or client"},
	} {
		args := append([]string{"revoke", z.url}, tt.args...)
		r := z.ctl(tt.stdin, args...).want(t, 1, tt.want)
		z.wantNoSecret(name, r)
	}
	if n := z.live("9000001"); n != 2 {
		t.Errorf("%d tokens are good after refusals, want 2", n)
	}
	z.Setenv("AUTHTRIP_CLIENT_SECRET", "")
	z.ctl("", "revoke", "-yes", z.url, z.key("9000001")).want(t, 1, "AUTHTRIP_CLIENT_SECRET")
}

// TestRevokeAtAServerOfAFile: the facts come from a file, as probe writes it.
func TestRevokeAtAServerOfAFile(t *testing.T) {
	a := newApp(t)
	user := a.user(a.grants(), 1)
	a.secret()
	file := filepath.Join(t.TempDir(), "server.json")
	text := `{"entries": [{"name": "mine", "title": "Mine", "facts": {"authorize": "https://x.com/i/oauth2/authorize"}}]}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r := a.ctl("", "revoke", "-yes", "-provider", file, a.url, user)
	if r.code == 0 || strings.Contains(r.stderr, "not found") {
		t.Errorf("revoke with a file that is no catalogue = %d %q, want its error", r.code, r.stderr)
	}
}

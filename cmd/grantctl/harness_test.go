package main_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	grantctl "github.com/authtrip/authtrip/cmd/grantctl"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/filestore"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// result is what a run of grantctl left.
type result struct {
	code           int
	stdout, stderr string
}

// ctl runs grantctl as an operator does.
func ctl(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	return ctlFrom(t, strings.NewReader(stdin), args...)
}

func ctlFrom(t *testing.T, stdin io.Reader, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := grantctl.Run(t.Context(), args, stdin, &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

// ctl runs grantctl where the app's fake answers for the servers.
func (a *app) ctl(stdin string, args ...string) result {
	a.Helper()
	var stdout, stderr bytes.Buffer
	code := grantctl.RunAt(a.Context(), a.fake.Transport(), args, strings.NewReader(stdin), &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

// hook is an input before whose first byte something happens.
type hook struct {
	text   string
	before func()
}

func (h *hook) Read(p []byte) (int, error) {
	if h.before != nil {
		h.before()
		h.before = nil
	}
	n := copy(p, h.text)
	h.text = h.text[n:]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// want fails unless a run ended with code and said all of the texts.
func (r result) want(t *testing.T, code int, texts ...string) result {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code = %d, want %d; stdout %q, stderr %q", r.code, code, r.stdout, r.stderr)
	}
	for _, text := range texts {
		if !strings.Contains(r.stdout+r.stderr, text) {
			t.Errorf("stdout %q, stderr %q, want %q in one of them", r.stdout, r.stderr, text)
		}
	}
	return r
}

// objects reads stdout as JSON, one object a line.
func (r result) objects(t *testing.T) []map[string]any {
	t.Helper()
	var list []map[string]any
	for text := range strings.Lines(r.stdout) {
		var m map[string]any
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatalf("%q is no JSON: %v", text, err)
		}
		list = append(list, m)
	}
	return list
}

// app is an app that has users at a fake of X, and keeps their grants in a
// store, sealed.
type app struct {
	*testing.T
	fake    *xapi.Server
	client  *oauth.Client
	url     string // the store, for grantctl
	store   storage.Store
	named   storage.Store // the store of the first engine, which makes the storage keys
	secrets []string      // all that grantctl must never print
}

var scopes = []string{"tweet.read", "users.read", "offline.access"}

// newApp returns an app whose store is an empty directory.
func newApp(t *testing.T) *app {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "grants")
	file, err := filestore.Open(dir, &filestore.Options{InsecureNoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return newAppOn(t, file, "file:"+dir)
}

func newAppOn(t *testing.T, store storage.Store, url string) *app {
	t.Helper()
	a := &app{T: t, fake: xapi.New(t, nil), store: store, url: url}
	registered := oauthtest.ConfidentialApp()
	var err error
	a.client, err = oauth.New(a.fake.Provider(""), oauth.Registration{
		ClientID: registered.ClientID, Credential: oauth.Secret(registered.Secret()), RedirectURL: registered.RedirectURLs[0], Scopes: scopes,
	}, &oauth.Options{HTTPClient: &http.Client{Transport: a.fake.Transport()}})
	if err != nil {
		t.Fatal(err)
	}
	a.secrets = []string{registered.Secret()}
	return a
}

// newKey returns a key as it stands in the environment. Grantctl must never
// print it.
func (a *app) newKey() string {
	key := base64.StdEncoding.EncodeToString(seal.NewKey())
	a.secrets = append(a.secrets, key)
	return key
}

// setKeys gives keys to the grantctl that runs next.
func (a *app) setKeys(keys ...string) { a.Setenv("AUTHTRIP_KEYS", strings.Join(keys, ",")) }

// grants returns the engine on the app's store, sealed with keys unless there
// are none.
func (a *app) grants(keys ...string) *grant.Keeper {
	a.Helper()
	return a.grantsOn(a.store, keys...)
}

func (a *app) grantsOn(store storage.Store, keys ...string) *grant.Keeper {
	a.Helper()
	store = a.sealed(store, keys...)
	if a.named == nil {
		a.named = store
	}
	g, err := grant.New(a.client, store, &grant.Options{InsecurePlainStore: true})
	if err != nil {
		a.Fatal(err)
	}
	a.Cleanup(func() { _ = g.Close() })
	return g
}

// sealed returns store, sealed with keys unless there are none.
func (a *app) sealed(store storage.Store, keys ...string) storage.Store {
	a.Helper()
	if len(keys) == 0 {
		return store
	}
	ring, err := seal.ParseKeys(strings.Join(keys, ","))
	if err != nil {
		a.Fatal(err)
	}
	s, err := storage.Sealed(store, ring)
	if err != nil {
		a.Fatal(err)
	}
	return s
}

// sealedAs seals the grant of a user with other keys, or not at all, and
// returns the user.
func (a *app) sealedAs(user string, keys ...string) string {
	a.Helper()
	key := a.key(user)
	r, err := a.named.Get(a.Context(), key)
	if err != nil {
		a.Fatal(err)
	}
	if _, err := a.sealed(a.store, keys...).Put(a.Context(), key, r.Value(), r.Version); err != nil {
		a.Fatal(err)
	}
	return user
}

// login has a user authorize the app.
func (a *app) login(g *grant.Keeper, user string) {
	a.Helper()
	access, refresh, err := a.fake.IssueToken(user, a.client.ClientID(), scopes...)
	if err != nil {
		a.Fatal(err)
	}
	if _, err := g.Save(a.Context(), user, token(access, refresh)); err != nil {
		a.Fatal(err)
	}
	a.secrets = append(a.secrets, access, refresh)
}

func token(access, refresh string) *oauth2.Token {
	return &oauth2.Token{AccessToken: access, RefreshToken: refresh, TokenType: "bearer", Expiry: time.Now().Add(2 * time.Hour)}
}

// sorted returns the lines of text in order.
func sorted(text string) string {
	return strings.Join(slices.Sorted(strings.Lines(text)), "")
}

// user adds a user at the fake, who logs in.
func (a *app) user(g *grant.Keeper, n int) string {
	a.Helper()
	id := fmt.Sprint(9_000_000 + n)
	if err := a.fake.AddUser(oauthtest.User{ID: id, Name: "A User", Username: "user" + id}); err != nil {
		a.Fatal(err)
	}
	a.login(g, id)
	return id
}

func (a *app) key(user string) string {
	a.Helper()
	key, err := grant.Key(context.Background(), a.named, a.issuer(), a.client.ClientID(), user)
	if err != nil {
		a.Fatal(err)
	}
	return key
}

func (a *app) issuer() string { return a.client.Provider().Authority() }

// get returns what is stored of a user.
func (a *app) get(user string) storage.Record {
	a.Helper()
	r, err := a.store.Get(context.Background(), a.key(user))
	if err != nil {
		a.Fatal(err)
	}
	return r
}

// wantNoSecret fails if r tells one of the app's secrets, as it is or in
// base64.
func (a *app) wantNoSecret(what string, r result) {
	a.Helper()
	for _, s := range a.secrets {
		for _, text := range []string{r.stdout, r.stderr} {
			if strings.Contains(text, s) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(s))) {
				a.Errorf("%s tells the secret %s: %.500s", what, s, text)
			}
		}
	}
}

package main_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/storagetest"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"

	grantctl "github.com/authtrip/authtrip/cmd/grantctl"
)

// TestSealAStoreThatRanWithoutASeal seals grants, a logout whose tokens are
// still to be revoked, and records of package middleware. The app must find all
// of them.
func TestSealAStoreThatRanWithoutASeal(t *testing.T) {
	a := newApp(t)
	g := a.grants()
	users := []string{a.user(g, 1), a.user(g, 2), a.user(g, 3)}
	out := a.user(g, 4)
	a.fake.Inject(oauthtest.Match{}, oauthtest.Fault{Status: http.StatusServiceUnavailable}, 2)
	if err := g.Logout(t.Context(), out); err == nil {
		t.Fatal("Logout() = nil though the server answers 503")
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	others := map[string]string{
		"middleware.used.0123.07": "\x01\x02\x03", "login.5678": "\x01" + strings.Repeat("\xfe", 60), "sessions.9abc": `{"v":1}`,
	}
	for key, value := range others {
		if _, err := a.store.Put(t.Context(), key, []byte(value), 0); err != nil {
			t.Fatal(err)
		}
	}
	first := a.newKey()
	a.setKeys()
	ctl(t, "", "seal", a.url).want(t, 1, "set AUTHTRIP_KEYS to the key that the app will have")
	a.setKeys(first)
	r := ctl(t, "", "seal", a.url).want(t, 0, "records: 9; sealed now: 8; sealed already: 1; cannot be opened: 0\n")
	a.wantNoSecret("seal", r)
	ctl(t, "", "seal", "-o", "json", a.url).want(t, 0, `{"seen":9,"sealed":0,"already":9,"unopened":[]}`+"\n")
	ctl(t, "", "list", a.url).want(t, 0, "grants: 4; other records: 5", "used codes: 1", "pending login: 1", "sessions: 1", "to be revoked: ")

	sealed := a.sealed(a.store, first)
	for key, value := range others {
		if r, err := sealed.Get(t.Context(), key); err != nil || string(r.Value()) != value {
			t.Errorf("Get(%s) of the sealed store = %q, %v, want %q", key, r.Value(), err, value)
		}
	}
	for _, s := range a.secrets {
		if wantNoPlain(t, a.store, s) {
			t.Errorf("after seal the store still holds the secret %s as it is", s)
		}
	}
	after := a.grantsOn(a.store, first)
	if err := after.Logout(t.Context(), out); err != nil {
		t.Errorf("Logout() once more = %v, want the tokens revoked", err)
	}
	a.wantWorking(after, users)
	a.user(after, 5)
	ctl(t, "", "reseal", a.url).want(t, 0, "sealed again: 0")
}

// wantNoPlain reports whether a record contains a text.
func wantNoPlain(t *testing.T, s storage.Store, text string) (found bool) {
	t.Helper()
	for key, err := range s.(storage.Lister).Keys(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		found = found || bytes.Contains(r.Value(), []byte(text))
	}
	return found
}

// TestSealGoesOnAfterAnInterruption lets the store fail in the middle.
func TestSealGoesOnAfterAnInterruption(t *testing.T) {
	a := newApp(t)
	g := a.grants()
	var users []string
	for n := range 6 {
		users = append(users, a.user(g, n))
	}
	first := a.newKey()
	a.setKeys(first)
	failing := storagetest.NewFaulty(a.store, func(op, _ string, n int) storagetest.Fault {
		if op == "Put" && n == 4 {
			return storagetest.Fault{Err: io.ErrUnexpectedEOF}
		}
		return storagetest.Fault{}
	})
	err := grantctl.Seal(t.Context(), struct {
		*storagetest.Faulty
		storage.Lister
	}{failing, a.store.(storage.Lister)}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "run it again") {
		t.Errorf("seal of a store that fails = %v, want that it is to be run again", err)
	}
	ctl(t, "", "seal", a.url).want(t, 0, "records: 7; sealed now: 4; sealed already: 3; cannot be opened: 0\n")
	a.wantWorking(a.grantsOn(a.store, first), users)
}

// TestSealBesideTheApp lets a process change a record between the read and the
// write. Nothing may be lost, and the operator must stop the process.
func TestSealBesideTheApp(t *testing.T) {
	a := newApp(t)
	g := a.grants()
	user := a.user(g, 1)
	a.setKeys(a.newKey())
	var once bool
	meddling := storagetest.NewFaulty(a.store, func(op, key string, _ int) storagetest.Fault {
		if op == "Put" && strings.HasPrefix(key, "grant.") && !once {
			once = true
			a.login(g, user)
		}
		return storagetest.Fault{}
	})
	err := grantctl.Seal(t.Context(), struct {
		*storagetest.Faulty
		storage.Lister
	}{meddling, a.store.(storage.Lister)}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "stop every process of the app") {
		t.Errorf("seal beside an app that writes = %v, want that it must be stopped", err)
	}
	if _, err := grant.Inspect(a.get(user).Value()); err != nil {
		t.Errorf("the grant that the app wrote = %v, want it as it was", err)
	}
}

// TestSealLeavesWhatAnotherKeySealed has records that are sealed with a key
// that is not given, and one that is damaged.
func TestSealLeavesWhatAnotherKeySealed(t *testing.T) {
	z := newZoo(t)
	r := ctl(t, "", "seal", z.url).want(t, 1, "sealed now: 1; ", "cannot be opened: "+z.key("9000008")+"\n", "were left as they are")
	z.wantNoSecret("seal", r)

	a := newApp(t)
	first, lost := a.newKey(), a.newKey()
	g := a.grants()
	foreign := a.sealedAs(a.user(g, 1), lost)
	a.user(g, 2)
	if _, err := a.store.Put(t.Context(), "middleware.used.0123.07", []byte{1, 2, 3}, 0); err != nil {
		t.Fatal(err)
	}
	before := a.get(foreign)
	a.setKeys(first)
	ctl(t, "", "seal", a.url).want(t, 1, "sealed now: 1; sealed already: 1; cannot be opened: 2\n",
		"cannot be opened: "+a.key(foreign)+"\n", "cannot be opened: middleware.used.0123.07\n")
	if after := a.get(foreign); after.Version != before.Version {
		t.Error("seal changed what it cannot open")
	}
}

// TestSealOfAStoreThatRanBothWays has an app that ran with a seal and without
// one. Nobody can tell which of two grants of a user is the newer one.
func TestSealOfAStoreThatRanBothWays(t *testing.T) {
	a := newApp(t)
	first := a.newKey()
	a.user(a.grants(), 1)
	a.user(a.grants(first), 2)
	a.setKeys(first)
	ctl(t, "", "seal", a.url).want(t, 1, "with a seal and without one")
}

func TestSealOfNothing(t *testing.T) {
	a := newApp(t)
	a.setKeys(a.newKey())
	ctl(t, "", "seal", a.url).want(t, 1, "there are no records here: is STORE right?")
}

// TestListDue shows what is still to be revoked.
func TestListDue(t *testing.T) {
	a := newApp(t)
	key := a.newKey()
	g := a.grants(key)
	a.setKeys(key)
	a.user(g, 1)
	out := a.user(g, 2)
	ctl(t, "", "list", "-due", "-o", "wide", a.url).want(t, 0, "grants: 2;")
	a.fake.Inject(oauthtest.Match{}, oauthtest.Fault{Status: http.StatusServiceUnavailable}, 2)
	if err := g.Logout(t.Context(), out); err == nil {
		t.Fatal("Logout() = nil though the server answers 503")
	}
	r := ctl(t, "", "list", "-due", "-o", "wide", a.url).want(t, 0, out+"  ", "logged out, 2 to be revoked, next try 2", "to be revoked: 2 tokens of 1 grants", "due: 1")
	if n := strings.Count(r.stdout, "\n"); n != 2 {
		t.Errorf("list -due printed %d lines, want a header and one grant: %s", n, r.stdout)
	}
	ctl(t, "", "show", a.url, out).want(t, 0, "to be revoked    2\n", "  since          2", "  next try       2")
	o := ctl(t, "", "list", "-due", "-o", "json", a.url).want(t, 0).objects(t)
	if len(o) != 1 || o[0]["unrevoked"] != 2.0 {
		t.Errorf("list -due -o json printed %v, want one grant with two tokens", o)
	}
	if at, err := time.Parse(time.RFC3339, o[0]["revoke_at"].(string)); err != nil || at.IsZero() {
		t.Errorf("list -due -o json printed the time %v, %v", o[0]["revoke_at"], err)
	}
	a.wantNoSecret("list -due", r)
}

// TestListAll shows records that are no grants.
func TestListAll(t *testing.T) {
	a := newApp(t)
	key := a.newKey()
	a.user(a.grants(key), 1)
	a.setKeys(key)
	for _, name := range []string{"sessions.ab", "login.ab", "middleware.used.ab.01", "due.01.ab", "of.somebody"} {
		if _, err := a.sealed(a.store, key).Put(t.Context(), name, []byte("x"), 0); err != nil {
			t.Fatal(err)
		}
	}
	r := ctl(t, "", "list", "-all", "-o", "wide", a.url).want(t, 0, "grants: 1; other records: 6\n",
		"of these, sessions: 1; pending login: 1; due: 1; used codes: 1; name key: 1; unknown: 1\n")
	for line, state := range map[string]string{
		"sessions.ab": "sessions", "login.ab": "pending login", "middleware.used.ab.01": "used codes", "due.01.ab": "due", "of.somebody": "unknown",
	} {
		if !strings.Contains(r.stdout, line+"  ") || !strings.Contains(r.stdout, "  "+state+"\n") {
			t.Errorf("list -all printed %q, want %s as %s", r.stdout, line, state)
		}
	}
	ctl(t, "", "show", a.url, "sessions.ab").want(t, 0, "sessions of a user: without it they end")
	ctl(t, "", "show", a.url, "login.ab").want(t, 0, "a login that has tokens and could not finish yet")
	ctl(t, "no\n", "delete", a.url, "login.ab").want(t, 1, "Its tokens are not revoked at the server", "nothing was done")
	ctl(t, "sessions.ab\n", "delete", a.url, "sessions.ab").want(t, 0, "All sessions of the user end", "deleted sessions.ab\n")
	ctl(t, "", "delete", "-yes", a.url, "due.01.ab").want(t, 1, "revocations that are still to be made")
}

// TestTextOfAServerReachesNoTerminal has a store whose errors hold what a
// terminal would obey.
func TestTextOfAServerReachesNoTerminal(t *testing.T) {
	const text = "\x1b]0;owned\x07\x1b[2J\u202e\x9b31m"
	for _, s := range []string{grantctl.Printable(text), grantctl.WithoutControls("one\n" + text)} {
		if strings.ContainsAny(s, "\x1b\x07\u202e") || strings.Contains(s, "\x9b") {
			t.Errorf("a terminal gets %q, want no control characters", s)
		}
	}
	for _, value := range []string{text, "\u009b31m", "\x7f\u0085\u2028\ufeff", "\U000e0041", "é<&>\"\\\n", "\xff"} {
		var printed strings.Builder
		if err := grantctl.WriteJSON(&printed, value); err != nil {
			t.Fatal(err)
		}
		if line, ok := strings.CutSuffix(printed.String(), "\n"); !ok || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("a terminal gets the JSON %q, want one line without control characters", printed.String())
		}
		var back string
		if err := json.Unmarshal([]byte(printed.String()), &back); err != nil || back != strings.ToValidUTF8(value, "\ufffd") {
			t.Errorf("the JSON of %q means %q, %v, want the same text", value, back, err)
		}
	}
	if got := grantctl.WithoutControls("one\ntwo é"); got != "one\ntwo é" {
		t.Errorf("WithoutControls() = %q, want the lines as they are", got)
	}
}

package main_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	grantctl "github.com/authtrip/authtrip/cmd/grantctl"
	"github.com/authtrip/authtrip/storage"
)

func TestReseal(t *testing.T) {
	a := newApp(t)
	first, second, third := a.newKey(), a.newKey(), a.newKey()
	all := a.grants(first, second)
	users := []string{a.user(all, 1), a.sealedAs(a.user(all, 2), second), a.sealedAs(a.user(all, 3), third)}
	a.setKeys(first, second, third)
	r := ctl(t, "", "reseal", a.url)
	r.want(t, 0, "records: 4; sealed again: 2; cannot be opened: 0\n", "keys 2 to 3 of AUTHTRIP_KEYS can be retired")
	a.wantNoSecret("reseal", r)
	ctl(t, "", "reseal", "-o", "json", a.url).want(t, 0, `{"seen":4,"rewritten":0,"unopened":[]}`+"\n") // again: nothing to do

	a.setKeys(first)
	ctl(t, "", "reseal", a.url).want(t, 0, "there is one key: nothing to retire")
	g := a.grants(first)
	for _, user := range users {
		if _, err := g.Source(user).Token(t.Context()); err != nil {
			t.Errorf("Token(%s) with the first key alone = %v, want a token", user, err)
		}
	}
}

func TestResealTwoKeys(t *testing.T) {
	a := newApp(t)
	first, second := a.newKey(), a.newKey()
	a.user(a.grants(second), 1)
	a.setKeys(first, second)
	ctl(t, "", "reseal", a.url).want(t, 0, "\nkey 2 of AUTHTRIP_KEYS can be retired"[1:])
}

// What cannot be opened is named and left as it is, and the rest is done all
// the same.
func TestResealLeavesWhatItCannotOpen(t *testing.T) {
	a := newApp(t)
	first, second, lost := a.newKey(), a.newKey(), a.newKey()
	g := a.grants(second)
	unopened, plain := a.sealedAs(a.user(g, 1), lost), a.sealedAs(a.user(g, 2))
	a.user(g, 3)
	before := a.get(unopened)
	a.setKeys(first, second)
	r := ctl(t, "", "reseal", a.url)
	r.want(t, 1, "records: 4; sealed again: 2; cannot be opened: 2\n", "cannot be opened: "+a.key(unopened)+"\n",
		"cannot be opened: "+a.key(plain)+"\n", "retire no key")
	if strings.Contains(r.stderr, "can be retired") {
		t.Errorf("reseal said %q though two records were left", r.stderr)
	}
	if after := a.get(unopened); after.Version != before.Version || !bytes.Equal(after.Value(), before.Value()) {
		t.Error("reseal changed what it cannot open")
	}
	if list := ctl(t, "", "reseal", "-o", "json", a.url).want(t, 1).objects(t); len(list) != 1 || len(list[0]["unopened"].([]any)) != 2 {
		t.Errorf("reseal -o json printed %v, want two keys that were not opened", list)
	}
}

func TestResealLeavesDamage(t *testing.T) {
	z := newZoo(t)
	ctl(t, "", "reseal", z.url).want(t, 1, "records: 12; sealed again: 1; cannot be opened: 4\n",
		"cannot be opened: "+z.key("9000008")+"\n", "4 records are damaged, or cannot be opened", "retire no key")
}

// Where there is nothing, nothing is said of keys: they may belong to the store
// whose name was mistyped.
func TestResealOfNothing(t *testing.T) {
	a := newApp(t)
	a.setKeys(a.newKey(), a.newKey())
	if r := ctl(t, "", "reseal", a.url).want(t, 1, "there are no records here: is STORE right?"); strings.Contains(r.stdout+r.stderr, "retire") {
		t.Errorf("reseal of nothing printed %q, %q, want no advice", r.stdout, r.stderr)
	}
}

func TestResealNeedsKeys(t *testing.T) {
	a := newApp(t)
	a.setKeys()
	ctl(t, "", "reseal", a.url).want(t, 1, "set AUTHTRIP_KEYS to the new key, a comma, and the old ones")
}

// Users log in again while their grants are resealed: no login is lost, and in
// the end the first key opens everything.
func TestResealBesideTheApp(t *testing.T) {
	a := newApp(t)
	first, second := a.newKey(), a.newKey()
	old, g := a.grants(second), a.grants(first, second)
	const users, rounds = 20, 10
	var ids [users]string
	for n := range ids {
		ids[n] = a.user(old, n)
	}
	a.setKeys(first, second)
	var last [users]string
	var wg sync.WaitGroup
	for n, id := range ids {
		tokens := make([][2]string, rounds)
		for i := range tokens {
			access, refresh, err := a.fake.IssueToken(id, a.client.ClientID(), scopes...)
			if err != nil {
				t.Fatal(err)
			}
			tokens[i] = [2]string{access, refresh}
		}
		last[n] = tokens[rounds-1][0]
		wg.Go(func() {
			for _, pair := range tokens {
				if _, err := g.Save(t.Context(), id, token(pair[0], pair[1])); err != nil {
					t.Errorf("Save() beside reseal = %v", err)
				}
			}
		})
	}
	for range 5 {
		ctl(t, "", "reseal", a.url).want(t, 0, "cannot be opened: 0\n")
	}
	wg.Wait()
	ctl(t, "", "reseal", a.url).want(t, 0, "sealed again: 0; cannot be opened: 0")
	alone := a.grants(first)
	for n, id := range ids {
		if tok, err := alone.Source(id).Token(t.Context()); err != nil || tok.AccessToken != last[n] {
			t.Errorf("Token(%s) with the first key alone = %v, want the token of the last login", id, err)
		}
	}
}

func TestResealTellsItsProgress(t *testing.T) {
	store := storage.NewMemory()
	for n := range 2500 {
		if _, err := store.Put(t.Context(), fmt.Sprint(n), nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	var said bytes.Buffer
	n := 0
	for _, err := range grantctl.Counted(store, &said).Keys(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if want := "1000 records so far\n2000 records so far\n"; n != 2500 || said.String() != want {
		t.Errorf("%d keys, progress %q, want 2500 and %q", n, said.String(), want)
	}
}

package main_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
)

func TestShow(t *testing.T) {
	z := newZoo(t)
	client := z.client.ClientID()
	tests := []struct {
		name string
		args []string
		want []string
	}{
		{"by subject", []string{z.url, "9000001"}, []string{"state            alive\n", "scopes           tweet.read users.read offline.access\n", "refresh token    yes\n"}},
		{"by key", []string{z.url, z.key("9000001")}, []string{"subject          9000001\n", "storage key      " + z.key("9000001") + "\n"}},
		{"by issuer and client", []string{"-issuer", z.issuer(), "-client", client, z.url, "9000001"}, []string{"subject          9000001\n"}},
		{"by issuer", []string{"-issuer", z.issuer(), z.url, "9000001"}, []string{"subject          9000001\n"}},
		{"dead", []string{z.url, "9000002"}, []string{"dead: refused", "server's code    invalid_request\n"}},
		{"an old key", []string{z.url, "9000004"}, []string{"sealed with      older key\n"}},
		{"not sealed", []string{z.url, "9000005"}, []string{"alive, not sealed\n"}},
		{"a lost key", []string{z.url, z.key("9000006")}, []string{"cannot be opened: its key is not in AUTHTRIP_KEYS\n"}},
		{"a later format", []string{z.url, z.key("9000007")}, []string{"upgrade this one"}},
		{"damaged", []string{z.url, z.key("9000008")}, []string{"restore", "from a backup"}},
		{"no grant", []string{z.url, "middleware.used.07"}, []string{"cannot be opened"}},
		{"JSON", []string{"-o", "json", z.url, "9000001"}, []string{`{"key":"` + z.key("9000001") + `","kind":"grant","state":"alive","seal":"first key","subject":"9000001","issuer":"` + z.issuer() + `"`}},
	}
	for _, tt := range tests {
		r := ctl(t, "", append([]string{"show"}, tt.args...)...)
		t.Run(tt.name, func(t *testing.T) { r.want(t, 0, tt.want...) })
		z.wantNoSecret("show, "+tt.name, r)
	}
}

func TestShowFindsNothing(t *testing.T) {
	a := newApp(t)
	key, lost := a.newKey(), a.newKey()
	a.user(a.grants(key), 1)
	tests := []struct {
		name string
		keys []string
		args []string
		want string
	}{
		{"no such subject", []string{key}, []string{"9"}, "neither a storage key nor the subject of a grant"},
		{"another issuer", []string{key}, []string{"-issuer", "y", "9000001"}, "neither a storage key nor the subject"},
		{"another client", []string{key}, []string{"-issuer", a.issuer(), "-client", "y", "9000001"}, "not found"},
		{"no keys", nil, []string{"9000001"}, "1 grants are sealed: set AUTHTRIP_KEYS"},
		{"other keys", []string{lost}, []string{"9000001"}, "1 grants cannot be read: list says why"},
		{"no subject", []string{key}, []string{""}, "neither a storage key nor the subject"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a.setKeys(tt.keys...)
			ctl(t, "", append([]string{"show", a.url}, tt.args...)...).want(t, 1, tt.want)
		})
	}
}

// Without keys nobody can tell under which storage key the grant of a known
// subject is, unless the store is not sealed.
func TestFindWithoutKeys(t *testing.T) {
	for name, keys := range map[string]int{"sealed": 1, "not sealed": 0} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t)
			user := a.user(a.grants(slices.Repeat([]string{a.newKey()}, keys)...), 1)
			whose := []string{"-issuer", a.issuer(), "-client", a.client.ClientID(), a.url, user}
			if keys > 0 {
				ctl(t, "", append([]string{"show"}, whose...)...).want(t, 1, "1 grants are sealed: set AUTHTRIP_KEYS")
				ctl(t, "", append([]string{"delete", "-yes"}, whose...)...).want(t, 1, "1 grants are sealed: set AUTHTRIP_KEYS")
				a.get(user)
				return
			}
			ctl(t, "", append([]string{"show"}, whose...)...).want(t, 0, a.key(user))
			ctl(t, "", append([]string{"delete", "-yes"}, whose...)...).want(t, 0, "deleted "+a.key(user))
			ctl(t, "", "list", a.url).want(t, 0, "grants: 0;")
		})
	}
}

// A subject that has authorized several apps has a grant for each.
func TestOneSubjectTwoGrants(t *testing.T) {
	a := newApp(t)
	user := a.user(a.grants(), 1)
	other := a.otherClient(user)
	if r := ctl(t, "", "show", a.url, user).want(t, 0, a.key(user), other); strings.Count(r.stdout, "state ") != 2 {
		t.Errorf("show printed %q, want two grants", r.stdout)
	}
	ctl(t, "", "delete", "-yes", a.url, user).want(t, 1, "the subject has 2 grants", "-issuer and -client")
	ctl(t, "", "delete", "-yes", "-client", a.client.ClientID(), a.url, user).want(t, 0, "deleted "+a.key(user))
	ctl(t, "", "delete", "-yes", a.url, user).want(t, 0, "deleted "+other)
}

// Grants that cannot be read may be the subject's too: show says so, and delete
// wants to know exactly which one is meant.
func TestOneSubjectAndUnreadGrants(t *testing.T) {
	a := newApp(t)
	key, lost := a.newKey(), a.newKey()
	g := a.grants(key)
	user := a.user(g, 1)
	a.sealedAs(a.user(g, 2), lost)
	a.setKeys(key)
	ctl(t, "", "show", a.url, user).want(t, 0, a.key(user), "1 grants cannot be read, and may be the subject's too")
	for _, flags := range [][]string{nil, {"-issuer", a.issuer()}, {"-client", a.client.ClientID()}} {
		ctl(t, "", append([]string{"delete", "-yes", a.url, user}, flags...)...).want(t, 1, "1 grants cannot be read", "name the storage key")
		a.get(user)
	}
	ctl(t, "", "delete", "-yes", "-issuer", a.issuer(), "-client", a.client.ClientID(), a.url, user).want(t, 0, "deleted "+a.key(user))
}

// An issuer or client that is named beside a storage key must be right.
func TestKeyAndSelector(t *testing.T) {
	a := newApp(t)
	key, lost := a.newKey(), a.newKey()
	g := a.grants(key)
	user, unread := a.user(g, 1), a.sealedAs(a.user(g, 2), lost)
	a.setKeys(key)
	ctl(t, "", "show", "-issuer", a.issuer(), a.url, a.key(user)).want(t, 0, a.key(user))
	for _, flags := range [][]string{{"-issuer", "y"}, {"-client", "y"}} {
		for _, command := range [][]string{{"show"}, {"delete", "-yes"}} {
			r := ctl(t, "", slices.Concat(command, flags, []string{a.url, a.key(user)})...)
			r.want(t, 1, "of another issuer or client")
			ctl(t, "", slices.Concat(command, flags, []string{a.url, a.key(unread)})...).want(t, 1, "leave out -issuer and -client")
		}
	}
	a.get(user)
	a.get(unread)
}

// otherClient stores a grant of the same subject for another app, and returns
// its key.
func (a *app) otherClient(user string) string {
	a.Helper()
	const id = "another-client"
	client, err := oauth.New(a.client.Provider(), oauth.Registration{
		ClientID: id, RedirectURL: "https://app.example/callback", Scopes: scopes,
	}, nil)
	if err != nil {
		a.Fatal(err)
	}
	g, err := grant.New(client, a.store, &grant.Options{InsecurePlainStore: true})
	if err != nil {
		a.Fatal(err)
	}
	a.Cleanup(func() { _ = g.Close() })
	a.login(g, user)
	key, err := grant.Key(a.Context(), a.store, a.issuer(), id, user)
	if err != nil {
		a.Fatal(err)
	}
	if _, err := a.store.Get(a.Context(), key); err != nil {
		a.Fatal(err)
	}
	return key
}

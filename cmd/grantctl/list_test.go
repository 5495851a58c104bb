package main_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	grantctl "github.com/authtrip/authtrip/cmd/grantctl"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// zoo is a store with a grant in every state that can be made without waiting,
// by user.
type zoo struct {
	*app
	state map[string]string // what list must say, by subject or storage key
}

func newZoo(t *testing.T) *zoo {
	t.Helper()
	a := newApp(t)
	now, old, lost := a.newKey(), a.newKey(), a.newKey()
	z := &zoo{app: a, state: map[string]string{}}
	g := a.grants(now, old)

	alive := a.user(g, 1)
	z.state[alive] = "alive"

	dead := a.user(g, 2)
	tok, err := g.Source(dead).Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := a.fake.RevokeGrant(dead, a.client.ClientID()); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Source(dead).Renew(t.Context(), tok); err == nil {
		t.Fatal("Renew() of a revoked grant = nil")
	}
	z.state[dead] = "dead: refused"

	out := a.user(g, 3)
	a.fake.Inject(oauthtest.Match{}, oauthtest.Fault{Status: http.StatusServiceUnavailable}, 2)
	if err := g.Logout(t.Context(), out); err == nil {
		t.Fatal("Logout() = nil though the server answers 503")
	}
	z.state[out] = "logged out"

	z.state[a.sealedAs(a.user(g, 4), old)] = "alive, sealed with an old key"
	z.state[a.sealedAs(a.user(g, 5))] = "alive, not sealed"
	z.state[a.key(a.sealedAs(a.user(g, 6), lost))] = "cannot be opened: its key is not in AUTHTRIP_KEYS"

	moved := a.key("somebody else")
	z.put(moved, a.get(alive).Value())
	z.state[moved] = "cannot be opened: changed, or sealed for another place"

	z.later(a.user(g, 7), now)
	z.put("middleware.used.07", []byte{1}) // no grant: list counts it only
	z.damage(a.user(g, 8))
	a.setKeys(now, old)
	return z
}

func (z *zoo) put(key string, value []byte) {
	z.Helper()
	if _, err := z.store.Put(z.Context(), key, value, 0); err != nil {
		z.Fatal(err)
	}
}

// later stores a grant in the format of a later version.
func (z *zoo) later(user, key string) {
	z.Helper()
	r, err := z.named.Get(z.Context(), z.key(user))
	if err != nil {
		z.Fatal(err)
	}
	value := append([]byte{99}, r.Value()[1:]...)
	if _, err := z.sealed(z.store, key).Put(z.Context(), z.key(user), value, r.Version); err != nil {
		z.Fatal(err)
	}
	z.state[z.key(user)] = "cannot be read"
}

// damage breaks the file of a user's grant.
func (z *zoo) damage(user string) {
	z.Helper()
	before := z.get(user).Value()
	_, dir, _ := strings.Cut(z.url, ":")
	files, err := filepath.Glob(filepath.Join(dir, "k-*"))
	if err != nil {
		z.Fatal(err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			z.Fatal(err)
		}
		if strings.HasSuffix(string(data), string(before)) {
			if err := os.WriteFile(name, data[:len(data)-1], 0o600); err != nil {
				z.Fatal(err)
			}
		}
	}
	z.state[z.key(user)] = "damaged"
}

func TestList(t *testing.T) {
	z := newZoo(t)
	r := ctl(t, "", "list", "-o", "wide", z.url).want(t, 0, "grants: 9; other records: 3\n")
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	if len(lines) != 1+len(z.state) || !strings.HasPrefix(lines[0], "SUBJECT ") {
		t.Fatalf("list printed %d lines, want a header and %d grants:\n%s", len(lines), len(z.state), r.stdout)
	}
	for _, text := range lines[1:] {
		subject, rest, _ := strings.Cut(text, " ")
		state, ok := z.state[subject]
		if !ok || !strings.Contains(rest, "  "+state) {
			t.Errorf("list printed %q, want %q in it", text, state)
		}
		if subject[0] == '9' && (!strings.Contains(rest, " "+z.client.ClientID()+"  tweet.read users.read offline.access  2") || !strings.HasPrefix(strings.TrimSpace(rest), z.issuer()+" ")) {
			t.Errorf("list printed %q, want provider, client, scopes and expiry in it", text)
		}
	}
	z.wantNoSecret("list", r)
}

func TestListWithoutKeys(t *testing.T) {
	z := newZoo(t)
	z.Setenv("AUTHTRIP_KEYS", "")
	r := ctl(t, "", "list", "-o", "wide", z.url).want(t, 0, "grants: 9; other records: 3\n", z.key("9000001"))
	if n := strings.Count(r.stdout, "  sealed\n"); n != 7 {
		t.Errorf("list without keys shows %d sealed grants, want 7:\n%s", n, r.stdout)
	}
	z.wantNoSecret("list without keys", r)
}

// TestListFitsATerminal: no line has more than 80 columns, whatever the users
// and the servers are called.
func TestListFitsATerminal(t *testing.T) {
	z := newZoo(t)
	long := strings.Repeat("ü", 100)
	if err := z.fake.AddUser(oauthtest.User{ID: long, Name: "A User", Username: "long"}); err != nil {
		t.Fatal(err)
	}
	z.login(z.grants(), long)
	wide, marked := strings.Repeat("張", 40), strings.Repeat("e\u0301", 40) // two columns each, and one for two characters
	for _, id := range []string{wide, marked, "張三"} {
		if err := z.fake.AddUser(oauthtest.User{ID: id, Name: "A User", Username: "wide"}); err != nil {
			t.Fatal(err)
		}
		z.login(z.grants(), id)
	}
	r := ctl(t, "", "list", z.url).want(t, 0, "SUBJECT ", "api.x.com", "in 119 min", "dead: refused", "logged out, 2", "üü…",
		strings.Repeat("張", 9)+"…   api.x.com  ", strings.Repeat("e\u0301", 19)+"…  api.x.com  ", "張三"+strings.Repeat(" ", 18)+"api.x.com  ")
	for line := range strings.Lines(r.stdout) {
		n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) + strings.Count(line, "張") - strings.Count(line, "\u0301")
		if n > 80 {
			t.Errorf("list printed %d columns: %q", n, line)
		}
	}
	z.wantNoSecret("list", r)
}

func TestListFilter(t *testing.T) {
	z := newZoo(t)
	tests := []struct {
		name  string
		flags []string
		want  int
	}{
		{"a state", []string{"-state", "dead"}, 1},
		{"states", []string{"-state", "dead,logged out"}, 2},
		{"states that cannot be read", []string{"-state", "cannot be opened,cannot be read,damaged"}, 4},
		{"a subject", []string{"-subject", "9000001"}, 1},
		{"a pattern of subjects", []string{"-subject", "900000[12]"}, 2},
		{"all that have a subject", []string{"-subject", "*"}, 5},
		{"a server", []string{"-issuer", "https://api.x.com/*"}, 5},
		{"another server", []string{"-issuer", "https://login.example/*"}, 0},
		{"a client", []string{"-client", z.client.ClientID()}, 5},
		{"another client", []string{"-client", "nobody"}, 0},
		{"a state of a subject", []string{"-state", "alive", "-subject", "9000002"}, 0},
		{"a state, and tokens to revoke", []string{"-state", "logged out", "-due"}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{"list", "-o", "json"}, append(tt.flags, z.url)...)
			r := ctl(t, "", args...).want(t, 0, fmt.Sprintf("of these, %d grants pass the filter\n", tt.want))
			if n := len(r.objects(t)); n != tt.want {
				t.Errorf("list %q printed %d grants, want %d:\n%s", tt.flags, n, tt.want, r.stdout)
			}
		})
	}
	ctl(t, "", "list", "-subject", "9000001", z.url).want(t, 0, "left out: 4 grants that cannot be read")
	if r := ctl(t, "", "list", "-state", "alive", z.url).want(t, 0); strings.Contains(r.stderr, "left out") {
		t.Errorf("list of a state says %q, want nothing left out: states are known of all", r.stderr)
	}
	ctl(t, "", "list", "-state", "gone", z.url).want(t, 2, "-state takes these", "logged out")
	ctl(t, "", "list", "-subject", "[", z.url).want(t, 2, "a pattern is")
}

func TestListJSON(t *testing.T) {
	z := newZoo(t)
	r := ctl(t, "", "list", "-o", "json", z.url).want(t, 0)
	states := map[string]int{}
	for _, o := range r.objects(t) {
		states[o["state"].(string)+"/"+o["seal"].(string)]++
		if o["key"] == "" || (o["error"] == nil) == (o["subject"] == nil) {
			t.Errorf("list -o json printed %v, want a key, and either a subject or an error", o)
		}
		if o["state"] == "dead" && (o["reason"] != "refused" || o["code"] != "invalid_request") {
			t.Errorf("list -o json printed %v, want reason and code", o)
		}
	}
	want := map[string]int{
		"alive/first key": 1, "dead/first key": 1, "logged out/first key": 1, "alive/older key": 1, "alive/none": 1,
		"cannot be opened/unknown": 2, "cannot be read/first key": 1, "damaged/unknown": 1,
	}
	for state, n := range want {
		if states[state] != n {
			t.Errorf("list -o json printed %d grants that are %s, want %d: %s", states[state], state, n, r.stdout)
		}
	}
	z.wantNoSecret("list -o json", r)
}

// More grants than share the width of their columns: the header comes once.
func TestListMany(t *testing.T) {
	a := newApp(t)
	g := a.grants()
	const many = 501
	for n := range many {
		a.user(g, n)
	}
	r := ctl(t, "", "list", a.url).want(t, 0, "grants: 501;")
	if lines := strings.Count(r.stdout, "\n"); lines != many+1 || strings.Count(r.stdout, "SUBJECT") != 1 {
		t.Errorf("list printed %d lines, want a header and %d grants", lines, many)
	}
}

func TestListOfNothing(t *testing.T) {
	a := newApp(t)
	if r := ctl(t, "", "list", a.url).want(t, 0, "grants: 0; other records: 0\n"); r.stdout != "" {
		t.Errorf("list of an empty store printed %q, want nothing", r.stdout)
	}
}

// broken is a store whose list of keys breaks off at the end.
type broken struct{ *storage.Memory }

var errBroken = errors.New("the connection broke")

func (b broken) Keys(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for key, err := range b.Memory.Keys(ctx) {
			if !yield(key, err) {
				return
			}
		}
		yield("", errBroken)
	}
}

func (broken) Close() error { return nil }

// What was read before an error is printed.
func TestListThatBreaksOff(t *testing.T) {
	memory := storage.NewMemory()
	a := newAppOn(t, memory, "")
	user := a.user(a.grants(), 1)
	var stdout, stderr strings.Builder
	err := grantctl.List(t.Context(), broken{memory}, &stdout, &stderr)
	if !errors.Is(err, errBroken) || !strings.Contains(stdout.String(), user+"  ") {
		t.Errorf("list = %v, printed %q, want %v and the grant of %s", err, stdout.String(), errBroken, user)
	}
	if stderr.Len() > 0 {
		t.Errorf("list that broke off printed the sum %q", stderr.String())
	}
}

func TestCondition(t *testing.T) {
	now := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	before, after := now.Add(-time.Minute), now.Add(time.Minute)
	alive := grant.Grant{Subject: "a", Refreshable: true, Expiry: before}
	tests := []struct {
		name string
		g    grant.Grant
		want string
	}{
		{"access token has expired", alive, "alive"},
		{"no refresh token", grant.Grant{Expiry: after}, "alive"},
		{"no refresh token, expired", grant.Grant{Expiry: before}, "expired"},
		{"expiry unknown", grant.Grant{}, "alive"},
		{"refresh under way", grant.Grant{Refreshable: true, RedeemingSince: before, RedeemingUntil: after}, "redeeming"},
		{"refresh abandoned", grant.Grant{Refreshable: true, RedeemingSince: before, RedeemingUntil: now}, "in doubt"},
		{"dead", grant.Grant{Dead: "in doubt", RedeemingUntil: after}, "dead: in doubt"},
		{"a strange reason", grant.Grant{Dead: "a\x1b[2J"}, `dead: "a\x1b[2J"`},
		{"logged out", grant.Grant{LoggedOut: before}, "logged out"},
	}
	for _, tt := range tests {
		if got := grantctl.Condition(tt.g, now); got != tt.want {
			t.Errorf("condition(%s) = %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestPrintable(t *testing.T) {
	tests := []struct{ in, want string }{
		{"2244994945", "2244994945"}, {"caf\u00e9 au lait", "caf\u00e9 au lait"}, {"a\tb", `"a\tb"`}, {"a\nb", `"a\nb"`},
		{"\x1b[2J", `"\x1b[2J"`}, {"\u202egrant", `"\u202egrant"`}, {"\xff", `"\xff"`},
	}
	for _, tt := range tests {
		if got := grantctl.Printable(tt.in); got != tt.want {
			t.Errorf("printable(%q) = %s, want %s", tt.in, got, tt.want)
		}
	}
}

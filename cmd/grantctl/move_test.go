package main_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	grantctl "github.com/authtrip/authtrip/cmd/grantctl"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/filestore"
	"github.com/authtrip/authtrip/storage/sqlitestore"
	"github.com/authtrip/authtrip/tokensource/grant"
)

// Grants that were moved to another kind of store are refreshed there as if
// nothing had happened.
func TestMove(t *testing.T) {
	for _, way := range []string{"export and import", "copy"} {
		t.Run(way, func(t *testing.T) {
			a := newApp(t)
			key := a.newKey()
			g := a.grants(key)
			users := []string{a.user(g, 1), a.user(g, 2)}
			if _, err := a.store.Put(t.Context(), "middleware.used.07", []byte{1}, 0); err != nil {
				t.Fatal(err)
			}
			if err := g.Close(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "grants.db")
			a.setKeys() // none is needed
			if way == "copy" {
				r := ctl(t, "", "copy", a.url, "sqlite:"+path)
				r.want(t, 0, "created: 4; there already: 0; replaced: 0; conflicts: 0\n")
				a.wantNoSecret("copy", r)
			} else {
				a.exportTo("sqlite:" + path)
			}
			moved, err := sqlitestore.Open(t.Context(), path, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = moved.Close() })
			a.wantWorking(a.grantsOn(moved, key), users)
			a.setKeys(key)
			ctl(t, "", "list", "sqlite:"+path).want(t, 0, users[0]+"  ", "  alive\n", "grants: 2; other records: 2")
		})
	}
}

// exportTo moves all records to the store that url names.
func (a *app) exportTo(url string) {
	a.Helper()
	out := ctl(a.T, "", "export", a.url).want(a.T, 0, "exported: 4. They are sealed as they were")
	a.wantNoSecret("export", out)
	in := ctl(a.T, out.stdout, "import", url).want(a.T, 0, "created: 4; there already: 0; replaced: 0; conflicts: 0\n")
	a.wantNoSecret("import", in)
	back := ctl(a.T, "", "export", url).want(a.T, 0)
	if got, want := sorted(back.stdout), sorted(out.stdout); got != want {
		a.Errorf("export of what was imported = %q, want %q", got, want)
	}
}

// wantWorking refreshes the tokens of users, once each.
func (a *app) wantWorking(g *grant.Keeper, users []string) {
	a.Helper()
	for _, user := range users {
		tok, err := g.Source(user).Token(a.Context())
		if err != nil {
			a.Fatalf("Token(%s) = %v", user, err)
		}
		renewed, err := g.Source(user).Renew(a.Context(), tok)
		if err != nil || renewed.AccessToken == tok.AccessToken {
			a.Errorf("Renew(%s) = %v, want another token", user, err)
		}
	}
	if n := a.fake.TokenCalls("refresh_token"); n != len(users) {
		a.Errorf("%d refreshes, want %d", n, len(users))
	}
}

func TestExportRefusesPlaintext(t *testing.T) {
	a := newApp(t)
	g := a.grants()
	tok, err := g.Source(a.user(g, 1)).Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a.setKeys()
	r := ctl(t, "", "export", a.url).want(t, 1, "stopped", "is not sealed", "-insecure-plaintext exports them all the same")
	if r.stdout != "" {
		t.Errorf("export refused and wrote %q", r.stdout)
	}
	a.wantNoSecret("export", r)

	out := ctl(t, "", "export", "-insecure-plaintext", a.url).want(t, 0, "exported: 1. 1 of them are NOT SEALED")
	value, err := base64.StdEncoding.DecodeString(out.objects(t)[0]["value"].(string))
	if err != nil || !strings.Contains(string(value), tok.AccessToken) {
		t.Errorf("export -insecure-plaintext printed %q, want the record", out.stdout)
	}
	to := "file:" + filepath.Join(t.TempDir(), "grants")
	ctl(t, out.stdout, "import", to).want(t, 1, "line 1: ", "is not sealed", "-insecure-plaintext takes it all the same")
	ctl(t, out.stdout, "import", "-insecure-plaintext", to).want(t, 0, "created: 1;")
	ctl(t, "", "copy", a.url, "file:"+filepath.Join(t.TempDir(), "grants")).want(t, 1, "is not sealed")
}

// To a terminal plaintext is not written at all. The null device is as much of
// one as a test can have.
func TestExportRefusesPlaintextOnATerminal(t *testing.T) {
	a := newApp(t)
	a.user(a.grants(), 1)
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = null.Close() }()
	var stderr strings.Builder
	code := grantctl.Run(t.Context(), []string{"export", "-insecure-plaintext", a.url}, strings.NewReader(""), null, &stderr)
	if code != 1 || !strings.Contains(stderr.String(), "stdout is a terminal") {
		t.Errorf("export to a terminal = %d, %q, want a refusal", code, stderr.String())
	}
}

func TestIsPlain(t *testing.T) {
	a := newApp(t)
	key := a.newKey()
	g := a.grants(key)
	sealed, plain := a.user(g, 1), a.sealedAs(a.user(g, 2))
	value := a.get(plain).Value()
	tests := []struct {
		name  string
		key   string
		value []byte
		want  bool
	}{
		{"sealed", a.key(sealed), a.get(sealed).Value(), false},
		{"a grant", a.key(plain), value, true},
		{"a grant under another key", a.key(sealed), value, true},
		{"half a grant", a.key(plain), value[:len(value)/2], true},
		{"a grant of a later format", a.key(plain), append([]byte{99}, value[1:]...), true},
		{"a list of used logins", "middleware.used.07", []byte{1, 2, 3}, false},
		{"nothing", "x", nil, false},
	}
	for _, tt := range tests {
		if got := grantctl.IsPlain(tt.key, tt.value); got != tt.want {
			t.Errorf("isPlain(%s) = %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestExportLeavesOutDamage(t *testing.T) {
	z := newZoo(t)
	r := ctl(t, "", "export", "-insecure-plaintext", z.url)
	r.want(t, 1, "left out: "+z.key("9000008")+": ", "from a backup", "1 damaged records were left out")
	if n := len(r.objects(t)); n != 11 {
		t.Errorf("export wrote %d records, want 11", n)
	}
	z.setKeys() // otherwise the first value that they do not open would end it
	ctl(t, "", "copy", "-n", "-insecure-plaintext", z.url, "file:"+filepath.Join(t.TempDir(), "x")).want(t, 1, "left out", "created: 11;")
}

// A store of which nothing can be read is not called empty.
func TestExportOfDamageAlone(t *testing.T) {
	a := newApp(t)
	z := &zoo{app: a, state: map[string]string{}}
	z.damage(a.user(a.grants(), 1))
	r := ctl(t, "", "export", a.url).want(t, 1, "exported: 0. All records are damaged.\n", "1 damaged records were left out")
	if strings.Contains(r.stderr, "empty") {
		t.Errorf("export printed %q of a store that is not empty", r.stderr)
	}
}

func TestImportOverWhatExists(t *testing.T) {
	a := newApp(t)
	key := a.newKey()
	g := a.grants(key)
	changed, gone, same := a.user(g, 1), a.user(g, 2), a.user(g, 3)
	a.setKeys(key)
	out := ctl(t, "", "export", a.url).want(t, 0)
	a.login(g, changed)
	ctl(t, "", "delete", "-yes", a.url, gone).want(t, 0)
	newer := a.get(changed)

	ctl(t, out.stdout, "import", "-n", a.url).want(t, 1, "created: 1; there already: 2; replaced: 0; conflicts: 1 (nothing was written: -n)\n")
	if _, err := a.store.Get(t.Context(), a.key(gone)); err == nil {
		t.Error("import -n created a record")
	}
	r := ctl(t, out.stdout, "import", a.url)
	r.want(t, 1, "created: 1; there already: 2; replaced: 0; conflicts: 1\n", "left alone: "+a.key(changed)+" exists and differs", "-replace")
	if a.get(changed).Version != newer.Version {
		t.Error("import changed what exists")
	}
	ctl(t, out.stdout, "import", "-o", "json", "-replace", "-n", a.url).want(t, 0, `{"conflicts":0,"created":0,"replaced":1,"same":3}`)
	ctl(t, out.stdout, "import", "-replace", a.url).want(t, 0, "created: 0; there already: 3; replaced: 1; conflicts: 0\n")
	if string(a.get(changed).Value()) == string(newer.Value()) {
		t.Error("import -replace replaced nothing")
	}
	a.get(same)
}

func TestImportRefuses(t *testing.T) {
	a := newApp(t)
	key, other := a.newKey(), a.newKey()
	user := a.user(a.grants(key), 1)
	good := strings.TrimSpace(ctl(t, "", "export", a.url).want(t, 0).stdout)
	good, _, _ = strings.Cut(good, "\n") // one of its lines
	value := base64.StdEncoding.EncodeToString(a.get(user).Value())
	line := func(key, value string) string { return fmt.Sprintf(`{"key":%q,"value":%q}`, key, value) }
	tests := []struct {
		name, line, want string
		keys             []string
	}{
		{"no JSON", "grants", "it is not what export writes", nil},
		{"empty line", "", "it is not what export writes", nil},
		{"a list", "[]", "it is not what export writes", nil},
		{"null", "null", "key or value is missing", nil},
		{"half a line", good[:len(good)/2], "it is not what export writes", nil},
		{"two objects", good + good, "there is more after the object", nil},
		{"unknown field", `{"key":"a","value":"","token":"b"}`, `unknown field "token"`, nil},
		{"no value", `{"key":"a"}`, "key or value is missing", nil},
		{"value null", `{"key":"a","value":null}`, "key or value is missing", nil},
		{"no key", `{"value":""}`, "key or value is missing", nil},
		{"bad base64", line("a", "!!!"), "illegal base64 data", nil},
		{"value a number", `{"key":"a","value":1}`, "cannot unmarshal number", nil},
		{"empty key", line("", value), "bad key", nil},
		{"bad key", line("../a", value), "bad key", nil},
		{"key too long", line(strings.Repeat("a", storage.MaxKey+1), value), "bad key", nil},
		{"value too large", line("a", base64.StdEncoding.EncodeToString(make([]byte, storage.MaxValue+8<<10))), "value too large", nil},
		{"line too long", line("a", strings.Repeat("A", 3<<20)), "longer than any record", nil},
		{"other keys", good, "a key that is not in the ring", []string{other}},
		{"another place", line(a.key("9"), value), "sealed for another place", []string{key}},
		{"text", line("note", base64.StdEncoding.EncodeToString([]byte("this is text that nobody has sealed at all"))), "is not sealed", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a.setKeys(tt.keys...)
			dir := filepath.Join(t.TempDir(), "grants")
			in := line("first", "AAAA") + "\n" + tt.line + "\n" + line("third", "AAAA") + "\n"
			at := "line 2: "
			if tt.keys != nil {
				in, at = tt.line+"\n", "line 1: "
			}
			r := ctl(t, in, "import", "file:"+dir).want(t, 1, at, tt.want, "conflicts: 0")
			a.wantNoSecret("import", r)
			if strings.Contains(r.stdout+r.stderr, value) {
				t.Errorf("import printed a value: %.300q", r.stdout+r.stderr)
			}
			file, err := filestore.Open(dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = file.Close() }()
			for key, err := range file.Keys(t.Context()) {
				if err != nil || key != "first" {
					t.Errorf("import stored %q, %v, though its line is wrong or comes later", key, err)
				}
			}
		})
	}
}

// A dry run leaves nothing behind, not even an empty store.
func TestDryRunLeavesNothing(t *testing.T) {
	a := newApp(t)
	a.user(a.grants(a.newKey()), 1)
	out := ctl(t, "", "export", a.url).want(t, 0)
	for _, kind := range []string{"file:", "sqlite:"} {
		path := filepath.Join(t.TempDir(), "new")
		ctl(t, out.stdout, "import", "-n", kind+path).want(t, 0, "created: 2; there already: 0; replaced: 0; conflicts: 0 (nothing was written: -n)\n")
		if _, err := os.Stat(path); err == nil {
			t.Errorf("import -n %s made the store", kind)
		}
	}
	empty := t.TempDir()
	ctl(t, out.stdout, "import", "-n", "file:"+empty).want(t, 0, "created: 2;")
	if left, err := os.ReadDir(empty); err != nil || len(left) > 0 {
		t.Errorf("import -n left %d files in an empty directory, %v", len(left), err)
	}
}

// TestImportRefusesASubjectWithALineBreak changes the subject in an exported
// grant. A log would show two lines for it.
func TestImportRefusesASubjectWithALineBreak(t *testing.T) {
	a := newApp(t)
	user := a.user(a.grants(), 1)
	value := bytes.Replace(a.get(user).Value(), []byte(user), []byte("90\n"+user[3:]), 1)
	if g, err := grant.Inspect(value); err != nil || g.Subject != "90\n"+user[3:] {
		t.Fatalf("Inspect() of the changed grant = %q, %v, want another subject", g.Subject, err)
	}
	line, err := json.Marshal(map[string]any{"key": a.key(user), "value": value})
	if err != nil {
		t.Fatal(err)
	}
	for name, keys := range map[string][]string{"plain": nil, "with keys": {a.newKey()}} {
		t.Run(name, func(t *testing.T) {
			a.setKeys(keys...)
			ctl(t, string(line), "import", "-insecure-plaintext", newApp(t).url).want(t, 1, "its subject has control characters")
		})
	}
	if _, err := a.store.Put(t.Context(), a.key(user), value, a.get(user).Version); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"list", a.url}, {"show", a.url, a.key(user)}, {"list", "-o", "json", a.url}} {
		if r := ctl(t, "", args...).want(t, 0, `90\n`); strings.Contains(r.stdout, "90\n"+user[3:]) {
			t.Errorf("%s prints the line break: %q", args[0], r.stdout)
		}
	}
}

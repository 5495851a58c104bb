package sqlitestore_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/sqlitestore"
)

// badTables are names that would be more than a name in SQL, or that SQLite
// does not take.
func badTables() []string {
	return []string{
		"1table", "a b", "a-b", "a.b", "main.t", `a"b`, `"`, "a'b", "a;b", "a`b", "[a]", "a\x00b", "a\n", "tablé", "a/*", "a--",
		`t" (k); DROP TABLE users; --`, "users; DROP TABLE users", " ", "sqlite_master", "SQLite_x", strings.Repeat("t", 64),
	}
}

func TestBadTables(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "app.db"))
	execute(t, db, "CREATE TABLE users (name TEXT)")
	for _, name := range badTables() {
		_, err := sqlitestore.Schema(name)
		wantError(t, "Schema("+name+")", err, "bad table name", nil)
		o := &sqlitestore.Options{Table: name, CreateTable: true}
		_, err = sqlitestore.New(t.Context(), db, o)
		wantError(t, "New(Table: "+name+")", err, "bad table name", nil)
		_, err = sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "grants.db"), o)
		wantError(t, "Open(Table: "+name+")", err, "bad table name", nil)
	}
	if got := tables(t, db); got != "users" {
		t.Errorf("tables = %s, want only users", got)
	}
}

// tables returns the names of all tables in db.
func tables(t *testing.T, db *sql.DB) string {
	t.Helper()
	var names string
	const query = "SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name)"
	if err := db.QueryRowContext(t.Context(), query).Scan(&names); err != nil {
		t.Fatal(err)
	}
	return names
}

// TestGoodTables keeps stores in several tables of one database, also under
// names that are words of SQL.
func TestGoodTables(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "app.db"))
	for _, name := range []string{"", "a", "_", "T1", "select", "table", "key", strings.Repeat("t", 63)} {
		s := attach(t, db, &sqlitestore.Options{Table: name, CreateTable: true})
		v := put(t, s, "k", "of "+name, 0)
		want(t, s, "k", "of "+name, v)
	}
	if got := tables(t, db); !strings.Contains(got, "authtrip_records") {
		t.Errorf("tables = %s, want authtrip_records among them", got)
	}
}

// TestSchemaByHand runs what Schema returns, as a migration would, before New
// and beside CreateTable.
func TestSchemaByHand(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	db := openDB(t, path)
	_, err := sqlitestore.New(t.Context(), db, &sqlitestore.Options{Table: "grants"})
	wantError(t, "New() without a table", err, "create it with Options.CreateTable or run Schema", nil)
	schema, err := sqlitestore.Schema("grants")
	if err != nil {
		t.Fatalf("Schema() = %v, want no error", err)
	}
	execute(t, db, schema)
	s := attach(t, db, &sqlitestore.Options{Table: "grants"})
	v := put(t, s, "k", "value", 0)
	execute(t, db, schema) // may run again
	want(t, attach(t, db, &sqlitestore.Options{Table: "grants", CreateTable: true}), "k", "value", v)
	want(t, open(t, path, &sqlitestore.Options{Table: "grants"}), "k", "value", v)

	execute(t, db, "DROP TABLE grants")
	_, err = s.Get(t.Context(), "k")
	wantError(t, "Get() without a table", err, "run Schema", nil)
}

func TestSchemaOfCreateTable(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "app.db"))
	attach(t, db, &sqlitestore.Options{Table: "made", CreateTable: true})
	schema, err := sqlitestore.Schema("made")
	if err != nil {
		t.Fatalf("Schema() = %v, want no error", err)
	}
	var got string
	if err := db.QueryRowContext(t.Context(), "SELECT sql FROM sqlite_schema WHERE name = 'made'").Scan(&got); err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(schema, "IF NOT EXISTS ", "", 1); got != want {
		t.Errorf("CreateTable made %s, want %s", got, want)
	}
}

func TestNewRefuses(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "app.db"))
	_, err := sqlitestore.New(t.Context(), nil, nil)
	wantError(t, "New(nil)", err, "no database", nil)
	_, err = sqlitestore.New(t.Context(), db, &sqlitestore.Options{InsecureNoSync: true, CreateTable: true})
	wantError(t, "New(InsecureNoSync)", err, "for Open", nil)
	execute(t, db, "CREATE TABLE other (id INTEGER)")
	_, err = sqlitestore.New(t.Context(), db, &sqlitestore.Options{Table: "other", CreateTable: true})
	wantError(t, "New() on a table of somebody else's", err, "as Schema has it", nil)
}

// TestReadOnly writes where nothing can be written: the old value must stay,
// and the error must help.
func TestReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "grants.db")
	s := open(t, path, nil)
	v := put(t, s, "k", "value", 0)
	readOnly := attach(t, openDB(t, "file:"+filepath.ToSlash(path)+"?mode=ro"), nil)
	want(t, readOnly, "k", "value", v)
	_, err := readOnly.Put(t.Context(), "k", []byte("new"), v)
	wantError(t, "Put() on a read-only database", err, "let this user", nil)
	wantError(t, "Delete() on a read-only database", readOnly.Delete(t.Context(), "k", v), "let this user", nil)
	want(t, s, "k", "value", v)
}

func TestDiskFull(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "app.db")+"?_pragma=max_page_count(20)")
	s := attach(t, db, &sqlitestore.Options{CreateTable: true})
	v := put(t, s, "k", "value", 0)
	_, err := s.Put(t.Context(), "k", make([]byte, 1<<20), v)
	wantError(t, "Put() on a full disk", err, "free some space", nil)
	want(t, s, "k", "value", v)
	put(t, s, "k", "small", v)
}

// TestCorruptRows plants rows that Put never writes, in a table without the
// checks of Schema.
func TestCorruptRows(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "app.db"))
	execute(t, db, "CREATE TABLE authtrip_records (key TEXT PRIMARY KEY, version, value)")
	s := attach(t, db, nil)
	for name, row := range map[string]string{
		"zero":   "0, x'00'",
		"text":   "'s3cret', x'00'",
		"null":   "NULL, x'00'",
		"float":  "1.5, x'00'",
		"length": "7, zeroblob(2000000)",
	} {
		execute(t, db, "INSERT INTO authtrip_records VALUES ('"+name+"', "+row+")")
		r, err := s.Get(t.Context(), name)
		wantError(t, "Get("+name+")", err, "delete the row", storage.ErrCorrupt)
		if r.Value() != nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("Get(%s) = %d bytes, %v, want no value and none in the error", name, len(r.Value()), err)
		}
		if _, err := s.Put(t.Context(), name, []byte("new"), 0); err == nil {
			t.Errorf("Put(%s) = nil, want an error", name)
		}
		wantError(t, "Delete("+name+")", s.Delete(t.Context(), name, 1), "delete the row", storage.ErrCorrupt)
	}
}

// TestStrangeKeys plants rows under what is no key: they are not listed, and
// the others are.
func TestStrangeKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "grants.db")
	s := open(t, path, &sqlitestore.Options{InsecureNoSync: true})
	const total = 1203 // more than two pages
	for i := range total {
		put(t, s, "k"+strings.Repeat("x", i%100)+string(rune('a'+i/100)), "value", 0)
	}
	execute(t, openDB(t, path), "INSERT INTO authtrip_records VALUES ('', 1, x''), ('a b', 1, x''), ('~', 1, x'')")
	seen := map[string]bool{}
	for key, err := range s.Keys(t.Context()) {
		if err != nil || seen[key] || storage.CheckKey(key) != nil {
			t.Fatalf("Keys() = %q, %v after %d keys, want each once", key, err, len(seen))
		}
		seen[key] = true
	}
	if len(seen) != total {
		t.Errorf("Keys() has %d keys, want %d", len(seen), total)
	}
}

// TestCorruptFile damages the pages of the database behind SQLite's back.
func TestCorruptFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "grants.db")
	s := open(t, path, nil)
	for _, key := range []string{"a", "b", "c", "d"} {
		put(t, s, key, strings.Repeat(key, 3000), 0)
	}
	closeStore(t, s) // the pages are in the file now
	damage(t, path)
	s, err := sqlitestore.Open(t.Context(), path, nil)
	if err != nil {
		wantError(t, "Open() of a damaged file", err, "restore a backup", storage.ErrCorrupt)
		return
	}
	defer closeStore(t, s)
	r, err := s.Get(context.Background(), "d")
	wantError(t, "Get() from a damaged file", err, "restore a backup", storage.ErrCorrupt)
	if r.Value() != nil {
		t.Errorf("Get() from a damaged file = %d bytes, want none", len(r.Value()))
	}
}

// damage overwrites all of the file but its first page, which holds the schema.
func damage(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const pageSize = 4096
	for i := pageSize; i < len(data); i++ {
		data[i] = 0x55
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestBackup copies the database as README.md says, while the store is open,
// and opens the copy.
func TestBackup(t *testing.T) {
	path, copied := filepath.Join(t.TempDir(), "grants.db"), filepath.Join(t.TempDir(), "backup.db")
	s := open(t, path, nil)
	v := put(t, s, "k", "value", 0)
	if _, err := openDB(t, path).ExecContext(t.Context(), "VACUUM INTO ?", copied); err != nil {
		t.Fatalf("VACUUM INTO = %v, want no error", err)
	}
	put(t, s, "k", "newer", v)
	restored := open(t, copied, nil)
	want(t, restored, "k", "value", v)
	put(t, restored, "k", "swapped", v)
}

// TestReadme compares the SQL in README.md with what Schema returns.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := sqlitestore.Schema("")
	if err != nil || !strings.Contains(string(text), "```sql\n"+schema+"\n```\n") {
		t.Errorf("README.md lacks Schema() = %s, %v", schema, err)
	}
}

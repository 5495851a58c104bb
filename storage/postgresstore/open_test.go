package postgresstore_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/authtrip/authtrip/internal/exposure"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/postgresstore"
)

const secret = "Tr0ub4dor"

// withUser returns the server's URL with another user, and the secret as
// password.
func withUser(t *testing.T, user string) string {
	t.Helper()
	u, err := url.Parse(server(t).URL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user, secret)
	return u.String()
}

func TestNoErrorShowsThePassword(t *testing.T) {
	for name, raw := range map[string]string{
		"port":            "postgres://user:" + secret + "@127.0.0.1:port/db",
		"port of pgx":     "postgres://user:" + secret + "@127.0.0.1:99999/db",
		"setting":         "postgres://user:" + secret + "@127.0.0.1:1/db?sslmode=perhaps",
		"pool setting":    "postgres://user:" + secret + "@127.0.0.1:1/db?pool_max_conns=many",
		"in the query":    "postgres://127.0.0.1:1/db?user=u&password=" + secret + "&sslmode=perhaps",
		"key's password":  "postgres://127.0.0.1:1/db?sslpassword=" + secret + "&sslmode=perhaps",
		"space":           "postgres://user:" + secret + " x@127.0.0.1:1/db",
		"percent":         "postgres://user:" + secret + "%zz@127.0.0.1:1/db",
		"slash":           "postgres://user:1/" + secret + "@127.0.0.1:1/db",
		"question mark":   "postgres://user:1?" + secret + "@127.0.0.1:1/db",
		"hash":            "postgres://user:1#" + secret + "@127.0.0.1:1/db",
		"slash, no digit": "postgres://user:" + secret + "/x@127.0.0.1:1/db",
		"another scheme":  "mysql://user:" + secret + "@127.0.0.1:1/db",
		"keywords":        "host=127.0.0.1 port=x password=" + secret,
		"quoted":          `host=127.0.0.1 port=1 password='` + secret,
		"the password":    secret,
		"nobody there":    "postgres://user:" + secret + "@127.0.0.1:1/db",
		"refused":         withUser(t, "nobody_of_that_name"),
		"database":        strings.Replace(withUser(t, "postgres"), "/postgres?", "/nope?", 1),
	} {
		s, err := postgresstore.Open(context.Background(), raw, nil)
		if err == nil {
			t.Errorf("%s: Open() = %v, want an error", name, s)
			continue
		}
		for _, text := range []string{fmt.Sprintf("%v", err), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
			if strings.Contains(text, secret) || !strings.Contains(text, "postgresstore: ") {
				t.Errorf("%s: Open() = %s, want the package's name and no password", name, strings.ReplaceAll(text, secret, "<PASSWORD>"))
			}
		}
	}
}

func TestErrorsOfTheURLSayWhatIsWrong(t *testing.T) {
	for raw, part := range map[string]string{
		"postgres://user:pw@127.0.0.1:1/db?sslmode=perhaps": "sslmode",
		"postgres://user:pw@127.0.0.1:99999/db":             "port",
		"127.0.0.1:5432":                                    "postgres://user:password@host:5432/database",
	} {
		_, err := postgresstore.Open(context.Background(), raw, nil)
		wantText(t, fmt.Sprintf("Open(%q)", raw), err, part)
	}
}

func TestNothingPrintsThePassword(t *testing.T) {
	s, err := postgresstore.Open(context.Background(), withUser(t, "postgres"), &postgresstore.Options{Table: newTable(t), CreateTable: true})
	s = closeAtEnd(t)(s, err)
	for _, way := range exposure.Of(s, secret) {
		t.Errorf("a store shows its password: %s", way)
	}
}

func TestNamesAreRefused(t *testing.T) {
	pool := newPool(t, nil)
	for _, name := range []string{
		`x"; DROP TABLE users; --`, "x;y", "x y", "x'", `"x"`, "x\x00", "é", "1x", "x-y", "x$", "a.b.c", ".x", "x.", ".", strings.Repeat("x", 64), "x\n",
	} {
		o := &postgresstore.Options{Table: name, CreateTable: true}
		_, err := postgresstore.New(context.Background(), pool, o)
		wantText(t, fmt.Sprintf("New(Table %q)", name), err, "postgresstore: Table")
		_, err = postgresstore.Schema(name)
		wantText(t, fmt.Sprintf("Schema(%q)", name), err, "postgresstore: Table")
		_, err = postgresstore.New(context.Background(), pool, &postgresstore.Options{Table: newTable(t), CreateTable: true, Channel: name})
		wantText(t, fmt.Sprintf("New(Channel %q)", name), err, "postgresstore: Channel")
	}
	_, err := postgresstore.New(context.Background(), pool, &postgresstore.Options{Channel: "a.b"})
	wantText(t, "New(Channel a.b)", err, "postgresstore: Channel")
}

// TestNamesStandAsTheyAre uses words of SQL, upper case and the longest names.
func TestNamesStandAsTheyAre(t *testing.T) {
	pool := newPool(t, nil)
	schema := `"Select"`
	exec(t, pool, "CREATE SCHEMA "+schema)
	t.Cleanup(func() { exec(t, pool, "DROP SCHEMA "+schema+" CASCADE") })
	long := strings.Repeat("L", 63)
	for _, name := range []string{"Select.table", "Select.Table", "Select." + long, "Select._1"} {
		s := newStore(t, pool, name)
		w := watch(t, s)
		w.wantNews(t, "")
		put(t, s, "k", name, 0)
		w.wantNews(t, "k")
		want(t, newStore(t, pool, name), name)
	}
	want(t, newStore(t, pool, "Select.table"), "Select.table") // not that of Select.Table
}

func TestMissingTable(t *testing.T) {
	pool, table := newPool(t, nil), newTable(t)
	_, err := postgresstore.New(context.Background(), pool, &postgresstore.Options{Table: table})
	wantText(t, "New() without a table", err, `no table "`+table+`"`, "CreateTable", "Schema")
	_, err = postgresstore.New(context.Background(), pool, &postgresstore.Options{Table: "nope." + table, CreateTable: true})
	wantText(t, "New() without a schema", err, `schema "nope" does not exist`)
	exec(t, pool, "CREATE TABLE "+table+" (id int)")
	_, err = postgresstore.New(context.Background(), pool, &postgresstore.Options{Table: table, CreateTable: true})
	wantText(t, "New() with a foreign table", err, table, "not one of this package")
}

func TestDefaultTable(t *testing.T) {
	pool := newPool(t, nil)
	t.Cleanup(func() { exec(t, pool, "DROP TABLE authtrip_records") })
	put(t, newStore(t, pool, ""), "k", "value", 0)
	want(t, closeAtEnd(t)(postgresstore.New(context.Background(), pool, nil)), "value")
}

func TestNilPool(t *testing.T) {
	_, err := postgresstore.New(context.Background(), nil, nil)
	wantText(t, "New(nil)", err, "no pool")
}

func TestEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	cause := errors.New("on purpose")
	cancel(cause)
	if _, err := postgresstore.Open(ctx, server(t).URL, nil); !errors.Is(err, cause) {
		t.Errorf("Open() with an ended ctx = %v, want its cause", err)
	}
	if _, err := postgresstore.New(ctx, newPool(t, nil), nil); !errors.Is(err, cause) {
		t.Errorf("New() with an ended ctx = %v, want its cause", err)
	}
}

func TestManyCreateTheTableAtOnce(t *testing.T) {
	for range 5 {
		table := newTable(t)
		pools := make([]*pgxpool.Pool, 8)
		for i := range pools {
			pools[i] = newPool(t, nil)
			exec(t, pools[i], "SELECT 1")
		}
		var all sync.WaitGroup
		for _, pool := range pools {
			all.Go(func() {
				s, err := postgresstore.New(context.Background(), pool, &postgresstore.Options{Table: table, CreateTable: true})
				if err != nil {
					t.Errorf("New() among others = %v, want no error", err)
					return
				}
				_ = s.Close()
			})
		}
		all.Wait()
	}
}

// TestPrivileges runs the schema as its owner, and the store as a user who may
// only use the table.
func TestPrivileges(t *testing.T) {
	pool, table := newPool(t, nil), newTable(t)
	schema, err := postgresstore.Schema(table)
	if err != nil {
		t.Fatal(err)
	}
	user := "user_" + table
	for _, sql := range []string{schema, "CREATE USER " + user, "GRANT SELECT, INSERT, UPDATE, DELETE ON " + table + " TO " + user} {
		exec(t, pool, sql)
	}
	t.Cleanup(func() {
		exec(t, pool, "DROP OWNED BY "+user)
		exec(t, pool, "DROP USER "+user)
	})
	for _, create := range []bool{false, true} {
		o := &postgresstore.Options{Table: table, CreateTable: create}
		s := closeAtEnd(t)(postgresstore.Open(context.Background(), withUser(t, user), o))
		w := watch(t, s)
		w.wantNews(t, "")
		v := put(t, s, "k", "value", put(t, s, "k", "value", 0))
		w.wantNews(t, "k")
		want(t, s, "value")
		if err := s.Delete(context.Background(), "k", v); err != nil {
			t.Errorf("Delete() = %v, want no error", err)
		}
	}
}

func TestClosed(t *testing.T) {
	pool, table := newPool(t, nil), newTable(t)
	for name, s := range map[string]*postgresstore.Store{"own pool": openStore(t, table), "shared pool": newStore(t, pool, table)} {
		w := watch(t, s)
		w.wantNews(t, "")
		for range 2 {
			if err := s.Close(); err != nil {
				t.Errorf("%s: Close() = %v, want no error", name, err)
			}
		}
		ctx := context.Background()
		_, get := s.Get(ctx, "k")
		_, put := s.Put(ctx, "k", nil, 0)
		var list error
		for _, list = range s.Keys(ctx) {
		}
		for call, err := range map[string]error{
			"Get": get, "Put": put, "Delete": s.Delete(ctx, "k", 1), "Keys": list, "Watch": s.Watch(ctx, func(storage.Change) {}), "a running Watch": w.wantEnd(t),
		} {
			if !errors.Is(err, fs.ErrClosed) {
				t.Errorf("%s: %s after Close = %v, want %v", name, call, err, fs.ErrClosed)
			}
		}
	}
	exec(t, pool, "SELECT 1") // is still open
}

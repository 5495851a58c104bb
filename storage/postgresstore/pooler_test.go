package postgresstore_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/authtrip/authtrip/internal/servertest"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/postgresstore"
	"github.com/authtrip/authtrip/storage/storagetest"
)

// values are hard to write as text.
var values = map[string]string{
	"empty": "", "zero": "\x00", "backslash": `\`, "hex": `\x00`, "octal": `\000`, "quote": "'", "high": "\xff\x80\xfe",
	"all": allBytes(), "long": strings.Repeat("\x00\xff\\'", 20_000),
}

func allBytes() string {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return string(b)
}

var modes = []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"}

// TestValuesInEveryFormOfBytea reads and writes in every mode of the driver,
// with both forms that a server may have for values in text.
func TestValuesInEveryFormOfBytea(t *testing.T) {
	for form, modes := range map[string][]string{"escape": modes, "hex": {"exec"}} {
		for _, mode := range modes {
			url := server(t).URL + "&bytea_output=" + form + "&default_query_exec_mode=" + mode
			s := closeAtEnd(t)(postgresstore.Open(t.Context(), url, &postgresstore.Options{Table: newTable(t), CreateTable: true}))
			for name, value := range values {
				put(t, s, name, value, put(t, s, name, "before", 0))
				if r, err := s.Get(t.Context(), name); err != nil || string(r.Value()) != value {
					t.Errorf("bytea_output=%s, %s: Get(%s) = %d bytes, %v, want %d", form, mode, name, len(r.Value()), err, len(value))
				}
			}
		}
	}
}

// TestPgBouncerInTransactionMode runs the store behind a pooler that gives each
// transaction another session, in the mode that the README names, beside
// another form of values in text.
func TestPgBouncerInTransactionMode(t *testing.T) {
	bouncer := servertest.PgBouncer(t, server(t))
	exec(t, newPool(t, nil), "ALTER ROLE postgres SET bytea_output = escape")
	t.Cleanup(func() { exec(t, newPool(t, nil), "ALTER ROLE postgres RESET bytea_output") })
	storagetest.Run(t, func(t *testing.T) storage.Store {
		url := bouncer.URL + "&default_query_exec_mode=exec"
		s := closeAtEnd(t)(postgresstore.Open(t.Context(), url, &postgresstore.Options{Table: newTable(t), CreateTable: true}))
		return struct { // without Watch, which a pooler of transactions cannot carry
			storage.Store
			storage.Lister
		}{s, s}
	}, &storagetest.Options{Swaps: 100})
	for _, mode := range []string{"exec", "simple_protocol"} {
		url := bouncer.URL + "&pool_max_conns=16&default_query_exec_mode=" + mode
		t.Run(mode, func(t *testing.T) {
			s := closeAtEnd(t)(postgresstore.Open(t.Context(), url, &postgresstore.Options{Table: newTable(t), CreateTable: true}))
			var all sync.WaitGroup
			for i := range 16 {
				all.Go(func() {
					key := fmt.Sprint(i)
					v := storage.Version(0)
					for range 25 {
						v = put(t, s, key, "\x00"+key, v)
						if r, err := s.Get(context.Background(), key); err != nil || r.Version != v || string(r.Value()) != "\x00"+key {
							t.Errorf("Get(%s) behind PgBouncer = %q, %v, want what was written", key, r.Value(), err)
						}
					}
				})
			}
			all.Wait()
		})
	}
}

// TestModeThatPgBouncerCannotCarrySaysWhatToDo uses prepared statements behind
// a pooler that does not know them.
func TestModeThatPgBouncerCannotCarrySaysWhatToDo(t *testing.T) {
	bouncer := servertest.PgBouncer(t, server(t))
	url := bouncer.URL + "&pool_max_conns=8&default_query_exec_mode=cache_statement"
	table := newTable(t)
	var failed error
	for range 20 {
		s, err := postgresstore.Open(t.Context(), url, &postgresstore.Options{Table: table, CreateTable: true})
		if err == nil {
			_, err = s.Get(t.Context(), "k")
			_ = s.Close()
		}
		if err != nil && !strings.Contains(err.Error(), "not found") {
			failed = err
			break
		}
	}
	if failed == nil {
		t.Skip("this PgBouncer knows prepared statements")
	}
	wantText(t, "a call behind PgBouncer", failed, "default_query_exec_mode=exec")
}

package main_test

import (
	"strings"
	"testing"
)

// No password of a store's URL is printed, whatever is wrong with the URL or the server.
func TestPasswordsAreNotPrinted(t *testing.T) {
	a := newApp(t)
	a.user(a.grants(a.newKey()), 1)
	const canary = "c4nary-p4ssword"
	nobody := "127.0.0.1:1" // refuses connections
	var stores []string // not of file and sqlite: a path is no secret
	for _, scheme := range []string{"postgres", "postgresql", "redis", "rediss", "mysql"} {
		for _, rest := range []string{
			"user:" + canary + "@" + nobody + "/db", "user:" + canary + "@" + nobody + "/db?table=t&prefix=p:", ":" + canary + "@" + nobody,
			"user:" + canary + "/x@" + nobody + "/db", "user:" + canary + "#x@" + nobody + "/db", "user:" + canary + "?x@" + nobody + "/db",
			"user:" + canary + "%zz@" + nobody + "/db", "user:" + canary + " @" + nobody, "user:x@" + nobody + ":" + canary + "/db",
			nobody + "/db?password=" + canary + "&sslmode=bad", "user:" + canary + "@[::1/db", "user:" + canary + "@",
			nobody + "/db?table=" + "%zz" + canary, nobody + "/db?prefix=" + "%zz" + canary,
		} {
			stores = append(stores, scheme+"://"+rest)
		}
	}
	for _, store := range stores {
		for _, args := range [][]string{{"list", store}, {"import", store}, {"copy", a.url, store}, {"delete", "-yes", store, "x"}} {
			r := ctl(t, "", args...)
			if r.code == 0 || strings.Contains(r.stdout+r.stderr, canary) {
				t.Errorf("%q = %d, %q, %q, want an error without the password", args, r.code, r.stdout, r.stderr)
			}
		}
		for _, args := range [][]string{{store}, {"list", store, store}, {"list", "-" + store}, {store, "list"}} {
			if r := ctl(t, "", args...).want(t, 2); strings.Contains(r.stdout+r.stderr, canary) {
				t.Errorf("%q = %q, %q, want an error without the password", args, r.stdout, r.stderr)
			}
		}
	}
}

package main_test

import (
	"strings"
	"testing"
)

// No password of a store's URL is printed, whatever is wrong with the URL or
// the server.
func TestPasswordsAreNotPrinted(t *testing.T) {
	a := newApp(t)
	a.user(a.grants(a.newKey()), 1)
	const canary = "c4nary-p4ssword"
	nobody := "127.0.0.1:1" // refuses connections
	const forms = 14
	var stores []string // not of file and sqlite: a path is no secret
	for _, scheme := range []string{"postgres", "postgresql", "redis", "rediss", "mysql"} {
		for _, rest := range [forms]string{
			"user:" + canary + "@" + nobody + "/0", "user:" + canary + "@" + nobody + "/0?table=t&prefix=p:", ":" + canary + "@" + nobody,
			"user:" + canary + "/x@" + nobody + "/0", "user:" + canary + "#x@" + nobody + "/0", "user:" + canary + "?x@" + nobody + "/0",
			"user:" + canary + "%zz@" + nobody + "/0", "user:" + canary + " @" + nobody, "user:x@" + nobody + ":" + canary + "/0",
			nobody + "/0?password=" + canary + "&sslmode=bad", "user:" + canary + "@[::1/0", "user:" + canary + "@",
			nobody + "/0?table=" + "%zz" + canary, nobody + "/0?prefix=" + "%zz" + canary,
		} {
			store := scheme + "://" + rest
			if strings.HasPrefix(scheme, "redis") {
				store = withQuery(store, "max_retries=-1") // otherwise each takes seconds
			}
			stores = append(stores, store)
		}
	}
	for i, store := range stores {
		calls := [][]string{{"list", store}}
		if i%forms == 0 { // one of each scheme: the URL is right, and the server is not there
			calls = append(calls, []string{"import", store}, []string{"copy", a.url, store}, []string{"delete", "-yes", store, "x"}, []string{"reseal", store})
		}
		for _, args := range append(calls, []string{store}, []string{"list", store, store}, []string{"list", "-" + store}, []string{store, "list"}) {
			if r := ctl(t, "", args...); r.code == 0 || strings.Contains(r.stdout+r.stderr, canary) {
				t.Errorf("%q = %d, %q, %q, want an error without the password", args, r.code, r.stdout, r.stderr)
			}
		}
	}
}

// TestRedisOfAnotherMachineWithoutTLS: the advice is for the command line.
func TestRedisOfAnotherMachineWithoutTLS(t *testing.T) {
	r := ctl(t, "", "list", "redis://user:password@redis.example:6379/0").want(t, 2, "insecure_no_tls=true")
	if strings.Contains(r.stderr, "Options") {
		t.Errorf("list prints %q, want no advice for programs", r.stderr)
	}
}

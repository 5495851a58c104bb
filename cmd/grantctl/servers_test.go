package main_test

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/authtrip/authtrip/internal/servertest"
)

// run names what this run of the tests leaves on a server. A store has one name
// key for good, and no run has the keys of another one.
var run = strconv.FormatInt(time.Now().UnixNano(), 36)

// targets are the stores that grants are moved to. Those on servers are named
// by way of the environment, as people do who have a password in the URL.
var targets = map[string]func(*testing.T) string{
	"sqlite": func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "grants.db") },
	"postgres": func(t *testing.T) string {
		t.Setenv("GRANTCTL_TEST_SERVER", withQuery(servertest.Postgres(t).URL, "table=grantctl_test_"+run))
		return "env:GRANTCTL_TEST_SERVER"
	},
	"redis": func(t *testing.T) string {
		t.Setenv("GRANTCTL_TEST_SERVER", withQuery(servertest.Redis(t).URL, "prefix=grantctl-test-"+run+":"))
		return "env:GRANTCTL_TEST_SERVER"
	},
}

// withQuery adds a parameter to a URL.
func withQuery(url, parameter string) string {
	if strings.Contains(url, "?") {
		return url + "&" + parameter
	}
	return url + "?" + parameter
}

// emptied deletes the grants of a store.
func emptied(t *testing.T, store string) {
	t.Helper()
	ctl(t, "", "import", store).want(t, 0)                        // nothing: it makes the table
	for _, line := range ctl(t, "", "export", store).objects(t) { // an error in Redis if there is nothing
		if key := line["key"].(string); strings.HasPrefix(key, "grant.") {
			ctl(t, "", "delete", "-yes", store, key).want(t, 0)
		}
	}
}

// A prefix of Redis under which there is nothing is no store: it may be
// mistyped.
func TestNoSuchPrefix(t *testing.T) {
	a := newApp(t)
	a.setKeys(a.newKey(), a.newKey())
	store := withQuery(servertest.Redis(t).URL, "prefix=grantctl-test-none:")
	for _, args := range [][]string{{"list", store}, {"show", store, "a"}, {"delete", "-yes", store, "a"}, {"export", store}, {"reseal", store}, {"copy", store, a.url}} {
		if r := ctl(t, "", args...).want(t, 1, "there is no such store"); strings.Contains(r.stdout+r.stderr, "retired") {
			t.Errorf("%s of nothing printed %q, %q, want no advice", args[0], r.stdout, r.stderr)
		}
	}
	a.setKeys()
	ctl(t, `{"key":"a","value":"AAAA"}`, "import", "-n", store).want(t, 0, "created: 1;")
	ctl(t, "", "export", store).want(t, 1, "there is no such store")
}

// Every command works on every kind of store: grants go there, are sealed
// again, and come back alive.
func TestThereAndBack(t *testing.T) {
	for name, target := range targets {
		t.Run(name, func(t *testing.T) {
			there := target(t)
			a := newApp(t)
			first, second := a.newKey(), a.newKey()
			a.setKeys(first, second)
			emptied(t, there)
			defer emptied(t, there)
			g := a.grants(second)
			user, other := a.user(g, 1), a.user(g, 2)
			if err := g.Close(); err != nil {
				t.Fatal(err)
			}
			ctl(t, "", "copy", a.url, there).want(t, 0, "created: 3;")
			ctl(t, "", "copy", a.url, there).want(t, 0, "created: 0; there already: 3;")
			ctl(t, "", "list", there).want(t, 0, user+"  ", other+"  ", "alive, sealed with an", "grants: 2;")
			ctl(t, "", "reseal", there).want(t, 0, "records: 3; sealed again: 3;")
			ctl(t, "", "delete", "-yes", there, other).want(t, 0, "deleted "+a.key(other))
			ctl(t, "", "show", there, user).want(t, 0, "sealed with      first key\n")
			out := ctl(t, "", "export", there).want(t, 0, "exported: 2.")

			back := newApp(t)
			ctl(t, out.stdout, "import", back.url).want(t, 0, "created: 2;")
			a.wantWorking(a.grantsOn(back.store, first), []string{user})
		})
	}
}

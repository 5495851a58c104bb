package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// targets are the stores that grants are moved to: SQLite, and the servers that the environment names.
func targets(t *testing.T) map[string]string {
	t.Helper()
	stores := map[string]string{"sqlite": "sqlite:" + filepath.Join(t.TempDir(), "grants.db")}
	for variable, ours := range map[string]string{"AUTHTRIP_TEST_POSTGRES": "table=grantctl_test", "AUTHTRIP_TEST_REDIS": "prefix=grantctl-test:"} {
		url := os.Getenv(variable)
		if url == "" {
			continue
		}
		t.Setenv("GRANTCTL_"+variable, withQuery(url, ours))
		stores[variable] = "env:GRANTCTL_" + variable
	}
	return stores
}

// withQuery adds a parameter to a URL.
func withQuery(url, parameter string) string {
	if strings.Contains(url, "?") {
		return url + "&" + parameter
	}
	return url + "?" + parameter
}

// emptied deletes whatever an earlier run has left in a store.
func emptied(t *testing.T, store string) {
	t.Helper()
	ctl(t, "", "import", store).want(t, 0) // nothing: it makes the table
	for _, line := range ctl(t, "", "export", store).want(t, 0).objects(t) {
		ctl(t, "", "delete", "-yes", store, line["key"].(string)).want(t, 0)
	}
}

// Every command works on every kind of store: grants go there, are sealed anew, and come back alive.
func TestThereAndBack(t *testing.T) {
	for name, there := range targets(t) {
		t.Run(name, func(t *testing.T) {
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
			ctl(t, "", "copy", a.url, there).want(t, 0, "created: 2;")
			ctl(t, "", "copy", a.url, there).want(t, 0, "created: 0; there already: 2;")
			ctl(t, "", "list", there).want(t, 0, user+"  ", other+"  ", "alive, sealed with an old key\n", "grants: 2;")
			ctl(t, "", "reseal", there).want(t, 0, "records: 2; sealed anew: 2;")
			ctl(t, "", "delete", "-yes", there, other).want(t, 0, "deleted "+a.key(other))
			ctl(t, "", "show", there, user).want(t, 0, "sealed with      first key\n")
			out := ctl(t, "", "export", there).want(t, 0, "exported: 1.")

			back := newApp(t)
			ctl(t, out.stdout, "import", back.url).want(t, 0, "created: 1;")
			a.wantWorking(a.grantsOn(back.store, first), []string{user})
		})
	}
}

package storagetest

import (
	"context"
	"regexp"
	"testing"

	"github.com/authtrip/authtrip/storage"
)

// testNamer compares the names of two handles, and of parts that are alike.
func testNamer(t *testing.T, s *suite) {
	first, second := s.handles(t)
	if _, ok := first.(storage.Namer); !ok {
		t.Skip("the store is no storage.Namer")
	}
	form := regexp.MustCompile("^p-[0-9a-f]{64}$")
	seen := map[string][]string{}
	for _, parts := range [][]string{{}, {""}, {"", ""}, {"a"}, {"A"}, {"a", ""}, {"", "a"}, {"ab", "c"}, {"a", "bc"}, {"abc"}, {"\x00", "é"}} {
		name := nameOf(t, first, parts)
		if !form.MatchString(name) {
			t.Errorf("Name(%q) = %q, want p- and 64 hexadecimal digits", parts, name)
		}
		if other, ok := seen[name]; ok {
			t.Errorf("Name(%q) = Name(%q) = %q, want two names", parts, other, name)
		}
		seen[name] = parts
		for _, store := range []storage.Store{first, second} {
			if again := nameOf(t, store, parts); again != name {
				t.Errorf("Name(%q) = %q, and then %q, want the same", parts, name, again)
			}
		}
	}
}

func nameOf(t *testing.T, s storage.Store, parts []string) string {
	t.Helper()
	name, err := storage.Name(context.Background(), s, "p-", "owner", parts...)
	if err != nil {
		t.Fatalf("Name(%q) = %v, want no error", parts, err)
	}
	return name
}

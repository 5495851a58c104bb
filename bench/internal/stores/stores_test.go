package stores_test

import (
	"testing"

	"github.com/authtrip/authtrip/bench/internal/stores"
)

// Both sides of each pair work, also when they are begun again.
func TestPairs(t *testing.T) {
	pairs, closeAll, err := stores.Pairs(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll()
	for _, p := range pairs {
		for name, op := range map[string]stores.Op{"ours": p.Ours, "bare": p.Bare} {
			for range 2 {
				f, err := op(1)
				if err != nil {
					t.Fatalf("%s, %s: %v", p.Name, name, err)
				}
				for range 3 {
					if err := f(); err != nil {
						t.Errorf("%s, %s: %v", p.Name, name, err)
					}
				}
			}
		}
	}
}

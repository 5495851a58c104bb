package postgresstore

import (
	"testing"

	"github.com/authtrip/authtrip/storage"
)

// Writers of one process may add their changes in another order than they
// committed.
func TestChangesOfOneKeyBecomeOneOfAnyVersion(t *testing.T) {
	n := &notifier{keys: map[string]storage.Version{}, wake: make(chan struct{}, 1)}
	n.add(storage.Change{Key: "twice", Version: 1})
	n.add(storage.Change{Key: "once", Version: 2})
	n.add(storage.Change{Key: "twice", Version: 3})
	changes := n.take()
	if len(changes) != 2 {
		t.Errorf("take() = %v, want two changes", changes)
	}
	for _, c := range changes {
		if want := map[string]storage.Version{"twice": 0, "once": 2}[c.Key]; c.Version != want {
			t.Errorf("the version of %s = %d, want %d", c.Key, c.Version, want)
		}
	}
}

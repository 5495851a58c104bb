package postgresstore

import (
	"fmt"
	"slices"
	"strings"
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

// The texts of many changes are short enough for PostgreSQL, and a process that
// listens reads all the changes again.
func TestNotificationsOfManyChanges(t *testing.T) {
	long := strings.Repeat("k", storage.MaxKey-4)
	for _, n := range []int{1, 2, 54, 55, 56, 1024} {
		changes := make([]storage.Change, n)
		for i := range changes {
			changes[i] = storage.Change{Key: fmt.Sprintf("%s%04d", long, i), Version: storage.Version(i)}
		}
		var read []storage.Change
		texts := notifications(changes)
		for _, text := range texts {
			if len(text) >= 8000 {
				t.Errorf("notifications(%d changes) has a text of %d bytes, want less than 8000", n, len(text))
			}
			notified(text, func(c storage.Change) { read = append(read, c) })
		}
		if !slices.Equal(read, changes) {
			t.Errorf("notified() reads %d changes of notifications(%d changes), want the same", len(read), n)
		}
		if most := n/54 + 1; len(texts) > most {
			t.Errorf("notifications(%d changes) = %d texts, want at most %d", n, len(texts), most)
		}
	}
}

package grant

import (
	"context"
	"testing"
	"time"

	"github.com/authtrip/authtrip/storage"
)

// CacheSize returns the number of grants that g keeps in memory.
func CacheSize(g *Grants) int { return g.cache.size() }

// KeyOf returns the key under which c's grant of subject is stored.
func KeyOf(c *Client, subject string) string {
	return GrantKey(c.provider.Name, c.registration.ClientID, subject)
}

// ShiftIntent moves the times of a stored intent, as a host does whose clock is wrong.
func ShiftIntent(t *testing.T, s storage.Store, c *Client, subject string, by time.Duration) {
	t.Helper()
	key := KeyOf(c, subject)
	stored, err := s.Get(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	r, err := decode(stored.Value())
	if err != nil || r.intent.id == "" {
		t.Fatalf("there is no intent to shift: %v", err)
	}
	r.intent.since, r.intent.until = r.intent.since.Add(by), r.intent.until.Add(by)
	if _, err := s.Put(context.Background(), key, r.encode(), stored.Version); err != nil {
		t.Fatal(err)
	}
}

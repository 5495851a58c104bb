package grant

import (
	"testing"
	"time"

	"github.com/authtrip/authtrip/internal/due"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

// CacheSize returns the number of grants that k keeps in memory.
func CacheSize(k *Keeper) (n int) {
	k.cache.Each(map[any]bool{}, func(*lease.Record) { n++ })
	return n
}

// Locals returns the number of grants of which k alone knows something.
func Locals(k *Keeper) int {
	k.grants.mu.Lock()
	defer k.grants.mu.Unlock()
	return len(k.grants.grants)
}

// PartOf returns the storage key of the part of the index of due work that has
// the grant under key.
func PartOf(key string) string { return due.PartName(due.Of(key), 0) }

// Change changes the stored grant under key.
func Change(t *testing.T, s storage.Store, key string, change func(r *lease.Record)) {
	t.Helper()
	stored, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	r, err := lease.Decode(stored.Value())
	if err != nil {
		t.Fatal(err)
	}
	change(r)
	if _, err := s.Put(t.Context(), key, r.Encode(), stored.Version); err != nil {
		t.Fatal(err)
	}
}

// ShiftIntent moves the times of a stored intent, as a host does whose clock is
// wrong.
func ShiftIntent(t *testing.T, s storage.Store, key string, by time.Duration) {
	t.Helper()
	Change(t, s, key, func(r *lease.Record) {
		if r.Intent.ID == "" {
			t.Fatal("there is no intent to shift")
		}
		r.Intent.Since, r.Intent.Until = r.Intent.Since.Add(by), r.Intent.Until.Add(by)
	})
}

// StoredBytes returns the grant of a subject as k would store it.
func StoredBytes(k *Keeper, subject string, t lease.Token) []byte {
	p := k.client.Provider()
	r := &lease.Record{
		Issuer: p.Authority(), Endpoint: p.TokenURL, ClientID: k.client.ClientID(), Subject: subject,
		Epoch: "e", Login: "l", Exchanged: t.Obtained, Token: t,
	}
	return r.Encode()
}

// RefreshAt returns when a grant is refreshed ahead of its expiry.
func RefreshAt(r *lease.Record, before time.Duration, jitter uint64) time.Time {
	return refreshAt(r, before, jitter)
}

// RecodePart decodes a part of the index of due work. It returns how many
// entries it has, and the part encoded again.
func RecodePart(b []byte) (int, []byte, error) {
	p, err := due.Decode(b)
	return len(p), due.Encode(p), err
}

// DueEntry is an entry of the index of due work.
type DueEntry = due.Entry

// Entered returns a part of the index after key was entered, and whether that
// changed it.
func Entered(part []DueEntry, key string, at, earliest time.Time) ([]DueEntry, bool) {
	return due.Part(part).With(DueEntry{Key: key, At: at}, earliest)
}

// WorkedOff returns a part of the index after the entry done was worked off,
// and is due again at a time.
func WorkedOff(part []DueEntry, done DueEntry, again time.Time) []DueEntry {
	return due.Part(part).After([]due.Done{{Entry: done, Again: again}})
}

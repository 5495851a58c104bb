package grant

import (
	"strings"
	"time"
)

// intent says that somebody is about to redeem the refresh token. It is lease and write-ahead record in one: while it
// lives, others wait for its outcome; abandoned, it says that the refresh token may have been redeemed by who died.
type intent struct {
	id           string // holder and a random part; empty means that there is no intent
	since, until time.Time
}

const clockSkew = 30 * time.Second // how far the clocks of two hosts are assumed to differ at most

// settleTime is how long a process watches an intent before it acts on its end. After an outage of the store, the holder of
// the intent may have tokens still to write: its last try may hang until storeTimeout, and the next one follows soon.
func settleTime(storeTimeout time.Duration) time.Duration {
	return storeTimeout + lastSavePause + time.Second
}

// holder returns the name of the Keeper that made the intent.
func (i intent) holder() string {
	name, _, _ := strings.Cut(i.id, "/")
	return name
}

// holder watches somebody else's intent on this process's own clock.
type holder struct {
	settle time.Duration
	id     string
	first  time.Time // when id was first seen
}

// gone reports whether the holder of i can no longer be at work: the intent has ended by its own words, allowing for skew
// between the hosts' clocks, or has been watched here for as long as it was to live, which no skew can falsify. In both
// cases it must have stood unchanged for the settle time, in which a holder that could not reach the store may still write. An
// intent of our own needs no allowance.
func (h *holder) gone(i intent, self string, now time.Time) bool {
	if i.holder() == self {
		return !now.Before(i.until)
	}
	if h.id != i.id {
		h.id, h.first = i.id, now
	}
	watched := now.Sub(h.first)
	ended := !now.Before(i.until.Add(clockSkew)) || watched >= i.until.Sub(i.since)
	return ended && watched >= h.settle
}

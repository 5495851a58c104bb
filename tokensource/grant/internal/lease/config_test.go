package lease_test

import (
	"time"

	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

// fault is a kind of fault. Each fault costs one of the faults that a
// configuration allows. What ends it costs nothing.
type fault uint32

const (
	faultCrash      fault = 1 << iota // a process ends and starts under a new name
	faultStop                         // a process stops, and goes on later
	faultSuspend                      // so does its machine, and its monotonic clock stands still
	faultCut                          // a process does not reach the store
	faultAway                         // nobody reaches the store
	faultWriteLost                    // a write fails, its outcome is unknown, it had no effect
	faultWriteDone                    // so does it, and it had its effect
	faultWriteLate                    // so does it, and it has its effect later, or never
	faultWriteError                   // a write certainly fails
	faultRead                         // a read fails
	faultHeld                         // a request or its answer is lost, or slow
	fault503                          // the token endpoint fails or refuses one client
	fault401                          // an API rejects a good token
	faultRevoke                       // a revocation fails
	faultDown                         // all revocations fail for a time
	faultSkew                         // a clock is set by the skew that is allowed for
	faultBeyond                       // a clock is set by more
	faultReseal                       // the record is written again with the same content
	faultRefused                      // no announcement is allowed for a moment
	faultProbe                        // the API does not tell which token works
	faultEnds                         // the server ends the grant
	faultEnd
)

var faultNames = [...]string{
	"crash and restart", "stop and go on", "machine suspended", "one process cut from the store", "store away for all",
	"write lost", "write without answer", "write late or never", "write refused", "read error",
	"request or answer lost or slow", "503 of the token endpoint", "401 for a good token", "revocation fails",
	"revocations fail for a time", "clock set by the skew", "clock set beyond the skew", "re-encryption",
	"no announcement for a moment", "probe without answer", "the server ends the grant",
}

// classic are the faults of every configuration that does not name its own.
const classic = faultCrash | faultStop | faultCut | faultAway | faultWriteLost | faultWriteDone | faultWriteLate |
	faultRead | faultHeld | fault503 | fault401 | faultRevoke | faultSkew | faultReseal

const everyFault = faultEnd - 1

// config is one configuration of the model. Times are in ticks.
type config struct {
	procs                             int
	faults, expiries, logins, logouts byte
	kinds                             fault  // zero: classic
	grace                             bool   // a redeemed refresh token gets the same answer until its successor is used
	single                            bool   // a login ends the earlier grants
	revokesAll                        bool   // a revocation ends all grants
	deaf                              bool   // the revocation of a redeemed refresh token ends nothing
	empty                             bool   // there is no record at first
	ahead                             bool   // instead of expiring, tokens are refreshed ahead
	resends                           uint64 // 0: once
	never                             bool   // instead, a refresh token is never sent again
	spacing                           int64
	progress                          bool // look for states from which nothing settles
	limit                             int  // the search may end at so many states; 0: only at all
	short                             bool // part of the half minute

	lease, margin, skew, quiet, hold, keep, giveUp, lastPause int64
}

// filled returns c with the defaults filled in.
func filled(c config) *config {
	if c.kinds == 0 {
		c.kinds = classic
	}
	if c.resends == 0 && !c.never {
		c.resends = 1
	}
	c.lease, c.margin, c.skew, c.quiet = 3, 1, 2, 1
	c.hold, c.keep, c.lastPause = 2, 4, 2
	if c.faults > 0 && c.kinds&(faultRevoke|faultDown) != 0 && c.logins+c.logouts > 0 {
		c.giveUp = 4 // otherwise nothing is given up
	}
	return &c
}

// maxOffset is by how many ticks a clock may be wrong.
func (c *config) maxOffset() int64 {
	switch {
	case c.kinds&faultBeyond != 0 && c.faults > 0:
		return 5
	case c.kinds&faultSkew != 0 && c.faults > 0:
		return c.skew
	}
	return 0
}

func (c *config) rules(self string) lease.Rules {
	d := func(n int64) time.Duration { return time.Duration(n) * tick }
	giveUp := d(c.giveUp)
	if giveUp == 0 {
		giveUp = 1000 * time.Hour
	}
	return lease.Rules{
		Self: self, Lease: d(c.lease), Margin: d(c.margin), Skew: d(c.skew), Quiet: d(c.quiet), Spacing: d(c.spacing),
		Resends: c.resends, SingleGrant: c.single, RevokesAll: c.revokesAll,
		Hold: d(c.hold), FirstPause: d(1), LastPause: d(c.lastPause), GiveUp: giveUp, Keep: d(c.keep),
	}
}

// start returns the first state: a grant that every process knows, or nothing.
func (c *config) start() *model {
	w := &model{
		faults: c.faults, expiries: c.expiries, logins: c.logins, logouts: c.logouts,
		n: c.procs, lastVersion: storedNow,
	}
	for i := range w.procs[:w.n] {
		w.procs[i].name = texts[codeProcess+i]
	}
	w.names, w.ids = byte(w.n), 1
	if c.empty {
		return w
	}
	w.books[0] = book{alive: true, at: origin.Add(-8 * tick)}
	w.exchanged = 1
	access := w.issue(0)
	w.pair(access).facts |= got | saved
	w.write(&lease.Record{
		Epoch: texts[codeID], Login: texts[codeLogin], Exchanged: w.books[0].at,
		Token: lease.Token{
			ID: texts[codeLogin], Access: access, Refresh: refreshOf(access),
			Obtained: origin.Add(-8 * tick), Expiry: w.expiry(access), Key: w.key(access),
		},
	})
	for i := range w.procs[:w.n] {
		w.procs[i].known = access
	}
	return w
}

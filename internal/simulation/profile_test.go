package simulation_test

import "time"

// A profile says what may go wrong in a run. Probabilities are per operation,
// and count during a period of faults only; see [run.force].
type profile struct {
	name string

	store storeFaults
	wire  wireFaults

	crash, stop  float64       // per operation of the store and per request
	suspend      float64       // as stop, and the monotonic clock stands still
	skew         time.Duration // the wall clocks of the processes differ by up to this
	step         time.Duration // wall clocks are set by up to this, now and then
	early        float64       // per call: the server ends the access token first
	logins       time.Duration // mean time between two logins of a user; zero means rarely
	logouts      time.Duration // mean time between two logouts of a user; zero means never
	double       float64       // per login: a second login of the same user begins at once, elsewhere
	races        float64       // per refresh request: a login or logout begins within 300 ms
	cuts         float64       // per refresh request: the process is cut off from the store within 100 ms
	again        float64       // per refresh request that repeats a lost one: it fails as well
	reseal       bool          // every record is rewritten, now and then
	proofs       bool          // tokens are bound to keys, and proofs need nonces that change often
	deafWatchers float64       // per notification: it does not arrive
}

// faultless reports whether periods of faults change nothing in the profile.
func (p *profile) faultless() bool {
	return p.store == storeFaults{} && p.wire == wireFaults{} && p.crash+p.stop+p.suspend+p.deafWatchers == 0
}

// spread is by how much the wall clocks of two processes may differ.
func (p *profile) spread() time.Duration { return 2 * (p.skew + p.step) }

// clocksAgree reports whether all clocks differ by no more than the engine
// allows for.
func (p *profile) clocksAgree() bool { return p.spread() <= clockSkew }

// storeFaults are what an operation of the store may meet.
type storeFaults struct{ slow, failed, late, lostAck, hang, conflict, mute float64 }

// wireFaults are what a request to the server may meet.
type wireFaults struct{ slow, lostBefore, lostAfter, hang, late, status, refused float64 }

// profiles are all of them. A run has one.
var profiles = []profile{
	{name: "calm"},
	{name: "churn", logins: time.Hour, logouts: 90 * time.Minute, early: 0.02},
	{name: "early", early: 0.1},
	{name: "double-login", logins: time.Hour, double: 0.7},
	{name: "races", logins: 3 * time.Hour, logouts: 3 * time.Hour, races: 0.3, early: 0.05},
	{name: "proofs", proofs: true, early: 0.05, logins: 3 * time.Hour, logouts: 6 * time.Hour, double: 0.2, crash: 0.005, wire: wireFaults{lostAfter: 0.05, status: 0.1}},
	{name: "reseal", reseal: true, early: 0.02, logouts: 6 * time.Hour},
	{name: "watch", deafWatchers: 0.5, early: 0.02, logins: 2 * time.Hour},
	{name: "skew", skew: 14 * time.Second, early: 0.02, logins: 2 * time.Hour, wire: wireFaults{lostAfter: 0.1}},
	{name: "clock-steps", step: 14 * time.Second, early: 0.02, wire: wireFaults{lostAfter: 0.05}},
	{name: "clocks-wrong", skew: 10 * time.Minute, early: 0.02, logins: 2 * time.Hour, logouts: 6 * time.Hour, wire: wireFaults{lostAfter: 0.1}},
	{name: "clock-jumps", step: 5 * time.Hour, early: 0.02, logins: 6 * time.Hour, logouts: 6 * time.Hour, wire: wireFaults{lostAfter: 0.05}, suspend: 0.002},
	{name: "cut-off", cuts: 0.2, again: 0.6, early: 0.02, logouts: 6 * time.Hour, wire: wireFaults{status: 0.5, lostBefore: 0.2}},
	{name: "cut-off-and-stop", cuts: 0.1, again: 0.4, stop: 0.005, crash: 0.002, early: 0.02, wire: wireFaults{lostAfter: 0.05}},
	{name: "store-slow", store: storeFaults{slow: 0.9}, early: 0.02},
	{name: "store-error", store: storeFaults{failed: 0.5}, early: 0.02, logouts: 6 * time.Hour},
	{name: "store-late", store: storeFaults{late: 0.3, slow: 0.2}, early: 0.02, logouts: 6 * time.Hour},
	{name: "store-lost-ack", store: storeFaults{lostAck: 0.4}, early: 0.02, logouts: 6 * time.Hour},
	{name: "store-hang", store: storeFaults{hang: 0.3}, early: 0.02},
	{name: "store-conflict", store: storeFaults{conflict: 0.4}, early: 0.02, logouts: 6 * time.Hour},
	{name: "store-mute", store: storeFaults{mute: 1}, early: 0.02},
	{name: "wire-lost-before", wire: wireFaults{lostBefore: 0.4}},
	{name: "wire-lost-after", wire: wireFaults{lostAfter: 0.4}, logouts: 6 * time.Hour},
	{name: "wire-hang", wire: wireFaults{hang: 0.3}},
	{name: "wire-late", wire: wireFaults{late: 0.3, slow: 0.2}, logouts: 6 * time.Hour},
	{name: "wire-5xx", wire: wireFaults{status: 0.95}, early: 0.02},
	{name: "wire-refused", wire: wireFaults{refused: 0.5}, early: 0.02},
	{name: "crash", crash: 0.02, early: 0.05, logins: 6 * time.Hour},
	{name: "stop", stop: 0.02, early: 0.05, logouts: 6 * time.Hour},
	{name: "suspend", suspend: 0.02, early: 0.05},
	{
		name: "all", crash: 0.004, stop: 0.004, suspend: 0.002, skew: 10 * time.Second, step: 5 * time.Second,
		store: storeFaults{slow: 0.1, failed: 0.05, late: 0.05, lostAck: 0.05, hang: 0.03, conflict: 0.05},
		wire:  wireFaults{slow: 0.1, lostBefore: 0.05, lostAfter: 0.05, hang: 0.03, late: 0.05, status: 0.1, refused: 0.05},
		early: 0.03, logins: 4 * time.Hour, logouts: 5 * time.Hour, double: 0.2, races: 0.05, cuts: 0.02, again: 0.3, reseal: true, deafWatchers: 0.2,
	},
}

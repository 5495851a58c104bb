// Package simulation runs whole engines, a store and a fake authorization
// server in one testing/synctest bubble, under a seed.
//
// The seed decides everything: when users call, log in and log out, how long
// each operation takes, which operations fail and how, which processes crash
// or stop, and what their clocks show. The books of the fake judge the engines
// while they run and at the end. A run with the same seed and profile repeats
// to the byte, so a failure can be looked at again:
//
//	go test ./internal/simulation -run /calm -seed 7 -length 24h -log user-1
//
// # Tests
//
// TestSimulation runs one seed in each profile. TestASeedRepeats runs each
// profile twice and compares. TestSeeds runs many seeds in one process for each
// core, for as long as -for and -seeds say: "make simulate". It prints one line
// with what was done, which faults were injected and which rare situations came
// about.
//
// # Files
//
// chance_test.go draws from the seed. profile_test.go lists what may fail, and
// fault_test.go makes it fail. process_test.go is one process: an engine with
// its clocks and its end. gate_test.go is its way to the store, wire_test.go
// its way to the server. activity_test.go is what users do, world_test.go what
// happens besides. run_test.go is one run.
//
// judge_test.go holds what the judge knows. It judges requests in
// sends_test.go, intents in attempts_test.go, records in writes_test.go, logins
// and logouts in logins_test.go, answers to callers in answers_test.go, and
// what is left at the end in end_test.go. counts_test.go counts, so that a
// simulation in which nothing happens is noticed.
//
// The package has no code outside of its tests.
package simulation

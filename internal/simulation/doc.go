// Package simulation runs whole engines, a store and a fake authorization
// server in one testing/synctest bubble, under a seed.
//
// The seed decides everything: when users call, log in and log out, how long
// each operation takes, which operations fail and how, which processes crash or
// stop, and what their clocks show. The books of the fake judge the engines
// while they run and at the end. A run with the same seed and profile repeats to
// the byte, so a failure can be looked at again:
//
//	go test ./internal/simulation -run 'TestSimulation/calm' -seed 7 -length 24h -log user-1
//
// # Files
//
// chance_test.go draws from the seed. profile_test.go lists what may fail.
// process_test.go is one process: an engine with its clocks, its network and
// its end. wire_test.go is the way to the server. activity_test.go is what users
// do. books_test.go and judge_test.go say what is wrong. run_test.go is one run,
// simulation_test.go the tests.
//
// The package has no code outside of its tests.
package simulation

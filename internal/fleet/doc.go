// Package fleet holds tests and nothing else. They show what only real
// processes can show: files, sockets, signals, kill -9 and SIGSTOP.
//
// # What it is for
//
// A fleet is a number of processes that share one store and one authorization
// server. The tests ask four questions, on every store that they apply to:
//
//   - Do four processes refresh once at each expiry, of one grant and of very
//     many at once?
//   - What is lost if a process is killed at some point of a refresh, or in the
//     middle of a write?
//   - What is lost if a process is stopped past its lease, and then continued?
//   - What is lost while the server of the store is gone?
//
// Answers that get lost, stores that fail and clocks that are wrong are not
// judged here. The explorer of tokensource/grant/internal/lease and the package
// internal/simulation judge them, in far more orders of events.
//
// # Types
//
// A fleet has an authorization server, a store, and workers. A worker is a
// process: the test binary itself, started with a variable that makes it obey
// orders on its standard input. At a point of a refresh that was armed, a
// worker notifies the test and waits. The test then kills, stops or releases
// it. The commands that are killed are those of examples/cli.
//
// # Concurrency
//
// Fleets share nothing, and their tests run in parallel. Most of the time they
// wait for leases to end.
//
// # Errors
//
// The tests count facts at the authorization server and in the store: how often
// a refresh token was sent, which grants ended, which records changed. None of
// them compares a duration. A limit of five minutes means that a process hangs.
//
// The tests run at a reduced scale unless AUTHTRIP_FLEET is "full". They need
// Linux, because they look at the state of a stopped process.
package fleet

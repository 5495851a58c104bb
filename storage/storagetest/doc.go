// Package storagetest tests implementations of storage.Store, and code that
// uses a store which fails.
//
// # What it is for
//
// Run its suite if you write a store. Use its failing stores if your code calls
// a storage.Store itself. An app that only gives a store to grant.New needs
// neither.
//
// # Types
//
// [Run] is the conformance suite: it states the contract of storage.Store as
// tests. Run it on every store of your own.
//
// [Faulty] is a store that fails on demand. [Network] connects several
// processes to one store, with delays, lost requests, lost answers, late
// effects, conflicts and partitions. Both ask a function for the [Fault] of
// each operation.
//
// # Example
//
//	func TestStore(t *testing.T) {
//		open := func(t *testing.T) storage.Store { return newStore(t) }
//		storagetest.Run(t, open, nil)
//	}
//
// # Concurrency
//
// Faulty and Network are safe for concurrent use. All delays are timers, so
// they pass at once in a bubble of testing/synctest. Given the same operations
// in the same order, a function that decides by the [Op] repeats a run
// exactly.
//
// # Errors
//
// A call whose ctx ends returns an error that wraps context.Cause(ctx). All
// other errors are those of the store or of the Fault.
package storagetest

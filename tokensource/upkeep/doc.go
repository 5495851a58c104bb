// Package upkeep shows how the grants of an app are, and keeps alive those that
// nobody uses.
//
// # What it is for
//
// A Keeper of package grant renews a grant when somebody uses it. Three things
// remain. Many servers end a grant that is not used for some weeks. Some grants
// end on a day that is known in advance, and the user should be told before.
// And a person who operates the app wants to know which grants work.
//
// # Types
//
// [Start] begins to keep grants alive and to warn of their end, and returns a
// [Worker]. Any number of processes may call it: one of them works at a time.
// [Grants] lists the grants in a store, each with its [State], by a [Query].
// [Ready] and [Live] are handlers for the probes of a cluster or of a load
// balancer. [Changes] makes one event of a row of failed attempts, and one of
// its end.
//
// # Example
//
//	worker, err := upkeep.Start(nil, grants)
//	defer worker.Close() // before the Keeper is closed
//	ready, err := upkeep.Ready(nil, grants)
//	mux.Handle("GET /ready", ready)
//
// # What the worker costs
//
// It reads each grant once a day, and the names of all grants every ten
// minutes. For a grant whose server has an idle life, it makes one refresh when
// half of that life has passed without any. A refresh that fails is repeated
// after a tenth of that life. All grants together have 60 refreshes a minute.
//
// # Concurrency
//
// Everything is safe for concurrent use. The worker holds a record of the store
// that ends after five minutes, and renews it. If its process dies, another
// process takes the record over. Then one refresh more than usual may happen
// for the grant that it worked on, and a warning may come a second time. Both
// are harmless: each refresh goes through the Keeper, which lets one process
// at a time redeem a refresh token.
//
// # Errors
//
// The worker has no caller. What happens to a grant is an event of its Keeper.
// If the store fails, it tries again, and [Ready] says so.
package upkeep

// Package provider holds facts about authorization servers.
//
// # What it is for
//
// Servers differ: in their endpoints, in the way in which a client
// authenticates, in how they refuse, in how many grants a user can have. All
// of that is data in a [Provider], and no other package has code for one
// server.
//
// # Its types
//
// [X] returns the facts of X (Twitter). For any other server, fill in a
// Provider from its documentation. The zero value of every optional field
// means that the server follows the RFCs.
//
// Where a server words its refusals in its own way, Provider.Classify looks at
// the [Answer] and returns a [Verdict]: who can cure it.
//
// # Concurrency
//
// A Provider is data. Constructors copy it. It must not be changed while one
// reads it.
//
// # Errors
//
// [Provider.Validate] says in words what to correct.
package provider

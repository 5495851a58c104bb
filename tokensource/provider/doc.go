// Package provider holds facts about authorization servers.
//
// # What it is for
//
// Servers differ: in their endpoints, in the way in which a client
// authenticates, in how they refuse, in how many grants a user can have. All of
// that is data in a [Provider], which the other packages read. If a server
// publishes metadata and is not known here, package discovery makes a Provider
// of them.
//
// # Types
//
// [Get] returns the facts of a server that authtrip knows, such as "github",
// and [Names] lists those servers. Some have a tenant or a host of their own,
// and a function that takes it, such as [Entra]. [InsecureLocal] also takes
// hosts in a private network. [X] returns the facts of X (Twitter). [Load]
// reads files with facts, as a [Catalogue]. For any other server, fill in a
// Provider from its documentation. The zero value of every optional field means
// that the server follows the RFCs.
//
// Where a server words its refusals in its own way, a [Refusal] describes them,
// or Provider.Classify looks at the [Answer]. Both give a [Verdict]: who can
// fix it.
//
// # Example
//
//	p, err := provider.Get("github")
//	p, err = provider.Entra("acme.example") // a server with a tenant
//	client, err := oauth.New(p, registration, nil)
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

// Package format is the form in which facts about authorization servers are
// written down: the data files of package provider.
//
// # What it is for
//
// A file holds entries in JSON. [Read] decodes a file and refuses what the
// schema does not know. [Entry.Fill] puts values in the place of variables,
// such as the tenant in a URL. Package provider makes a Provider of the result.
// The file schema.json beside the data is made from the types of this package.
//
// # Concurrency and errors
//
// An [Entry] is data. It must not be changed while another goroutine reads it.
// An error says which entry and which member to correct.
package format

// Package mcp authorizes clients of the Model Context Protocol: programs that
// call MCP servers over HTTP.
//
// # What it is for
//
// An MCP server answers 401 to a client without a token. This package finds out
// which authorization server it accepts, introduces the program there, logs the
// user in, and keeps the grant alive, also beside other processes that share
// the store ([MCP authorization]).
//
// # Types
//
// A [Handler] is for a command: it opens the browser of the user. It implements
// auth.OAuthHandler of the official Go SDK, and [Handler.Client] is an
// http.Client that needs no handler. A [Login] is for a web app with many
// users. [Find] only finds out which authorization server there is. It is for
// programs that act for themselves, with a source of package derived.
//
// # Example
//
//	h, err := mcp.New("https://mcp.example/mcp", store, nil)
//	…
//	transport := &sdk.StreamableClientTransport{
//		Endpoint: "https://mcp.example/mcp", HTTPClient: h.Client(),
//	}
//
// # How the program is known
//
// The order is: a client of Options.Clients for this issuer, the document at
// Options.ClientIDURL, dynamic registration. Otherwise the error is
// [ErrNoClient], which says what to do. A client belongs to one issuer and is
// used at no other one.
//
// # Scopes
//
// A login asks for the scopes of the challenge, otherwise for those that the
// metadata of the resource list, otherwise for none. It asks for offline_access
// as well if the authorization server lists it. If a request needs more, the
// login asks for the union, twice in ten minutes at most for one operation.
//
// # Concurrency
//
// All types are safe for concurrent use. Requests that fail at the same time
// share one login, also those of several processes with one store. A login
// waits for that of another process, and uses it.
//
// # Errors
//
// Match [ErrNoClient], [ErrNoServer], [ErrInsufficient] and [ErrRejected] with
// errors.Is. Other errors are those of packages discovery, registration,
// nativeapp and oauth. No error contains a token.
//
// [MCP authorization]: https://modelcontextprotocol.io/specification/draft/basic/authorization
package mcp

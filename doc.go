// Package authtrip gives Go programs OAuth 2.0 that stays logged in. It has no
// code: this page is the map of its packages.
//
// # What you use
//
//   - [github.com/authtrip/authtrip/transport]: an http.RoundTripper that sends
//     the access token, renews it after a 401 and replays the request.
//   - [github.com/authtrip/authtrip/middleware]: /authorize, /callback and
//     /logout on any mux, and sessions.
//   - [github.com/authtrip/authtrip/middleware/connect]: accounts that users of
//     your own connect.
//   - [github.com/authtrip/authtrip/tokensource/grant]: the Keeper, which keeps
//     the grant of each user alive, between goroutines, processes and crashes.
//   - [github.com/authtrip/authtrip/tokensource/oauth]: the client of one
//     authorization server. Each call makes one request.
//   - [github.com/authtrip/authtrip/tokensource/provider]: what is known of a
//     server: a catalogue, or a description of your own.
//   - [github.com/authtrip/authtrip/tokensource/discovery]: what a server
//     publishes about itself. Package registration registers an app there.
//   - [github.com/authtrip/authtrip/tokensource/nativeapp]: logins of programs
//     without a web server.
//   - [github.com/authtrip/authtrip/tokensource/derived]: tokens without a
//     refresh token, such as those of the app itself.
//   - [github.com/authtrip/authtrip/tokensource/upkeep]: grants that nobody
//     uses stay alive, lists of grants, and probes.
//   - Modules of their own below tokensource: jose (private_key_jwt and DPoP;
//     its packages atproto and identity are for Bluesky), oidc (ID tokens and
//     logout), mcp (Model Context Protocol).
//   - [github.com/authtrip/authtrip/storage]: where grants are kept: memory, a
//     directory (filestore), and SQLite, PostgreSQL and Redis as modules of
//     their own (sqlitestore, postgresstore, redisstore). Sealed encrypts what
//     any of them keeps. Package userstore is the sealed store of a command,
//     and module keyring keeps its key in the keychain of the system.
//   - [github.com/authtrip/authtrip/storage/seal]: the keys for Sealed, and for
//     the cookies of middleware.
//
// # What you test with
//
//   - [github.com/authtrip/authtrip/tokensource/oauthtest]: a fake server that
//     is as hostile as real ones. In folders below, package xapi is X and its
//     API, and package servers answers as other servers do.
//   - Packages nativeapptest, oidctest, josetest and atprototest, each beside
//     the package that it is for.
//   - [github.com/authtrip/authtrip/storage/storagetest]: the contract of a
//     store as tests.
//
// # The contract
//
// [github.com/authtrip/authtrip/tokensource] holds the interfaces that join
// these packages, and the errors that a program decides on. A Source of your
// own needs one method.
//
// docs/decisions.md lists what a program has to decide, each with an Example.
// docs/architecture.md shows the arrows between the packages, the states of a
// grant, and what happens when a process crashes. docs/guarantees.md lists
// every promise with its tests.
package authtrip

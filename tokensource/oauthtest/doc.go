// Package oauthtest is a fake authorization server for tests and demos. It
// needs no account and no network.
//
// # What it is for
//
// A [Server] plays the authorization server that a [provider.Provider]
// describes: its endpoints, its client authentication, its scopes, its issuer,
// whether it keeps one grant per user. Without a provider it is a plain server
// of RFC 6749 at https://auth.example, with an API at https://api.example.
// Package xapi, in the folder below, is X on top of this package. Package
// servers has the knobs of other servers that people run.
//
// The fake is as hostile as servers are. Authorization codes are short-lived,
// refresh tokens are single-use, and reuse of one ends the whole grant. Answers
// can get lost after they took effect.
//
// A Server can be reached in three ways: as an [http.Handler], on a listener
// such as httptest.NewServer starts, and in memory ([Server.Transport]). In
// memory it answers at the provider's real addresses, without a socket. It
// needs a timer only where a request has to wait, so that it works inside a
// testing/synctest bubble.
//
// # Types
//
//   - [Server] is the fake. [New] makes one for a test, [NewServer] elsewhere.
//   - [Options] holds what does not change: provider, apps, users, clock.
//   - [Knobs] holds what a test may change at any time with [Server.Set].
//   - [Fault] is what goes wrong with a request. [Server.Inject] plans faults
//     ahead, Knobs.Fault decides them request by request.
//   - [Grant], [Pair] and [Token] are the server's own books: what it issued to
//     whom, what was redeemed for it, and whether it is still good.
//   - [Request] is what the server has seen of a request.
//
// # Example
//
//	fake := oauthtest.New(t, nil)
//	client, err := oauth.New(fake.Provider(""), registration, &oauth.Options{
//		HTTPClient: &http.Client{Transport: fake.Transport()},
//	})
//	fake.Inject(oauthtest.Match{Op: "token"}, oauthtest.Fault{Status: 503}, 1)
//
// # Determinism
//
// Tokens come from crypto/rand, so that testing/cryptotest can make them
// repeat. Faults with a probability repeat by [Match].Seed. No decision depends
// on the order of a map.
//
// # Concurrency
//
// A Server is safe for concurrent use. It calls the functions in [Options] and
// [Knobs] without a lock, from the goroutine that serves the request, and
// possibly from several goroutines at once. The exceptions are Clock, Random
// and Answer in Options: a lock is held, and they must not call the Server.
//
// # Errors
//
// [Server.Close] and [Server.Audit] report at the end of a test, as one error,
// what the test or the client under test did wrong. No error holds a token, a
// code or a secret.
package oauthtest

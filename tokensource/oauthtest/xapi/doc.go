// Package xapi is a fake of X (Twitter), for tests and demos: the authorization
// server of package oauthtest in X's ways, and a part of X's API behind it.
//
// # What it is for
//
// A [Server] answers as X does, down to the bytes of its error bodies. It knows
// X's refusals at the token endpoint, app-only bearer tokens, users/me, posts,
// a stream, rate limits and problem bodies. Everything that package oauthtest
// offers is there too: faults, knobs, the books, the record.
//
// What X does where it has not said so, this package assumes: that reuse of a
// refresh token ends the grant, that a state is mandatory, that an unknown
// client is answered with 401. Each of these can be changed with a knob.
//
// # Types
//
// [New] and [NewServer] return a Server. [Knobs] are those of oauthtest, and
// those of the API in Knobs.API; their zero value is X's behaviour. [State] is
// what the API holds.
//
// # Example
//
//	fake := xapi.New(t, nil)
//	x := httptest.NewServer(fake)
//	client, err := oauth.New(fake.Provider(x.URL), registration, nil)
//	fake.ExpireAccess("") // the next request of the app needs a new token
//
// # Concurrency
//
// A Server is safe for concurrent use, and works inside a testing/synctest
// bubble: see package oauthtest.
//
// # Errors
//
// Options that cannot work, such as an app with eleven redirect URLs, are
// refused by [NewServer] with the errors of oauthtest.
package xapi

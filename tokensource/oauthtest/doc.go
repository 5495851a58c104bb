// Package oauthtest is a fake of X's authorization server and API, for tests and demos: it needs no account, no network
// and no other package than this one. It answers as X does, down to the bytes of its error bodies, and it is hostile where
// servers are: authorization codes live for thirty seconds, refresh tokens are single-use and their reuse ends the whole
// grant, a second login ends the first, and answers can get lost after they took effect.
//
// One Server can be reached in three ways: as an http.Handler, on a loopback listener (Start, StartTLS), and in memory
// (Transport), where it answers at the real addresses https://x.com and https://api.x.com without any network. The last
// one starts no goroutine and no timer unless asked to wait, so that it works inside a testing/synctest bubble.
//
// Knobs change what the fake does; their zero value is X's behaviour. Inject adds faults.
//
// What X does where it has not said so, this package assumes: that reuse of a refresh token ends the grant, that a state
// is mandatory, that an unknown client is answered with 401. Each of these is a knob.
package oauthtest

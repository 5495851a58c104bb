// Package everyserver holds the test that plays every entry of the catalogue of
// package provider.
//
// Package oauthtest plays the server of an entry with its quirks. An app with
// authtrip logs a user in there, calls the API, has a token rejected, loses the
// grant, and disconnects. So an entry whose facts contradict each other, or
// which authtrip cannot follow, fails here. The package has no code but tests.
package everyserver

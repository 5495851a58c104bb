// Package josetest is the half of a server in tests of package jose: it
// verifies what jose signs.
//
// # What it is for
//
// The fake server of package oauthtest knows no signatures. It asks a verifier,
// which is one of this package.
//
// # Types
//
// [Assertions] verifies the assertions with which clients authenticate. It is
// what oauthtest.Options.Assertions needs. [Proofs] verifies proofs of
// possession, for oauthtest.Options.Proofs.
//
// # Example
//
//	clients := map[string]crypto.PublicKey{"my-app": key.Public()}
//	fake := oauthtest.New(t, &oauthtest.Options{
//		Assertions: josetest.NewAssertions(clients),
//		Proofs:     josetest.Proofs{},
//	})
//
// # Concurrency
//
// Everything is safe for concurrent use.
//
// # Errors
//
// Errors say what is wrong with a signature or with a claim. They contain
// nothing of what was verified.
package josetest

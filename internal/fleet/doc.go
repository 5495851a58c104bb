// Package fleet holds tests and nothing else: fleets of real processes share one store and one authorization server, and are
// killed, stopped, cut off from the store and lied to, to see whether any of them can lose a user's login.
//
// The tests run at a reduced scale unless AUTHTRIP_FLEET is "full". They need signals, and so a Unix.
package fleet

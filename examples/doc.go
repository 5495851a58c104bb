// Package examples is the root of a module of its own. Each folder holds a
// program, with a test that runs it against package oauthtest. So the
// requirements of the programs are not requirements of the root module.
package examples

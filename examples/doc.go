// Package examples is the root of a module of its own: each folder holds a program, with a test that runs it against
// package oauthtest. What they need beyond the toolkit stays out of the toolkit's requirements.
package examples

// Package examples is the root of a module of its own. Each folder holds a
// program, with a test that runs it against package oauthtest. So the
// requirements of the programs are not requirements of the root module.
//
// # Programs
//
//   - quickstart: a web app with a login, and a fake of X
//   - cli: a command with login, logout and several accounts
//   - whoami: the smallest command that stays logged in
//   - bot: a program that posts for one account
//   - fake: an authorization server of the catalogue, to write programs against
//   - agent: a command that calls a tool of an MCP server
//   - gateway: a reverse proxy whose callers hold capabilities and no tokens
//   - observability: metrics, traces, a dashboard, alerts, probes
//   - clients: libraries of other people, which take the tokens of a user
//   - moving: programs before and after they moved to authtrip
//   - routers: a login on net/http, chi, gorilla/mux, gin, echo and httprouter
//   - connect: users of an app connect accounts at X and Google
//   - sessions: a login in the sessions of scs and gorilla/sessions
//   - browsers: tests of the login in a real browser
package examples

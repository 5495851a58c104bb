// Package registration makes an app known to authorization servers that nobody
// registered it at by hand.
//
// # What it is for
//
// There are two ways. With dynamic client registration ([RFC 7591]) the app
// asks the server for a client ID, and perhaps a secret. A [Registrar] does so
// once for all processes of the app, and keeps the result in the store of the
// grants. With a client ID metadata document ([draft]) the client ID is a URL,
// at which the app serves [Metadata] about itself: Login.ClientMetadata of
// package middleware serves them. Such an app registers nowhere and keeps
// nothing.
//
// # Types
//
// [Metadata] say what the app is. A [Registrar] registers it, and a
// [Registered] is the outcome, for oauth.New. [Options] are its settings.
//
// # Example
//
//	m := registration.Metadata{RedirectURLs: []string{callback}}
//	registrar, err := registration.New(store, m, nil)
//	registered, err := registrar.Current(ctx, p)
//	client, err := oauth.New(registered.Provider, registered.Registration, nil)
//
// # One registration
//
// The store has one record for each authorization server and set of redirect
// URLs. Before a process registers the app, it announces that there by
// compare-and-swap. Other processes wait for the outcome. If a process crashes
// between the answer of the server and the write, another one registers the app
// after the announcement has ended. The first registration is then unused:
// nobody has logged in with it.
//
// A change of the Metadata leads to a new registration, as do its end and its
// refusal by the server. The old ones stay in the record, because grants belong
// to the client ID that made them: see [Registrar.All]. An old one ends when no
// grant was refreshed with it for half a year: see [Registrar.Used]. So a
// deployment in which old and new versions of the app run at once registers
// once for each.
//
// # Concurrency
//
// A Registrar is safe for concurrent use. Callers in one process share one
// registration.
//
// # Errors
//
// An error of a request is a *tokensource.Error: tokensource.ErrClient if the
// server refused the Metadata, and tokensource.ErrTemporary otherwise. No error
// contains a secret. Other errors mean that an argument cannot work. They begin
// with "registration:".
//
// [RFC 7591]: https://www.rfc-editor.org/rfc/rfc7591
// [draft]: https://datatracker.ietf.org/doc/draft-ietf-oauth-client-id-metadata-document/
package registration

// Package nativeapp logs a user in from a program without a web server: a
// command, a desktop program, an agent ([RFC 8252]).
//
// # What it is for
//
// [App.Loopback] opens the browser of the user and receives the answer on this
// machine. [App.Device] shows a code that the user enters in a browser on any
// machine ([RFC 8628]), which works over ssh. Both store the grant in a
// grant.Keeper, which then keeps it alive.
//
// # Types
//
// An [App] is made of the Keeper by [New]. [LoginOptions] say what one login
// asks for. A [DeviceCode] is what the user has to see.
//
// # What can go wrong
//
// The redirect URL of the client is http on a loopback address. Only this
// machine can reach it, and other programs and every page in the browser can do
// so too. So a request counts only if it has the right method, host, path and
// state. Every other request is answered, and the login goes on.
//
// # Concurrency
//
// An App is safe for concurrent use. Two logins at once on the same fixed port
// are not possible: the second one fails.
//
// # Errors
//
// Errors of requests are those of package oauth: a *tokensource.Error. Match
// [ErrDenied], [ErrExpired], [ErrNoBrowser] and [ErrResponse] by errors.Is. If
// the caller's context ends, the error wraps its cause. No error contains a
// code, a token or a device code.
//
// [RFC 8252]: https://www.rfc-editor.org/rfc/rfc8252
// [RFC 8628]: https://www.rfc-editor.org/rfc/rfc8628
package nativeapp

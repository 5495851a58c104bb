// Package nativeapp logs a user in from a program without a web server, and
// keeps the user logged in: a command, a desktop program, an agent
// ([RFC 8252]).
//
// # What it is for
//
// [Open] opens the logins of a program: a sealed store in the folder of the
// user, which all runs of the program share. [App.Login] logs a user in, in the
// way that works where the program runs. [App.Client] returns an http.Client
// that acts for the user and stays logged in. [App.Status] and [App.Logout] are
// what their names say. Several accounts are possible. A web app with many
// users needs package middleware.
//
// # Ways of a login
//
// [App.Loopback] opens the browser of the user and receives the answer on this
// machine. [App.Device] shows a code that the user enters in a browser on any
// machine ([RFC 8628]), which works over ssh. Login picks one of them, or lets
// the user paste the address at which the browser on another machine ends.
//
// # Types
//
// An [App] is made by Open, or by [New] on a Keeper that the program has.
// [Options] belong to all logins, and [LoginOptions] to one. A [DeviceCode] is
// what the user has to see, and a [Status] says who is logged in. Package
// nativeapptest helps to test programs.
//
// # Example
//
//	app, err := nativeapp.Open(ctx, "notes", client, nil)
//	…
//	defer app.Close()
//	resp, err := app.Client().Get("https://api.example/notes")
//	if errors.Is(err, tokensource.ErrReauthorize) {
//		_, err = app.Login(ctx, nil)
//	}
//
// # What can go wrong
//
// The redirect URL of the client is http on a loopback address. Only this
// machine can reach it, and other programs and every page in the browser can do
// so too. So a request counts only if it has the right method, host, path and
// state. Every other request is answered, and the login goes on.
//
// A process that ends without [App.Close] may lose tokens that are on their way
// to it. Then the other runs wait for its lease to end.
//
// # Concurrency
//
// An App is safe for concurrent use, and any number of processes may have the
// same logins open. Two logins at once on the same fixed port are not possible:
// the second one fails.
//
// # Errors
//
// Errors of requests are those of package oauth: a *tokensource.Error. Match
// [ErrDenied], [ErrExpired], [ErrNoBrowser], [ErrResponse] and [ErrAccount] by
// errors.Is, and userstore.ErrKeychain and userstore.ErrKey after Open. If the
// caller's context ends, the error wraps its cause. No error contains a code, a
// token or a device code.
//
// [RFC 8252]: https://www.rfc-editor.org/rfc/rfc8252
// [RFC 8628]: https://www.rfc-editor.org/rfc/rfc8628
package nativeapp

// Package sessions has adapters for the session libraries that Go programs use,
// as code to copy. Each is a middleware.Sessions, so that a login stands in the
// session that the app has already, and no second cookie is needed:
//
//	login, err := middleware.New(grants, keys, &middleware.Options{
//		Sessions: sessions.SCS{SessionManager: manager},
//	})
//
// The library must give the session a new identifier at each login and logout.
// Otherwise somebody who knew it before the login would be logged in too.
package sessions

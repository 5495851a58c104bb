// Package routes registers a handler for all methods of one path, beside
// patterns of the app that would otherwise conflict. It has no state and no
// errors, and is as safe for concurrent use as the router.
package routes

import "net/http"

// Mux is what a router must have.
type Mux interface {
	Handle(pattern string, h http.Handler)
}

// muxOfGo is a Mux whose patterns can begin with a method: http.ServeMux, and
// what embeds one.
type muxOfGo interface {
	Handler(r *http.Request) (h http.Handler, pattern string)
}

// methods are those of RFC 9110 and RFC 5789. HEAD belongs to GET.
var methods = []string{
	http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	http.MethodOptions, http.MethodTrace, http.MethodConnect,
}

// Handle registers h at a path. An http.ServeMux gets a pattern for each method
// (M1): one pattern for all of them would conflict with "GET /" and "GET
// /{path...}" of the app.
func Handle(mux Mux, path string, h http.Handler) {
	if _, ok := mux.(muxOfGo); !ok {
		mux.Handle(path, h)
		return
	}
	for _, method := range methods {
		mux.Handle(method+" "+path, h)
	}
}

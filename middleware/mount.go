package middleware

import (
	"net/http"
	"strings"

	"github.com/authtrip/authtrip/internal/routes"
)

// Mux is what [Login.Mount] needs of a router. http.ServeMux and the routers of
// chi have this method. Other routers take [Login.Handler].
type Mux interface {
	Handle(pattern string, h http.Handler)
}

// Mount registers the routes on mux: the paths of the redirect URLs, and beside
// the first one authorize, logout and disconnect, or what [Options] say, and
// Options.BackChannelLogoutPath. A
// prefix that Options.PathPrefix names is left out. The routes of an
// http.ServeMux are registered for each method. So patterns of the app, such as
// "GET /" and "GET /{path...}", do not conflict with them.
//
// Mount is for the router that sees whole paths. For a part of a router, as
// behind http.StripPrefix, in a Route of chi, or in a group of gin or echo, see
// [Login.Handler].
func (l *Login) Mount(mux Mux) {
	for _, route := range l.routes() {
		routes.Handle(mux, strings.TrimPrefix(route.path, l.inner().site.prefix), route.handler)
	}
}

// Handler returns one handler for all routes, which can be mounted anywhere: in
// a part of any router, with or without the prefix in the path that it sees.
// Its answer to any other path is 404.
//
//	mux.Handle("/auth/", login.Handler()) // net/http
//	router.Mount("/auth", login.Handler()) // chi
//	router.PathPrefix("/auth/").Handler(login.Handler()) // gorilla/mux
//	group.Any("/*path", gin.WrapH(login.Handler())) // gin
//	group.Any("/*", echo.WrapHandler(login.Handler())) // echo
//
// It finds the route by the path that the client sent, and otherwise by the
// last segments of the path that it sees.
func (l *Login) Handler() http.Handler {
	in, routes := l.inner(), l.routes()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := find(routes, in.site.publicPath(r), r.URL.Path); h != nil {
			h.ServeHTTP(w, r)
			return
		}
		http.NotFound(w, r)
	})
}

type route struct {
	path    string // public
	handler http.Handler
}

// routes returns the routes, each path once.
func (l *Login) routes() []route {
	site := l.inner().site
	list := []route{{site.authorize, l.Authorize()}, {site.disconnect, l.Disconnect()}}
	if !site.connects {
		list = append(list, route{site.logout, l.Logout()})
	}
	if site.backChannel != "" {
		list = append(list, route{site.backChannel, l.BackChannelLogout()})
	}
	known := map[string]bool{}
	for _, c := range site.callbacks {
		if !known[c.path] {
			list = append(list, route{c.path, l.Callback()})
		}
		known[c.path] = true
	}
	return list
}

// find returns the handler of the route that has one of these paths, or the
// handler of the only route that ends as seen does. Otherwise it returns nil.
func find(routes []route, public, seen string) http.Handler {
	for _, path := range []string{public, seen} {
		for _, r := range routes {
			if r.path == path {
				return r.handler
			}
		}
	}
	var found http.Handler
	for _, r := range routes {
		if !endsWith(r.path, seen) && !endsWith(seen, r.path) {
			continue
		}
		if found != nil {
			return nil
		}
		found = r.handler
	}
	return found
}

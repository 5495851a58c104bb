package main

import (
	"context"
	"log"
	"net/http"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage/sqlitestore"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// app is the demo: an ordinary web app that acts for its users at an API.
type app struct {
	dir      string // where the data is
	origin   string // where browsers find it
	upstream *upstream
	database *sqlitestore.Store
	grants   *grant.Keeper
	login    *middleware.Login
	second   *second      // nil at the real X
	api      *http.Client // adds the token of the user whom a request's context names
	timeline *timeline
	results  results
	stopped  chan struct{} // closed when the server shuts down
}

// handler returns everything that the app serves.
func (a *app) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", http.HandlerFunc(a.page))
	mux.Handle("GET /events", http.HandlerFunc(a.events))
	mux.Handle("GET /assets/", http.FileServerFS(assets))
	mux.Handle("POST /clear", a.login.Require(http.HandlerFunc(a.clear)))
	a.login.Mount(watched{mux, a.timeline})
	a.mountButtons(watched{mux, a.timeline})
	return a.atHome(http.NewCrossOriginProtection().Handler(mux))
}

func (a *app) mountButtons(mux watched) {
	mux.Handle("POST /call", a.button("call", a.who))
	mux.Handle("POST /post", a.button("post", a.post))
	if a.upstream.fake == nil {
		return
	}
	a.second.routes.Mount(mux)
	mux.Handle("POST /ask", a.button("google", a.ask))
	mux.Handle("POST /many", a.button("many", a.many)) // X allows 75 of these calls in 15 minutes
	mux.Handle("POST /expire", a.button("expire", a.expire))
	mux.Handle("POST /kill", a.button("kill", a.kill))
	mux.Handle("POST /crash", a.button("crash", a.crash))
	mux.Handle("POST /withdraw", a.button("withdraw", a.withdraw))
}

// watched is a mux whose handlers appear on the timeline.
type watched struct {
	mux      *http.ServeMux
	timeline *timeline
}

func (w watched) Handle(pattern string, h http.Handler) {
	w.mux.Handle(pattern, w.timeline.watch(theApp, h))
}

// atHome serves requests to the app's own address only. Cookies are bound to a
// host name, so localhost is led to 127.0.0.1; any other name would be a site
// of somebody else's that points here (DNS rebinding).
func (a *app) atHome(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case "http://"+r.Host == a.origin:
			next.ServeHTTP(w, r)
		case r.Method == http.MethodGet:
			seeOther(w, a.origin+"/")
		default:
			http.Error(w, "this is "+a.origin, http.StatusMisdirectedRequest)
		}
	})
}

// welcome drops what was said to the user before this login.
func (a *app) welcome(_ context.Context, user provider.Identity) error {
	a.results.forget(user.Subject)
	return nil
}

// explain logs why a request to log in or out failed, which the page does not
// tell the visitor. The error holds no secret.
func explain(w http.ResponseWriter, r *http.Request, err error) {
	log.Printf("quickstart: %v", err)
	middleware.ErrorPage(w, r, err)
}

func (a *app) clear(w http.ResponseWriter, _ *http.Request) {
	a.timeline.clear()
	seeOther(w, "/?at=clear")
}

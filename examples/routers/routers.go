// Package routers mounts a login into the routers that Go programs use. Each
// function returns an app with the page /private for users who are logged in,
// and the routes of the login in /auth. So the redirect URL ends with
// /auth/callback.
package routers

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/gorilla/mux"
	"github.com/julienschmidt/httprouter"
	"github.com/labstack/echo/v4"

	"github.com/authtrip/authtrip/middleware"
)

// NetHTTP mounts the login into an http.ServeMux, beside a pattern for every
// other page.
func NetHTTP(login *middleware.Login, page http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{path...}", http.NotFoundHandler())
	mux.Handle("GET /private", login.Require(page))
	login.Mount(mux)
	return mux
}

// StripPrefix mounts the login into a part of an app that sees paths without
// their prefix.
func StripPrefix(login *middleware.Login, page http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/private", login.Require(page))
	mux.Handle("/auth/", http.StripPrefix("/auth", login.Handler()))
	return mux
}

// Chi mounts the login into a Route of chi, and Require as a middleware of a
// Group.
func Chi(login *middleware.Login, page http.Handler) http.Handler {
	router := chi.NewRouter()
	router.Route("/auth", func(r chi.Router) { r.Handle("/*", login.Handler()) })
	router.Group(func(r chi.Router) {
		r.Use(login.Require)
		r.Handle("/private", page)
	})
	return router
}

// ChiRoot mounts the login into the root of chi.
func ChiRoot(login *middleware.Login, page http.Handler) http.Handler {
	router := chi.NewRouter()
	login.Mount(router)
	router.Get("/*", login.Require(page).ServeHTTP)
	return router
}

// Gorilla mounts the login into a sub-router of gorilla/mux, and Require as a
// middleware of another one.
func Gorilla(login *middleware.Login, page http.Handler) http.Handler {
	router := mux.NewRouter()
	router.PathPrefix("/auth").Subrouter().PathPrefix("/").Handler(login.Handler())
	members := router.NewRoute().Subrouter()
	members.Use(login.Require)
	members.Handle("/private", page)
	return router
}

// Gin mounts the login into a group of gin, and Require as a middleware of
// another one.
func Gin(login *middleware.Login, page http.Handler) http.Handler {
	router := gin.New()
	router.Group("/auth").Any("/*path", gin.WrapH(login.Handler()))
	router.Group("/", requireInGin(login)).GET("/private", gin.WrapH(page))
	return router
}

// requireInGin is Login.Require as a middleware of gin. The handlers after it
// get the request with the user in its context.
func requireInGin(login *middleware.Login) gin.HandlerFunc {
	return func(c *gin.Context) {
		passed := false
		login.Require(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			passed, c.Request = true, r
			c.Next()
		})).ServeHTTP(c.Writer, c.Request)
		if !passed {
			c.Abort()
		}
	}
}

// HTTPRouter mounts the login into httprouter, which wants to know the methods.
func HTTPRouter(login *middleware.Login, page http.Handler) http.Handler {
	router := httprouter.New()
	router.Handler(http.MethodGet, "/auth/*path", login.Handler())
	router.Handler(http.MethodPost, "/auth/*path", login.Handler())
	router.Handler(http.MethodGet, "/private", login.Require(page))
	return router
}

// Echo mounts the login into a group of echo, and Require as a middleware of
// another one.
func Echo(login *middleware.Login, page http.Handler) http.Handler {
	router := echo.New()
	router.Group("/auth").Any("/*", echo.WrapHandler(login.Handler()))
	router.Group("", echo.WrapMiddleware(login.Require)).GET("/private", echo.WrapHandler(page))
	return router
}

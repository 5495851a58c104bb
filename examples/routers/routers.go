// Package routers mounts a login into the routers that Go programs use. Each
// function returns an app with the page /private for users who are logged in,
// and the routes of the login in /auth. So the redirect URL ends with
// /auth/callback.
package routers

import (
	"net/http"

	"github.com/go-chi/chi/v5"
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

// Echo mounts the login into a group of echo.
func Echo(login *middleware.Login, page http.Handler) http.Handler {
	router := echo.New()
	router.Group("/auth").Any("/*", echo.WrapHandler(login.Handler()))
	router.GET("/private", echo.WrapHandler(login.Require(page)))
	return router
}

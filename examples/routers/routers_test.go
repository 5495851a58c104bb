package routers_test

import (
	"net/http"
	"testing"

	"github.com/authtrip/authtrip/examples/internal/journey"
	"github.com/authtrip/authtrip/examples/routers"
	"github.com/authtrip/authtrip/middleware"
)

// TestRouters goes through a login in each router.
func TestRouters(t *testing.T) {
	for name, mount := range map[string]func(*middleware.Login, http.Handler) http.Handler{
		"net/http": routers.NetHTTP, "http.StripPrefix": routers.StripPrefix, "chi": routers.Chi, "the root of chi": routers.ChiRoot,
		"echo": routers.Echo, "gorilla/mux": routers.Gorilla, "gin": routers.Gin, "httprouter": routers.HTTPRouter,
	} {
		t.Run(name, func(t *testing.T) { journey.Test(t, nil, mount) })
	}
}

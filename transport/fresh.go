package transport

import (
	"net/http"
	"sync"
)

// onNewConnections returns a function that returns base, or a copy of it that
// uses each connection once. Requests of the engine carry single-use
// credentials (G3): on an idle connection that is dead, nobody knows whether
// the server has read them.
func onNewConnections(base http.RoundTripper) func() http.RoundTripper {
	return sync.OnceValue(func() http.RoundTripper {
		pooled, ok := base.(*http.Transport)
		if !ok || pooled == nil || pooled.DisableKeepAlives {
			return base
		}
		fresh := pooled.Clone()
		fresh.DisableKeepAlives = true
		return fresh
	})
}

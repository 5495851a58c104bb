package clients_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/examples/clients"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

// TestWithdrawnGrants: if the user has withdrawn the grant, the error says so
// through each library, and the API is asked once.
func TestWithdrawnGrants(t *testing.T) {
	calls := map[string]func(*testing.T, *world) error{
		"resty": func(t *testing.T, w *world) error {
			client, err := clients.Resty(w.source(), w.options)
			if err == nil {
				_, err = client.R().SetContext(t.Context()).Get(w.api.URL)
			}
			return err
		},
		"go-retryablehttp above": func(t *testing.T, w *world) error {
			client, err := clients.RetryableAbove(w.source(), w.options)
			if err == nil {
				_, err = get(t, client.StandardClient(), w.api.URL)
			}
			return err
		},
		"go-retryablehttp below": func(t *testing.T, w *world) error {
			return getWith(t, w, clients.RetryableBelow)
		},
		"otelhttp above": func(t *testing.T, w *world) error {
			return getWith(t, w, func(src tokensource.Source, o *transport.Options) (*http.Client, error) {
				return clients.TracedCalls(src, o)
			})
		},
		"otelhttp below": func(t *testing.T, w *world) error {
			return getWith(t, w, func(src tokensource.Source, o *transport.Options) (*http.Client, error) {
				return clients.TracedAttempts(src, o)
			})
		},
		"server-sent events": func(t *testing.T, w *world) error {
			rt, err := transport.New(w.source(), w.options)
			if err != nil {
				return err
			}
			return clients.Events(t.Context(), &http.Client{Transport: rt}, w.api.URL, nil)
		},
		"WebSocket": func(t *testing.T, w *world) error {
			_, err := clients.WebSocket(t.Context(), w.source(), "wss"+strings.TrimPrefix(w.api.URL, "https"), w.options)
			return err
		},
		"reverse proxy": func(t *testing.T, w *world) error {
			target, err := url.Parse(w.api.URL)
			if err != nil {
				return err
			}
			proxy, err := clients.Proxy(w.source(), target, w.options)
			if err != nil {
				return err
			}
			var told error
			proxy.ErrorHandler = func(_ http.ResponseWriter, _ *http.Request, err error) { told = err }
			proxy.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
			return told
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, hello)
			w.withdraw(t)
			if err := call(t, w); !errors.Is(err, tokensource.ErrReauthorize) {
				t.Errorf("the call = %v, want ErrReauthorize", err)
			}
			if n := w.asked.Load(); n != 1 {
				t.Errorf("%d requests to the API, want 1", n)
			}
		})
	}
}

func getWith(t *testing.T, w *world, open func(tokensource.Source, *transport.Options) (*http.Client, error)) error {
	client, err := open(w.source(), w.options)
	if err == nil {
		_, err = get(t, client, w.api.URL)
	}
	return err
}

package clients_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/authtrip/authtrip/examples/clients"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

func TestResty(t *testing.T) {
	w := newWorld(t, hello)
	client, err := clients.Resty(w.source(), w.options)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.R().SetContext(t.Context()).Get(w.api.URL)
	if err != nil || resp.String() != "hello" {
		t.Errorf("Get = %q, %v, want hello", resp, err)
	}
	w.wantOneRefresh(t)
}

// flaky answers every second request with 503.
func flaky(count *atomic.Int32) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if count.Add(1)%2 == 1 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		hello(w, r)
	}
}

func TestRetryable(t *testing.T) {
	above := func(src tokensource.Source, o *transport.Options) (*http.Client, error) {
		client, err := clients.RetryableAbove(src, o)
		if err != nil {
			return nil, err
		}
		return client.StandardClient(), nil
	}
	for name, open := range map[string]func(tokensource.Source, *transport.Options) (*http.Client, error){"above": above, "below": clients.RetryableBelow} {
		t.Run(name, func(t *testing.T) {
			var count atomic.Int32
			w := newWorld(t, flaky(&count))
			client, err := open(w.source(), w.options)
			if err != nil {
				t.Fatal(err)
			}
			if body, err := get(t, client, w.api.URL); err != nil || body != "hello" {
				t.Errorf("Get = %q, %v, want hello after a 401 and a 503", body, err)
			}
			if n := count.Load(); n != 2 {
				t.Errorf("%d requests with a good token, want 2", n)
			}
			w.wantOneRefresh(t)
		})
	}
}

func TestTraced(t *testing.T) {
	tests := []struct {
		name string
		open func(tokensource.Source, *transport.Options, ...otelhttp.Option) (*http.Client, error)
		want int
	}{
		{"one span for a call", clients.TracedCalls, 1},
		{"one span for each request", clients.TracedAttempts, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			spans := tracetest.NewSpanRecorder()
			provider := trace.NewTracerProvider(trace.WithSpanProcessor(spans))
			w := newWorld(t, hello)
			client, err := tt.open(w.source(), w.options, otelhttp.WithTracerProvider(provider))
			if err != nil {
				t.Fatal(err)
			}
			if body, err := get(t, client, w.api.URL); err != nil || body != "hello" {
				t.Errorf("Get = %q, %v, want hello", body, err)
			}
			if got := len(spans.Ended()); got != tt.want {
				t.Errorf("%d spans, want %d", got, tt.want)
			}
			for _, span := range spans.Ended() {
				if text := fmt.Sprintf("%+v", span.Attributes()); strings.Contains(text, "Bearer") {
					t.Errorf("a span holds the token: %s", text)
				}
			}
			w.wantOneRefresh(t)
		})
	}
}

// TestProxy: the caller's own credentials stay at the proxy.
func TestProxy(t *testing.T) {
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(rw, r.URL.Path, " cookie=", r.Header.Get("Cookie"))
	})
	target, err := url.Parse(w.api.URL + "/2")
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := clients.Proxy(w.source(), target, w.options)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/tweets", strings.NewReader("text"))
	r.Header.Set("Authorization", "Bearer of-the-caller")
	r.Header.Set("Cookie", "app=1")
	rec := httptest.NewRecorder()
	proxy.ServeHTTP(rec, r)
	if got := rec.Body.String(); rec.Code != http.StatusOK || got != "/2/tweets cookie=" {
		t.Errorf("answer = %d %q, want the path at the target and no cookie", rec.Code, got)
	}
	w.wantOneRefresh(t)
}

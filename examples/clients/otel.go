package clients

import (
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

// TracedCalls returns an http.Client with otelhttp above the transport: one
// span for each call of the program, renewal and replay included.
func TracedCalls(src tokensource.Source, o *transport.Options, traced ...otelhttp.Option) (*http.Client, error) {
	rt, err := transport.New(src, o)
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: otelhttp.NewTransport(rt, traced...)}, nil
}

// TracedAttempts returns an http.Client with otelhttp below the transport: one
// span for each request that is sent, so that a replay is a span of its own.
// otelhttp records no header, so that no token gets into a span.
func TracedAttempts(src tokensource.Source, o *transport.Options, traced ...otelhttp.Option) (*http.Client, error) {
	var below transport.Options
	if o != nil {
		below = *o
	}
	below.Base = otelhttp.NewTransport(below.Base, traced...) // nil means http.DefaultTransport to it too
	rt, err := transport.New(src, &below)
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: rt}, nil
}

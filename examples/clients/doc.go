// Package clients shows how programs and libraries of other people get
// authtrip's tokens. Each file is one of them. Nearly all take an http.Client,
// or an http.RoundTripper, and so they need nothing but transport.New:
//
//   - gotwitter.go: a client library for X's API
//   - resty.go: the HTTP client resty
//   - retryable.go: go-retryablehttp, above the transport and below it
//   - otel.go: OpenTelemetry's otelhttp, above the transport and below it
//   - proxy.go: httputil.ReverseProxy
//   - events.go: a stream of server-sent events
//   - websocket.go: a WebSocket
//   - grpc.go: gRPC, which takes credentials instead of an http.Client
//
// If src is a *grant.Keeper, the context of each call names the user
// (Keeper.WithSubject). If src is a Source of one subject, all calls are made
// for that user. All clients are safe for concurrent use. A function that
// returns an error returns that of transport.New.
package clients

package clients

import (
	"net/http"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

// RetryableAbove returns a client of go-retryablehttp that repeats requests
// above the transport: each attempt gets a valid token. CheckRetry ends the
// attempts as soon as only a login helps. Leave o.Retry out.
func RetryableAbove(src tokensource.Source, o *transport.Options) (*retryablehttp.Client, error) {
	rt, err := transport.New(src, o)
	if err != nil {
		return nil, err
	}
	client := retryablehttp.NewClient()
	client.Logger = nil
	client.CheckRetry = transport.CheckRetry
	client.HTTPClient.Transport = rt
	return client, nil
}

// RetryableBelow returns an http.Client whose transport sends each request
// through a client of go-retryablehttp, which repeats it with the same token. A
// 401 is no reason for a repetition there, so the transport sees it at once.
// The client passes on the last answer, and o.Base is its transport. Leave
// o.Retry out, or use that alone: it does the same and knows rate limits.
func RetryableBelow(src tokensource.Source, o *transport.Options) (*http.Client, error) {
	var above transport.Options
	if o != nil {
		above = *o
	}
	client := retryablehttp.NewClient()
	client.Logger = nil
	client.ErrorHandler = retryablehttp.PassthroughErrorHandler
	if above.Base != nil {
		client.HTTPClient.Transport = above.Base
	}
	client.HTTPClient.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	above.Base = &retryablehttp.RoundTripper{Client: client}
	rt, err := transport.New(src, &above)
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: rt}, nil
}

package clients

import (
	"net/http/httputil"
	"net/url"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

// Proxy returns a reverse proxy to target that sends the tokens of src. What
// the caller sends as Authorization or Cookie stays here. The transport sets
// the token, renews it and replays the request if its body is short. Streams
// and upgrades pass.
//
// A caller that reaches the proxy acts for the user: put Login.Require or a
// check of your own before it.
func Proxy(src tokensource.Source, target *url.URL, o *transport.Options) (*httputil.ReverseProxy, error) {
	rt, err := transport.New(src, o)
	if err != nil {
		return nil, err
	}
	return &httputil.ReverseProxy{
		Transport: rt,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Del("Authorization")
			r.Out.Header.Del("Cookie")
		},
	}, nil
}

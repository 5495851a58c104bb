package clients

import (
	"net/http"

	"github.com/go-resty/resty/v2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

// Resty returns a client of resty that sends the tokens of src. Leave
// SetRetryCount out, because resty repeats after any error, also after one that
// only a login ends. Retries belong into transport.Options.Retry.
func Resty(src tokensource.Source, o *transport.Options) (*resty.Client, error) {
	rt, err := transport.New(src, o)
	if err != nil {
		return nil, err
	}
	return resty.NewWithClient(&http.Client{Transport: rt}), nil
}
